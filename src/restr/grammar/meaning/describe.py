"""The descriptions to say of a scene: many proposals, and a check that each singles out its target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from restr.grammar.meaning.clothes import garment_truth, lower_colour, upper_colour
from restr.grammar.meaning.colours import COLOURS
from restr.grammar.meaning.description import Description, Garment, Proposal, Relation, Side, Size
from restr.grammar.meaning.facts import SceneFacts, facts_of
from restr.grammar.meaning.landmarks import LEAST_SHARE, nameable_colour, relations_of
from restr.grammar.meaning.places import side_truths
from restr.grammar.meaning.resolve import UNSEEN, find_matches, singles_out
from restr.grammar.meaning.truth import YES
from restr.grammar.scene import Scene
from restr.grammar.words.categories import BODY_PARTS, PERSON_PARTS, UNCOLOURED, UNNAMED, UPPER_CLOTHES, UPRIGHT
from restr.grammar.words.lexicon import HYPERNYMS

LEAST_ALONE = 0.06  # of the image: a smaller object is not a target if others of its kind may lack a mask
LEAST_STUFF = 0.02  # of the image: a smaller region is not a target
_SIDES: tuple[Side, ...] = ("left", "right", "middle", "top", "bottom", "front", "back",
                           "top left", "top right", "bottom left", "bottom right")  # fmt: skip
_SIZES: tuple[Size, ...] = ("big", "small", "tall", "short")
MOST_GROUP = 6
_RELATIONS_OF_PLACE = frozenset({"left of", "right of", "above", "below", "between"})


def descriptions(scene: Scene, rng: np.random.Generator) -> list[Proposal]:
    """All unambiguous descriptions of the scene's targets; of pairs of cues, a random sample."""
    facts = facts_of(scene)
    found: list[Proposal] = []
    for i in range(facts.count):
        if _worth_naming(facts, i):
            proposals = _with_contrast(facts, i, rng) if facts.complete else _without_contrast(facts, i)
            found += _unambiguous(proposals, facts)
    if facts.complete:
        found += _unambiguous(_groups(facts), facts)
    return found


def _unambiguous(proposals: Iterator[Proposal], facts: SceneFacts) -> list[Proposal]:
    seen: dict[Description, Proposal] = {}
    for proposal in proposals:
        if proposal.description not in seen and singles_out(proposal.description, proposal.targets, facts):
            seen[proposal.description] = proposal
    return list(seen.values())


def _worth_naming(facts: SceneFacts, i: int) -> bool:
    if facts.categories[i] in UNNAMED or facts.share[i] < LEAST_SHARE:
        return False
    if facts.stuff[i]:
        return bool(facts.share[i] >= LEAST_STUFF)
    return bool(facts.complete or facts.share[i] >= LEAST_ALONE)


@dataclass(frozen=True)
class _Target:
    """An instance to describe, and the cues that hold for it."""

    facts: SceneFacts
    """The facts of the scene."""

    index: int
    """In ``Scene.instances``."""

    plain: Description
    """Only its kind."""

    colour: str | None
    """Its own colour, if people would name it."""

    garments: list[Garment]
    """Worn or carried, if it is a person."""

    @classmethod
    def of(cls, facts: SceneFacts, i: int) -> _Target:
        plain = Description(category=facts.categories[i], noun=facts.noun_of(i))
        return cls(facts, i, plain, nameable_colour(facts, i), _garments(facts, i))

    def proposal(self, description: Description, kind: str, weight: float = 1.0) -> Proposal:
        """A proposal to describe this instance."""
        return Proposal(description, (self.index,), kind, weight)


def _without_contrast(facts: SceneFacts, i: int) -> Iterator[Proposal]:
    """Proposals for a scene in which other objects may lack a mask: nothing that compares objects."""
    target = _Target.of(facts, i)
    yield target.proposal(target.plain, "stuff" if facts.stuff[i] else "category")
    for garment in target.garments:
        yield target.proposal(replace(target.plain, garments=(garment,)), "clothing")
    if target.colour is not None:
        yield target.proposal(replace(target.plain, colour=target.colour), "colour")


