"""``restr bulk INPUT... --out OUTPUT``: millions of rows of (picture, expression), on one machine or a cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from restr.cli.bulk.options import Bulk
from restr.cli.dispatch import FAILED, OK
from restr.cli.options import parse_options

if TYPE_CHECKING:
    from restr.bulk.pools.base import Pool
    from restr.bulk.run import BulkSummary
    from restr.bulk.work import BulkModel


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code: 0 if every row is written and none has an error. Raises ``RestrError``."""
    options = parse_options(Bulk, "restr bulk", arguments)
    from restr.bulk.parts import PartFolder
    from restr.bulk.run import BulkOptions, predict_bulk
    from restr.bulk.sources.columns import BulkColumns
    from restr.bulk.sources.opening import open_source
    from restr.cli.bulk.progress import bulk_progress

    model = _model(options)
    columns = BulkColumns(image=options.image_column, text=options.text_column, id=options.id_column)
    parts = PartFolder(options.out, options.format)
    pool = _pool(options)
    source = open_source(options.inputs, texts=options.text, columns=columns, root=options.root)
    settings = BulkOptions(model=model, rows_per_part=options.rows_per_part)
    try:
        with bulk_progress() as progress:
            summary = predict_bulk(source, parts, pool, settings, progress=progress)
    except KeyboardInterrupt:
        print(f"restr bulk: what is written stays in {parts.display_name}; the same command resumes", file=sys.stderr)
        raise
    print("\n".join(_lines(summary, parts.display_name)))
    if not summary.is_complete:
        return FAILED
    return FAILED if summary.tally.failed and not options.allow_errors else OK


def _model(options: Bulk) -> BulkModel:
    """The model, with an absolute path: workers may have another current folder."""
    from restr.bulk.work import BulkModel

    place = None if options.model is None else str(options.model)
    if place is not None and not place.startswith("hf:"):
        place = os.path.abspath(Path(place))
    threads = options.threads if options.ray is None else options.cpus_per_worker
    if options.ray is None and not threads and options.processes > 1:
        from restr.bulk.work import MOST_THREADS
        from restr.inference.fastest.machine import usable_cores

        threads = max(1, min(usable_cores() // options.processes, MOST_THREADS))
    return BulkModel(
        model=place,
        device="cuda" if options.ray is not None and options.gpus_per_worker else options.device,
        backend=options.backend,
        precision=options.precision,
        threshold=options.threshold,
        presence=options.presence,
        threads=threads,
        batch=options.batch,
    )


def _pool(options: Bulk) -> Pool:
    """The workers that were asked for. Raises ``ConfigError``."""
    if options.ray is None:
        from restr.bulk.pools.processes import ProcessPool

        return ProcessPool(options.processes, options.threads)
    from restr.bulk.pools.ray_pool import RayPool

    return RayPool(
        workers=options.workers,
        cpus_per_worker=options.cpus_per_worker,
        gpus_per_worker=options.gpus_per_worker,
        address=options.ray,
    )


def _lines(summary: BulkSummary, place: str) -> list[str]:
    """The summary for people."""
    from restr.cli.bulk.progress import duration, rate_text

    tally = summary.tally
    not_found = tally.rows - tally.found - tally.failed
    written = summary.parts - len(summary.failed_parts)
    lines = [f"{place}: {tally.rows:,} rows in {written:,} {'part' if written == 1 else 'parts'}"]
    lines.append(f"  found {tally.found:,}, not found {not_found:,}, errors {tally.failed:,}")
    for kind, count in sorted(tally.errors.items(), key=lambda each: -each[1]):
        example = tally.examples[kind]
        where = f"row {example['row']}" + (f", {example['image']}" if example["image"] else "")
        lines.append(f"  {count:,} {kind}, such as {where}: {example['error'].partition(': ')[2]}")
    if summary.failed_parts:
        lost = sum(each["rows"] for each in summary.failed_parts)
        lines.append(f"  {len(summary.failed_parts)} parts of {lost:,} rows failed; the same command tries them again:")
        lines += [f"    part {each['part']}: {each['error']}" for each in summary.failed_parts[:5]]
    if summary.rows_per_second is None:
        lines.append("  nothing was left to do")
    else:
        new = tally.rows - summary.rows_before
        lines.append(
            f"  {new:,} rows in {duration(summary.seconds)}, {rate_text(summary.rows_per_second)}, by "
            f"{' and '.join(summary.runtimes)}"
        )
    return lines
