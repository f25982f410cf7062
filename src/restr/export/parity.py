"""Compares an export with its model: logits, masks, milliseconds."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from restr.config import ModelConfig
from restr.inference.backends.base import Backend, ExportedBackend, Segmentation
from restr.inference.fastest.machine import processor
from restr.text.tokenizer import fills_up
from restr.text.vocabulary import PADDING

EXPRESSIONS = (1, 2, 5)  # at once on one image, and images at once for the single graph
_ROUNDS = 7  # per timing
TOLERANCE, AGREEMENT = 1e-4, 0.999  # required of fp32: of logits, and of pixels on the same side of the threshold


@dataclass(frozen=True, kw_only=True)
class Case:
    """One comparison of an export with its model."""

    graph: str
    """"two graphs" or "whole"."""
    image: tuple[int, int]
    """Height and width in pixels."""
    expressions: int
    """How many at once."""
    words: int
    """Words of each expression."""
    difference: float
    """The largest of the logits."""
    agreement: float
    """The share of pixels on the same side of the threshold."""
    marked: float
    """The share of pixels in the masks; agreement means little if it is 0."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """All comparisons of an export with its model."""

    target: str
    """The export's runtime."""
    precision: str
    """The export's precision."""
    cases: list[Case]
    """The comparisons."""
    milliseconds: dict[str, dict[str, float]]
    """Medians by part, for "torch" and "export"."""
    machine: dict[str, str]
    """The machine of the measurement."""

    @property
    def difference(self) -> float:
        """The largest of all cases."""
        return max(case.difference for case in self.cases)

    @property
    def agreement(self) -> float:
        """The smallest of all cases."""
        return min(case.agreement for case in self.cases)

    @property
    def holds(self) -> bool:
        """Whether the export is as close as fp32 must be; other precisions are only measured."""
        return self.difference <= TOLERANCE and self.agreement >= AGREEMENT

    def to_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        found = {"difference": self.difference, "agreement": self.agreement, "holds": self.holds}
        return found | asdict(self)

    def markdown(self) -> str:
        """The report in Markdown."""
        lines = [
            f"# {self.target}, {self.precision}: against PyTorch in fp32",
            "",
            f"Largest difference of logits {self.difference:.2g}, least agreement of masks {self.agreement:.3%} of pixels.",
            f"fp32 must keep {TOLERANCE:g} and {AGREEMENT:.1%}: {'it does' if self.holds else 'not kept'}"
            f"{'' if self.precision == 'fp32' else f' ({self.precision} need not)'}.",
            "",
            "| graph | input | expressions | words | difference | same side | in the masks |",
            "|---|---|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {c.graph} | {c.image[0]} x {c.image[1]} | {c.expressions} | {c.words} | {c.difference:.2g} | "
            f"{c.agreement:.4%} | {c.marked:.1%} |"
            for c in self.cases
        ]
        lines += ["", "| ms, median | PyTorch fp32 | export |", "|---|---:|---:|"]
        lines += [f"| {part} | {ms['torch']:.1f} | {ms['export']:.1f} |" for part, ms in self.milliseconds.items()]
        lines += ["", "; ".join(f"{name} {value}" for name, value in self.machine.items()) + ".", ""]
        return "\n".join(lines)


