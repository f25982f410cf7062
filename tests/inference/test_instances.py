"""Instances are the separate regions of a mask, with nothing lost that is not counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from restr.config import ScoreConfig
from restr.errors import ConfigError
from restr.inference.forms import FILE_FORMS, OUTPUT_FORMS
from restr.inference.result import Result
from restr.masks import rle_decode


def people(**fields) -> Result:
    """Two things, the larger one on the right and surer, with a hole; a speck of three pixels; one of one pixel."""
    prob = np.full((60, 90), 0.1, np.float32)
    prob[20:40, 5:15] = 0.6
    prob[10:50, 40:80] = 0.9
    prob[20:24, 50:54] = 0.2
    prob[2, 30:33] = prob[58, 88] = 0.7
    image = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    return Result(image=image, text="the people", prob=prob, name="yard", **fields)


def test_instances_are_the_regions_the_largest_first():
    found = people()
    large, small = found.instances()
    assert (large.box, large.area, small.box, small.area) == ((40, 10, 80, 50), 1584, (5, 20, 15, 40), 200)
    assert large.score == pytest.approx(0.9) and small.score == pytest.approx(0.6)
    assert small.polygons == [[5, 20, 15, 20, 15, 40, 5, 40]]
    assert large.mask.shape == (60, 90) and not large.mask[22, 52], "the hole stays a hole"
    for each in (large, small):
        assert (each.mask <= found.mask).all() and each.mask.sum() == each.area
        np.testing.assert_array_equal(rle_decode(each.to_dict()["rle"]), each.mask)


def test_specks_are_counted_not_lost():
    found = people()
    few = found.instances()
    assert (few.specks.count, few.specks.area) == (2, 4)
    assert sum(each.area for each in few) + few.specks.area == found.area
    every = found.instances(least_share=0)
    assert len(every) == 4 and every.specks.count == 0
    np.testing.assert_array_equal(np.any([each.mask for each in every], axis=0), found.mask)
    assert [each.area for each in found.instances(least_share=1)] == [1584], "the largest region is never a speck"
    assert len(few.to_dict()["instances"]) == 2 and few.to_dict()["specks"] == {"count": 2, "area": 4}


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(ConfigError, match="least_share"):
        people().instances(least_share=share)


def test_scores_use_the_models_calibration():
    found = people(presence=0.8, scoring=ScoreConfig(bias=-0.5, certainty=0.8, presence=0.6))
    for each in found.instances():
        assert each.score == pytest.approx(found.only(each).score)
        assert each.score != pytest.approx(float(found.prob[each.mask].mean()))


def test_a_result_with_one_instance_only():
    found = people()
    _, small = found.instances()
    alone = found.only(small)
    np.testing.assert_array_equal(alone.mask, small.mask)
    assert alone.cutout().size == (10, 20) and alone.text == found.text
    assert len(alone.instances()) == 1
    assert people(known_score=0.3).only(small).score == pytest.approx(0.6), "a video's score is of the whole mask"


def test_nothing_found_has_no_instance(tmp_path):
    nothing = Result(image=np.zeros((6, 9, 3), np.uint8), text="x", prob=np.zeros((6, 9), np.float32))
    assert nothing.instances() == [] and nothing.instances().specks.count == 0
    forms = [form for form in FILE_FORMS if form != "attention"]
    assert set(nothing.save(tmp_path, forms, each=True)) == set(forms)


def test_each_saves_the_forms_that_make_sense(tmp_path):
    found = people()
    forms = [form for form in FILE_FORMS if form != "attention"]
    paths = found.save(tmp_path, forms, each=True)
    alone = {form for form in forms if OUTPUT_FORMS[form].alone}
    assert set(paths) == {*forms, *(f"{number}.{form}" for number in (1, 2) for form in alone)}
    assert paths["1.mask"].name == "yard-the-people.1.mask.png"
    for number, each in enumerate(found.instances(), 1):
        np.testing.assert_array_equal(np.asarray(Image.open(paths[f"{number}.mask"])) > 0, each.mask)
        np.testing.assert_array_equal(rle_decode(json.loads(paths[f"{number}.rle"].read_text())), each.mask)
    np.testing.assert_array_equal(np.asarray(Image.open(paths["mask"])) > 0, found.mask)
    annotations = json.loads(paths["coco"].read_text())["annotations"]
    assert [each["bbox"] for each in annotations] == [[40, 10, 40, 40], [5, 20, 10, 20]]
    listed = json.loads(paths["instances"].read_text())
    assert listed["size"] == [60, 90] and [each["area"] for each in listed["instances"]] == [1584, 200]
    assert found.save(tmp_path, ["polygon"], each=True).keys() == {"polygon", "1.polygon", "2.polygon"}
