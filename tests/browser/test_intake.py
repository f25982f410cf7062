"""The ways in which a photograph comes in, and the key that a server may ask for."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hands import COFFEE, KEY, facts, name, upload

pytestmark = pytest.mark.slow

# In place of a person's hands: the events that the browser would send, with a real file in them.
HOLDING = """([content, name, type]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const holding = new DataTransfer();
  holding.items.add(new File([bytes], name, { type }));
  return holding;
}"""


def holding(page, path: Path = COFFEE, kind: str = "image/jpeg"):
    """A DataTransfer with the file in it."""
    return page.evaluate_handle(HOLDING, [base64.b64encode(path.read_bytes()).decode(), path.name, kind])


def opened(page) -> None:
    page.locator("#work").wait_for()
    page.locator("#veil").wait_for(state="hidden")
    assert page.evaluate("document.querySelector('#canvas').width") > 0
    name(page, "the cup")


def test_a_photograph_is_dropped(visit) -> None:
    page = visit()
    data = holding(page)
    page.dispatch_event("body", "dragenter", {"dataTransfer": data})
    assert page.locator("#dropping").is_visible()
    page.dispatch_event("body", "dragleave", {"dataTransfer": data})
    assert page.locator("#dropping").is_hidden()
    page.dispatch_event("#drop", "dragenter", {"dataTransfer": data})
    page.dispatch_event("#drop", "drop", {"dataTransfer": data})
    assert page.locator("#dropping").is_hidden()
    opened(page)
    assert "coffee.jpg" in page.get_attribute("#canvas", "aria-label")


def test_what_is_dropped_must_be_a_photograph(visit, tmp_path: Path) -> None:
    page = visit()
    notes = tmp_path / "notes.txt"
    notes.write_text("buy milk")
    page.dispatch_event("#drop", "drop", {"dataTransfer": holding(page, notes, "text/plain")})
    page.locator("[role=alert]", has_text="notes.txt cannot be opened").wait_for()
    assert page.locator("#empty").is_visible()


def test_a_photograph_is_pasted_and_words_may_be(visit) -> None:
    page = visit()
    page.evaluate(
        "data => window.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true}))", holding(page)
    )
    opened(page)
    page.fill("#text", "")
    page.evaluate("""() => {
      const words = new DataTransfer();
      words.setData("text/plain", "the spoon");
      window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: words }));
    }""")
    assert page.locator("#work").is_visible() and page.locator("#alert").is_hidden()


def test_the_camera_takes_a_photograph_and_is_let_go(visit) -> None:
    page = visit(permissions=["camera"])
    page.click("#camera")
    page.locator("#lens").wait_for()
    page.wait_for_function("document.querySelector('#video').videoWidth > 0")
    page.evaluate("window.track = document.querySelector('#video').srcObject.getTracks()[0]")
    page.click("#shutter")
    page.locator("#work").wait_for()
    page.locator("#veil").wait_for(state="hidden")
    assert "camera.jpg" in page.get_attribute("#canvas", "aria-label")
    assert page.locator("#lens").is_hidden() and page.evaluate("track.readyState") == "ended"


def test_without_a_camera_it_says_so(visit) -> None:
    page = visit()
    page.evaluate("""() => {
      navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotFoundError"); };
    }""")
    page.click("#camera")
    page.locator("[role=alert]", has_text="No camera was found").wait_for()
    assert page.locator("#lens").is_hidden()


def test_a_server_with_keys_asks_for_one(visit, locked: str) -> None:
    page = visit(locked)
    page.expected.append("401")
    page.set_input_files("#file", COFFEE)
    page.locator("#lock").wait_for()
    assert page.locator("#lock-refused").is_hidden()
    page.fill("#key", "not the key")
    page.press("#key", "Enter")
    page.locator("#lock-refused").wait_for()
    page.fill("#key", KEY)
    page.click("#lock button")
    opened(page)
    facts(page, "the cup")
    page.reload()
    upload(page)  # this tab knows the key
    name(page, "the spoon")
    assert page.locator("#lock").is_hidden()


def test_a_key_dialog_that_is_left_asks_nothing(visit, locked: str) -> None:
    page = visit(locked)
    page.expected.append("401")
    page.set_input_files("#file", COFFEE)
    page.locator("#lock").wait_for()
    page.fill("#key", "half a ke")
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.keyboard.press("Escape")
    page.locator("#lock").wait_for(state="hidden")
    page.wait_for_timeout(300)
    assert sent == []
