"""A description as one noun phrase: cues before the noun, the noun, cues after it, and loose cues."""

from __future__ import annotations

from dataclasses import replace

from restr.grammar.meaning.description import Description
from restr.grammar.wording import cues
from restr.grammar.wording.cues import Speaker
from restr.grammar.words.adjectives import NUMBER_WORDS, SIZE_WORDS
from restr.grammar.words.categories import CARRYABLE
from restr.grammar.words.choices import Choices
from restr.grammar.words.frames import GROUP_FRAMES, PAIR_FRAMES
from restr.grammar.words.sides import SIDE_PHRASES

NOT_NAMED = frozenset({"person", "thing", "object", "one", "animal"})  # people often drop the nouns for these
# The chance to drop the noun, by the first of these cues that the description has.
DROP_CHANCES = (("garment", 0.36), ("ordinal", 0.28), ("superlative", 0.13), ("extreme", 0.22), ("side", 0.13))
_BEFORE_SIDE = {"terse": 0.42, "phrase": 0.24, "sentence": 0.2}
_LOOSE_SIDE = {"terse": 0.36, "phrase": 0.05, "sentence": 0.0}
_WORN_PART_FRAMES = Choices.of(
    "of_{o}:6 on_{o}:8 {o}_is_wearing:4 worn_by_{o}:2 that_{o}_is_wearing:1.5 {o}_has_on:0.5"
)
_BODY_PART_FRAMES = Choices.of("of_{o}:10 on_{o}:5")
_CARRIED_PART_FRAMES = Choices.of(
    "of_{o}:3 {o}_is_holding:2 {o}_is_carrying:2 {o}_has:1.5 held_by_{o}:2 of_{o}:2 by_{o}:0.5 with_{o}:0.5"
)


class Phrase:
    """The cues of one noun phrase, placed one after the other."""

    def __init__(self, speaker: Speaker, description: Description, *, dropped: bool, inner: bool) -> None:
        """dropped: the phrase has no noun. inner: it is a part of another phrase."""
        self.speaker, self.description, self.dropped, self.inner = speaker, description, dropped, inner
        self.before: list[str] = []
        self.after: list[str] = []
        self.loose: list[str] = []

    def place_side(self) -> None:
        """ "left", "on the left", or a loose "left" (not in an inner phrase, where it would be ambiguous)."""
        d, speaker = self.description, self.speaker
        if d.side is None:
            return
        far = "far " if d.extreme or (d.superlative and d.size is None) else ""
        forms = SIDE_PHRASES[d.side]
        draw = speaker.rng.random()
        if self.dropped:
            if draw < 0.35:
                self.after.append(cues.place_phrase(speaker, forms[far + "after"]))
            else:
                self.loose.append(speaker.pick(forms[far + "loose"]))
            return
        before = _BEFORE_SIDE[speaker.style] + (0.12 if far else 0.0)
        if draw < before:
            self.before.insert(0, speaker.pick(forms[far + "before"]))
        elif not self.inner and draw < before + _LOOSE_SIDE[speaker.style]:
            self.loose.append(speaker.pick(forms[far + "loose"]))
        else:
            phrase = cues.place_phrase(speaker, forms[far + "after"])
            if speaker.style == "sentence" and speaker.chance(0.3) and not d.plural:
                phrase = f"{cues.being(speaker, d)} {phrase}"
            self.after.append(phrase)

    def place_ordinal(self) -> None:
        """ "second ... from the left", or both together after the noun."""
        if self.description.ordinal is None:
            return
        number, counted = cues.ordinal(self.speaker, self.description.ordinal)
        if self.dropped or self.speaker.chance(0.72):
            self.before.append(number)
            self.after.insert(0, counted)
        else:
            (self.loose if self.speaker.style == "terse" else self.after).append(f"{number} {counted}")

    def place_size(self) -> None:
        """ "biggest", or "that is the biggest"."""
        d = self.description
        if d.size is None:
            return
        size = self.speaker.pick(SIZE_WORDS[d.size][int(d.superlative)])
        if self.dropped and not size.endswith("est"):
            size += " one"
        if self.speaker.chance(0.95):
            self.before.append(size)
        else:
            self.after.append(f"that is {'the ' if d.superlative else ''}{size}")

    def place_colour(self) -> None:
        """ "red", or "that is red"."""
        d = self.description
        if d.colour is None:
            return
        colour = self.speaker.colour(d.colour, d.category)
        if self.dropped or self.speaker.chance(0.95):
            self.before.append(colour)
        elif self.speaker.style == "terse":
            self.loose.append(colour)
        else:
            self.after.append(f"that is {colour}")

    def place_garments(self) -> None:
        """ "red shirt", or "wearing a red shirt"."""
        d, speaker = self.description, self.speaker
        if not d.garments:
            return
        if len(d.garments) > 1 and not self.dropped and speaker.chance(0.7):
            self.after.insert(0, cues.clothes(speaker, d.garments))
            return
        for garment in d.garments:
            compact = cues.compact_clothes(speaker, garment)
            terse = speaker.style == "terse"
            if self.dropped and garment.category is not None and speaker.chance(0.92):
                self.before.append(compact)
            elif garment.category is None:
                if terse and not d.colour and speaker.chance(0.05):
                    self.before.append(compact)
                else:
                    self.after.insert(0, cues.clothes(speaker, (garment,)))
            elif terse and len(d.garments) == 1 and speaker.chance(0.2):
                self.before.append(compact)
            elif terse and speaker.chance(0.12):
                self.loose.insert(0, compact)
            else:
                self.after.insert(0, cues.clothes(speaker, (garment,)))

    def stand_in(self) -> str:
        """The word in place of a dropped noun: nothing, or "one"."""
        cued = self.before or self.after or self.loose
        return "" if cued and (self.loose or not self.speaker.chance(0.12)) else "one"

    def around(self, core: str) -> str:
        """The core with the cues after it and the loose ones around it."""
        text = " ".join([core, *self.after])
        for cue in self.loose:
            joint = ", " if self.speaker.chance(0.08) else " "
            if self.speaker.chance(0.12):
                text = f"{cue}{', ' if cues.is_phrase(cue) else joint}{text}"
            else:
                text = f"{text}{joint}{cue}"
        return text


