"""The report of ``benchmarks/inference.py``: Markdown and curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from growth import PREDICTIONS
from workload import SIZE

from restr.files import write_atomically
from restr.report.charts import chart_png, open_figure
from restr.report.tables import markdown_table

_SMALL = (
    "", "first, ms", "p95", "further, ms", "of a first", "ten, ms", "over one", "a further of ten", "of its peak",
    "faster than torch fp32",
)  # fmt: skip


def markdown(report: dict[str, Any]) -> str:
    """The report as people read it."""
    machine = report["machine"]
    lines = [
        f"{machine['cpu']}, {machine['threads']} threads, torch {machine['torch']}, {report['rounds']} rounds.",
        "",
    ]
    if found := report.get("small"):
        lines += [
            f"## restr_small, {SIZE} x {SIZE}, one expression",
            "",
            f"{found['gmac']['image']:.1f} GMAC an image, {found['gmac']['expression']:.2f} an expression "
            f"({found['share_of_multiplications']:.1%} of a first call). {found['peak_in_words']} "
            f"A whole call of Segmenter on an array: {found['whole_call_ms']:.0f} ms.",
            "",
            *markdown_table(_SMALL, (_small_cells(name, row) for name, row in found["rows"].items())),
        ]
    if found := report.get("base"):
        lines += [
            "",
            f"## restr_base, released setting, random weights, {SIZE} x {SIZE}",
            "",
            f"{found['gmac']:.1f} GMAC, the plain rendition {found['plain_gmac']:.1f}; logits differ by at most "
            f"{found['largest_difference_from_plain']:.1g}. {found['peak_in_words']} Of the peak of its own precision: "
            + ", ".join(f"{name} {share:.0%}" for name, share in found["of_peak"].items() if share is not None)
            + ".",
            "",
        ]
        rows = [
            [str(side), f"{ms['p50']:.0f}", f"{ms['p95']:.0f}"]
            + [_times_as_long(found[other].get(side)) for other in ("plain_over", "clipseg_over")]
            for side, ms in found["times"].items()
        ]
        lines += markdown_table(["", "ms", "p95", "plain rendition takes", f"CLIPSeg at {SIZE} takes"], rows)
    for name, line in report.get("curves", {}).items():
        points = zip(line["points"], line["ms"], line["gmac"], strict=True)
        table = markdown_table([line["unit"], "ms", "GMAC"], ([f"{p}", f"{ms:.0f}", f"{g:.2f}"] for p, ms, g in points))
        lines += ["", f"## Cost against {name}", "", *table]
    if found := report.get("start"):
        lines += ["", "## Start", ""] + [f"- {name}: {seconds:.2f} s" for name, seconds in found.items()]
    if found := report.get("leak"):
        lines += [
            "",
            f"## Memory over {PREDICTIONS:,} predictions",
            "",
            f"MiB after every {found['every']}: {', '.join(f'{each:.0f}' for each in found['mib'])}; "
            f"{found['growth_in_the_second_half_mib']:+.1f} in the second half.",
        ]
    return "\n".join(lines) + "\n"


def _small_cells(name: str, row: dict[str, float]) -> list[str]:
    cells = [name, f"{row['first_ms']:.0f}", f"{row['first_p95_ms']:.0f}"]
    cells += [
        f"{row['further_ms']:.0f}",
        f"{row['further_share']:.1%}",
        f"{row['ten_ms']:.0f}",
        f"{row['ten_over_one']:.2f}",
    ]
    return [
        *cells,
        f"{row['together_share']:.1%}",
        "" if row["of_peak"] is None else f"{row['of_peak']:.0%}",
        f"{row['faster_than_torch_fp32']:.2f}",
    ]


def _times_as_long(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} x"


def draw(found: dict[str, Any], path: Path) -> None:
    """Each measured curve, and a curve that grows in proportion to the multiplications."""
    figure = open_figure(3.4 * len(found), 3.2)
    panels = np.atleast_1d(figure.subplots(1, len(found)))
    for panel, (name, line) in zip(panels, found.items(), strict=True):
        scale = line["ms"][0] / line["gmac"][0]
        panel.plot(line["points"], line["ms"], "o-", label="measured")
        panel.plot(line["points"], [scale * each for each in line["gmac"]], "--", color="0.6", label="as the GMAC grow")
        panel.set(title=name, xlabel=line["unit"], ylim=(0, None))
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("ms")
    panels[0].legend(frameon=False)
    write_atomically(path, chart_png(figure, dpi=110))
