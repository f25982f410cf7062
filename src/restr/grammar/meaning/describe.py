"""Every description worth saying of a scene that surely singles out its target: proposals, then a check of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from restr.grammar.meaning.clothes import YES, garment_truth, lower_colour, upper_colour
from restr.grammar.meaning.colours import COLOURS
from restr.grammar.meaning.description import Description, Garment, Relation, Side, Size
from restr.grammar.meaning.facts import BODY, GARMENTS, UPPER, SceneFacts, facts_of
from restr.grammar.meaning.landmarks import LEAST_SHARE, UNCOLOURED, nameable_colour, relations_of
from restr.grammar.meaning.places import side_truths
from restr.grammar.meaning.resolve import candidates, singles_out
from restr.grammar.scene import Scene
from restr.grammar.words.lexicon import HYPERNYMS

LEAST_ALONE = 0.06  # of the image, where others of the kind may have no mask
LEAST_STUFF = 0.02
UNSPOKEN = frozenset({"accessories"})  # no word fits every mask of it
_SIDES: tuple[Side, ...] = ("left", "right", "middle", "top", "bottom", "front", "back",
                           "top left", "top right", "bottom left", "bottom right")  # fmt: skip
_SIZES: tuple[Size, ...] = ("big", "small", "tall", "short")
# What people call tall or short.
UPRIGHT = frozenset({
    "person", "bottle", "wine glass", "vase", "potted plant", "giraffe", "chair", "refrigerator", "clock",
    "horse", "elephant", "umbrella", "suitcase",
})  # fmt: skip
MOST_GROUP = 6


@dataclass(frozen=True)
class Candidate:
    """A description that holds, the instances it names, what it relies on, and how readily one would say it."""

    description: Description
    targets: tuple[int, ...]
    kind: str
    weight: float = 1.0


def descriptions(scene: Scene, rng: np.random.Generator) -> list[Candidate]:
    """All unambiguous descriptions of the scene's targets that the grammar knows (of pairs of cues: a sample)."""
    facts = facts_of(scene)
    found: list[Candidate] = []
    for i in range(facts.count):
        if _worth_naming(facts, i):
            proposals = _of_target(facts, i, rng) if facts.complete else _alone(facts, i)
            found += _kept(proposals, facts)
    if facts.complete:
        found += _kept(_groups(facts), facts)
    return found


def _kept(proposals: Iterator[Candidate], facts: SceneFacts) -> list[Candidate]:
    seen: dict[Description, Candidate] = {}
    for proposal in proposals:
        if proposal.description not in seen and singles_out(proposal.description, proposal.targets, facts):
            seen[proposal.description] = proposal
    return list(seen.values())


def _worth_naming(facts: SceneFacts, i: int) -> bool:
    if facts.categories[i] in UNSPOKEN or facts.share[i] < LEAST_SHARE:
        return False
    if facts.stuff[i]:
        return bool(facts.share[i] >= LEAST_STUFF)
    return bool(facts.complete or facts.share[i] >= LEAST_ALONE)


def _alone(facts: SceneFacts, i: int) -> Iterator[Candidate]:
    """Where other objects may lack a mask: the kind, and what is true of the target, but no contrast."""
    plain = Description(category=facts.categories[i], noun=facts.noun_of(i))
    yield Candidate(plain, (i,), "stuff" if facts.stuff[i] else "category")
    if facts.categories[i] == "person":
        for garment in _garments(facts, i):
            yield Candidate(replace(plain, garments=(garment,)), (i,), "clothing")
    elif (colour := nameable_colour(facts, i)) is not None:
        yield Candidate(replace(plain, colour=colour), (i,), "colour")


