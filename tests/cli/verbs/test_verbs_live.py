"""``restr live``: its options, what is missing, and the page that it serves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from restr.cli.main import main
from restr.cli.verbs import live
from restr.server.live.camera import LiveStart
from restr.server.processes import one
from restr.server.settings import ServerSettings
from served import model_in

pytest.importorskip("websockets")


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the server would have begun with."""
    found: dict[str, Any] = {}

    def serve(settings: ServerSettings, **given: Any) -> int:
        found.update(given, settings=settings)
        return 0

    monkeypatch.setattr(one, "serve_one", serve)
    return found


def test_the_page_begins_with_what_was_asked_for(begun, tmp_path: Path, capsys) -> None:
    model = model_in(tmp_path / "model")
    words = [
        "the left dog",
        "--model",
        str(model),
        "--port",
        "0",
        "--smooth",
        "0.5",
        "--presence",
        "0",
        "--streams",
        "2",
    ]
    assert main(["live", *words]) == 0
    start: LiveStart = begun["start"]
    assert (start.text, start.smooth, start.presence, start.camera) == ("the left dog", 0.5, 0.0, None)
    assert begun["settings"].live == 2 and begun["settings"].models == (str(model),)
    assert re.search(r"open http://127\.0\.0\.1:[1-9]\d+/live in a browser", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--smooth", "1"], "smooth is 1.0"),
        (["--threshold", "2"], "threshold is 2.0"),
        (["--presence", "-1"], "presence is -1.0"),
        (["--streams", "0"], "--streams 1"),
        (["--port", "99999"], "port is 99999"),
    ],
)
def test_wrong_options_are_wrong_use(words: list[str], says: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["live", "the dog", *words])
    assert ended.value.code == 2 and says in capsys.readouterr().err


def test_a_source_that_does_not_open_ends_it(begun, capsys) -> None:
    pytest.importorskip("av")
    assert main(["live", "the dog", "--port", "0", "--source", "nowhere.mp4"]) == 1
    assert "--source browser" in capsys.readouterr().err and not begun


@pytest.mark.parametrize(("missing", "words"), [("websockets", []), ("av", ["--source", "webcam"])])
def test_a_missing_extra_is_named(missing: str, words: list[str], monkeypatch, capsys) -> None:
    monkeypatch.setattr(live, "find_spec", lambda name: None if name == missing else object())
    assert main(["live", "the dog", *words]) == 1
    assert f"{missing} is not installed; pip install 'restr[serve,video]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "http://127.0.0.1:9/live"), ("::1", "http://[::1]:9/live"), ("box.local", "http://box.local:9/live")],
)
def test_the_address_is_one_that_a_browser_finds(host: str, address: str) -> None:
    assert live._address(host, 9) == address
