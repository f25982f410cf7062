"""Fetching is off by default, and only ever connects to public addresses, whatever a name or a redirect says."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore
import pytest

from restr.server.intake.addresses import is_public
from restr.server.intake.fetch import Fetcher, fetchable_url
from restr.server.problems import Problem
from served import assert_problem, base64_of, photograph, serving

PHOTO = photograph()
PUBLIC = "93.184.215.14"


class Web(BaseHTTPRequestHandler):
    """A public server, not always a friendly one."""

    asked: list[str] = []

    def do_GET(self) -> None:
        Web.asked.append(self.path)
        if self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to?"))
            self.end_headers()
        elif self.path == "/missing":
            self.send_error(404)
        elif self.path == "/slow":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(100):
                    self.wfile.write(b"a")
                    time.sleep(0.05)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(bytes(2**16))
        else:
            content = {"/photo.png": PHOTO, "/page": b"<html></html>", "/large": bytes(90_000)}.get(self.path, b"")
            if self.path == "/zipped":
                content = gzip.compress(PHOTO)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Wires(httpcore.AsyncNetworkBackend):
    """Connects every allowed address to the local server, and remembers the addresses."""

    def __init__(self, port: int) -> None:
        self.port, self.connected = port, []

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.connected.append((host, port))
        if host != PUBLIC:
            raise httpcore.ConnectError("nobody there")
        backend: Any = httpcore.AnyIOBackend()
        stream = await backend.connect_tcp("127.0.0.1", self.port, timeout)

        async def no_tls(ssl_context, server_hostname=None, timeout=None):
            self.connected.append((server_hostname, ssl_context.check_hostname))
            await stream.aclose()
            raise httpcore.ConnectError("no TLS here")

        stream.start_tls = no_tls  # type: ignore[method-assign]
        return stream

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)


NAMES = {
    "photos.example": [PUBLIC], "inside.example": ["10.0.0.8"], "both.example": [PUBLIC, "127.0.0.1"],
    "mapped.example": ["::ffff:169.254.169.254"], "silent.example": ["93.184.215.99"], "127.0.0.1": ["127.0.0.1"],
    "2130706433": ["127.0.0.1"], "[::1]": ["::1"], "::1": ["::1"],
}  # fmt: skip


@pytest.fixture(scope="module")
def web() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


async def found(host: str, port: int) -> list[str]:
    if host not in NAMES:
        raise OSError("no such name")
    return NAMES[host]


@pytest.fixture
def wires(web) -> Wires:
    Web.asked.clear()
    return Wires(web)


def fetcher(wires: Wires, resolve=found, **options) -> Fetcher:
    return Fetcher(**{"on": True, "most": 50_000, "seconds": 2.0} | options, resolve=resolve, network=wires)


def get(wires: Wires, url: str, **options) -> bytes:
    return asyncio.run(fetcher(wires, **options).get(url))


def test_a_public_image_is_fetched_through_redirects(wires):
    assert get(wires, "http://photos.example/photo.png?a=b#c") == b""  # the query is part of the requested path
    assert get(wires, "http://photos.example/to?/to?http://photos.example:80/photo.png") == PHOTO
    assert set(wires.connected) == {(PUBLIC, 80)}
    assert Web.asked[0] == "/photo.png?a=b"


@pytest.mark.parametrize("host", ["inside.example", "both.example", "mapped.example", "127.0.0.1", "2130706433", "[::1]",
                                  "unknown.example"])  # fmt: skip
@pytest.mark.parametrize("way", ["http://{}/photo.png", "http://photos.example/to?http://{}/photo.png",
                                 "http://photos.example/to?//{}/photo.png"])  # fmt: skip
def test_what_is_not_public_is_never_connected_to(wires, host, way):
    with pytest.raises(Problem, match="public internet") as caught:
        get(wires, way.format(host))
    assert caught.value.name == "address-refused"
    assert {address for address, _ in wires.connected} <= {PUBLIC} and "/photo.png" not in Web.asked


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://photos.example/", "gopher://photos.example", "photos.example/photo.png", "", "http://",
     "http://photos.example:22/", "http://photos.example:8000/", "http://me:secret@photos.example/", "http://me@photos.example/",
     "http://[::1", "http://photos.example:99999/", "http://" + "a" * 70 + ".example/", "http://a..example/", "data:image/png,"],
)  # fmt: skip
def test_other_addresses_are_refused_unasked(wires, url):
    for each in (url, "http://photos.example/to?" + url) if "://" in url and url != "http://" else (url,):
        with pytest.raises(Problem) as caught:
            get(wires, each)
        assert caught.value.name == "address-refused" and "secret" not in caught.value.detail
    assert {address for address, _ in wires.connected} <= {PUBLIC}


def test_the_name_is_asked_once_a_connection_and_the_checked_address_is_used(wires):
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

    assert get(wires, "http://photos.example/photo.png", resolve=rebinding) == PHOTO
    assert asked == ["photos.example"] and wires.connected == [(PUBLIC, 80)]
    asked.clear()
    with pytest.raises(Problem, match="public internet"):  # the second connection resolves again, and is checked again
        get(wires, "http://photos.example/to?http://other.example/photo.png", resolve=rebinding)


def test_certificates_are_of_the_name_not_of_the_address(wires):
    with pytest.raises(Problem, match="connection failed"):
        get(wires, "https://photos.example/photo.png")
    assert wires.connected == [(PUBLIC, 443), ("photos.example", True)]


@pytest.mark.parametrize(
    ("path", "name", "said"),
    [("/missing", "fetch-failed", "404"), ("/slow", "fetch-failed", "seconds"), ("/large", "body-too-large", "90,000"),
     ("/endless", "body-too-large", "50,000"), ("/to?/to?/to?/to?/photo.png", "fetch-failed", "3 times")],
)  # fmt: skip
def test_fetching_has_bounds(wires, path, name, said):
    begun = time.monotonic()
    with pytest.raises(Problem, match=said) as caught:
        get(wires, f"http://photos.example{path}", seconds=0.5 if path == "/slow" else 10.0)
    assert caught.value.name == name and time.monotonic() - begun < 5


def test_nobody_there_is_a_typed_problem(wires):
    with pytest.raises(Problem, match="connection failed"):
        get(wires, "http://silent.example/photo.png")


@pytest.mark.parametrize(
    ("address", "public"),
    [(PUBLIC, True), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True), ("::ffff:93.184.215.14", True),
     ("64:ff9b::5db8:d70e", True), ("2002:5db8:d70e::1", True)]
    + [(each, False) for each in (
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "192.0.0.192", "198.18.0.1", "192.0.2.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        "168.63.129.16", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1",
        "2001:db8::1", "100::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:7f00:1", "::7f00:1", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::1", "2002:a00:1::", "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "not an address", "",
    )],
)  # fmt: skip
def test_which_addresses_are_public(address, public):
    assert is_public(address) is public


def test_what_is_asked_is_the_address_and_nothing_more():
    url = fetchable_url("http://photos.example/a b/\r\nX: y?q=ü 1")
    assert url.target == b"/a%20b/X:%20y?q=%C3%BC%201"
    assert fetchable_url("https://bücher.example").host == b"xn--bcher-kva.example"


def test_the_routes_take_addresses_only_when_told_to(folder, wires):
    question = {"image_url": "http://photos.example/photo.png", "text": "left"}
    with serving(folder) as client:
        assert_problem(client.post("/v1/segment", json=question), "fetching-off", 403)
    with serving(folder, fetch=True) as client:
        client.app.state.service.fetcher = fetcher(wires)  # type: ignore[attr-defined]
        fetched, sent = (client.post("/v1/segment", json=each).json()["results"]
                         for each in (question, {"image": base64_of(PHOTO), "text": "left"}))  # fmt: skip
        assert fetched == sent
        kept = client.post("/v1/images", json={"image_url": question["image_url"]})
        assert kept.status_code == 201
        for url, name in (("http://photos.example/page", "not-an-image"), ("http://photos.example/zipped", "not-an-image"),
                          ("http://inside.example/", "address-refused")):  # fmt: skip
            answer = client.post("/v1/segment", json=question | {"image_url": url})
            assert_problem(answer, name, 415 if name == "not-an-image" else 422)
        for both in ({"text": "left"}, question | {"image": base64_of(PHOTO)}):
            assert_problem(client.post("/v1/segment", json=both), "invalid-request", 422)
