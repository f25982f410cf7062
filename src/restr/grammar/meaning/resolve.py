"""Resolves a description in a scene: the instances that fit it for certain, and all that might be meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from restr.grammar.meaning.clothes import garment_truth
from restr.grammar.meaning.description import Description, Matches, Relation
from restr.grammar.meaning.facts import SceneFacts, facts_of
from restr.grammar.meaning.places import place_truths
from restr.grammar.meaning.relations import relation_truth
from restr.grammar.meaning.truth import MAYBE, NO, YES, Truth
from restr.grammar.scene import Scene
from restr.grammar.words.categories import PERSON_PARTS
from restr.grammar.words.lexicon import HYPERNYMS

UNSEEN = -1  # stands for an object without a mask that may be in the image


def resolve(description: Description, scene: Scene) -> set[tuple[int, ...]]:
    """Every target that ``description`` might have in ``scene``: exactly one if it is unambiguous."""
    facts = facts_of(scene)
    found = find_matches(description, facts)
    if description.plural:
        return {tuple(sorted(found.possible))} if len(found.possible) == description.plural else set()
    return {(i,) for i in found.possible}


def singles_out(description: Description, targets: tuple[int, ...], facts: SceneFacts) -> bool:
    """Whether the description fits ``targets`` without doubt, and nothing else even with a doubt."""
    found = find_matches(description, facts)
    if description.plural and len(targets) != description.plural:
        return False
    return found.certain == found.possible == tuple(sorted(targets))


def find_matches(description: Description, facts: SceneFacts) -> Matches:
    """The instances that the description can mean; cached in ``facts``, because landmarks repeat."""
    known = facts.matches.get(description)
    if known is None:
        known = facts.matches[description] = _find_matches(description, facts)
    return known


def hyponyms(category: str) -> frozenset[str]:
    """The dataset's categories that a category or a general term covers."""
    return frozenset(HYPERNYMS.get(category, ())) | {category}


def _find_matches(description: Description, facts: SceneFacts) -> Matches:
    if description.negated:
        return _other_of_two(description, facts)
    truths = _cue_truths(description, facts)
    kept = [i for i, truth in truths.items() if truth != NO]
    places = place_truths(description, facts, [i for i in kept if i != UNSEEN])
    # Who is in the middle, or second, depends on how many there are: a doubtful rival makes it doubtful.
    counted = description.ordinal is not None or description.side == "middle"
    best = MAYBE if counted and any(truths[i] == MAYBE for i in kept) else YES
    truths = {i: min(truths[i], places.get(i, MAYBE), best) for i in kept}
    return Matches(
        certain=tuple(sorted(i for i, truth in truths.items() if truth == YES)),
        possible=tuple(sorted(i for i, truth in truths.items() if truth != NO)),
    )


def _other_of_two(description: Description, facts: SceneFacts) -> Matches:
    both = find_matches(Description(category=description.category, noun=description.noun), facts)
    named = find_matches(replace(description, negated=False), facts).single
    if named is None or len(both.certain) != 2 or both.certain != both.possible:
        return Matches((), both.possible)
    other = tuple(i for i in both.certain if i != named)
    return Matches(other, other)


def _cue_truths(description: Description, facts: SceneFacts) -> dict[int, Truth]:
    """For every instance that the noun may name: whether it fits the cues other than place, order and size."""
    certain, loose = facts.instances_of(hyponyms(description.category))
    truths = {i: YES if i in certain else MAYBE for i in loose}
    if _may_be_unseen(description, facts):
        truths[UNSEEN] = MAYBE
    for i in [i for i in truths if i != UNSEEN]:
        for truth in _truths_of(description, i, facts):
            truths[i] = min(truths[i], truth)
            if truth == NO:
                break
    return truths


def _truths_of(description: Description, i: int, facts: SceneFacts) -> Iterator[Truth]:
    """The truth of each cue for instance i, cheap ones first."""
    if description.noun is not None and facts.categories[i] == "person":
        known = facts.noun_of(i)
        yield YES if known == description.noun else MAYBE if known is None else NO
    if description.colour is not None:
        if facts.colour_of(i) == description.colour:
            yield YES
        else:
            yield NO if facts.lacks_colour(i, description.colour) else MAYBE
    if "size" in facts.attributes[i] and description.size in ("big", "small") and not description.superlative:
        yield YES if facts.attributes[i]["size"] == description.size else NO
    for garment in description.garments:
        yield garment_truth(facts, i, garment)
    if description.part_of is not None:
        whose = find_matches(description.part_of, facts)
        owner = facts.owner[i]
        if owner is None or whose.single is None:
            yield MAYBE
        else:
            yield YES if owner == whose.single else NO
    if description.relation is not None:
        yield _best_relation_truth(description.relation, i, facts)


def _best_relation_truth(relation: Relation, i: int, facts: SceneFacts) -> Truth:
    """The best truth over the landmarks that the relation may mean."""
    found = [find_matches(other, facts) for other in relation.others]
    if any(UNSEEN in other.possible for other in found):
        return MAYBE
    if relation.name == "between":
        first, second = found[0].possible, found[1].possible
        if relation.others[0] == relation.others[1]:
            if len(first) != 2 or found[0].certain != found[0].possible:
                return MAYBE
            return relation_truth(facts, "between", i, (first[0], first[1]))
        if found[0].single is None or found[1].single is None:
            return MAYBE
        return relation_truth(facts, "between", i, (first[0], second[0]))
    best = NO
    for j in found[0].possible:
        truth = relation_truth(facts, relation.name, i, (j,))
        best = max(best, truth if j in found[0].certain else min(truth, MAYBE))
    return best


def _may_be_unseen(description: Description, facts: SceneFacts) -> bool:
    """Whether the description may mean an object without a mask: clothes have masks in street photographs only."""
    if description.part_of is not None:
        return find_matches(description.part_of, facts).single is None
    if description.category not in PERSON_PARTS:
        return False
    return any(
        category == "person" and not facts.has_clothing_masks(i) and facts.share[i] > 0.002
        for i, category in enumerate(facts.categories)
    )
