"""A real server on a real socket: the documentation's commands, the clients, and faults of connections."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest

from restr.client import AsyncClient, Client, ServerError
from restr.inference.segmenter import Segmenter
from served import PREFIX, listening, photograph, serving, wait_until

PAGE = Path(__file__).parents[2] / "docs" / "server.md"
PHOTO = photograph()


@pytest.fixture(scope="module")
def live(folder):
    with listening(folder, body_s=1.0) as found:
        yield found


def curl_blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_lines_of_the_documentation_work(live, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(photograph(5, "JPEG"))
    blocks = curl_blocks()
    assert sum(block.count("curl") for block in blocks) >= 8
    script = "set -eu\n" + "\n".join(blocks).replace("http://127.0.0.1:8000", live[1])
    script = script.replace("curl ", "curl --fail-with-body ")
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"results":[' in done.stdout and (tmp_path / "mask.png").read_bytes().startswith(b"\x89PNG")


def test_the_client_asks_as_the_segmenter_answers(live, folder, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(PHOTO)
    right = Segmenter.from_pretrained(folder, device="cpu")(PHOTO, ["left", "red"])
    with Client(live[1]) as client:
        name = client.keep(path)
        for found in (
            client.segment(path, ["left", "red"], formats=["rle", "mask"]),
            client.ask(name, ["left", "red"]),
        ):
            for one, result in zip(found, right, strict=True):
                assert one.text == result.text and one.score == pytest.approx(result.score, abs=2e-3)
                assert (one.mask != result.mask).mean() < 0.01
        assert client.segment(PHOTO, "left", formats=["cutout"])[0].picture("cutout").startswith(b"\x89PNG")
        assert client.models()[0]["name"] == "tiny"
        client.forget(name)
        with pytest.raises(ServerError, match="unknown-image") as caught:
            client.ask(name, "left")
        assert (caught.value.status, caught.value.type) == (404, "unknown-image")


def test_the_async_client_does_the_same(live):
    async def ask() -> list:
        async with AsyncClient(live[1]) as client:
            name = await client.keep(PHOTO)
            return await asyncio.gather(*(client.ask(name, text) for text in ("left", "red", "blue")))

    assert [found[0].text for found in asyncio.run(ask())] == ["left", "red", "blue"]


def test_the_client_comes_back_to_a_busy_server(monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    answers = [(429, {"retry-after": "3"}), (503, {}), (200, {})]

    def answer(request: httpx.Request) -> httpx.Response:
        status, headers = answers.pop(0)
        return httpx.Response(status, headers=headers, json={"models": []})

    assert Client(transport=httpx.MockTransport(answer)).models() == []
    assert 3 <= waits[0] <= 4.5 and 0.5 <= waits[1] <= 0.75
    answers.extend([(429, {})] * 2)
    with pytest.raises(ServerError):
        Client(transport=httpx.MockTransport(answer), retries=1).models()


def test_the_client_asks_again_when_a_connection_breaks_but_not_when_nobody_is_there(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    tried: list[type[Exception]] = []
    coming: list[type[httpx.TransportError]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if not coming:
            return httpx.Response(200, json={"models": []})
        tried.append(coming[0])
        raise coming.pop(0)("broken", request=request)

    client = Client(transport=httpx.MockTransport(answer))
    coming.extend([httpx.ReadError, httpx.RemoteProtocolError, httpx.ConnectError])
    assert client.models() == [] and len(tried) == 3
    for error in (httpx.ConnectError, httpx.ReadTimeout):  # no server; a server still at work
        coming[:] = [error]
        with pytest.raises(error):
            client.models()
        assert coming == []
    coming.extend([httpx.ReadError] * 5)
    with pytest.raises(httpx.ReadError):
        client.models()
    assert coming == []


def said(address: str, data: bytes, seconds: float = 5.0) -> bytes:
    """The answer to raw bytes, until the connection is closed."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        connection.sendall(data)
        found = b""
        while part := connection.recv(65536):
            found += part
        return found


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"nonsense\r\n\r\n", "malformed-http"),
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\nConnection: close\r\n\r\n",
            "headers-too-large",
        ),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000, "headers-too-large"),
        (b"GET / HTTP/1.1\r\nHost:", "too-slow"),
        (
            b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 9\r\n\r\nabc",
            "too-slow",
        ),
    ],
)
def test_what_is_not_a_whole_request_is_refused(live, data, name):
    found = said(live[1], data)
    assert PREFIX.encode() + name.encode() in found and b"application/problem+json" in found


def test_a_silent_connection_is_closed(live):
    assert said(live[1], b"") == b""


def test_a_client_that_leaves_frees_its_place(folder):
    with listening(folder) as (server, address):
        service = server.config.app.state.service  # type: ignore[union-attr]
        engine = service.models["tiny"].engine
        go, compute = threading.Event(), engine._compute
        engine._compute = lambda batch, started: (go.wait(20), compute(batch, started))
        body = json.dumps({"image": "", "text": "left"}).encode()
        with Client(address) as client, pytest.raises(httpx.ReadTimeout):
            client._http.timeout = httpx.Timeout(0.5)
            client.segment(PHOTO, "left")
        wait_until(lambda: service.admission.requests == 0)
        go.set()
        assert (
            httpx.post(f"{address}/v1/segment", content=body, headers={"content-type": "application/json"}).status_code
            == 415
        )


def test_stopping_under_load_answers_every_accepted_request(folder):
    answers: list[int] = []
    with listening(folder) as (server, address):
        service = server.config.app.state.service  # type: ignore[union-attr]
        engine = service.models["tiny"].engine
        go, compute = threading.Event(), engine._compute
        engine._compute = lambda batch, started: (go.wait(20), compute(batch, started))

        def ask(seed: int) -> None:
            with Client(address, retries=0) as client:
                answers.append(len(client.segment(photograph(seed), ["left", "red"])))

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
        [each.start() for each in threads]
        wait_until(lambda: service.admission.requests == 8)
        server.should_exit = True
        threading.Timer(0.3, go.set).start()
        [each.join(20) for each in threads]
    assert answers == [2] * 8


def test_sixteen_clients_get_their_own_answers(folder):
    truth = Segmenter.from_pretrained(folder, device="cpu")
    photos = [photograph(seed, size=(60 + 4 * seed, 50)) for seed in range(4)]
    right = {(i, text): truth(photo, text) for i, photo in enumerate(photos) for text in ("left", "red", "blue circle")}
    wrong: list[object] = []
    with serving(folder) as client:

        def ask(seed: int) -> None:
            for i, text in list(right)[seed % 3 :: 3]:
                found = client.post("/v1/segment", files={"image": photos[i]}, data={"text": text}).json()["results"][0]
                result = right[i, text]
                if (
                    found["text"] != text
                    or found["rle"]["size"] != list(result.mask.shape)
                    or abs(found["score"] - result.score) > 2e-3
                ):
                    wrong.append((i, text))

        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(16)]
        [each.start() for each in threads]
        [each.join() for each in threads]
    assert wrong == []
    assert np.isfinite([result.score for result in right.values()]).all()