def _of_target(facts: SceneFacts, i: int, rng: np.random.Generator) -> Iterator[Candidate]:
    """Proposals for one target of a completely annotated scene, true of it or not: the check decides."""
    plain = Description(category=facts.categories[i], noun=facts.noun_of(i))
    if facts.stuff[i]:
        yield Candidate(plain, (i,), "stuff")
        return
    yield Candidate(plain, (i,), "category", 0.2 if plain.category == "skin" else 1.0)
    colour = nameable_colour(facts, i)
    garments = _garments(facts, i) if facts.categories[i] == "person" else []
    relations = list(relations_of(facts, i))
    if colour is not None:
        yield Candidate(replace(plain, colour=colour), (i,), "colour")
    for garment in garments:
        yield Candidate(
            replace(plain, garments=(garment,)), (i,), "clothing", 0.4 if garment.category == "hair" else 1.0
        )
    if len(garments) >= 2:
        for _ in range(3):
            first, second = rng.choice(len(garments), 2, replace=False)
            if garments[first].category and garments[second].category not in (None, garments[first].category):
                yield Candidate(replace(plain, garments=(garments[first], garments[second])), (i,), "clothing", 0.7)
    for relation in relations:
        yield Candidate(replace(plain, relation=relation), (i,), "relation")
    yield from _parts(facts, i, plain, colour)
    if facts.categories[i] in GARMENTS:
        return
    yield from _by_place(facts, i, plain)
    yield from _combined(facts, i, plain, colour, garments, relations, rng)
    for hypernym in _hypernyms(facts.categories[i]):
        wide = Description(category=hypernym)
        usual = 0.03 if hypernym == "thing" else 0.4
        if hypernym != "thing":
            yield Candidate(wide, (i,), "category", usual)
        for candidate in _by_place(facts, i, wide):
            yield replace(candidate, weight=candidate.weight * usual)
        if colour is not None:
            yield Candidate(replace(wide, colour=colour), (i,), "colour", usual)


def _by_place(facts: SceneFacts, i: int, plain: Description) -> Iterator[Candidate]:
    rivals = len(candidates(plain, facts).possible)
    for side in _SIDES:
        contrast = 1.0 if rivals > 1 else 0.15  # "the dog on the left" of the only dog is true but rarely said
        if " " in side or side in ("top", "bottom"):
            contrast *= 0.6
        yield Candidate(replace(plain, side=side), (i,), "position", contrast)
        if side in ("left", "right", "top", "bottom") and rivals > 1:
            yield Candidate(replace(plain, side=side, extreme=True), (i,), "position", 0.35 if rivals > 2 else 0.1)
        if side in ("front", "back") and rivals > 1:
            yield Candidate(replace(plain, side=side, superlative=True), (i,), "position", 0.3)
    if rivals == 2:
        for side in ("left", "right", "front", "back"):
            yield Candidate(replace(plain, side=side, negated=True), (i,), "negation")
        for colour in COLOURS:
            yield Candidate(replace(plain, colour=colour, negated=True), (i,), "negation")
    if rivals >= 3:
        for side in ("left", "right"):
            for number in range(1, min(rivals, 6) + 1):
                weight = 1.0 if number in (2, 3) else 0.5
                yield Candidate(replace(plain, ordinal=(number, side)), (i,), "ordinal", weight)
    if rivals >= 2:
        for size in _SIZES if plain.category in UPRIGHT else _SIZES[:2]:
            usual = 1.0 if size in ("big", "small") else 0.3
            yield Candidate(replace(plain, size=size, superlative=True), (i,), "size", usual)
            if rivals == 2 or facts.attributes[i].get("size") == size:
                yield Candidate(replace(plain, size=size), (i,), "size", 0.6 * usual)


