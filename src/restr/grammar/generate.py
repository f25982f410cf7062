"""Sentences for a scene: a balanced draw from its unambiguous descriptions, worded the way people type."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from restr.grammar.meaning.describe import Candidate, absences, descriptions
from restr.grammar.meaning.description import Reference
from restr.grammar.meaning.facts import SceneFacts, facts_of
from restr.grammar.scene import Scene
from restr.grammar.wording.ellipsis import fair_without_noun, tells_its_noun
from restr.grammar.wording.phrase import word
from restr.grammar.wording.typing_style import roughen

# How often each kind is drawn where a scene offers it, after the mix of RefCOCO's sentences.
WEIGHTS: Mapping[str, float] = {
    "position": 40.0,
    "combined": 16.0,
    "clothing": 14.0,
    "colour": 14.0,
    "relation": 9.0,
    "category": 11.0,
    "ordinal": 6.0,
    "size": 4.5,
    "part": 4.0,
    "stuff": 4.0,
    "group": 1.5,
    "negation": 0.5,
}
_TRIES = 4  # draws a wanted sentence, since the same words may come twice
MOST_WORDINGS = 4  # of one description, on average: a scene that offers little is not to be told again and again


def references(
    scene: Scene, rng: np.random.Generator, n: int = 40, weights: Mapping[str, float] | None = None
) -> list[Reference]:
    """Up to ``n`` different sentences, each with the one target (or group) that it singles out.

    weights: how often each kind is drawn, by default ``WEIGHTS``; a kind that is left out is never drawn ("none",
    sentences that name nothing in the scene, is left out by default). Fewer than ``n`` come back where the scene
    offers too little to say, none where nothing can be said safely.
    """
    mix = WEIGHTS if weights is None else weights
    pool = [candidate for candidate in descriptions(scene, rng) if mix.get(candidate.kind, 0.0) > 0]
    if mix.get("none", 0.0) > 0:
        pool += absences(scene, rng)
    if not pool:
        return []
    facts = facts_of(scene)
    draw = _Draw(facts, pool, mix)
    n = min(n, MOST_WORDINGS * len(pool))
    found: dict[tuple[str, tuple[int, ...]], Reference] = {}
    for _ in range(_TRIES * n):
        if len(found) == n:
            break
        candidate = draw(rng)
        wording = word(candidate.description, rng)
        if not tells_its_noun(wording, candidate.description) and not fair_without_noun(
            candidate.description, candidate.targets, facts
        ):
            continue
        text = roughen(wording, rng)
        reference = Reference(
            text=text, description=candidate.description, targets=candidate.targets, kind=candidate.kind
        )
        found.setdefault((text, candidate.targets), reference)
    return list(found.values())


class _Draw:
    """Draws a kind by the mix, then a target (big ones more, none twice in a row), then one of its descriptions."""

    def __init__(self, facts: SceneFacts, pool: list[Candidate], mix: Mapping[str, float]) -> None:
        self.by_kind: dict[str, dict[tuple[int, ...], list[Candidate]]] = defaultdict(lambda: defaultdict(list))
        for candidate in pool:
            self.by_kind[candidate.kind][candidate.targets].append(candidate)
        self.kinds = list(self.by_kind)
        # A kind that could only state the obvious ("the dog on the left" of the only dog) comes up less often.
        worth = {kind: min(1.0, max(c.weight for cs in self.by_kind[kind].values() for c in cs)) for kind in self.kinds}
        total = np.array([mix[kind] * worth[kind] for kind in self.kinds])
        self.chances = total / total.sum()
        self.size = {
            candidate.targets: 0.01 + sum(float(facts.share[i]) for i in candidate.targets) ** 0.75
            for candidate in pool
        }
        self.told: Counter[tuple[int, ...]] = Counter()
        self.said: Counter[Candidate] = Counter()

    def __call__(self, rng: np.random.Generator) -> Candidate:
        targets = self.by_kind[self.kinds[rng.choice(len(self.kinds), p=self.chances)]]
        names = list(targets)
        eager = np.array([self.size[name] / (1 + self.told[name]) for name in names])
        name = names[rng.choice(len(names), p=eager / eager.sum())]
        choices = targets[name]
        ready = np.array([choice.weight / (1 + 2 * self.said[choice]) for choice in choices])
        choice = choices[rng.choice(len(choices), p=ready / ready.sum())]
        self.told[name] += 1
        self.said[choice] += 1
        return choice
