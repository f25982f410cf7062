"""A description put into words, the way people type: "left guy", "red shirt far right", "the dog that is on the bed".

One description has hundreds of wordings. The style is drawn first, then every cue finds its place before the noun,
after it, or loose beside it; the noun itself may be dropped. A wording says neither more nor less than the description:
only fillers ("in the picture") are added.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from restr.errors import DataError
from restr.grammar.meaning.description import Description
from restr.grammar.wording import cues
from restr.grammar.wording.cues import Speaker
from restr.grammar.wording.phrase import noun_phrase
from restr.grammar.words.categories import WEARER_CUES
from restr.grammar.words.choices import Choices
from restr.grammar.words.frames import NEGATION_FRAMES, REQUEST_FRAMES
from restr.grammar.words.sides import PICTURE_WORDS, SIDE_PHRASES

STYLES = Choices.of("terse:62 phrase:28 sentence:10")


def verbalise(description: Description, rng: np.random.Generator, *, style: str | None = None) -> str:
    """One wording of ``description``; the same generator state gives the same words.

    style: "terse" ("red shirt left"), "phrase" ("guy in red shirt on the left"), "sentence" ("the man who is
    wearing a red shirt on the left side of the photo"), or None: drawn as people do. Raises DataError.
    """
    style = STYLES.pick(rng) if style is None else style
    if style not in STYLES.phrases:
        raise DataError(f"style is {style!r}; choose one of {', '.join(STYLES.phrases)}")
    speaker = Speaker(rng, style)
    text = _negated(speaker, description) if description.negated else _reference(speaker, description)
    text = " ".join(text.split())
    return text.replace(" ,", ",").strip(" ,") or speaker.category_noun(description)


def _reference(speaker: Speaker, description: Description) -> str:
    if speaker.style == "sentence":
        return _sentence(speaker, description)
    text = noun_phrase(speaker, description, may_drop=True)
    the = 0.27 if speaker.style == "phrase" else 0.04
    if description.category in WEARER_CUES and description.part_of is None:
        the = 0.6  # without an article, "red skirt" mostly means the person who wears it
    if description.plural or not speaker.chance(the):
        return cues.with_filler(speaker, text)
    return speaker.with_article(text, "the")


def _sentence(speaker: Speaker, description: Description) -> str:
    bare = noun_phrase(speaker, description)
    if description.plural:
        return bare
    text = speaker.pick(REQUEST_FRAMES)
    unique = description.superlative or description.extreme or description.ordinal
    text = text.replace("{n}", speaker.with_article(bare, "the"))
    text = text.replace("{a}", speaker.with_article(bare, "the" if unique else "a")).replace("{x}", bare)
    if speaker.chance(0.05) and not cues.mentions_picture(text):
        text += f" in the {speaker.pick(PICTURE_WORDS)}"
    return text


def _negated(speaker: Speaker, d: Description) -> str:
    positive = replace(d, negated=False)
    noun = speaker.noun(positive)[0]
    if d.side is not None and d.colour is None:
        adjective = speaker.pick(SIDE_PHRASES[d.side]["before"])
        phrase = cues.place_phrase(speaker, SIDE_PHRASES[d.side]["after"])
    elif d.colour is not None:
        adjective = phrase = speaker.colour(d.colour, d.category)
        if d.side is not None:
            phrase = f"{adjective} {cues.place_phrase(speaker, SIDE_PHRASES[d.side]['after'])}"
    else:
        return f"not {speaker.with_article(noun_phrase(speaker, positive), 'the')}"
    return speaker.pick(NEGATION_FRAMES).replace("{l}", adjective).replace("{p}", phrase).replace("{k}", noun)