def _combined(
    facts: SceneFacts,
    i: int,
    plain: Description,
    colour: str | None,
    garments: list[Garment],
    relations: list[Relation],
    rng: np.random.Generator,
) -> Iterator[Candidate]:
    """Two cues at once; twice as readily where neither is enough alone."""
    seconds: list[Description] = [replace(plain, garments=(garment,)) for garment in garments]
    seconds += [replace(plain, relation=relation) for relation in relations]
    if colour is not None:
        seconds.append(replace(plain, colour=colour))
    if not seconds:
        return
    for _ in range(24):
        second = seconds[rng.integers(len(seconds))]
        side = _SIDES[rng.integers(5)] if rng.random() < 0.75 else _SIDES[rng.integers(len(_SIDES))]
        if second.relation is not None and second.relation.name in ("left of", "right of", "above", "below", "between"):
            continue
        kept = [k for k in candidates(second, facts).possible if k >= 0]
        if i not in kept or side_truths(facts, kept, side, False)[i] != YES:
            continue
        if len(candidates(plain, facts).possible) == 1:
            weight = 0.3  # both cues are idle
        elif len(kept) > 1 and not singles_out(replace(plain, side=side), (i,), facts):
            weight = 2.0  # neither is enough alone
        else:
            weight = 1.0
        yield Candidate(replace(second, side=side), (i,), "combined", weight)
    if relations:
        for _ in range(8):
            first = seconds[rng.integers(len(seconds))]
            relation = relations[rng.integers(len(relations))]
            if first.relation is None:
                yield Candidate(replace(first, relation=relation), (i,), "combined", 0.7)


def _garments(facts: SceneFacts, person: int) -> list[Garment]:
    """What this person surely wears or carries."""
    found: list[Garment] = []
    upper = upper_colour(facts, person)
    if upper is not None:
        found.append(Garment(colour=upper))
    if not facts.dressed(person):
        if upper is not None:
            found.append(Garment(category="shirt", colour=upper))
        lower = lower_colour(facts, person)
        if lower is not None:
            found.append(Garment(category="pants", colour=lower))
        return found
    for k in facts.garments_of[person]:
        category = facts.categories[k]
        if category in ("skin", "accessories") or facts.share[k] < 0.0004:
            continue
        colour = nameable_colour(facts, k) if facts.share[k] >= LEAST_SHARE else None
        if category not in BODY:
            found.append(Garment(category=category))
        if colour is not None:
            found.append(Garment(category=category, colour=colour))
            if category in UPPER:
                found.append(Garment(category=category, colour=colour))
    return [garment for garment in found if garment_truth(facts, person, garment) == YES]


def _parts(facts: SceneFacts, i: int, plain: Description, colour: str | None) -> Iterator[Candidate]:
    """A garment or body part by the person who has it: "her hair", "the left woman's shoes"."""
    owner = facts.owner[i]
    if owner is None:
        return
    person = Description(category="person", noun=facts.noun_of(owner))
    whose = [person] + [replace(person, side=side) for side in ("left", "right", "middle")]
    whose += [replace(person, garments=(g,)) for g in _garments(facts, owner) if g.category is None]
    usual = 0.2 if plain.category == "skin" else 1.0
    for who in whose:
        if candidates(who, facts).single != owner:
            continue
        yield Candidate(replace(plain, part_of=who), (i,), "part", usual)
        if colour is not None:
            yield Candidate(replace(plain, part_of=who, colour=colour), (i,), "part", 0.4)


def _hypernyms(category: str) -> list[str]:
    return [name for name in sorted(HYPERNYMS) if name != category and category in HYPERNYMS[name]]


def _groups(facts: SceneFacts) -> Iterator[Candidate]:
    """All instances of one kind at once."""
    for category in sorted(set(facts.categories) - GARMENTS):
        found = candidates(Description(category=category), facts)
        members = found.certain
        if not 2 <= len(members) <= MOST_GROUP or any(facts.stuff[i] for i in members):
            continue
        if min(facts.share[i] for i in members) >= LEAST_SHARE:
            yield Candidate(Description(category=category, plural=len(members)), members, "group")


def absences(scene: Scene, rng: np.random.Generator, most: int = 12) -> list[Candidate]:
    """Descriptions of nothing: kinds that a completely annotated scene lacks, and colours that none of a kind has."""
    facts = facts_of(scene)
    if not facts.complete:
        return []
    present = sorted(set(facts.categories) - GARMENTS - UNCOLOURED)
    wanted = [
        Description(category=str(name)) for name in rng.permutation(sorted(HYPERNYMS["thing"] | {"person"}))[:most]
    ]
    for category in present:
        wanted += [Description(category=category, colour=str(colour)) for colour in rng.permutation(COLOURS)[:3]]
    return [Candidate(d, (), "none") for d in wanted if not candidates(d, facts).possible]
