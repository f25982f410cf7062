"""Export to PyTorch's own forms: a traced program, or machine code compiled ahead of time."""

from __future__ import annotations

from pathlib import Path

import torch

from restr.errors import ConfigError
from restr.export.graphs import Graph


def save_program(graph: Graph, path: Path, *, bf16: bool) -> None:
    """A file for ``torch.export.load``. It runs wherever torch does; ExecuTorch's tools start from it."""
    torch.export.save(graph.trace(bf16=bf16), path)


def compile_program(graph: Graph, path: Path, *, bf16: bool) -> None:
    """A file for ``torch._inductor.aoti_load_package``: machine code for this kind of processor; takes a minute or two.

    Raises ``ConfigError`` without a C++ compiler.
    """
    try:
        torch._inductor.aoti_compile_and_package(graph.trace(bf16=bf16), package_path=str(path))
    except Exception as error:  # inductor's own error classes are not public
        if "compiler" in str(error).lower():
            raise ConfigError(f"AOTInductor found no C++ compiler ({error}); install g++ or export to onnx") from error
        raise