def measure_parity(
    reference: Backend,
    exported: ExportedBackend,
    *,
    photographs: Sequence[np.ndarray] = (),
    words: Sequence[int] = (1, 5, 20),
    quick: bool = False,
) -> Parity:
    """Compare on photographs uint8 (H W 3), or else on drawn pictures, for 1, 2 and 5 sentences of each length in ``words``.

    The single graph is compared too, if the export has one. Pictures and words are the same every time. quick: one picture
    and one length, each timed once.
    """
    config = exported.config
    rng = np.random.default_rng(0)
    pictures = list(photographs) or [draw_picture((480, 640), rng), draw_picture((480, 480), rng)]
    if quick:
        pictures, words = pictures[:1], (5,)
    counts = sorted({sentence_length(config, count) for count in words})
    cases = []
    for number, picture in enumerate(pictures):
        image = config.framing.prepare(picture)[None]
        theirs, ours = reference.encode_image(image), exported.encode_image(image)
        for t in EXPRESSIONS:
            for count in counts:
                ids = sentences(t, count, config, rng)
                expected = reference.segment(theirs, ids)
                cases.append(compare_segmentations("two graphs", expected, exported.segment(ours, ids), image, ids))
                if number == 0 and count == counts[-1] and "whole" in exported.facts.files:
                    found = exported.whole(np.repeat(image, t, 0), ids)
                    cases.append(compare_segmentations("whole", expected, found, image, ids))
    image = config.framing.prepare(pictures[-1])[None]
    return Parity(
        target=exported.name,
        precision=exported.precision,
        cases=cases,
        milliseconds=time_both(
            reference,
            exported,
            image,
            sentences(5, counts[len(counts) // 2], config, rng),
            rounds=1 if quick else _ROUNDS,
        ),
        machine={"processor": processor(), "python": platform.python_version()},
    )


def compare_segmentations(
    graph: str, expected: Segmentation, found: Segmentation, image: np.ndarray, ids: np.ndarray
) -> Case:
    """One case from the results of both sides; presence counts among the logits."""
    differences = [
        float(np.abs(ours - theirs).max())
        for ours, theirs in zip(expected, found, strict=True)
        if ours is not None and theirs is not None
    ]
    expected_on, found_on = expected.logits >= 0, found.logits >= 0
    return Case(
        graph=graph,
        image=(image.shape[2], image.shape[3]),
        expressions=len(ids),
        words=ids.shape[1],
        difference=max(differences),
        agreement=float((expected_on == found_on).mean()),
        marked=float(expected_on.mean()),
    )


def mask_agreement(reference: Backend, other: Backend) -> float:
    """The share of pixels on the same side of the threshold, on a drawn picture with four sentences of random words."""
    config, rng = reference.config, np.random.default_rng(1)
    image = config.framing.prepare(draw_picture((480, 480), rng))[None]
    ids = sentences(4, sentence_length(config, 5), config, rng)
    expected, found = (backend.segment(backend.encode_image(image), ids) for backend in (reference, other))
    return float(((expected.logits >= 0) == (found.logits >= 0)).mean())


def time_both(
    reference: Backend, exported: ExportedBackend, image: np.ndarray, ids: np.ndarray, *, rounds: int
) -> dict[str, dict[str, float]]:
    """Medians in milliseconds. Both sides take turns, so that a busy machine slows both alike."""
    sides: dict[str, tuple[Backend, Any]] = {
        "torch": (reference, reference.encode_image(image)),
        "export": (exported, exported.encode_image(image)),
    }
    parts: dict[str, Callable[[Backend, Any], Any]] = {
        "image encoder": lambda backend, _: backend.encode_image(image),
        "one expression": lambda backend, features: backend.segment(features, ids[:1]),
        f"{len(ids)} expressions": lambda backend, features: backend.segment(features, ids),
    }
    return {part: dict(_medians(sides, call, rounds)) for part, call in parts.items()}


def _medians(
    sides: dict[str, tuple[Backend, Any]], call: Callable[[Backend, Any], Any], rounds: int
) -> Iterator[tuple[str, float]]:
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds + 1):  # the first one warms up
        for side, (backend, features) in sides.items():
            start = time.perf_counter()
            call(backend, features)
            seconds[side].append(time.perf_counter() - start)
    return ((side, round(1000 * statistics.median(each[1:]), 2)) for side, each in seconds.items())


def sentence_length(config: ModelConfig, words: int) -> int:
    """How many ids a sentence of so many words has: fewer where the model reads fewer, all where it fills sentences up."""
    return config.language.max_words if fills_up(config) else min(words, config.language.max_words)


def sentences(count: int, length: int, config: ModelConfig, rng: np.random.Generator) -> np.ndarray:
    """Random words as rows of ids (count length). Every other sentence is shorter and padded; one word is unknown."""
    unknown = config.language.unknown_row
    ids = rng.integers(unknown + 1, config.language.vocab, (count, length))
    ids[0, 0] = unknown
    missing = length // 3
    if missing:
        ids[1::2, slice(None, missing) if config.language.padding == "left" else slice(-missing, None)] = PADDING
    return ids


def draw_picture(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random picture with soft colours and sharp boxes, uint8 (H W 3), so with coarse and fine parts."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width] / max(size)
    waves = rng.uniform(1, 12, (3, 2, 1, 1)), rng.uniform(0, 6, (3, 1, 1))
    picture = np.sin(waves[0][:, 0] * x + waves[0][:, 1] * y + waves[1]).transpose(1, 2, 0) * 100 + 128
    for _ in range(8):
        top, left = int(rng.integers(0, height * 3 // 4)), int(rng.integers(0, width * 3 // 4))
        picture[top : top + height // 5, left : left + width // 5] = rng.integers(0, 256, 3)
    return picture.clip(0, 255).astype(np.uint8)
