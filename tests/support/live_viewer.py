"""A viewer's end of a live stream, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from served import PREFIX, photograph

PHOTO = photograph(kind="JPEG", size=(120, 90))
TEXT = "the left circle"
ADDRESS = "ws://127.0.0.1/v1/live"


def unpacked(message: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """(document, mask, picture) of an answer, as docs/live.md describes it."""
    start = 4 + int.from_bytes(message[:4], "little")
    document = json.loads(message[4:start])
    middle = start + document["mask"]
    assert middle + document["picture"] == len(message)
    return document, message[start:middle], message[middle:]


@contextmanager
def stream(client, *, hello: bool = True, headers: Any = None, **first: Any) -> Iterator[Any]:
    """A viewer's end of a stream that has been greeted."""
    with client.websocket_connect(ADDRESS, headers=headers or {}) as socket:
        socket.send_json(first)
        if hello:
            socket.greeting = socket.receive_json()["hello"]
        yield socket


def ask(socket, data: bytes = PHOTO) -> tuple[dict[str, Any], bytes, bytes]:
    socket.send_bytes(data)
    return unpacked(socket.receive_bytes())


def problem(socket) -> str:
    """The name of the problem that is the next message."""
    return socket.receive_json()["problem"]["type"].removeprefix(PREFIX)