def noun_phrase(speaker: Speaker, description: Description, *, may_drop: bool = False, depth: int = 0) -> str:
    """The description as one noun phrase without its article.

    may_drop: the noun may be dropped. depth: 0, or the level inside other phrases.
    """
    d = description
    if d.ordinal is not None and d.ordinal[0] == 1 and d.side is None and speaker.chance(0.6):
        d = replace(d, ordinal=None, side=d.ordinal[1], extreme=True)  # the first from the left is the leftmost
    dropped = may_drop and _drops_noun(speaker, d)
    noun, tells_relation = speaker.noun(d)
    if tells_relation:
        d, dropped = replace(d, relation=None), False
    elif not dropped and depth == 0 and _may_be_one(d) and speaker.chance(0.05):
        noun = "one"
    phrase = Phrase(speaker, d, dropped=dropped, inner=depth > 0)
    phrase.place_side()
    phrase.place_ordinal()
    phrase.place_size()
    phrase.place_colour()
    phrase.place_garments()
    if dropped:
        noun = phrase.stand_in()
    if d.plural:
        phrase.before.insert(0, _count(speaker, d))
    if len(phrase.after) > 1 and d.ordinal is None and speaker.chance(0.5):
        phrase.after.reverse()
    if d.relation is not None:
        phrase.after.append(cues.relation(speaker, d.relation, lambda other: _landmark(speaker, other, depth + 1)))
    core = " ".join([*phrase.before, noun])
    if d.part_of is not None:
        core = _part(speaker, d, d.part_of, core, depth)
    elif phrase.loose and phrase.after and speaker.chance(0.5):
        core = " ".join([core, *phrase.loose])
        phrase.loose.clear()
    return phrase.around(core)


def _may_be_one(d: Description) -> bool:
    """Whether "one" can stand for the noun: other cues tell what is meant."""
    cued = d.colour or d.size or d.side or d.ordinal or d.garments or d.relation
    return bool(cued) and not d.plural and d.part_of is None


def _drops_noun(speaker: Speaker, d: Description) -> bool:
    """Whether the speaker drops the noun: "red shirt", "second from left", "far right"."""
    if d.plural or d.part_of is not None or d.relation is not None or speaker.style == "sentence":
        return False
    has = {
        "garment": any(garment.category is not None for garment in d.garments),
        "ordinal": d.ordinal is not None,
        "superlative": d.superlative,
        "extreme": d.extreme,
        "side": d.side is not None,
    }
    chance = next((chance for cue, chance in DROP_CHANCES if has[cue]), 0.0)
    if d.category not in NOT_NAMED:
        chance *= 0.25
    if d.colour is not None and d.category != "person":
        chance *= 0.3
    if any(garment.category in CARRYABLE or garment.category == "hair" for garment in d.garments):
        chance *= 0.1  # "bag in the middle" is a bag
    elif d.garments and all(garment.colour is None for garment in d.garments):
        chance *= 0.35
    return speaker.chance(chance * (1.0 if speaker.style == "terse" else 0.35))


def _count(speaker: Speaker, d: Description) -> str:
    """The words before the plural of a group: "both", "the two", "all the"."""
    count = NUMBER_WORDS[d.plural] if d.plural < len(NUMBER_WORDS) else str(d.plural)
    if speaker.chance(0.2):
        count = str(d.plural)
    frame = speaker.pick(PAIR_FRAMES if d.plural == 2 else GROUP_FRAMES)
    return frame.replace("{n}", "").replace("{count}", count)


def _landmark(speaker: Speaker, d: Description, depth: int) -> str:
    """Another object: a short noun phrase with or without its article."""
    if d.negated:
        d = replace(d, negated=False)
    text = noun_phrase(speaker, d, depth=depth)
    return text if d.plural else speaker.with_article(text)


def _part(speaker: Speaker, part: Description, owner: Description, core: str, depth: int) -> str:
    """A garment or body part with its owner: "her hat", "the left woman's hat", "hat on the woman in red"."""
    bare = not (owner.garments or owner.side or owner.colour or owner.size or owner.ordinal or owner.relation)
    if bare and speaker.chance(0.3):
        return f"{cues.possessive(speaker, owner)} {core}"
    simple = not owner.garments and owner.relation is None and owner.ordinal is None
    if simple and speaker.chance(0.5):
        side = "" if owner.side is None else speaker.pick(SIDE_PHRASES[owner.side]["before"])
        person = f"{side} {speaker.noun(owner)[0]}".strip()
        mark = "'s" if not speaker.chance(0.25) else ("s" if speaker.chance(0.6) else "")
        return speaker.with_article(f"{person}{mark} {core}", "none")
    whose = _landmark(speaker, owner, depth + 1)
    if part.category in CARRYABLE:
        frames = _CARRIED_PART_FRAMES
    else:
        frames = _BODY_PART_FRAMES if part.category in ("hair", "skin") else _WORN_PART_FRAMES
    return f"{core} {speaker.pick(frames)}".replace("{o}", whose)
