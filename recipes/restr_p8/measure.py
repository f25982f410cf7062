"""Measure models on the photographs that show a small thing: IoU and boundary IoU by the size of the thing.

    python recipes/restr_p8/measure.py --data photos:DATA/photos --model runs/p8/run/model --out runs/p8/measured/p8

Of ``--n`` generated sentences those of the photographs are measured in which at least one sentence names something under
2% of the picture. OUT gets ``records.jsonl``, written photograph by photograph; the same command resumes. With ``--against
OUT2`` it prints the paired differences to another measurement instead of measuring.
"""

from __future__ import annotations

import json
import math
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from restr import Segmenter
from restr.data.sample import Sample, SampleSource
from restr.evaluation.evaluate import Record, measure_image
from restr.evaluation.protocol import PROTOCOLS
from restr.evaluation.samples import open_samples
from restr.evaluation.sizes import LARGEST_BIN, SIZE_BINS, size_bin
from restr.inference.locate import model_folder
from restr.masks import rle_decode
from restr.metrics import boundary_intersection_and_union, ratio_interval
from restr.report.tables import markdown_table, percent

SMALL = next(iter(SIZE_BINS.values()))
FOUND = 0.5
THIN = 3.0  # pixels of the thin border; 2% of the diagonal, as usual, covers a small thing wholly


def arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="what to measure on, as for restr eval")
    parser.add_argument("--split", default="val", help="of photos: and everyday:")
    parser.add_argument("--n", type=int, default=600, help="generated sentences to choose the photographs from")
    parser.add_argument("--most", type=int, default=10_000, help="measure on the first so many photographs")
    parser.add_argument("--model", type=Path, help="model folder; default: the bundled restr_small")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16", help="number format")
    parser.add_argument("--out", type=Path, required=True, help="folder of the measurement")
    parser.add_argument("--against", type=Path, help="folder of another measurement")
    return parser.parse_args(argv)


def chosen_groups(samples: SampleSource) -> list[list[Sample]]:
    """The samples of each photograph with a small target."""
    groups = ([samples[number] for number in group] for group in samples.image_groups())
    return [group for group in groups if any(0 < sample.mask.mean() < SMALL for sample in group)]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The complete lines of ``records.jsonl``; none if it does not exist."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def measure(options: Namespace, groups: Sequence[Sequence[Sample]]) -> list[dict[str, Any]]:
    """The lines of all samples; those of finished photographs are read, the others measured and written."""
    path = options.out / "records.jsonl"
    lines = read_lines(path)
    done = {line["image_id"] for line in lines}
    groups = [group for group in groups if group[0].image_id not in done]
    if not groups:
        return lines
    options.out.mkdir(parents=True, exist_ok=True)
    segmenter = Segmenter.from_pretrained(model_folder(options.model), backend="own", precision=options.precision)
    protocol = PROTOCOLS["own"]
    framed = segmenter.with_framing(protocol.framing(segmenter.framing))
    with path.open("a", encoding="utf-8") as file:
        for group in groups:
            found = [line_of(*pair) for pair in zip(measure_image(framed, group, protocol, None), group, strict=True)]
            file.write("".join(json.dumps(line) + "\n" for line in found))
            file.flush()
            lines += found
    return lines


def line_of(record: Record, sample: Sample) -> dict[str, Any]:
    """A record with the share of the picture that the target covers, and the IoU of thin borders."""
    diagonal = math.hypot(*sample.mask.shape)
    shared, union = boundary_intersection_and_union(rle_decode(record.prediction), sample.mask, width=THIN / diagonal)
    return asdict(record) | {"share": record.share, "thin": shared / union if union else 1.0}


def by_size(lines: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """All lines, and those of each size that there is."""
    names = [size_bin(line["share"]) for line in lines]
    parts = {
        name: [line for line, own in zip(lines, names, strict=True) if own == name]
        for name in (*SIZE_BINS, LARGEST_BIN)
    }
    return {name: some for name, some in {"all": list(lines), **parts}.items() if some}


def table(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of Markdown: n, oIoU, mIoU, boundary IoU and that of thin borders, in percent, by size."""
    rows = []
    for name, some in by_size(lines).items():
        overall = sum(line["intersection"] for line in some) / max(1, sum(line["union"] for line in some))
        means = [float(np.mean([line[key] for line in some])) for key in ("iou", "boundary_iou", "thin")]
        rows.append([name, str(len(some)), *map(percent, (overall, *means))])
    return markdown_table(["thing", "n", "oIoU", "mIoU", "boundary IoU", "of 3 pixels"], rows)


def differences(lines: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines of Markdown: the mean gain over ``others`` in IoU and boundary IoU, with 95% intervals over photographs."""
    before = {line["id"]: line for line in others}
    rows = []
    shared = [line for line in lines if line["id"] in before]
    both = [line for line in shared if min(line["iou"], before[line["id"]]["iou"]) >= FOUND]
    for name, some in (by_size(shared) | ({"found by both (IoU 0.5)": both} if both else {})).items():
        cells = []
        for key in ("iou", "boundary_iou", "thin"):
            gains = [line[key] - before[line["id"]][key] for line in some]
            low, high = ratio_interval(gains, [1.0] * len(gains), [line["image_id"] for line in some])
            cells.append(f"{100 * float(np.mean(gains)):+.1f} ({100 * low:+.1f} to {100 * high:+.1f})")
        rows.append([name, str(len(some)), *cells])
    return markdown_table(["thing", "n", "mIoU", "boundary IoU", "of 3 pixels"], rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, or compare, and print the table."""
    options = arguments(argv)
    if options.against:
        mine, other = (read_lines(folder / "records.jsonl") for folder in (options.out, options.against))
        print(*differences(mine, other), sep="\n")
        return 0
    samples = open_samples(options.data, split=options.split, n=options.n)
    print(*table(measure(options, chosen_groups(samples)[: options.most])), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
