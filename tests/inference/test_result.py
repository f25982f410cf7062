"""A result's numbers agree with its mask, and its files never replace another's."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os

import numpy as np
import pytest
from PIL import Image

from restr.config import ScoreConfig
from restr.errors import ConfigError
from restr.inference.explanation import WordAttention
from restr.inference.forms import FILE_FORMS, coco_document, coco_part
from restr.inference.naming import slug
from restr.inference.result import Result
from restr.masks import rle_decode


def result(text: str = "the left dog", *, shift: int = 0, empty: bool = False) -> Result:
    image = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    prob = np.full((60, 90), 0.1, np.float32)
    if not empty:
        prob[10:30, 20 + shift : 50 + shift] = 0.9
        prob[10:30, 20 + shift] = 0.5  # on the threshold: inside
    why = WordAttention(
        words=("left", "dog"), seed=np.array([0.6, 0.2], np.float32), patches=np.zeros((2, 4, 6), np.float32)
    )
    return Result(image=image, text=text, prob=prob, name="yard", attention=why)


def test_numbers_agree_with_the_mask():
    found = result()
    assert found.mask.dtype == bool and found.mask.shape == (60, 90)
    assert found.area == 600 and found.box == (20, 10, 50, 30)
    assert found.score == pytest.approx((580 * 0.9 + 20 * 0.5) / 600)
    np.testing.assert_array_equal(rle_decode(found.rle), found.mask)
    assert found.polygons == [[20, 10, 50, 10, 50, 30, 20, 30]]
    assert json.loads(json.dumps(found.to_dict()))["box"] == [20, 10, 50, 30]


def test_the_score_is_that_of_the_equation():
    """sigmoid(bias + certainty * logit of the mean probability in the mask + presence * presence logit)."""
    scoring = ScoreConfig(bias=-0.5, certainty=0.8, presence=0.6)
    found = dataclasses.replace(result(), presence=0.7, scoring=scoring)
    inside = (580 * 0.9 + 20 * 0.5) / 600
    x = -0.5 + 0.8 * math.log(inside / (1 - inside)) + 0.6 * math.log(0.7 / 0.3)
    assert found.score == pytest.approx(1 / (1 + math.exp(-x)))
    without = dataclasses.replace(found, presence=None)
    assert without.score == pytest.approx(1 / (1 + math.exp(0.6 * math.log(0.7 / 0.3) - x)))


def test_nothing_found_is_a_result_too(tmp_path):
    nothing = result(empty=True)
    assert (nothing.score, nothing.area, nothing.box, nothing.polygons) == (0.0, 0, None, [])
    assert nothing.cutout().size == (1, 1)
    assert json.loads(json.dumps(nothing.to_dict()))["box"] is None
    assert set(nothing.save(tmp_path, FILE_FORMS)) == set(FILE_FORMS)


def test_cutout_is_the_image_inside_and_clear_outside():
    found = result()
    holed = found.prob.copy()
    holed[12, 22] = 0
    cut = Result(image=found.image, text="x", prob=holed).cutout()
    assert cut.mode == "RGBA" and cut.size == (30, 20)
    pixels = np.asarray(cut)
    np.testing.assert_array_equal(pixels[..., :3], found.image[10:30, 20:50])
    assert pixels[2, 2, 3] == 0 and (pixels[..., 3] == 255).sum() == 599


def test_overlay_keeps_the_thing_bright_and_dims_the_rest():
    grey = np.full((600, 900, 3), 150, np.uint8)
    prob = np.zeros((600, 900), np.float32)
    prob[200:400, 300:600] = 1
    found = Result(image=grey, text="a box", prob=prob)
    plain = np.asarray(found.overlay(caption=False)).astype(int)
    assert plain.shape == (600, 900, 3)
    assert abs(plain[300, 450] - 150).max() < 30, "inside: nearly its own colour"
    assert plain[50, 50].max() < 110, "outside: dimmed"
    assert abs(plain[300, 300] - plain[300, 450]).max() > 40, "a contour between them"
    assert found.overlay().height > 600, "the caption is below the picture, not on it"


def test_pictures_of_tiny_and_huge_images_are_shown_at_a_sensible_size():
    for shape, longest in (((3, 5), 480), ((40, 3000), 1600), ((1, 1), 480)):
        found = Result(image=np.zeros((*shape, 3), np.uint8), text="x", prob=np.ones(shape, np.float32))
        assert max(found.overlay(caption=False).size) == longest
        assert max(found.heatmap(caption=False).size) == longest
        assert found.mask_image().size == shape[::-1], "the mask itself keeps the image's size"


def test_a_long_text_fits_the_caption():
    assert result("the very " * 60 + "left dog").overlay().width == result("dog").overlay().width


def test_repr_png_is_the_overlay():
    assert Image.open(io.BytesIO(result()._repr_png_())).size == result().overlay().size


def test_save_writes_every_kind(tmp_path):
    found = result("The man's \u201cleft\u201d hat!")
    paths = found.save(tmp_path / "new" / "folder", [*FILE_FORMS, "polygon"])
    assert paths["overlay"].name == "yard-the-mans-left-hat.overlay.png"
    np.testing.assert_array_equal(np.asarray(Image.open(paths["mask"])) > 0, found.mask)
    np.testing.assert_array_equal(rle_decode(json.loads(paths["rle"].read_text())), found.mask)
    assert json.loads(paths["polygon"].read_text())["polygons"] == found.polygons
    assert json.loads(paths["polygons"].read_text()) == json.loads(paths["polygon"].read_text())
    np.testing.assert_allclose(np.asarray(Image.open(paths["prob"])) / 255, found.prob, atol=0.002)
    assert json.loads(paths["coco"].read_text())["annotations"][0]["bbox"] == [20, 10, 30, 20]
    assert not [name for name in os.listdir(paths["mask"].parent) if name.startswith(".")], "no temporary file is left"


def test_save_never_overwrites_another_result(tmp_path):
    first = result().save(tmp_path)
    before = first["mask"].read_bytes()
    second = result(shift=5).save(tmp_path)
    assert second["mask"] != first["mask"] and first["mask"].read_bytes() == before
    assert second["overlay"].name == "yard-the-left-dog-2.overlay.png"
    assert result().save(tmp_path) == first, "the same result again: the same files"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools' own
def test_coco_file_loads_in_pycocotools(tmp_path):
    coco = pytest.importorskip("pycocotools.coco")
    pairs = [("a.jpg", result()), ("a.jpg", result(shift=3)), ("b.jpg", result(empty=True))]
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(coco_document([(name, coco_part(result)) for name, result in pairs])))
    dataset = coco.COCO(path)
    assert len(dataset.imgs) == 2 and len(dataset.anns) == 3
    np.testing.assert_array_equal(dataset.annToMask(dataset.anns[2]), pairs[1][1].mask)


@pytest.mark.parametrize("kinds", [["overlay", "video"], "overlay"])
def test_unknown_kinds_are_refused_before_anything_is_written(tmp_path, kinds):
    with pytest.raises(ConfigError, match="overlay"):
        result().save(tmp_path / "out", kinds)
    assert not (tmp_path / "out").exists()


def test_slugs():
    assert slug("  Left / RIGHT\\dog?.. ") == "left-right-dog"
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("\u7334\u5b50") == "\u7334\u5b50"
    assert slug("!?") == "result"
    assert len(slug("word " * 50)) <= 48
