"""The options of ``restr bulk``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from restr.cli.options import DeviceOptions, ModelOptions, RuntimeOptions

if TYPE_CHECKING:
    import tyro
else:
    from restr.cli.options import tyro


def best_processes() -> int:
    """One process for each 8 cores: more threads in one wait for each other in Python."""
    from restr.inference.fastest.machine import usable_cores

    return max(1, usable_cores() // 8)


@dataclass(frozen=True, kw_only=True)
class Bulk(RuntimeOptions, DeviceOptions, ModelOptions):
    """Segment what sentences name in millions of pictures, on one machine or a cluster.

    INPUT is pictures (a folder, a glob), tables (.jsonl, .csv, .parquet) or WebDataset shards (.tar), here or behind an
    address (s3://, gs://, https://). Each row gives exactly one row in OUTPUT; what is wrong with a row is in its
    column "error". The same command resumes a run that was stopped.

    Example: restr bulk photos --text "the dog on the left" --out masks
    """

    inputs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="INPUT...")]
    """Pictures, tables or shards, of one kind: files, folders, globs ("photos/**/*.jpg"), ranges ("s3://b/{000..099}.tar")."""

    out: Annotated[str, tyro.conf.arg(metavar="OUTPUT")]
    """The folder of the output, a path or an address."""

    text: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="TEXT")] = ()
    """What to look for in every picture; repeat it for more. In place of a table's or a shard's own expressions."""

    image_column: str = ""
    """The column with the pictures: paths, addresses, data: URIs, or (parquet) bytes. If not given: image, path, file_name, url
    and the like."""

    text_column: str = ""
    """The column, or the name in a shard's JSON, with an expression or a list of them. If not given: text, expression, caption
    and the like."""

    id_column: str = ""
    """The column with an id that the output repeats. If not given: id, key or uid, if there is one."""

    root: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """The folder or address to which a table's paths are relative. If not given: each table's own folder."""

    format: Literal["parquet", "jsonl"] = "parquet"
    """The form of the output's parts."""

    rows_per_part: int = 1000
    """About how many rows a part has: what is lost if a worker dies."""

    threshold: Annotated[float | None, tyro.conf.arg(metavar="P")] = None
    """The least probability of a pixel of the mask. If not given: the model's own, 0.5."""

    presence: Annotated[float | None, tyro.conf.arg(metavar="P")] = None
    """The least probability that the picture shows what is named; 0 always draws a mask. If not given: the model's own."""

    processes: int = field(default_factory=best_processes)
    """Processes on this machine, each with its own model; by default one for each 8 cores."""

    threads: int = 0
    """Processor threads of each process, each with its own picture; 0 divides the cores, at most 8 each."""

    batch: int = 8
    """Pictures that a GPU encodes together. A processor takes one for each thread."""

    ray: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Workers of a Ray cluster in place of processes: its address, auto (the one that this machine belongs to), or local (a
    new one on this machine)."""

    workers: int = 0
    """Workers on the cluster, each with its own model; 0 takes as many as fit."""

    cpus_per_worker: int = 1
    """Cores, and threads, of each worker on the cluster."""

    gpus_per_worker: float = 0.0
    """GPUs of each worker on the cluster; 0.5 lets two workers share one."""

    allow_errors: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Exit with 0 also if some rows have an error, as long as every row is written."""
