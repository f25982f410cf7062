"""Named ways to make an evaluation's samples harder: other words, the mirror image, sentences for nothing, worse images.

A perturbation turns an image's samples into others with the same ids; it leaves out the samples that it cannot change.
Its random numbers depend only on the seed, its own name and the sample.
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
from restr.evaluation.robustness.synonyms import ANYTHING, named_categories

CLEAN = "clean"
BLANKS = ("the", "a", "it", "this one", "that")
STRANGERS = 300  # images that lend their sentences to others

Family = Literal["sentence", "mirror", "picture", "nothing"]
Generator = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Draw:
    """The random numbers and sentences for a perturbation."""

    seed: int
    """The user's seed."""

    name: str
    """The perturbation that draws."""

    strangers: Sequence[tuple[str, str]] = ()
    """(image id, sentence) of other images."""

    def rng(self, key: str) -> Generator:
        """The random numbers for a sample or an image, independent of earlier draws."""
        return np.random.default_rng((self.seed, zlib.crc32(self.name.encode()), zlib.crc32(key.encode())))


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """A named change of an image's samples."""

    name: str
    """As users type it, with the severity: "blur-2"."""

    family: Family
    """The part of a sample that changes; "nothing": the new sentence names nothing in the image, so the mask is empty."""

    meaning: str
    """A description of the change, for reports."""

    change: Callable[[Sequence[Sample], Draw], list[Sample]]
    """Makes the new samples."""

    draws: str = ""
    """The name for random numbers, without the severity; empty: ``name``."""

    @property
    def new_picture(self) -> bool:
        """Whether the image must be encoded again."""
        return self.family in ("picture", "mirror") and self.name != "side-swap"

    def __call__(self, group: Sequence[Sample], seed: int, strangers: Sequence[tuple[str, str]] = ()) -> list[Sample]:
        """An image's samples, changed; those that cannot be changed are left out."""
        return self.change(group, Draw(seed=seed, name=self.draws or self.name, strangers=strangers))


def select_perturbations(names: Sequence[str] = ()) -> list[str]:
    """The named perturbations, in the order of ``PERTURBATIONS``; all if none is named.

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
    """One sentence from each of up to ``STRANGERS`` images, drawn by seed, that names a known thing: (image id, sentence)."""
    groups = samples.image_groups()
    rng = np.random.default_rng(seed)
    found = []
    for image in sorted(rng.permutation(len(groups))[:STRANGERS].tolist()):
        sample = samples[int(rng.choice(list(groups[image])))]
        if named_categories(sample.text) and not named_categories(sample.text) & ANYTHING:
            found.append((sample.image_id or sample.id, sample.text))
    return found


def _words(change: Callable[[str, Generator], str | None]) -> Callable[[Sequence[Sample], Draw], list[Sample]]:
    """The perturbation that applies ``change`` to each sentence."""

    def changed(group: Sequence[Sample], draw: Draw) -> list[Sample]:
        texts = [change(sample.text, draw.rng(sample.id)) for sample in group]
        return [replace(sample, text=text) for sample, text in zip(group, texts, strict=True) if text is not None]

    return changed


def _picture(corrupt: Corruption, severity: int) -> Callable[[Sequence[Sample], Draw], list[Sample]]:
    """The perturbation that corrupts an image, once for all its samples."""

    def changed(group: Sequence[Sample], draw: Draw) -> list[Sample]:
        image = corrupt(group[0].image, severity, draw.rng(group[0].image_id or group[0].id))
        return [replace(sample, image=image) for sample in group]

    return changed


def _mirror(group: Sequence[Sample], draw: Draw) -> list[Sample]:
    image = np.ascontiguousarray(group[0].image[:, ::-1])
    texts = [rewording.mirror_sides(sample.text) for sample in group]
    return [
        replace(sample, image=image, mask=np.ascontiguousarray(sample.mask[:, ::-1]), text=text)
        for sample, text in zip(group, texts, strict=True)
        if text is not None
    ]


def _blank(group: Sequence[Sample], draw: Draw) -> list[Sample]:
    """One sample for each image: there are few sentences without content."""
    sample = group[0]
    text = str(draw.rng(sample.image_id or sample.id).choice(BLANKS))
    return [replace(sample, text=text, mask=np.zeros_like(sample.mask))]


def _unrelated(group: Sequence[Sample], draw: Draw) -> list[Sample]:
    here = group[0].image_id or group[0].id
    present = frozenset().union(*(named_categories(sample.text) for sample in group))
    texts = sorted({text for image, text in draw.strangers if image != here and not named_categories(text) & present})
    order = draw.rng(here).permutation(len(texts))
    return [
        replace(sample, text=texts[number], mask=np.zeros_like(sample.mask))
        for sample, number in zip(group, order, strict=False)
    ]


_CORRUPTION_MEANINGS = {
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
            change=_words(rewording.shuffle_words),
        ),
        Perturbation(
            name="word-drop", family="sentence", meaning="one telling word less", change=_words(rewording.drop_word)
        ),
        Perturbation(
            name="synonym",
            family="sentence",
            meaning="other words of the same meaning",
            change=_words(rewording.replace_words),
        ),
        Perturbation(name="typo", family="sentence", meaning="one typing slip", change=_words(rewording.misspell_word)),
        Perturbation(name="mirror", family="mirror", meaning="image and words mirrored together", change=_mirror),
        Perturbation(
            name="side-swap",
            family="mirror",
            meaning="the words mirrored, the image not: the score should fall",
            change=_words(lambda text, _: rewording.exchange_sides(text)),
        ),
        *(
            Perturbation(
                name=f"{name}-{severity}",
                family="picture",
                meaning=_CORRUPTION_MEANINGS[name],
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
