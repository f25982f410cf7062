"""The segmenter is the model plus a way in and out that never depends on how it is called."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from restr import Result, Segmenter, build_model, presets
from restr.errors import ConfigError, ImageError, RestrError, TextError, WeightsError
from restr.model.weights import save_pretrained
from restr.text.vocabulary import Vocabulary

WORDS = ("the", "left", "right", "red", "blue", "circle", "square", "on")
IMAGE = np.random.default_rng(1).integers(0, 256, (70, 110, 3), dtype=np.uint8)
TEXTS = ["red circle", "the blue square on the left", "left", "right", "the red square", "blue", "on the right",
         "circle", "square on the left", "the right red circle"]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    vocabulary = Vocabulary(WORDS)
    model = build_model(presets.restr_tiny(vocab=len(vocabulary)), seed=0)
    path = tmp_path_factory.mktemp("model")
    save_pretrained(model, vocabulary, path)
    return path


@pytest.fixture(scope="module")
def segmenter(folder):
    return Segmenter.from_pretrained(folder, device="cpu")


def test_one_text_one_result_at_the_images_size(segmenter):
    result = segmenter(IMAGE, "the red circle")
    assert isinstance(result, Result) and result.text == "the red circle"
    assert result.prob.shape == (70, 110) and result.prob.dtype == np.float32
    assert result.prob.min() >= 0 and result.prob.max() <= 1
    np.testing.assert_array_equal(result.mask, result.prob >= segmenter.config.preprocess.threshold)
    np.testing.assert_array_equal(result.image, IMAGE)


def test_a_batch_gives_what_single_calls_give_with_the_image_encoded_once(folder, monkeypatch):
    segmenter = Segmenter.from_pretrained(folder, device="cpu", cache_bytes=0)
    calls = []
    encode = segmenter.model.encode_image
    monkeypatch.setattr(segmenter.model, "encode_image", lambda image: calls.append(1) or encode(image))
    together = segmenter(IMAGE, TEXTS)
    assert len(calls) == 1 and [result.text for result in together] == TEXTS
    segmenter.set_image(IMAGE)
    for text, result in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(segmenter.predict(text).prob, result.prob, atol=1e-5)
    assert len(calls) == 2
    assert [result.text for result in segmenter.predict(TEXTS[:2])] == TEXTS[:2]
    assert np.abs(together[0].prob - together[1].prob).max() > 0, "the text matters"


def test_calling_leaves_set_image_alone(segmenter):
    segmenter.set_image(IMAGE)
    before = segmenter.predict("left").prob
    segmenter(255 - IMAGE, "left")
    np.testing.assert_array_equal(segmenter.predict("left").prob, before)


def test_every_kind_of_source_gives_the_same_mask(segmenter, tmp_path):
    path = tmp_path / "two words.png"
    Image.fromarray(IMAGE).save(path)
    expected = segmenter(IMAGE, "left").prob
    for source in (path, str(path), path.read_bytes(), Image.fromarray(IMAGE)):
        np.testing.assert_array_equal(segmenter(source, "left").prob, expected)
    assert segmenter(path, "left").name == "two words"


@pytest.mark.parametrize("size", [(1, 1), (300, 9), (8, 500), (64, 64)])
def test_any_shape_of_image(segmenter, size):
    assert segmenter(np.zeros((*size, 3), np.uint8), "red").mask.shape == size


def test_threshold(segmenter):
    median = float(np.median(segmenter(IMAGE, "left").prob))
    result = segmenter(IMAGE, "left", threshold=median)
    assert result.threshold == median and 0.4 < result.mask.mean() < 0.6
    with pytest.raises(ConfigError, match=r"1\.5"):
        segmenter(IMAGE, "left", threshold=1.5)


def test_a_framing_of_other_patches_is_refused(segmenter):
    with pytest.raises(ConfigError, match="the framing's patch is 8, the model's is 4"):
        segmenter.with_framing(replace(segmenter.framing, patch=8))


def test_results_are_ordinary_arrays_without_gradients(segmenter):
    result = segmenter(IMAGE, "left")
    result.prob[:] = 0  # writable
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("text", ["", "   ", "?!", [], ["left", ""], 3, None])
def test_text_errors_come_before_any_work(segmenter, text):
    with pytest.raises(RestrError) as caught:
        segmenter("no/such/file.jpg", text)
    assert isinstance(caught.value, TextError)


def test_predict_needs_an_image(folder):
    with pytest.raises(ImageError, match="set_image"):
        Segmenter.from_pretrained(folder).predict("left")


def test_unknown_words_are_reported_without_an_error(segmenter, caplog):
    segmenter(IMAGE, "zzqqxx")
    assert "zzqqxx" in caplog.text


def test_from_pretrained_takes_the_folder_or_the_weights_file(folder):
    a = Segmenter.from_pretrained(folder)(IMAGE, "left").prob
    b = Segmenter.from_pretrained(str(folder / "model.safetensors"))(IMAGE, "left").prob
    np.testing.assert_array_equal(a, b)
    with pytest.raises(WeightsError, match="nowhere"):
        Segmenter.from_pretrained("nowhere")
    with pytest.raises(WeightsError, match=r"vocab\.txt"):
        Segmenter.from_pretrained(folder / "vocab.txt")
    with pytest.raises(ConfigError, match="toaster"):
        Segmenter.from_pretrained(folder, device="toaster")
    with pytest.raises(ConfigError, match="GPUs"):
        Segmenter.from_pretrained(folder, device="cuda:99")


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.float16(0.5)])
def test_a_threshold_of_numpys_is_pythons_own_in_the_result(segmenter, value):
    found = segmenter(IMAGE, "left", threshold=value).to_dict()
    assert json.loads(json.dumps(found))["threshold"] == 0.5


@pytest.mark.parametrize("value", [0, 1, True, np.True_, "0.5", [0.5], float("nan"), np.array([0.5, 0.6]), 2j])
def test_wrong_thresholds_are_refused(segmenter, value):
    with pytest.raises(ConfigError, match="threshold is .*a number between 0 and 1"):
        segmenter(IMAGE, "left", threshold=value)


@pytest.mark.parametrize("path", [5, b"model", "a" * 5000, "a\0b"])
def test_wrong_paths_of_a_model_are_refused(path):
    with pytest.raises(WeightsError, match="pass (a folder|one)"):
        Segmenter.from_pretrained(path)


@pytest.mark.parametrize("options", [{"threads": -1}, {"threads": "2"}, {"cache_bytes": -1}, {"threads": True}])
def test_impossible_numbers_are_refused(folder, options):
    with pytest.raises(ConfigError, match="must be a whole number of at least 0"):
        Segmenter.from_pretrained(folder, **options)


def test_bytes_are_no_text(segmenter):
    with pytest.raises(TextError, match="the text is bytes b'left'"):
        segmenter(IMAGE, b"left")
