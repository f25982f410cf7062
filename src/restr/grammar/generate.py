"""Sentences for a scene: a balanced draw from its unambiguous descriptions, in words as people type them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from restr.grammar.meaning.describe import absences, descriptions
from restr.grammar.meaning.description import Proposal, Reference
from restr.grammar.meaning.facts import SceneFacts, facts_of
from restr.grammar.scene import Scene
from restr.grammar.wording.ellipsis import clear_without_noun, names_the_kind
from restr.grammar.wording.typing_style import add_typing_noise
from restr.grammar.wording.verbalise import verbalise

# How often each kind is drawn if a scene offers it, after the mix of RefCOCO's sentences.
KIND_WEIGHTS: Mapping[str, float] = {
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
_TRIES = 4  # draws for each wanted sentence, because the same words may come twice
MOST_WORDINGS = 4  # of each description, on average: a scene with few descriptions gets few sentences


def references(
    scene: Scene, rng: np.random.Generator, n: int = 40, weights: Mapping[str, float] | None = None
) -> list[Reference]:
    """Up to ``n`` different sentences, each with the one target (or group) that it singles out.

    weights: how often each kind is drawn, by default ``KIND_WEIGHTS``; a missing kind is never drawn. The kind "none",
    sentences that name nothing in the scene, is missing by default. There are fewer than ``n`` sentences if the scene
    offers too little to say, and none if nothing can be said safely.
    """
    mix = KIND_WEIGHTS if weights is None else weights
    pool = [proposal for proposal in descriptions(scene, rng) if mix.get(proposal.kind, 0.0) > 0]
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
        proposal = draw(rng)
        description, targets = proposal.description, proposal.targets
        wording = verbalise(description, rng)
        if not names_the_kind(wording, description) and not clear_without_noun(description, targets, facts):
            continue
        text = add_typing_noise(wording, rng)
        reference = Reference(text=text, description=description, targets=targets, kind=proposal.kind)
        found.setdefault((text, targets), reference)
    return list(found.values())


class _Draw:
    """Draws a kind by the mix, then a target, then one of its descriptions.

    Big targets come more often, and targets and descriptions that were drawn before less often.
    """

    def __init__(self, facts: SceneFacts, pool: list[Proposal], mix: Mapping[str, float]) -> None:
        self.by_kind: dict[str, dict[tuple[int, ...], list[Proposal]]] = defaultdict(lambda: defaultdict(list))
        for proposal in pool:
            self.by_kind[proposal.kind][proposal.targets].append(proposal)
        self.kinds = list(self.by_kind)
        # A kind that could only state the obvious ("the dog on the left" of the only dog) comes up less often.
        worth = {kind: min(1.0, max(p.weight for ps in self.by_kind[kind].values() for p in ps)) for kind in self.kinds}
        total = np.array([mix[kind] * worth[kind] for kind in self.kinds])
        self.chances = total / total.sum()
        self.size = {
            proposal.targets: 0.01 + sum(float(facts.share[i]) for i in proposal.targets) ** 0.75 for proposal in pool
        }
        self.targets_drawn: Counter[tuple[int, ...]] = Counter()
        self.proposals_drawn: Counter[Proposal] = Counter()

    def __call__(self, rng: np.random.Generator) -> Proposal:
        by_targets = self.by_kind[self.kinds[rng.choice(len(self.kinds), p=self.chances)]]
        options = list(by_targets)
        weights = np.array([self.size[targets] / (1 + self.targets_drawn[targets]) for targets in options])
        targets = options[rng.choice(len(options), p=weights / weights.sum())]
        proposals = by_targets[targets]
        weights = np.array([proposal.weight / (1 + 2 * self.proposals_drawn[proposal]) for proposal in proposals])
        proposal = proposals[rng.choice(len(proposals), p=weights / weights.sum())]
        self.targets_drawn[targets] += 1
        self.proposals_drawn[proposal] += 1
        return proposal