def _with_contrast(facts: SceneFacts, i: int, rng: np.random.Generator) -> Iterator[Proposal]:
    """Proposals for a target of a completely annotated scene; the check drops those that are not true of it."""
    target = _Target.of(facts, i)
    if facts.stuff[i]:
        yield target.proposal(target.plain, "stuff")
        return
    yield target.proposal(target.plain, "category", 0.2 if target.plain.category == "skin" else 1.0)
    if target.colour is not None:
        yield target.proposal(replace(target.plain, colour=target.colour), "colour")
    yield from _by_garments(target, rng)
    relations = list(relations_of(facts, i))
    for relation in relations:
        yield target.proposal(replace(target.plain, relation=relation), "relation")
    yield from _by_owner(target)
    if target.plain.category in PERSON_PARTS:
        return
    yield from _by_place(target, target.plain)
    yield from _by_two_cues(target, relations, rng)
    yield from _by_hypernym(target)


def _by_garments(target: _Target, rng: np.random.Generator) -> Iterator[Proposal]:
    plain, garments = target.plain, target.garments
    for garment in garments:
        yield target.proposal(
            replace(plain, garments=(garment,)), "clothing", 0.4 if garment.category == "hair" else 1.0
        )
    if len(garments) < 2:
        return
    for _ in range(3):
        first, second = (garments[k] for k in rng.choice(len(garments), 2, replace=False))
        if first.category and second.category not in (None, first.category):
            yield target.proposal(replace(plain, garments=(first, second)), "clothing", 0.7)


def _by_hypernym(target: _Target) -> Iterator[Proposal]:
    """Proposals with general terms: "the animal on the left"."""
    category = target.plain.category
    for hypernym in sorted(HYPERNYMS):
        if hypernym == category or category not in HYPERNYMS[hypernym]:
            continue
        wide = Description(category=hypernym)
        weight = 0.03 if hypernym == "thing" else 0.4
        if hypernym != "thing":
            yield target.proposal(wide, "category", weight)
        for proposal in _by_place(target, wide):
            yield replace(proposal, weight=proposal.weight * weight)
        if target.colour is not None:
            yield target.proposal(replace(wide, colour=target.colour), "colour", weight)


def _by_place(target: _Target, plain: Description) -> Iterator[Proposal]:
    """Proposals that compare the target with others of its kind: sides, order, size, negation."""
    rivals = len(find_matches(plain, target.facts).possible)
    for side in _SIDES:
        weight = 1.0 if rivals > 1 else 0.15  # "the dog on the left" of the only dog is correct but rare
        if " " in side or side in ("top", "bottom"):
            weight *= 0.6
        yield target.proposal(replace(plain, side=side), "position", weight)
        if side in ("left", "right", "top", "bottom") and rivals > 1:
            yield target.proposal(replace(plain, side=side, extreme=True), "position", 0.35 if rivals > 2 else 0.1)
        if side in ("front", "back") and rivals > 1:
            yield target.proposal(replace(plain, side=side, superlative=True), "position", 0.3)
    if rivals == 2:
        for side in ("left", "right", "front", "back"):
            yield target.proposal(replace(plain, side=side, negated=True), "negation")
        for colour in COLOURS:
            yield target.proposal(replace(plain, colour=colour, negated=True), "negation")
    if rivals >= 3:
        for side in ("left", "right"):
            for number in range(1, min(rivals, 6) + 1):
                weight = 1.0 if number in (2, 3) else 0.5
                yield target.proposal(replace(plain, ordinal=(number, side)), "ordinal", weight)
    if rivals >= 2:
        for size in _SIZES if plain.category in UPRIGHT else _SIZES[:2]:
            weight = 1.0 if size in ("big", "small") else 0.3
            yield target.proposal(replace(plain, size=size, superlative=True), "size", weight)
            if rivals == 2 or target.facts.attributes[target.index].get("size") == size:
                yield target.proposal(replace(plain, size=size), "size", 0.6 * weight)


