"""A description put into words, the way people type: "left guy", "red shirt far right", "the dog that is on the bed".

One description has hundreds of wordings. A style is drawn first ("terse", "phrase" or "sentence"), then every cue finds
its place before the noun, after it, or loose beside it; the noun itself may be dropped where people drop it. No wording
says more than the description or less: only fillers ("in the picture") are added.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from restr.errors import DataError
from restr.grammar.meaning.description import Description
from restr.grammar.wording import cues
from restr.grammar.words import frames, lexicon
from restr.grammar.words.lexicon import Choices
from restr.grammar.words.people import BAGS

STYLES = Choices.of("terse:62 phrase:28 sentence:10")
NOT_NAMED = frozenset({"person", "thing", "object", "one", "animal"})  # nouns that people leave out
# Chance of leaving the noun out, by what is left to tell; read top down, the first cue that the description has.
DROPPED = (("garment", 0.36), ("ordinal", 0.28), ("superlative", 0.13), ("extreme", 0.22), ("side", 0.13))
_BEFORE_SIDE = {"terse": 0.42, "phrase": 0.24, "sentence": 0.2}
_LOOSE_SIDE = {"terse": 0.36, "phrase": 0.05, "sentence": 0.0}


def word(description: Description, rng: np.random.Generator, *, style: str | None = None) -> str:
    """One wording of ``description``; the same generator state gives the same words.

    style: "terse" ("red shirt left"), "phrase" ("guy in red shirt on the left"), "sentence" ("the man who is
    wearing a red shirt on the left side of the photo"), or None: drawn as people do. Raises DataError.
    """
    style = STYLES.pick(rng) if style is None else style
    if style not in STYLES.phrases:
        raise DataError(f"style is {style!r}; choose one of {', '.join(STYLES.phrases)}")
    speaker = cues.Speaker(rng, style)
    text = _negated(speaker, description) if description.negated else _reference(speaker, description)
    text = " ".join(text.split())
    return text.replace(" ,", ",").strip(" ,") or speaker.name(description)


def _reference(speaker: cues.Speaker, description: Description) -> str:
    if speaker.style != "sentence":
        text = noun_phrase(speaker, description, may_drop=True)
        often = 0.27 if speaker.style == "phrase" else 0.04
        if description.category in cues.GARMENTS and description.part_of is None:
            often = 0.6  # bare "red skirt" is who wears it, more often than not
        if description.plural or not speaker.chance(often):
            return cues.with_aside(speaker, text)
        return speaker.with_article(text, kind="the")
    bare = noun_phrase(speaker, description)
    if description.plural:
        return bare
    opener = speaker.pick(cues.OPENERS)
    counted = description.superlative or description.extreme or description.ordinal
    article = "the" if counted else "a"
    text = opener.replace("{n}", speaker.with_article(bare, kind="the"))
    text = text.replace("{a}", speaker.with_article(bare, kind=article)).replace("{x}", bare)
    if speaker.chance(0.05) and not cues.mentions_picture(text):
        text += f" in the {speaker.pick(lexicon.PICTURE)}"
    return text


def noun_phrase(speaker: cues.Speaker, description: Description, *, may_drop: bool = False, depth: int = 0) -> str:
    """The description as one noun phrase without its article: cues before the noun, the noun, cues after it."""
    d = description
    if d.ordinal is not None and d.ordinal[0] == 1 and d.side is None and speaker.chance(0.6):
        d = replace(d, ordinal=None, side=d.ordinal[1], extreme=True)  # the first from the left is the leftmost
    before: list[str] = []
    after: list[str] = []
    loose: list[str] = []
    dropped = may_drop and _drops_noun(speaker, d)
    noun, told = speaker.noun(d)
    if told:  # "skater" says what "riding a skateboard" would
        d = replace(d, relation=None)
        dropped = False
    cued = bool(d.colour or d.size or d.side or d.ordinal or d.garments or d.relation)
    if not dropped and depth == 0 and not d.plural and cued and not told and d.part_of is None and speaker.chance(0.05):
        noun = "one"

    _place_side(speaker, d, before, after, loose, dropped, alone=depth == 0)
    if d.ordinal is not None:
        number, counted = cues.ordinal(speaker, d.ordinal)
        if dropped or speaker.chance(0.72):
            before.append(number)
            after.insert(0, counted)
        else:
            (loose if speaker.style == "terse" else after).append(f"{number} {counted}")
    if d.size is not None:
        form = speaker.pick(lexicon.SIZES[d.size][int(d.superlative)])
        if dropped and not form.endswith("est"):
            form += " one"
        if speaker.chance(0.95):
            before.append(form)
        else:
            after.append(f"that is {'the ' if d.superlative else ''}{form}")
    if d.colour is not None:
        colour = speaker.colour(d.colour, d.category)
        if dropped or speaker.chance(0.95):
            before.append(colour)
        elif speaker.style == "terse":
            loose.append(colour)
        else:
            after.append(f"that is {colour}")
    _place_garments(speaker, d, before, after, loose, dropped)
    if dropped:
        noun = "" if (before or after or loose) and (loose or not speaker.chance(0.12)) else "one"
    if d.plural:
        before, noun = _counted_group(speaker, d, before, noun)
    if len(after) > 1 and d.ordinal is None and speaker.chance(0.5):
        after.reverse()
    if d.relation is not None:
        after.append(cues.relation(speaker, d.relation, lambda other: _other(speaker, other, depth + 1)))
    core = " ".join([*before, noun])
    if d.part_of is not None:
        core = _part(speaker, d.part_of, core, cues.part_kind(d.category), depth)
    elif loose and after and speaker.chance(0.5):
        core = " ".join([core, *loose])
        loose = []
    text = " ".join([core, *after])
    for extra in loose:
        joint = ", " if speaker.chance(0.08) else " "
        if speaker.chance(0.12):
            text = f"{extra}{', ' if cues.is_phrase(extra) else joint}{text}"
        else:
            text = f"{text}{joint}{extra}"
    return text


def _place_side(
    speaker: cues.Speaker,
    d: Description,
    before: list[str],
    after: list[str],
    loose: list[str],
    dropped: bool,
    *,
    alone: bool,
) -> None:
    """alone: not inside another phrase, where a loose "left" would belong to nobody knows whom."""
    if d.side is None:
        return
    far = "far " if d.extreme or (d.superlative and d.size is None) else ""
    forms = lexicon.SIDES[d.side]
    draw = speaker.rng.random()
    if dropped:
        if draw < 0.35:
            after.append(cues.fill_picture(speaker, forms[far + "after"]))
        else:
            loose.append(speaker.pick(forms[far + "loose"]))
        return
    to_before = _BEFORE_SIDE[speaker.style] + (0.12 if far else 0.0)
    if draw < to_before:
        before.insert(0, speaker.pick(forms[far + "before"]))
    elif alone and draw < to_before + _LOOSE_SIDE[speaker.style]:
        loose.append(speaker.pick(forms[far + "loose"]))
    else:
        phrase = cues.fill_picture(speaker, forms[far + "after"])
        if speaker.style == "sentence" and speaker.chance(0.3) and not d.plural:
            phrase = f"{cues.being(speaker, d)} {phrase}"
        after.append(phrase)


def _place_garments(
    speaker: cues.Speaker, d: Description, before: list[str], after: list[str], loose: list[str], dropped: bool
) -> None:
    if not d.garments:
        return
    if len(d.garments) > 1 and not dropped and speaker.chance(0.7):
        after.insert(0, cues.clothes(speaker, d.garments))
        return
    for garment in d.garments:
        compact = cues.compact_clothes(speaker, garment)
        terse = speaker.style == "terse"
        if dropped and garment.category is not None and speaker.chance(0.92):
            before.append(compact)
        elif garment.category is None:
            if terse and not d.colour and speaker.chance(0.05):
                before.append(compact)
            else:
                after.insert(0, cues.clothes(speaker, (garment,)))
        elif terse and len(d.garments) == 1 and speaker.chance(0.2):
            before.append(compact)
        elif terse and speaker.chance(0.12):
            loose.insert(0, compact)
        else:
            after.insert(0, cues.clothes(speaker, (garment,)))


def _drops_noun(speaker: cues.Speaker, d: Description) -> bool:
    """Whether people would leave the noun out: "red shirt", "second from left", "far right"."""
    if d.plural or d.part_of is not None or d.relation is not None or speaker.style == "sentence":
        return False
    has = {
        "garment": any(garment.category is not None for garment in d.garments),
        "ordinal": d.ordinal is not None,
        "superlative": d.superlative,
        "extreme": d.extreme,
        "side": d.side is not None,
    }
    chance = next((chance for cue, chance in DROPPED if has[cue]), 0.0)
    if d.category not in NOT_NAMED:
        chance *= 0.25
    if d.colour is not None and d.category != "person":
        chance *= 0.3
    if any(garment.category in BAGS or garment.category == "hair" for garment in d.garments):
        chance *= 0.1  # "bag in the middle" is a bag
    elif d.garments and all(garment.colour is None for garment in d.garments):
        chance *= 0.35
    return speaker.chance(chance * (1.0 if speaker.style == "terse" else 0.35))


def _counted_group(speaker: cues.Speaker, d: Description, before: list[str], noun: str) -> tuple[list[str], str]:
    """ "both dogs", "the two dogs", "all the dogs"."""
    count = lexicon.NUMBERS[d.plural] if d.plural < len(lexicon.NUMBERS) else str(d.plural)
    if speaker.chance(0.2):
        count = str(d.plural)
    forms = frames.BOTH if d.plural == 2 else frames.ALL
    counted = speaker.pick_text(forms).replace("{n}", "").replace("{count}", count)
    return [counted, *before], noun


def _other(speaker: cues.Speaker, d: Description, depth: int) -> str:
    """Another object as a landmark: a short noun phrase with or without its article."""
    if d.negated:
        d = replace(d, negated=False)
    text = noun_phrase(speaker, d, depth=depth)
    return text if d.plural else speaker.with_article(text)


def _part(speaker: cues.Speaker, owner: Description, core: str, kind: str, depth: int) -> str:
    """A garment or part by its owner: "her hat", "the left woman's hat", "hat on the woman in red"."""
    bare = not (owner.garments or owner.side or owner.colour or owner.size or owner.ordinal or owner.relation)
    if bare and speaker.chance(0.3):
        return f"{cues.pronoun(speaker, owner)} {core}"
    simple = not owner.garments and owner.relation is None and owner.ordinal is None
    if simple and speaker.chance(0.5):
        before = "" if owner.side is None else speaker.pick(lexicon.SIDES[owner.side]["before"])
        person = f"{before} {speaker.noun(owner)[0]}".strip()
        mark = "'s" if not speaker.chance(0.25) else ("s" if speaker.chance(0.6) else "")
        return speaker.with_article(f"{person}{mark} {core}", kind=None)
    whose = _other(speaker, owner, depth + 1)
    return f"{core} {speaker.pick_text(cues.PART_FRAMES[kind])}".replace("{o}", whose)


def _negated(speaker: cues.Speaker, d: Description) -> str:
    noun = speaker.noun(replace(d, negated=False))[0]
    if d.side is not None and d.colour is None:
        adjective = speaker.pick(lexicon.SIDES[d.side]["before"])
        phrase = cues.fill_picture(speaker, lexicon.SIDES[d.side]["after"])
    elif d.colour is not None:
        adjective = phrase = speaker.colour(d.colour, d.category)
        if d.side is not None:
            phrase = f"{adjective} {cues.fill_picture(speaker, lexicon.SIDES[d.side]['after'])}"
    else:
        positive = replace(d, negated=False)
        return f"not {speaker.with_article(noun_phrase(speaker, positive), kind='the')}"
    frame = speaker.pick(cues.NEGATIONS)
    return frame.replace("{l}", adjective).replace("{p}", phrase).replace("{k}", noun)
