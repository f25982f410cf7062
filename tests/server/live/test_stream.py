"""A live stream: its messages, what it drops, and what it refuses."""

from __future__ import annotations

import hashlib
import io
import json
import time
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from restr import Segmenter
from restr.server.live import stream as stream_module
from restr.server.live.camera import LiveStart
from restr.server.live.streams import LIVE_MESSAGE_BYTES
from restr.video.camera import CameraPicture
from served import PREFIX, listening, photograph, serving, wait_until

PHOTO = photograph(kind="JPEG", size=(120, 90))
TEXT = "the left circle"
ADDRESS = "ws://127.0.0.1/v1/live"


class StillCamera:
    """The machine's camera: 100 pictures a second, the same one; its index is its time."""

    label = "the camera of the test"

    def __init__(self) -> None:
        self.failure: str | None = None
        self.image = np.asarray(Image.open(io.BytesIO(PHOTO)))
        self.began = time.monotonic()

    def newest(self, after: int, seconds: float) -> CameraPicture | None:
        while self.failure is None:
            index = int(100 * (time.monotonic() - self.began))
            if index > after:
                return CameraPicture(self.image, index, time.monotonic())
            time.sleep(0.002)
        return None


def unpacked(message: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """(document, mask, picture) of an answer, as docs/live.md describes it."""
    start = 4 + int.from_bytes(message[:4], "little")
    document = json.loads(message[4:start])
    middle = start + document["mask"]
    assert middle + document["picture"] == len(message)
    return document, message[start:middle], message[middle:]


@contextmanager
def stream(client, *, hello: bool = True, headers: dict[str, str] | None = None, **first: Any):
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


def started(client, **start: Any) -> None:
    """Give the pages of a running application something to begin with."""
    client.app.state.live.start = LiveStart(**start)


@pytest.fixture(scope="module")
def live(folder):
    with serving(folder, live=3) as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_to_begin_with(live):
    yield
    started(live)
    wait_until(lambda: live.app.state.live.open == 0)


def test_a_viewers_picture_gets_the_segmenters_own_mask(live, folder):
    truth = Segmenter.from_pretrained(folder, device="cpu")(PHOTO, TEXT, presence=0.0)
    with stream(live, text=TEXT, presence=0.0) as socket:
        document, mask, picture = ask(socket)
    assert picture == b""
    assert (document["width"], document["height"], document["text"]) == (120, 90, TEXT)
    assert document["area"] == truth.area and document["score"] == round(truth.score, 4)
    alpha = np.asarray(Image.open(io.BytesIO(mask)).convert("RGBA"))[..., 3]
    np.testing.assert_array_equal(alpha == 255, truth.mask)
    assert document["counts"] == {"received": 1, "computed": 1, "dropped": 0}


def test_settings_change_while_it_runs(live):
    with stream(live) as socket:
        assert socket.greeting["text"] == "" and socket.greeting["camera"] is None
        assert "text" not in ask(socket)[0]  # nothing is named, nothing is computed
        socket.send_json({"text": TEXT, "threshold": 0.01, "presence": 0.0})
        everything = ask(socket)[0]["area"]
        socket.send_json({"threshold": 0.99})
        document, mask, _ = ask(socket)
        assert document["area"] < everything == 120 * 90
        assert document["found"] or mask == b""


def test_a_slow_model_drops_pictures_and_never_lags(live, monkeypatch):
    service = live.app.state.service
    work = 0.12

    def slow(*arguments: Any, **options: Any):
        time.sleep(work)
        return original(*arguments, **options)

    segmenter = service.models["tiny"].segmenter
    original = segmenter.predict_encoded
    monkeypatch.setattr(segmenter, "predict_encoded", slow)
    sent, answers = 40, []
    with stream(live, text=TEXT) as socket:
        for _ in range(sent):  # a viewer that does not wait for its answers: 50 pictures a second
            socket.send_bytes(PHOTO)
            time.sleep(0.02)
        while not answers or answers[-1]["frame"] < sent:
            answers.append(unpacked(socket.receive_bytes())[0])
    counts = answers[-1]["counts"]
    assert counts["received"] == sent == counts["computed"] + counts["dropped"]
    assert counts["dropped"] > sent / 2
    frames = [each["frame"] for each in answers]
    assert frames == sorted(frames) and frames[-1] == sent  # the newest is always the next
    # It waits for the one before at most, and then for itself.
    assert np.median([each["held_ms"] for each in answers]) < 2.5 * 1000 * work


def test_the_machines_camera_shows_its_newest_picture(live):
    started(live, text=TEXT, camera=StillCamera())
    with stream(live) as socket:
        assert (socket.greeting["camera"], socket.greeting["text"]) == ("the camera of the test", TEXT)
        for _ in range(2):
            socket.send_json({"next": True})
            document, _, picture = unpacked(socket.receive_bytes())
            assert Image.open(io.BytesIO(picture)).size == (120, 90) and document["age_ms"] >= 0
            time.sleep(0.1)
        assert document["counts"]["dropped"] > 3


def test_a_camera_that_fails_says_so_and_may_come_back(live):
    camera = StillCamera()
    started(live, camera=camera)
    with stream(live) as socket:
        camera.failure = "somebody has unplugged it"
        socket.send_json({"next": True})
        said = socket.receive_json()
        assert said["problem"]["detail"] == camera.failure and said["retry_after"] == 5
        camera.failure = None
        socket.send_json({"next": True})
        assert unpacked(socket.receive_bytes())[2]
    started(live)
    with stream(live) as socket:
        socket.send_json({"next": True})
        assert problem(socket) == "camera-failed"  # there is none


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (b"no picture", "not-an-image"),
        (PHOTO[:300], "image-damaged"),
        (photograph(kind="JPEG", size=(2000, 1100)), "image-too-large"),
        ({"threshold": 2}, "invalid-request"),
        ({"colour": "red"}, "invalid-request"),
        ({"model": "other"}, "unknown-model"),
        ("not json", "malformed-body"),
        ({"text": "?!", "next": False}, None),  # told with the next picture
    ],
)
def test_a_wrong_message_is_told_and_the_stream_goes_on(live, message, name):
    with stream(live, text=TEXT) as socket:
        if isinstance(message, bytes):
            socket.send_bytes(message)
        elif isinstance(message, dict):
            socket.send_json(message)
        else:
            socket.send_text(message)
        if name is None:
            socket.send_bytes(PHOTO)
            assert problem(socket) == "invalid-request"
            socket.send_json({"text": TEXT})
        else:
            assert problem(socket) == name
        assert ask(socket)[0]["text"] == TEXT


