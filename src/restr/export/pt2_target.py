"""To PyTorch's own forms: a traced program, and one compiled to machine code ahead of time."""

from __future__ import annotations

from pathlib import Path

import torch

from restr.errors import ConfigError
from restr.export.graphs import Graph


def save_program(graph: Graph, path: Path, *, bf16: bool) -> None:
    """What ``torch.export.load`` reads; it runs wherever torch does, ExecuTorch's tools start from it."""
    torch.export.save(graph.traced(bf16=bf16), path)


def compile_program(graph: Graph, path: Path, *, bf16: bool) -> None:
    """What ``torch._inductor.aoti_load_package`` reads: machine code for this kind of processor, a minute or two.

    Raises ``ConfigError`` where there is no compiler.
    """
    try:
        torch._inductor.aoti_compile_and_package(graph.traced(bf16=bf16), package_path=str(path))
    except Exception as error:  # inductor's own, which it does not export
        if "compiler" in str(error).lower():
            raise ConfigError(f"AOTInductor found no C++ compiler ({error}); install g++ or export to onnx") from error
        raise
