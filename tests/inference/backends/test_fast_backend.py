"""A model in a faster runtime can do all that a PyTorch model can."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
import torch

from fake_runtimes import Machine
from restr import Segmenter
from restr.errors import ConfigError
from restr.export.prepare import prepare_runtime
from restr.inference.backends import base
from restr.inference.backends.fast_backend import FastBackend

IMAGE = np.random.default_rng(1).integers(0, 256, (70, 110, 3), dtype=np.uint8)
TEXT = "the red circle"


@pytest.fixture
def fast(machine: Machine) -> Segmenter:
    prepare_runtime(machine.folder)
    segmenter = Segmenter.from_pretrained(machine.folder)
    assert isinstance(segmenter.backend, FastBackend) and segmenter.backend.name == "openvino"
    return segmenter


@pytest.fixture
def exact(machine: Machine) -> Segmenter:
    return Segmenter.from_pretrained(machine.folder, backend="torch", device="cpu")


def test_the_masks_are_those_of_the_model(fast: Segmenter, exact: Segmenter) -> None:
    for ours, theirs in zip(fast(IMAGE, [TEXT, "left"]), exact(IMAGE, [TEXT, "left"]), strict=True):
        np.testing.assert_allclose(ours.prob, theirs.prob, atol=1e-5)


def test_it_explains_its_masks_without_changing_them(fast: Segmenter, exact: Segmenter) -> None:
    asked, plain = fast(IMAGE, TEXT, attention=True), fast(IMAGE, TEXT)
    expected = exact(IMAGE, TEXT, attention=True).attention
    assert asked.attention is not None and expected is not None
    np.testing.assert_allclose(asked.attention.seed, expected.seed, atol=1e-5)
    np.testing.assert_allclose(asked.attention.patches, expected.patches, atol=1e-5)
    np.testing.assert_array_equal(asked.prob, plain.prob)
    assert fast.backend.name == "openvino"


def test_it_explains_what_an_older_export_has_encoded(fast: Segmenter) -> None:
    """Its image encoder gave the patches alone."""
    features, ids = fast.encode(IMAGE).features, fast.tokenizer([TEXT])
    assert features.ndim == 5
    newer, older = (fast.backend.segment_with_attention(each, ids) for each in (features, features[:, 0]))
    np.testing.assert_array_equal(newer.words, older.words)
    np.testing.assert_allclose(newer.segmentation.logits, older.segmentation.logits, atol=1e-4)


def test_whoever_changes_the_model_changes_the_masks(fast: Segmenter) -> None:
    fast.set_image(IMAGE)  # encoded by the export
    before = fast.predict(TEXT).prob
    with torch.no_grad():
        for parameter in fast.model.fusion.parameters():
            parameter.mul_(1.5)
    assert fast.backend.name == "torch" and fast.device == torch.device("cpu")
    assert np.abs(fast.predict(TEXT).prob - before).max() > 1e-3
    assert np.abs(fast(IMAGE, TEXT).prob - before).max() > 1e-3


def test_it_can_be_pickled_before_and_after(fast: Segmenter) -> None:
    expected = fast(IMAGE, TEXT).prob
    copy = pickle.loads(pickle.dumps(fast))
    assert copy.backend.name == "openvino"
    np.testing.assert_array_equal(copy(IMAGE, TEXT).prob, expected)
    assert fast.model is not None
    copy = pickle.loads(pickle.dumps(fast))
    assert copy.backend.name == "torch"
    np.testing.assert_allclose(copy(IMAGE, TEXT).prob, expected, atol=1e-5)


def test_another_framing_keeps_the_runtime(fast: Segmenter) -> None:
    framed = fast.with_framing(fast.framing)
    assert framed.backend is fast.backend and framed(IMAGE, TEXT).prob.shape == (70, 110)


def test_a_forked_process_continues_in_pytorch(fast: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fast(IMAGE, TEXT).prob
    monkeypatch.setattr(base, "_process", -1)  # as after a fork: another process has computed
    np.testing.assert_allclose(fast(IMAGE, TEXT).prob, expected, atol=1e-5)
    assert fast.backend.name == "torch"


def test_without_torch_it_says_what_needs_it(
    fast: Segmenter, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.install(("openvino",))
    backend = Segmenter.from_pretrained(machine.folder).backend
    assert isinstance(backend, FastBackend) and not backend.can_explain
    monkeypatch.setitem(sys.modules, "restr.model.weights", None)
    with pytest.raises(ConfigError, match="install torch"):
        backend.model  # noqa: B018