def test_no_more_streams_than_allowed(live):
    with stream(live), stream(live), stream(live):
        with stream(live, hello=False) as socket:
            assert problem(socket) == "too-many-streams"
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_json()
            assert closed.value.code == 1013
    with stream(live) as socket:
        assert socket.greeting


def test_an_idle_stream_is_closed(live, monkeypatch):
    monkeypatch.setattr(stream_module, "IDLE_S", 0.1)
    with stream(live) as socket:
        assert problem(socket) == "stream-idle"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


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


def test_a_viewer_that_leaves_frees_its_place_and_its_work(live):
    admitted = live.app.state.service.admission
    with stream(live, text=TEXT) as socket:
        socket.send_bytes(PHOTO)
    wait_until(lambda: live.app.state.live.open == 0 and admitted.requests == 0)


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
            socket.send(bytes(LIVE_MESSAGE_BYTES + 1))
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv()
            assert closed.value.rcvd.code == 1009
        with sync.connect(where) as socket, pytest.raises(ConnectionClosed):  # says nothing
            while socket.recv(timeout=10):
                pass


def test_smoothing_weighs_the_pictures_before_until_the_scene_or_the_words_change(live, folder):
    bright, dark = (jpeg(value) for value in (120, 110))
    segmenter = Segmenter.from_pretrained(folder, device="cpu")
    first, second = (segmenter(each, TEXT, presence=0.0).prob for each in (bright, dark))
    mean = 0.75 * first + 0.25 * second
    between = float(np.median(mean))

    def area(prob: np.ndarray) -> int:
        return int((prob >= np.float32(between)).sum())

    with stream(live, text=TEXT, presence=0.0, smooth=0.75, threshold=between) as socket:
        ask(socket, bright)
        assert ask(socket, dark)[0]["area"] == pytest.approx(area(mean), abs=20) != area(second)
        other = jpeg(20)  # another scene
        assert ask(socket, other)[0]["area"] == area(segmenter(other, TEXT, presence=0.0).prob)
        socket.send_json({"text": "red square"})
        assert ask(socket, other)[0]["area"] == area(segmenter(other, "red square", presence=0.0).prob)


def jpeg(value: int) -> bytes:
    """A picture with a slope of light around ``value``."""
    slope = np.linspace(value - 15, value + 15, 120 * 90).reshape(90, 120)
    buffer = io.BytesIO()
    Image.fromarray(np.repeat(slope[..., None], 3, axis=2).astype(np.uint8)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
