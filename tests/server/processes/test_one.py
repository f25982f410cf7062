"""A running server: SIGTERM under load, SIGHUP and changed model files, and clients that send byte by byte."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections import Counter

import httpx
import pytest

from restr.client import Client
from served import assert_problem, base64_of, model_in, photograph, process, wait_until

PHOTO = photograph()
LOADS = 'restr_model_loads_total{end="%s",model="tiny"}'


def value(address: str, name: str) -> float:
    lines = httpx.get(f"{address}/metrics", timeout=60).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == name), 0.0)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_under_load_answers_what_was_accepted_and_ends_with_0(folder, workers):
    seen: Counter[str] = Counter()
    told: list[float] = []
    lock = threading.Lock()
    with process(folder, "--workers", workers, "--log", "off") as (server, address, _):
        body = json.dumps({"image": base64_of(photograph(1, size=(900, 700))), "texts": ["left", "red"]})

        def ask() -> None:
            while server.poll() is None:
                begun = time.monotonic()
                try:
                    answer = httpx.post(f"{address}/v1/segment", content=body, timeout=60, verify=False,
                                        headers={"content-type": "application/json"})  # fmt: skip
                    outcome = str(answer.status_code)
                except httpx.TransportError as error:
                    outcome = type(error).__name__
                # Younger requests may not have been read when the signal came, and others never got a connection.
                early = outcome != "ConnectError" and (not told or begun < told[0] - 0.1)
                with lock:
                    seen[f"{'before' if early else 'after'} {outcome}"] += 1

        threads = [threading.Thread(target=ask) for _ in range(4)]
        [each.start() for each in threads]
        wait_until(lambda: seen["before 200"] >= 12)
        told.append(time.monotonic())
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
        [each.join(60) for each in threads]
    # A 503 says that a request was not accepted; a broken connection would not say so.
    assert {name for name in seen if name.startswith("before")} <= {"before 200", "before 503"}, seen
    assert {name.removeprefix("after ") for name in seen if name.startswith("after")} <= {
        "200", "503", "ConnectError", "ReadError", "RemoteProtocolError"
    }, seen  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--workers", "2"), ("--reload-s", "0.2")])
def test_changed_files_are_taken_on_sighup_or_by_themselves(tmp_path, options):
    place = model_in(tmp_path / "model")
    loaders = 2 if "--workers" in options else 1
    with process(place, "--log", "off", *options) as (server, address, _), Client(address) as client:
        wait_until(lambda: value(address, LOADS % "done") == loaders)
        name = client.keep(PHOTO)
        before = client.ask(name, "left")[0].score
        if "--reload-s" not in options:
            server.send_signal(signal.SIGHUP)  # nothing has changed
            time.sleep(0.5)
        assert value(address, LOADS % "done") == loaders
        model_in(place)
        for path in place.iterdir():
            os.utime(path)
        if "--reload-s" not in options:
            time.sleep(0.1)
            server.send_signal(signal.SIGHUP)
        wait_until(lambda: value(address, LOADS % "done") >= 2 * loaders)
        assert client.ask(name, "left")[0].score == pytest.approx(before, abs=1e-3)
        (place / "model.safetensors").write_bytes(b"half")
        if "--reload-s" not in options:
            server.send_signal(signal.SIGHUP)
        wait_until(lambda: value(address, LOADS % "failed") >= loaders)
        assert client.ask(name, "left")[0].score == pytest.approx(before, abs=1e-3), "the old ones stay"


def test_clients_that_dribble_are_closed_and_keep_nobody_waiting(folder):
    closed: Counter[str] = Counter()
    lock = threading.Lock()
    with process(folder, "--log", "off", "--body-s", "1") as (_, address, _):
        host, port = address.removeprefix("http://").split(":")

        def dribble(start: bytes) -> None:
            with socket.create_connection((host, int(port)), timeout=0.1) as connection:
                connection.sendall(start)
                until, found = time.monotonic() + 20, b""
                while time.monotonic() < until:
                    try:
                        part = connection.recv(4096)
                        if not part:
                            break
                        found += part
                    except TimeoutError:
                        connection.sendall(b"a")
                    except ConnectionError:
                        break
                else:
                    found = b"never closed"
                with lock:
                    closed["too-slow" if b"too-slow" in found else found[:40].decode("latin-1")] += 1

        head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "
        body = (b"POST /v1/images HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
                b"Content-Length: 100000\r\n\r\n")  # fmt: skip
        threads = [threading.Thread(target=dribble, args=(start,)) for start in (head, body) for _ in range(20)]
        [each.start() for each in threads]
        with Client(address, retries=0) as client:
            for _ in range(5):
                assert client.segment(PHOTO, "left")[0].text == "left"
        [each.join() for each in threads]
        # a byte sent after the end may reset the connection
        assert sum(closed.values()) == 40 and closed["too-slow"] >= 38, closed
        wait_until(lambda: value(address, "restr_open_requests") == 1)
        refused = httpx.post(f"{address}/v1/images/none/segment", json={"text": "left"})
        assert_problem(refused, "unknown-image", 404)
