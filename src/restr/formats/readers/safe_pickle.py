"""Pickles of plain data, read without executing anything."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

from restr.errors import DatasetError

# Names that a pickle may use, besides the types that the format itself builds (dict, list, str, numbers ...).
_ALLOWED = frozenset(
    {
        ("builtins", "set"), ("builtins", "frozenset"), ("builtins", "complex"), ("builtins", "bytearray"),
        ("__builtin__", "set"), ("__builtin__", "frozenset"), ("__builtin__", "complex"),
        ("collections", "OrderedDict"), ("collections", "defaultdict"),
        ("_codecs", "encode"),  # how Python 3 writes bytes with an old protocol
        ("numpy", "dtype"), ("numpy", "ndarray"),
        ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"),
        ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    }
)  # fmt: skip


class PlainUnpickler(pickle.Unpickler):
    """Refuses every name outside ``_ALLOWED``, so that a file can never choose what is called."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """The allowed class; else ``pickle.UnpicklingError``."""
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}, which is not plain data")
        if module_name == "collections" and global_name == "defaultdict":
            return _plain_dict  # a defaultdict would call its factory later
        return super().find_class(module_name, global_name)


def _plain_dict(*_: Any) -> dict[Any, Any]:
    return {}


def read_pickle(path: Path) -> Any:
    """Plain containers, text, numbers and NumPy scalars of a pickle. Python 2 text is read as Latin-1, which loses
    nothing.

    Executes nothing. Raises ``DatasetError`` naming the file if it is damaged or holds anything else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read ({error}); restr data prepare says which files a dataset needs"
        ) from error
    try:
        return PlainUnpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # damaged pickles raise all kinds of errors
        raise DatasetError(
            f"{path} is not a pickle of plain data ({type(error).__name__}: {error}); it is damaged or hostile, and "
            "nothing in "
            "it was executed: fetch it again from a place you trust"
        ) from error
