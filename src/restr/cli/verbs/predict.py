"""``restr predict IMAGE... "TEXT"``: a start that loads no more than it needs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from restr.cli.options import parse_options
from restr.cli.predicting.options import PredictOptions, plain_options
from restr.errors import RestrError
from restr.inference.locate import model_folder
from restr.model.folder import folder_hash


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError`` if nothing can be done."""
    options = plain_options(arguments) or parse_options(PredictOptions, "restr predict", arguments)
    if options.backend in ("auto", "openvino", "onnx"):
        threading.Thread(target=_hash_ahead, args=(options.model,), daemon=True).start()
    from restr.cli.predicting.work import predict_jobs

    return predict_jobs(options)


def _hash_ahead(model: Path | None) -> None:
    """Hash the model's files while modules load: the hash says which export belongs to them."""
    with suppress(RestrError, OSError):  # said when the model is loaded
        if model is None or model.is_dir():
            folder_hash(model_folder(model))
