"""The descriptions to say of a scene: many proposals, and a check that each singles out its target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from restr.grammar.meaning.clothes import garment_truth, lower_colour, upper_colour
from restr.grammar.meaning.colours import COLOURS
from restr.grammar.meaning.description import Description, Garment, Proposal, Relation, Side, Size
from restr.grammar.meaning.facts import SceneFacts, facts_of
from restr.grammar.meaning.landmarks import LEAST_SHARE, nameable_colour, relations_of
from restr.grammar.meaning.places import side_truths
from restr.grammar.meaning.resolve import find_matches, singles_out
from restr.grammar.meaning.truth import YES
from restr.grammar.scene import Scene
from restr.grammar.words.categories import BODY_PARTS, PERSON_PARTS, UNCOLOURED, UNNAMED, UPPER_CLOTHES, UPRIGHT
from restr.grammar.words.lexicon import HYPERNYMS

LEAST_ALONE = 0.06  # of the image: a smaller object is no target if others of its kind may lack a mask
LEAST_STUFF = 0.02  # of the image: a smaller region is no target
_SIDES: tuple[Side, ...] = ("left", "right", "middle", "top", "bottom", "front", "back",
                           "top left", "top right", "bottom left", "bottom right")  # fmt: skip
_SIZES: tuple[Size, ...] = ("big", "small", "tall", "short")
MOST_GROUP = 6


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


def _without_contrast(facts: SceneFacts, i: int) -> Iterator[Proposal]:
    """Proposals for a scene in which other objects may lack a mask: nothing that compares objects."""
    plain = Description(category=facts.categories[i], noun=facts.noun_of(i))
    yield Proposal(plain, (i,), "stuff" if facts.stuff[i] else "category")
    if facts.categories[i] == "person":
        for garment in _garments(facts, i):
            yield Proposal(replace(plain, garments=(garment,)), (i,), "clothing")
    elif (colour := nameable_colour(facts, i)) is not None:
        yield Proposal(replace(plain, colour=colour), (i,), "colour")


def _with_contrast(facts: SceneFacts, i: int, rng: np.random.Generator) -> Iterator[Proposal]:
    """Proposals for a target of a completely annotated scene; the check drops those that are not true of it."""
    plain = Description(category=facts.categories[i], noun=facts.noun_of(i))
    if facts.stuff[i]:
        yield Proposal(plain, (i,), "stuff")
        return
    yield Proposal(plain, (i,), "category", 0.2 if plain.category == "skin" else 1.0)
    colour = nameable_colour(facts, i)
    garments = _garments(facts, i) if facts.categories[i] == "person" else []
    relations = list(relations_of(facts, i))
    if colour is not None:
        yield Proposal(replace(plain, colour=colour), (i,), "colour")
    for garment in garments:
        yield Proposal(
            replace(plain, garments=(garment,)), (i,), "clothing", 0.4 if garment.category == "hair" else 1.0
        )
    if len(garments) >= 2:
        for _ in range(3):
            first, second = rng.choice(len(garments), 2, replace=False)
            if garments[first].category and garments[second].category not in (None, garments[first].category):
                yield Proposal(replace(plain, garments=(garments[first], garments[second])), (i,), "clothing", 0.7)
    for relation in relations:
        yield Proposal(replace(plain, relation=relation), (i,), "relation")
    yield from _parts(facts, i, plain, colour)
    if facts.categories[i] in PERSON_PARTS:
        return
    yield from _by_place(facts, i, plain)
    yield from _combined(facts, i, plain, colour, garments, relations, rng)
    for hypernym in _hypernyms(facts.categories[i]):
        wide = Description(category=hypernym)
        usual = 0.03 if hypernym == "thing" else 0.4
        if hypernym != "thing":
            yield Proposal(wide, (i,), "category", usual)
        for proposal in _by_place(facts, i, wide):
            yield replace(proposal, weight=proposal.weight * usual)
        if colour is not None:
            yield Proposal(replace(wide, colour=colour), (i,), "colour", usual)


def _by_place(facts: SceneFacts, i: int, plain: Description) -> Iterator[Proposal]:
    """Proposals that compare the target with others of its kind: sides, order, size, negation."""
    rivals = len(find_matches(plain, facts).possible)
    for side in _SIDES:
        contrast = 1.0 if rivals > 1 else 0.15  # "the dog on the left" of the only dog is correct but rare
        if " " in side or side in ("top", "bottom"):
            contrast *= 0.6
        yield Proposal(replace(plain, side=side), (i,), "position", contrast)
        if side in ("left", "right", "top", "bottom") and rivals > 1:
            yield Proposal(replace(plain, side=side, extreme=True), (i,), "position", 0.35 if rivals > 2 else 0.1)
        if side in ("front", "back") and rivals > 1:
            yield Proposal(replace(plain, side=side, superlative=True), (i,), "position", 0.3)
    if rivals == 2:
        for side in ("left", "right", "front", "back"):
            yield Proposal(replace(plain, side=side, negated=True), (i,), "negation")
        for colour in COLOURS:
            yield Proposal(replace(plain, colour=colour, negated=True), (i,), "negation")
    if rivals >= 3:
        for side in ("left", "right"):
            for number in range(1, min(rivals, 6) + 1):
                weight = 1.0 if number in (2, 3) else 0.5
                yield Proposal(replace(plain, ordinal=(number, side)), (i,), "ordinal", weight)
    if rivals >= 2:
        for size in _SIZES if plain.category in UPRIGHT else _SIZES[:2]:
            usual = 1.0 if size in ("big", "small") else 0.3
            yield Proposal(replace(plain, size=size, superlative=True), (i,), "size", usual)
            if rivals == 2 or facts.attributes[i].get("size") == size:
                yield Proposal(replace(plain, size=size), (i,), "size", 0.6 * usual)


def _combined(
    facts: SceneFacts,
    i: int,
    plain: Description,
    colour: str | None,
    garments: list[Garment],
    relations: list[Relation],
    rng: np.random.Generator,
) -> Iterator[Proposal]:
    """Two cues at once; preferred if neither is enough alone."""
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
        kept = [k for k in find_matches(second, facts).possible if k >= 0]
        if i not in kept or side_truths(facts, kept, side, False)[i] != YES:
            continue
        if len(find_matches(plain, facts).possible) == 1:
            weight = 0.3  # one cue is enough
        elif len(kept) > 1 and not singles_out(replace(plain, side=side), (i,), facts):
            weight = 2.0  # neither is enough alone
        else:
            weight = 1.0
        yield Proposal(replace(second, side=side), (i,), "combined", weight)
    if relations:
        for _ in range(8):
            first = seconds[rng.integers(len(seconds))]
            relation = relations[rng.integers(len(relations))]
            if first.relation is None:
                yield Proposal(replace(first, relation=relation), (i,), "combined", 0.7)


def _garments(facts: SceneFacts, person: int) -> list[Garment]:
    """The garments that this person surely wears or carries."""
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


def _parts(facts: SceneFacts, i: int, plain: Description, colour: str | None) -> Iterator[Proposal]:
    """A garment or body part, described by its owner: "her hair", "the left woman's shoes"."""
    owner = facts.owner[i]
    if owner is None:
        return
    person = Description(category="person", noun=facts.noun_of(owner))
    whose = [person] + [replace(person, side=side) for side in ("left", "right", "middle")]
    whose += [replace(person, garments=(g,)) for g in _garments(facts, owner) if g.category is None]
    usual = 0.2 if plain.category == "skin" else 1.0
    for who in whose:
        if find_matches(who, facts).single != owner:
            continue
        yield Proposal(replace(plain, part_of=who), (i,), "part", usual)
        if colour is not None:
            yield Proposal(replace(plain, part_of=who, colour=colour), (i,), "part", 0.4)


def _hypernyms(category: str) -> list[str]:
    return [name for name in sorted(HYPERNYMS) if name != category and category in HYPERNYMS[name]]


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
