"""Named ways to make an evaluation's samples harder: other words, the mirror image, sentences for nothing, worse pictures.

A perturbation turns an image's samples into others with the same ids, without those that it cannot change. What it draws
depends on the seed, its own name and the sample alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from restr.data.sample import Sample, SampleSource
from restr.errors import ConfigError
from restr.evaluation.robustness import rewording
from restr.evaluation.robustness.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from restr.evaluation.robustness.synonyms import ANYTHING, named

CLEAN = "clean"
BLANKS = ("the", "a", "it", "this one", "that")
STRANGERS = 300  # images whose sentences are drawn from for others

Family = Literal["sentence", "mirror", "picture", "nothing"]
Generator = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What a perturbation may draw from. strangers: (image id, sentence) of other images."""

    seed: int
    name: str
    strangers: Sequence[tuple[str, str]] = ()

    def rng(self, key: str) -> Generator:
        """The random numbers for a sample or an image, whatever was drawn before."""
        return np.random.default_rng((self.seed, zlib.crc32(self.name.encode()), zlib.crc32(key.encode())))


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """family: "nothing" if the changed sentences mean nothing in the image, whose masks are then empty. draws: the name
    that random numbers go by, one for all severities."""

    name: str
    family: Family
    meaning: str
    change: Callable[[Sequence[Sample], Draw], list[Sample]]
    draws: str = ""

    @property
    def new_picture(self) -> bool:
        """Whether the image has to be encoded anew."""
        return self.family in ("picture", "mirror") and self.name != "side-swap"

    def __call__(self, group: Sequence[Sample], seed: int, strangers: Sequence[tuple[str, str]] = ()) -> list[Sample]:
        """An image's samples, changed; those that cannot be changed are left out."""
        return self.change(group, Draw(seed=seed, name=self.draws or self.name, strangers=strangers))


def chosen(names: Sequence[str] = ()) -> list[str]:
    """The perturbations asked for, in the order of ``PERTURBATIONS``; all if none is named.

    "blur" stands for its three severities. Raises ``ConfigError`` for an unknown name.
    """
    found: set[str] = set()
    for name in names:
        fitting = [each.name for each in PERTURBATIONS.values() if name in (each.name, each.draws)]
        if not fitting:
            known = dict.fromkeys(each.draws or each.name for each in PERTURBATIONS.values())
            raise ConfigError(f"there is no perturbation {name!r}; choose from {', '.join(known)}")
        found.update(fitting)
    return [name for name in PERTURBATIONS if not names or name in found]


def sentences_of_others(samples: SampleSource, seed: int) -> list[tuple[str, str]]:
    """A sentence each of up to ``STRANGERS`` images, drawn by seed, that names some known thing: (image id, sentence)."""
    groups = samples.image_groups()
    rng = np.random.default_rng(seed)
    found = []
    for image in sorted(rng.permutation(len(groups))[:STRANGERS].tolist()):
        sample = samples[int(rng.choice(list(groups[image])))]
        if named(sample.text) and not named(sample.text) & ANYTHING:
            found.append((sample.image_id or sample.id, sample.text))
    return found


def _words(change: Callable[[str, Generator], str | None]) -> Callable[[Sequence[Sample], Draw], list[Sample]]:
    """The perturbation that changes each sentence so."""

    def changed(group: Sequence[Sample], draw: Draw) -> list[Sample]:
        texts = [change(sample.text, draw.rng(sample.id)) for sample in group]
        return [replace(sample, text=text) for sample, text in zip(group, texts, strict=True) if text is not None]

    return changed


def _picture(corrupt: Corruption, severity: int) -> Callable[[Sequence[Sample], Draw], list[Sample]]:
    """The perturbation that makes an image worse so, once for all its samples."""

    def changed(group: Sequence[Sample], draw: Draw) -> list[Sample]:
        image = corrupt(group[0].image, severity, draw.rng(group[0].image_id or group[0].id))
        return [replace(sample, image=image) for sample in group]

    return changed


def _mirror(group: Sequence[Sample], draw: Draw) -> list[Sample]:
    image = np.ascontiguousarray(group[0].image[:, ::-1])
    texts = [rewording.mirrored(sample.text) for sample in group]
    return [
        replace(sample, image=image, mask=np.ascontiguousarray(sample.mask[:, ::-1]), text=text)
        for sample, text in zip(group, texts, strict=True)
        if text is not None
    ]


def _blank(group: Sequence[Sample], draw: Draw) -> list[Sample]:
    """One for an image: there are few ways to say nothing."""
    sample = group[0]
    text = str(draw.rng(sample.image_id or sample.id).choice(BLANKS))
    return [replace(sample, text=text, mask=np.zeros_like(sample.mask))]


def _unrelated(group: Sequence[Sample], draw: Draw) -> list[Sample]:
    here = group[0].image_id or group[0].id
    present = frozenset().union(*(named(sample.text) for sample in group))
    texts = sorted({text for image, text in draw.strangers if image != here and not named(text) & present})
    order = draw.rng(here).permutation(len(texts))
    return [
        replace(sample, text=texts[number], mask=np.zeros_like(sample.mask))
        for sample, number in zip(group, order, strict=False)
    ]


_WORSE = {
    "blur": "a Gaussian blur of 1/400, 1/200, 1/100 of the longest side",
    "noise": "Gaussian noise of 5%, 10%, 20% of the range of values",
    "jpeg": "JPEG of quality 25, 10, 5",
    "dark": "every value scaled to 50%, 25%, 10% and rounded",
}

PERTURBATIONS: dict[str, Perturbation] = {
    each.name: each
    for each in (
        Perturbation(
            name="word-shuffle",
            family="sentence",
            meaning="the same words in another order",
            change=_words(rewording.shuffled),
        ),
        Perturbation(
            name="word-drop", family="sentence", meaning="one telling word less", change=_words(rewording.shortened)
        ),
        Perturbation(
            name="synonym",
            family="sentence",
            meaning="other words of the same meaning",
            change=_words(rewording.reworded),
        ),
        Perturbation(name="typo", family="sentence", meaning="one typing slip", change=_words(rewording.slipped)),
        Perturbation(name="mirror", family="mirror", meaning="image and words mirrored together", change=_mirror),
        Perturbation(
            name="side-swap",
            family="mirror",
            meaning="the words mirrored, the image not: it is to fall",
            change=_words(lambda text, _: rewording.sides_exchanged(text)),
        ),
        *(
            Perturbation(
                name=f"{name}-{severity}",
                family="picture",
                meaning=_WORSE[name],
                change=_picture(corrupt, severity),
                draws=name,
            )
            for name, corrupt in CORRUPTIONS.items()
            for severity in SEVERITIES
        ),
        Perturbation(name="blank", family="nothing", meaning="a sentence without content", change=_blank),
        Perturbation(
            name="unrelated", family="nothing", meaning="a sentence for something in another image", change=_unrelated
        ),
    )
}
