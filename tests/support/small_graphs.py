"""A kept OpenVINO export that is written in milliseconds: graphs of a few operations, which compute some mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from restr.inference.exported import ExportManifest
from restr.inference.fastest.choice import RuntimeChoice, TimedRuntime
from restr.inference.fastest.kept import choice_path, kept_folder, mark_complete
from restr.inference.fastest.machine import machine_facts
from restr.model.folder import VOCABULARY, folder_hash, read_config
from restr.text.vocabulary import Vocabulary


def keep_small_export(cache: Path, model: Path) -> Path:
    """Put an export of a model folder into a cache, as the fastest runtime of this machine; its folder."""
    weights = folder_hash(model)
    folder = kept_folder(cache, weights, "openvino", "int8")
    folder.mkdir(parents=True)
    config = read_config(model)
    _write_graphs(folder, config.vision.patch)
    Vocabulary.from_file(model / VOCABULARY, config.language).save(folder / VOCABULARY)
    files = {name: f"{name}.xml" for name in ("image_encoder", "expression")}
    ExportManifest(folder=folder, target="openvino", precision="int8", config=config, files=files).save()
    mark_complete(folder)
    rows = (
        TimedRuntime(target="torch", precision="fp32", ms=100.0),
        TimedRuntime(target="openvino", precision="int8", ms=20.0),
    )
    path = choice_path(cache, weights)
    path.parent.mkdir(parents=True)
    RuntimeChoice(weights=weights, machine=machine_facts(), rows=rows).save(path)
    return folder


def _write_graphs(folder: Path, patch: int) -> None:
    """image (1 3 H W) -> the patches' means (1 h w 3); patches and ids -> logits (1 1 H W)."""
    openvino = pytest.importorskip("openvino")
    ops = openvino.opset13
    image = ops.parameter([-1, 3, -1, -1], np.float32, name="image")
    means = ops.avg_pool(image, [patch, patch], [0, 0], [0, 0], [patch, patch], True)
    patches = ops.transpose(means, np.array([0, 2, 3, 1]))
    openvino.save_model(openvino.Model([patches], [image]), folder / "image_encoder.xml", compress_to_fp16=False)
    patches = ops.parameter([1, -1, -1, 3], np.float32, name="patches")
    ids = ops.parameter([-1, -1], np.int64, name="ids")
    small = ops.unsqueeze(ops.reduce_sum(patches, np.array([3]), False), np.array([1]))
    words = ops.convert(ops.reduce_max(ids, np.array([0, 1]), False), "f32")
    scales = np.array([patch, patch], np.float32)
    large = ops.interpolate(small, scales, "nearest", "scales", axes=np.array([2, 3]))
    logits = ops.add(large, ops.multiply(words, np.float32(1e-3)))
    openvino.save_model(openvino.Model([logits], [patches, ids]), folder / "expression.xml", compress_to_fp16=False)
