"""What a description can mean in a scene: the instances that surely fit it, and all that somebody might take it for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from restr.grammar.meaning.clothes import MAYBE, NO, YES, garment_truth
from restr.grammar.meaning.description import Description
from restr.grammar.meaning.facts import GARMENTS, SceneFacts, facts_of
from restr.grammar.meaning.places import place_truths
from restr.grammar.meaning.relations import relation_truth
from restr.grammar.scene import Scene
from restr.grammar.words.lexicon import HYPERNYMS

UNSEEN = -1  # stands for an object that may be in the picture without having a mask


@dataclass(frozen=True)
class Candidates:
    """certain: instances that fit without doubt. possible: those and the doubtful ones (``UNSEEN`` among them)."""

    certain: tuple[int, ...]
    possible: tuple[int, ...]

    @property
    def single(self) -> int | None:
        """The one instance that is meant, or None where there is none or a doubt."""
        return self.certain[0] if len(self.possible) == 1 and self.certain == self.possible else None


def resolve(description: Description, scene: Scene) -> set[tuple[int, ...]]:
    """Every target that ``description`` might have in ``scene``: exactly one where it is unambiguous."""
    facts = facts_of(scene)
    found = candidates(description, facts)
    if description.plural:
        return {tuple(sorted(found.possible))} if len(found.possible) == description.plural else set()
    return {(i,) for i in found.possible}


def singles_out(description: Description, targets: tuple[int, ...], facts: SceneFacts) -> bool:
    """Whether the description fits ``targets`` without doubt and nothing else even doubtfully."""
    found = candidates(description, facts)
    if description.plural and len(targets) != description.plural:
        return False
    return found.certain == found.possible == tuple(sorted(targets))


def candidates(description: Description, facts: SceneFacts) -> Candidates:
    """Resolve a description; remembered in the facts, since landmarks come again and again."""
    known = facts.resolved.get(description)
    if known is None:
        known = facts.resolved[description] = _resolve(description, facts)
    return known


def hyponyms(category: str) -> frozenset[str]:
    """The dataset's categories that a category or hypernym covers."""
    return frozenset(HYPERNYMS.get(category, ())) | {category}


def _resolve(description: Description, facts: SceneFacts) -> Candidates:
    if description.negated:
        return _other_of_two(description, facts)
    truths = _cue_truths(description, facts)
    kept = [i for i, truth in truths.items() if truth != NO]
    places = place_truths(description, facts, [i for i in kept if i != UNSEEN])
    # who is in the middle, or second, depends on how many there are: a doubtful rival makes it doubtful
    counted = description.ordinal is not None or description.side == "middle"
    best = MAYBE if counted and any(truths[i] == MAYBE for i in kept) else YES
    truths = {i: min(truths[i], places.get(i, MAYBE), best) for i in kept}
    return Candidates(
        certain=tuple(sorted(i for i, truth in truths.items() if truth == YES)),
        possible=tuple(sorted(i for i, truth in truths.items() if truth != NO)),
    )


def _other_of_two(description: Description, facts: SceneFacts) -> Candidates:
    both = candidates(Description(category=description.category, noun=description.noun), facts)
    named = candidates(replace(description, negated=False), facts).single
    if named is None or len(both.certain) != 2 or both.certain != both.possible:
        return Candidates((), both.possible)
    other = tuple(i for i in both.certain if i != named)
    return Candidates(other, other)


def _cue_truths(description: Description, facts: SceneFacts) -> dict[int, int]:
    """How well every instance that the noun may name fits the cues other than place, order and size."""
    names = hyponyms(description.category)
    certain, loose = facts.named(names)
    truths = {i: YES if i in certain else MAYBE for i in loose}
    if _may_be_unseen(description, facts):
        truths[UNSEEN] = MAYBE
    for i in [i for i in truths if i != UNSEEN]:
        for truth in _truths_of(description, i, facts):
            truths[i] = min(truths[i], truth)
            if truth == NO:
                break
    return truths


def _truths_of(description: Description, i: int, facts: SceneFacts) -> Iterator[int]:
    """The truth of one cue after the other for instance i, cheap ones first."""
    if description.noun is not None and facts.categories[i] == "person":
        known = facts.noun_of(i)
        yield YES if known == description.noun else MAYBE if known is None else NO
    if description.colour is not None:
        if facts.coloured(i) == description.colour:
            yield YES
        else:
            yield NO if facts.not_coloured(i, description.colour) else MAYBE
    if "size" in facts.attributes[i] and description.size in ("big", "small") and not description.superlative:
        yield YES if facts.attributes[i]["size"] == description.size else NO
    for garment in description.garments:
        yield garment_truth(facts, i, garment)
    if description.part_of is not None:
        whose = candidates(description.part_of, facts)
        owner = facts.owner[i]
        if owner is None or whose.single is None:
            yield MAYBE
        else:
            yield YES if owner == whose.single else NO
    if description.relation is not None:
        yield _relation(description, i, facts)


def _relation(description: Description, i: int, facts: SceneFacts) -> int:
    """The best truth over the landmarks that the relation's other side may mean."""
    relation = description.relation
    if relation is None:
        return YES
    found = [candidates(other, facts) for other in relation.others]
    if any(UNSEEN in other.possible for other in found):
        return MAYBE
    if relation.name == "between":
        first = found[0].possible
        second = found[1].possible
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
    """Clothes and hair have masks only on street photographs: other people in the picture have some too."""
    if description.part_of is not None:
        return candidates(description.part_of, facts).single is None
    if description.category not in GARMENTS:
        return False
    return any(
        category == "person" and not facts.dressed(i) and facts.share[i] > 0.002
        for i, category in enumerate(facts.categories)
    )
