"""The page in Chromium on the real server: a person's actions."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hands import COFFEE, EXAMPLES, at, facts, keep, name, saved, shown, upload
from PIL import Image

from restr import masks

pytestmark = pytest.mark.slow


def test_words_become_a_mask_over_the_right_thing_as_they_are_typed(visit) -> None:
    page = visit()
    upload(page)
    before = shown(page)
    found = name(page, "the cup")
    assert re.fullmatch(r"0\.\d\d . \d+% of the picture", found)
    after = shown(page)
    cup, table = (260 / 600, 90 / 400), (560 / 600, 360 / 400)
    blue = np.array([86, 180, 233])  # the first layer's colour
    assert np.abs(at(after, *cup) - blue).sum() < np.abs(at(before, *cup) - blue).sum()
    assert at(after, *table).sum() < at(before, *table).sum()  # outside it is darker
    assert page.locator(".chip").all_inner_texts()[1].startswith("cup")
    page.wait_for_function(
        r"/the cup: found, score 0\.\d\d, \d+% of the picture/.test(document.querySelector('#live').textContent)"
    )


def test_typing_sends_the_photograph_once_and_few_sentences(visit) -> None:
    page = visit()
    sent = []
    page.on("request", lambda request: request.method == "POST" and sent.append(request.url))
    upload(page)
    page.locator("#text").press_sequentially("the red saucer", delay=60)
    facts(page, "the red saucer")
    assert sum(url.endswith("/v1/images") for url in sent) == 1
    assert 1 <= sum(url.endswith("/segment") for url in sent) <= 4  # not one a letter


def test_layers_have_colours_and_can_be_hidden_shown_alone_and_deleted(visit) -> None:
    page = visit()
    upload(page, EXAMPLES / "astronaut.jpg")
    keep(page, "the woman")
    keep(page, "the flag on the left")
    colours = page.eval_on_selector_all(".layer", "rows => rows.map(row => row.style.getPropertyValue('--colour'))")
    assert len(set(colours)) == 2
    both = shown(page)
    page.click('[aria-label="Hide the woman"]')
    assert not np.allclose(at(shown(page), 0.45, 0.2), at(both, 0.45, 0.2), atol=4)
    page.click('[aria-label="Show only the woman"]')
    assert "the flag" not in page.get_attribute("#canvas", "aria-label")
    page.click('[aria-label="Show every layer again"]')
    page.click('[aria-label="Delete the woman"]')
    assert page.locator(".layer-name").all_inner_texts() == ["the flag on the left"]


def test_the_threshold_works_in_the_page_and_changes_the_area(visit) -> None:
    page = visit()
    upload(page)
    keep(page, "the cup")
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    areas = []
    for value in ("10", "50", "90"):
        page.fill("#threshold", value)
        areas.append(int(facts(page, "the cup").partition("%")[0].split()[-1]))
    assert areas[0] > areas[1] > areas[2]
    assert sent == []


def test_views_differ_and_the_wipe_brings_the_photograph_back(visit) -> None:
    page = visit()
    upload(page)
    photograph = shown(page)
    keep(page, "the cup")
    pictures = []
    for value in ("mask", "cutout", "heat"):
        page.check(f'[name="mode"][value="{value}"]', force=True)
        pictures.append(shown(page))
    assert all(np.abs(one - other).mean() > 5 for one, other in zip(pictures, pictures[1:], strict=False))
    page.check("#compare", force=True)
    page.fill("#wipe", "100")
    page.eval_on_selector_all("#wipe-line, .tag, .legend", "parts => parts.forEach(part => { part.hidden = true; })")
    assert np.abs(shown(page) - photograph).mean() < 1


def test_downloads_are_files_that_other_programs_read(visit) -> None:
    page = visit()
    upload(page)
    keep(page, "the cup")
    file, content = saved(page, "mask")
    assert file == "coffee-the-cup.mask.png"
    mask = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    assert mask.shape == (400, 600) and set(np.unique(mask)) == {0, 255}
    inside = mask > 0
    file, content = saved(page, "coco")
    (annotation,) = json.loads(content)["annotations"]
    assert np.array_equal(masks.rle_decode(annotation["segmentation"]), inside)
    x0, y0, x1, y1 = masks.box_of(inside) or (0, 0, 0, 0)
    assert annotation["bbox"] == [x0, y0, x1 - x0, y1 - y0] and annotation["area"] == inside.sum()
    file, content = saved(page, "cutout")
    cutout = Image.open(io.BytesIO(content))
    assert cutout.mode == "RGBA" and cutout.size == (x1 - x0, y1 - y0)
    assert np.array_equal(np.asarray(cutout)[..., 3] > 0, inside[y0:y1, x0:x1])
    file, content = saved(page, "svg")
    assert file == "coffee.outlines.svg"
    assert _overlap(_painted(content.decode(), inside.shape), inside) > 0.97


def _painted(svg: str, size: tuple[int, ...]) -> np.ndarray:
    """What the paths of our own SVG cover; even-odd."""
    from PIL import ImageDraw

    covered = np.zeros(size, bool)
    for ring in re.findall(r"M([^MZ]*)Z", svg):
        points = [tuple(float(number) for number in point.split()) for point in ring.split("L")]
        picture = Image.new("1", (size[1], size[0]))
        ImageDraw.Draw(picture).polygon(points, fill=1)
        covered ^= np.asarray(picture)
    return covered


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def test_a_file_that_is_no_photograph_is_refused_in_words(visit, tmp_path: Path) -> None:
    page = visit()
    bad = tmp_path / "notes.jpg"
    bad.write_text("not a photograph")
    page.set_input_files("#file", bad)
    page.locator("[role=alert]", has_text="notes.jpg cannot be opened").wait_for()
    upload(page)  # and the page still works
    assert page.locator("#alert").is_hidden()


def test_what_the_server_refuses_is_told_and_can_be_tried_again(visit) -> None:
    page = visit()
    page.expected.append("415")
    problem = {
        "type": "urn:restr:problem:not-an-image",
        "title": "Not an image",
        "status": 415,
        "detail": "It is a riddle.",
    }
    answer = {"status": 415, "content_type": "application/problem+json", "body": json.dumps(problem)}
    page.route("**/v1/images", lambda route: route.fulfill(**answer))
    page.set_input_files("#file", COFFEE)
    page.locator("#alert", has_text="Not an image. It is a riddle.").wait_for()
    page.unroute("**/v1/images")
    page.click("#alert-retry")
    page.locator("#veil").wait_for(state="hidden")
    name(page, "the cup")


def test_an_expired_photograph_is_sent_again_and_a_busy_server_is_asked_again(visit) -> None:
    page = visit()
    page.expected += ["404", "429"]
    upload(page)
    refusals = [(404, {}), (429, {"Retry-After": "1"})]

    def refuse(route) -> None:
        if not refusals:
            route.continue_()
            return
        status, headers = refusals.pop(0)
        body = json.dumps({"type": "about:blank", "title": "No", "status": status, "detail": ""})
        route.fulfill(status=status, headers=headers, content_type="application/problem+json", body=body)

    page.route("**/segment", refuse)
    uploads = []
    page.on("request", lambda request: request.url.endswith("/v1/images") and uploads.append(request.url))
    name(page, "the cup")
    assert refusals == [] and len(uploads) == 1 and page.locator("#alert").is_hidden()
