"""Browsing a dataset: pages show its content, escaped, and the server gives nothing else."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import re
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import layouts
from layouts import LEFT, NAMES, SIZE
from restr.cli.check_files import is_checked
from restr.cli.data import browse as data_browse
from restr.cli.main import main
from restr.errors import DataError
from restr.formats.catalog import open_dataset
from restr.inspection import browse
from restr.inspection.browse import Server, Site
from restr.inspection.style import STYLE

HOSTILE = "<script>alert('\"&')</script>"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    layouts.make_jsonl(tmp_path)
    with open(tmp_path / "mine.jsonl", "a") as file:
        row = {"id": "<i>", "image": NAMES[0], "text": HOSTILE, "bbox": [1, 1, 5, 5], "split": "a&b", "kind": "<b>"}
        file.write(json.dumps(row) + "\n")
        file.write(json.dumps({**row, "id": "gone", "image": "none.jpg", "text": "a hundred% sure"}) + "\n")
    return Site(
        open_dataset("jsonl:mine.jsonl", tmp_path),
        f"jsonl:{HOSTILE}",
        "<title>t</title><style>p { color: red }</style><h1>checked</h1>",
    )


def page(site: Site, address: str = "/", status: int = 200) -> str:
    answer = site.answer(address)
    assert answer.status == status and answer.kind.startswith("text/html")
    return answer.content.decode()


def captions(text: str) -> list[str]:
    return [unescape(each) for each in re.findall(r"<figcaption>(.*?)<br>", text)]


def test_samples_by_split_and_by_words(site: Site) -> None:
    everything = page(site)
    assert len(captions(everything)) == 6 and "6 sentences" in everything and "val 2" in everything
    assert captions(page(site, "/?split=test")) == ["the middle", "the elephant"]
    assert captions(page(site, "/?split=val&text=one+RIGHT")) == ["right one"]
    assert captions(page(site, "/?text=%25")) == ["a hundred% sure"]
    nothing = page(site, "/?text=giraffe")
    assert "No sentence like that" in nothing and "0 sentences" in nothing and captions(nothing) == []


def test_pages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "ON_A_PAGE", 4)
    first, second = page(site), page(site, "/?page=2")
    assert len(captions(first)) == 4 and "page 1 of 2" in first and "rel='next'" in first and "rel='prev'" not in first
    assert len(captions(second)) == 2 and "rel='prev'" in second and "rel='next'" not in second
    assert page(site, "/?page=3", 404)
    assert page(site, "/?page=-1") == page(site, "/?page=x") == page(site, "/?page=0") == first


def test_one_sample(site: Site) -> None:
    first = page(site, "/sample/1?split=val")
    assert "<h1>left one</h1>" in first and "/picture/1/large" in first and "/sample/2?split=val" in first
    assert "rel='prev'" not in first and "60 x 40" in first and f"{100 * LEFT.mean():.1f}%" in first
    assert "nothing in the picture" in page(site, "/sample/4")
    assert "there is no picture" in page(site, "/sample/6")


def test_pictures(site: Site) -> None:
    for how, expected in (("", 60), ("/large", 60), ("/bare", 60)):
        answer = site.answer(f"/picture/1{how}")
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert answer.kind == "image/jpeg" and picture.width == expected and picture.height == SIZE[0]
    laid, bare = (
        np.asarray(Image.open(io.BytesIO(site.answer(f"/picture/1/{how}").content))) for how in ("large", "bare")
    )
    assert laid[20, 12, 2] > bare[20, 12, 2] + 40 and laid[3, 3, 0] < bare[3, 3, 0]
    page(site, "/picture/6", 404)  # its file is not there


@pytest.mark.parametrize(
    "address",
    [
        "/mine.jsonl", "/../mine.jsonl", "/%2e%2e/mine.jsonl", "//etc/passwd", "/picture/..%2f..%2fmine.jsonl", "/picture/0",
        "/picture/7", "/picture/-1", "/picture/1/../../mine.jsonl", "/picture/1/huge", "/sample/1/2", "/sample/", "/picture/%31",
        "/picture/\u0661", "/picture/9999999999999999999999", "/check/", "/CHECK",
    ],
)  # fmt: skip
def test_nothing_else_is_there(address: str, site: Site) -> None:
    page(site, address, 404)


def test_what_people_wrote_is_escaped(site: Site) -> None:
    for address in (
        "/",
        "/sample/5",
        f"/?text={HOSTILE}",
        f"/?split={HOSTILE}",
        "/sample/5?split='><script>",
        "/nowhere",
    ):
        text = site.answer(address).content.decode()
        assert "<script" not in text and "<b>" not in text and "<i>" not in text
    assert HOSTILE in captions(page(site)) and "a&amp;b" in page(site)


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with Server(site) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server: Server, method: str, address: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, address, headers=headers)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer


def test_the_server(server: Server, site: Site) -> None:
    assert server.address == f"http://127.0.0.1:{server.server_port}/"
    status, headers, content = ask(server, "GET", "/")
    assert status == 200 and content == site.answer("/").content
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    assert f"style-src 'sha256-{style}'" in headers["Content-Security-Policy"]
    assert (
        "default-src 'none'" in headers["Content-Security-Policy"]
        and "script-src" not in headers["Content-Security-Policy"]
    )
    assert f"<style>{STYLE}</style>".encode() in content
    status, headers, content = ask(server, "HEAD", "/picture/1")
    assert status == 200 and content == b"" and int(headers["Content-Length"]) > 500
    check = ask(server, "GET", "/check")[2].decode()  # as an earlier restr may have made it
    assert (
        check.startswith("<title>t</title>")
        and check.endswith("<h1>checked</h1>")
        and f"<style>{STYLE}</style>" in check
    )
    assert "color: red" not in check and "href='/'" in check
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(server, method, "/")[0] == 501
    assert ask(server, "GET", "/", Host="evil.example")[0] == 421  # another site's name bound to this address
    assert ask(server, "GET", "/", Host=f"localhost:{server.server_port}")[0] == 200


def test_many_at_once_get_their_own_pictures(server: Server, site: Site) -> None:
    expected = {row: site.answer(f"/picture/{row}/large").content for row in (1, 2, 3, 4, 5)}
    site.picture.cache_clear()
    wrong = []

    def look(row: int) -> None:
        if ask(server, "GET", f"/picture/{row}/large")[2] != expected[row]:
            wrong.append(row)

    threads = [threading.Thread(target=look, args=(row,)) for row in (1, 2, 3, 4, 5) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_port_that_is_taken(server: Server, site: Site) -> None:
    with pytest.raises(DataError, match="--port 0 takes a free port"):
        Server(site, port=server.server_port)


def test_the_command_checks_first_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layouts.make_jsonl(tmp_path)
    checks: list[str] = []

    def interrupted(self: Server) -> None:
        checks.append(self.site.check)
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", interrupted)
    arguments = [
        "data",
        "browse",
        "jsonl:mine.jsonl",
        "--root",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
        "--port",
        "0",
    ]
    assert main(arguments) == 0 and "4 sentences: http://127.0.0.1:" in capsys.readouterr().out
    assert "jsonl:mine.jsonl, checked" in checks[0]
    samples = open_dataset("jsonl:mine.jsonl", tmp_path)
    assert is_checked(samples, "jsonl:mine.jsonl", tmp_path / "out")
    assert not is_checked(samples, "jsonl:other.jsonl", tmp_path / "out")

    def unexpected(*_: object) -> None:
        raise AssertionError("it is checked already")

    monkeypatch.setattr(data_browse, "write_check", unexpected)
    assert main(arguments) == 0
    assert main([*arguments, "--out", str(tmp_path / "new"), "--no-check"]) == 0 and checks[-1] == ""
