"""The page when the named thing is not in the photograph: a small model that always says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from hands import COFFEE, facts, keep, name, saved, shown, upload

from restr import masks
from restr.client import Client
from served import model_in, process
from small_exports import with_presence

pytestmark = pytest.mark.slow
TEXT = "the left circle"


@pytest.fixture(scope="module")
def doubting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server listens whose model says "not found" to everything."""
    with process(model_in(tmp_path_factory.mktemp("model"), with_presence(0.999))) as (_, url, _):
        yield url


def test_what_is_not_there_is_said_in_words_and_shown_only_when_asked_for(visit, doubting: str) -> None:
    page = visit(doubting)
    upload(page)
    before = shown(page)
    assert re.fullmatch(r"not found . presence \d+%", name(page, TEXT))
    sentence = re.compile(r"not found: probably not in the picture \(presence \d+%\)")
    assert sentence.search(page.inner_text("#note")) and sentence.search(page.get_attribute("#canvas", "aria-label"))
    page.locator("#live", has_text="probably not in the picture").wait_for(state="attached")
    np.testing.assert_allclose(shown(page), before, atol=2)  # nothing is marked, nothing dimmed
    assert page.locator('[data-save="mask"]').is_disabled()

    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.click("text=Show the best guess")
    assert re.match(r"best guess . 0\.\d\d", facts(page, TEXT))
    assert np.abs(shown(page) - before).mean() > 5
    page.locator("#live", has_text="the best guess, score").wait_for(state="attached")
    assert page.locator('[data-save="mask"]').is_enabled()
    page.click("text=Hide the best guess")
    np.testing.assert_allclose(shown(page), before, atol=2)
    assert facts(page, TEXT).startswith("not found") and sent == []


def test_the_page_s_masks_and_scores_are_the_server_s(visit, doubting: str) -> None:
    page = visit(doubting)
    upload(page)
    keep(page, TEXT)
    assert "not found" not in page.inner_text("#note")  # it is about the words in the field
    page.click("text=Show the best guess")
    with Client(doubting) as client:
        for threshold in (0.5, 0.6):
            page.fill("#threshold", str(round(100 * threshold)))
            (found,) = client.segment(COFFEE, TEXT, presence=0, threshold=threshold)
            _, content = saved(page, "coco")
            (guess,) = json.loads(content)["annotations"]
            assert guess["score"] == pytest.approx(found.score, abs=5e-3)  # the page has probabilities in 255 steps
            assert (masks.rle_decode(guess["segmentation"]) != found.mask).mean() < 0.01
    keep(page, "red")
    _, content = saved(page, "coco")
    _, empty = json.loads(content)["annotations"]
    assert (empty["area"], empty["score"]) == (0, 0) and not masks.rle_decode(empty["segmentation"]).any()


def test_a_model_that_does_not_say_is_never_doubted(visit, tmp_path: Path) -> None:
    with process(model_in(tmp_path)) as (_, url, _):
        assert httpx.get(f"{url}/v1/models").json()["models"][0]["presence"] is None
        page = visit(url)
        upload(page)
        assert "of the picture" in name(page, TEXT)
        assert page.locator(".layer .guess").is_hidden()