def _by_two_cues(target: _Target, relations: list[Relation], rng: np.random.Generator) -> Iterator[Proposal]:
    """A random sample of pairs of cues; preferred if neither cue is enough alone."""
    facts, i, plain = target.facts, target.index, target.plain
    seconds: list[Description] = [replace(plain, garments=(garment,)) for garment in target.garments]
    seconds += [replace(plain, relation=relation) for relation in relations]
    if target.colour is not None:
        seconds.append(replace(plain, colour=target.colour))
    if not seconds:
        return
    for _ in range(24):
        second = seconds[rng.integers(len(seconds))]
        side = _SIDES[rng.integers(5)] if rng.random() < 0.75 else _SIDES[rng.integers(len(_SIDES))]
        if second.relation is not None and second.relation.name in _RELATIONS_OF_PLACE:
            continue
        kept = [k for k in find_matches(second, facts).possible if k != UNSEEN]
        if i not in kept or side_truths(facts, kept, side, False)[i] != YES:
            continue
        if len(find_matches(plain, facts).possible) == 1:
            weight = 0.3  # the kind is enough
        elif len(kept) > 1 and not singles_out(replace(plain, side=side), (i,), facts):
            weight = 2.0  # neither cue is enough alone
        else:
            weight = 1.0
        yield target.proposal(replace(second, side=side), "combined", weight)
    if relations:
        for _ in range(8):
            first = seconds[rng.integers(len(seconds))]
            relation = relations[rng.integers(len(relations))]
            if first.relation is None:
                yield target.proposal(replace(first, relation=relation), "combined", 0.7)


def _by_owner(target: _Target) -> Iterator[Proposal]:
    """A garment or body part, described by its owner: "her hair", "the left woman's shoes"."""
    facts, plain = target.facts, target.plain
    owner = facts.owner[target.index]
    if owner is None:
        return
    person = Description(category="person", noun=facts.noun_of(owner))
    whose = [person] + [replace(person, side=side) for side in ("left", "right", "middle")]
    whose += [replace(person, garments=(garment,)) for garment in _garments(facts, owner) if garment.category is None]
    for who in whose:
        if find_matches(who, facts).single != owner:
            continue
        yield target.proposal(replace(plain, part_of=who), "part", 0.2 if plain.category == "skin" else 1.0)
        if target.colour is not None:
            yield target.proposal(replace(plain, part_of=who, colour=target.colour), "part", 0.4)


def _garments(facts: SceneFacts, person: int) -> list[Garment]:
    """The garments that this instance surely wears or carries; none if it is not a person."""
    if facts.categories[person] != "person":
        return []
    found: list[Garment] = []
    upper = upper_colour(facts, person)
    if upper is not None:
        found.append(Garment(colour=upper))
    if not facts.has_clothing_masks(person):
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
        if category not in BODY_PARTS:
            found.append(Garment(category=category))
        if colour is not None:
            found.append(Garment(category=category, colour=colour))
            if category in UPPER_CLOTHES:
                found.append(Garment(category=category, colour=colour))
    return [garment for garment in found if garment_truth(facts, person, garment) == YES]


def _groups(facts: SceneFacts) -> Iterator[Proposal]:
    """All instances of one kind at once."""
    for category in sorted(set(facts.categories) - PERSON_PARTS):
        found = find_matches(Description(category=category), facts)
        members = found.certain
        if not 2 <= len(members) <= MOST_GROUP or any(facts.stuff[i] for i in members):
            continue
        if min(facts.share[i] for i in members) >= LEAST_SHARE:
            yield Proposal(Description(category=category, plural=len(members)), members, "group")


def absences(scene: Scene, rng: np.random.Generator, most: int = 12) -> list[Proposal]:
    """Descriptions that fit nothing in a completely annotated scene: absent kinds, and kinds in absent colours."""
    facts = facts_of(scene)
    if not facts.complete:
        return []
    present = sorted(set(facts.categories) - PERSON_PARTS - UNCOLOURED)
    kinds = rng.permutation(sorted(HYPERNYMS["thing"] | {"person"}))
    wanted = [Description(category=str(kind)) for kind in kinds[:most]]
    for category in present:
        wanted += [Description(category=category, colour=str(colour)) for colour in rng.permutation(COLOURS)[:3]]
    return [Proposal(d, (), "none") for d in wanted if not find_matches(d, facts).possible]
