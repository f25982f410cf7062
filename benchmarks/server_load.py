"""Clients of a real server, well-behaved and hostile, and counts of their answers."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
from serving import PHOTOGRAPHS, ROOT, ServerProcess

CLIENTS = 8
TEXT = "the person"
PHOTOS = [(ROOT / "examples" / name).read_bytes() for name in PHOTOGRAPHS]


class Seen(Counter[str]):
    """How often each outcome was seen; many threads add to it."""

    _lock = threading.Lock()

    def add(self, name: str) -> None:
        with self._lock:
            self[name] += 1


class Counting(httpx.HTTPTransport):
    """Counts the broken connections of a client that retries."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return super().handle_request(request)
        except httpx.TransportError:
            self.seen.add("broken")
            raise


class Load:
    """Clients that ask again as soon as they have an answer, until ``end``; ``seen`` counts the outcomes."""

    def __init__(self, ask: Callable[[int, Seen], None], clients: int = CLIENTS) -> None:
        self.seen = Seen()
        self.open: dict[int, float] = {}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number, ask)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int, ask: Callable[[int, Seen], None]) -> None:
        while not self._stop.is_set():
            self.open[number] = time.monotonic()
            ask(number, self.seen)

    def end(self) -> Seen:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.seen


def post(server: ServerProcess, number: int) -> httpx.Response:
    """One question on a connection of its own; without certificates, as loading them would take longer than the rest."""
    form = {"image": PHOTOS[number % len(PHOTOS)]}
    return httpx.post(f"{server.address}/v1/segment", files=form, data={"text": TEXT}, timeout=60, verify=False)


def sockets(pid: int) -> int:
    """The number of open sockets of a process."""
    return sum("socket:" in os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink())


def loris(address: str, seen: Seen) -> None:
    """A header that never ends, a byte now and then."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
            until = time.monotonic() + 20
            connection.settimeout(0.2)
            while time.monotonic() < until:
                try:
                    if not connection.recv(4096):
                        break
                except TimeoutError:
                    connection.sendall(b"a")
            else:
                seen.add("loris not closed")
                return
        except (ConnectionError, BrokenPipeError):
            pass
    seen.add("loris closed")
