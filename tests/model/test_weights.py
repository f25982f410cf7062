"""Saved weights load unchanged, int8 stays close, and differences are named."""

from pathlib import Path

import pytest
import torch

from restr.errors import WeightsError
from restr.model.build import build_model
from restr.model.weights import (
    SCALE,
    dequantise,
    load_pretrained,
    load_state,
    quantise,
    read_tensors,
    save_pretrained,
)
from restr.presets import restr_tiny
from restr.text.vocabulary import Vocabulary

WORDS = ["left", "red", "circle"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vocabulary = Vocabulary(WORDS)
    save_pretrained(build_model(restr_tiny(vocab=len(vocabulary)), seed=0), vocabulary, tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_model_gives_the_same_answer(folder: Path) -> None:
    model = build_model(restr_tiny(vocab=5), seed=0).eval()
    loaded, vocabulary = load_pretrained(folder)
    image, ids = torch.randn(1, 3, 64, 64), torch.tensor([[2, 3, 4]])
    assert tuple(vocabulary.words) == tuple(WORDS)
    torch.testing.assert_close(loaded(image, ids).logits, model(image, ids).logits)
    assert not loaded.training
    assert not list(folder.glob(".*"))


def test_a_vocabulary_of_another_model_is_refused(folder: Path) -> None:
    Vocabulary([*WORDS, "more"]).save(folder / "vocab.txt")
    with pytest.raises(WeightsError, match="belong together"):
        load_pretrained(folder)


def test_int8_is_a_quarter_of_the_size_and_close() -> None:
    state = {"w": torch.randn(64, 128), "b": torch.randn(64), "pos": torch.randn(1, 50, 64)}
    packed = quantise(state)
    assert packed["w"].dtype == torch.int8 and packed["w" + SCALE].dtype == torch.float16
    assert packed["pos" + SCALE].shape == (50,)  # one scale per token
    restored = dequantise(packed)
    for name, tensor in state.items():
        assert restored[name].shape == tensor.shape
        assert (restored[name] - tensor).norm() < 0.01 * tensor.norm()
    assert torch.equal(restored["b"], state["b"])


def test_int8_of_int8_changes_nothing() -> None:
    once = dequantise(quantise({"w": torch.randn(16, 32)}))
    twice = dequantise(quantise(once))
    torch.testing.assert_close(once["w"], twice["w"], rtol=1e-3, atol=1e-6)


def test_rows_of_zeros_stay_zero() -> None:
    assert not dequantise(quantise({"w": torch.zeros(3, 4)}))["w"].any()


def test_every_difference_is_named() -> None:
    model = build_model(restr_tiny(), seed=0)
    state = model.state_dict()
    state["fusion.seed"] = torch.zeros(1, 1, 3)
    del state["decoder.head.bias"]
    state["decoder.tail"] = torch.zeros(1)
    with pytest.raises(WeightsError, match="3 places") as error:
        load_state(model, state)
    for line in ("missing decoder.head.bias", "unknown decoder.tail", r"fusion.seed is (1, 1, 3)"):
        assert line in str(error.value)


def test_a_folder_without_weights_says_what_is_missing(folder: Path) -> None:
    (folder / "vocab.txt").unlink()
    with pytest.raises(WeightsError, match="vocab.txt"):
        load_pretrained(folder)


def test_a_truncated_file_is_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="not a readable safetensors file"):
        read_tensors(path)
