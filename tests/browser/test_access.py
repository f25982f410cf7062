"""The page by keyboard, on a phone, with a turned photograph, and as axe sees it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hands import COFFEE, facts, keep, name, saved, settled, shown, upload
from PIL import Image

pytestmark = pytest.mark.slow


def test_everything_can_be_done_by_keyboard(visit) -> None:
    page = visit()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "sample":
            break
    page.keyboard.press("Enter")
    facts(page, "the cup")
    page.locator("#veil").wait_for(state="hidden")
    page.keyboard.press("/")
    page.keyboard.press("Control+a")
    page.keyboard.type("the spoon")
    facts(page, "the spoon")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") != "text"
    page.keyboard.press("]")
    assert page.locator("#threshold-out").inner_text() == "0.55"
    page.keyboard.press("3")
    assert page.is_checked('[value="heat"]')
    page.keyboard.press("c")
    assert page.locator("#wipe").is_visible()
    with page.expect_download():
        page.keyboard.press("d")
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Delete")
    assert page.locator(".layer").count() == 0


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_it_all_without_scrolling_sideways(visit, width: int) -> None:
    page = visit(viewport={"width": width, "height": 800}, device_scale_factor=2, is_mobile=True, has_touch=True)
    narrow = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(narrow)
    page.locator(".sample").first.tap()
    facts(page, "the cup")
    assert page.evaluate(narrow)
    assert page.evaluate("document.querySelector('#canvas').width") > width  # sharp on a fine screen


def test_a_turned_photograph_stands_upright(visit, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    turned = tmp_path / "turned.jpg"
    Image.open(COFFEE).transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif, quality=92)
    page = visit()
    upload(page, turned)
    keep(page, "the cup")
    _, content = saved(page, "mask")
    assert Image.open(io.BytesIO(content)).size == (600, 400)
    height, width = shown(page).shape[:2]
    assert width > height


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, scheme: str) -> None:
    script = os.environ.get("RESTR_AXE")
    if not script:
        pytest.skip("RESTR_AXE names no axe.min.js; npm pack axe-core has one")
    page = visit(color_scheme=scheme)
    page.evaluate(Path(script).read_text())
    found = _serious(page)
    upload(page)
    keep(page, "the cup")
    name(page, "the spoon")
    settled(page)
    found += _serious(page)
    page.click("#open-keys")
    assert found + _serious(page) == []


def _serious(page) -> list[str]:
    violations = page.evaluate("axe.run().then(found => found.violations)")
    return [
        f"{violation['id']}: {[node['target'] for node in violation['nodes']]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
