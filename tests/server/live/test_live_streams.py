"""Live streams within a server's limits: how many, whose, with which key."""

from __future__ import annotations

import hashlib
import json
import time

import pytest
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from live_viewer import ADDRESS, PHOTO, TEXT, ask, problem, stream, unpacked
from restr.server.live.streams import LIVE_MESSAGE_BYTES
from served import listening, serving


@pytest.fixture(scope="module")
def live(folder):
    with serving(folder, live=3) as client:
        yield client


def test_no_more_streams_than_allowed(live):
    with stream(live), stream(live), stream(live):
        with stream(live, hello=False) as socket:
            assert problem(socket) == "too-many-streams"
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_json()
            assert closed.value.code == 1013
    with stream(live) as socket:
        assert socket.greeting


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"host": "rebound.example"}, 421),
        ({"origin": "http://127.0.0.1", "x-filler": "x" * 20_000}, 431),
        ({"origin": "http://127.0.0.1"}, None),
    ],
)
def test_other_sites_pages_may_not_look(live, headers, status):
    if status is None:
        with stream(live, headers=headers) as socket:
            assert socket.greeting
        return
    with pytest.raises(WebSocketDenialResponse) as refused, stream(live, headers=headers):
        pass
    assert refused.value.status_code == status
    assert refused.value.headers["content-security-policy"]


def test_a_key_comes_in_the_first_message_or_in_a_header(folder, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(hashlib.sha256(b"open sesame").hexdigest())
    with serving(folder, live=1, api_keys=keys) as client:
        for first in ({}, {"key": "wrong"}):
            with stream(client, hello=False, **first) as socket:
                assert problem(socket) == "not-authorized"
        with stream(client, key="open sesame") as socket:
            assert socket.greeting
        with stream(client, headers={"authorization": "Bearer open sesame"}) as socket:
            assert socket.greeting


def test_pictures_count_as_requests(folder):
    with serving(folder, live=1, rate_limit=2) as client, stream(client) as socket:
        ask(socket)
        ask(socket)
        socket.send_bytes(PHOTO)
        said = socket.receive_json()
        assert said["problem"]["status"] == 429 and said["retry_after"] >= 1


def test_without_the_setting_there_is_no_page_and_no_stream(client):
    assert client.get("/live").status_code == 404
    with pytest.raises((WebSocketDenialResponse, WebSocketDisconnect)), client.websocket_connect(ADDRESS):
        pass


def test_a_real_connection_outlives_the_time_for_headers_and_has_a_size_limit(folder):
    sync = pytest.importorskip("websockets.sync.client")
    from websockets.exceptions import ConnectionClosed

    with listening(folder, live=1, body_s=0.3) as (_, address):
        where = address.replace("http", "ws") + "/v1/live"
        with sync.connect(where, origin=address, compression=None) as socket:
            socket.send(json.dumps({"text": TEXT}))
            assert "hello" in json.loads(socket.recv())
            time.sleep(0.5)
            socket.send(PHOTO)
            assert unpacked(socket.recv())[0]["text"] == TEXT
            with pytest.raises(ConnectionClosed) as closed:  # seen while sending, or afterwards
                socket.send(bytes(LIVE_MESSAGE_BYTES + 1))
                socket.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009
        with sync.connect(where) as socket, pytest.raises(ConnectionClosed):  # says nothing
            while socket.recv(timeout=10):
                pass


def test_a_server_that_ends_says_goodbye(folder):
    sync = pytest.importorskip("websockets.sync.client")
    from websockets.exceptions import ConnectionClosed

    with listening(folder, live=1) as (server, address):
        with sync.connect(address.replace("http", "ws") + "/v1/live") as socket:
            socket.send("{}")
            assert "hello" in json.loads(socket.recv())
            server.should_exit = True
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=20)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
