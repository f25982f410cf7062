"""A live stream: its messages, what it drops, and what it says when something is wrong."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.websockets import WebSocketDisconnect

from live_viewer import PHOTO, TEXT, ask, problem, stream, unpacked
from restr import Segmenter
from restr.server.live import stream as stream_module
from restr.server.live.camera import LiveStart
from restr.video.camera import CameraPicture
from served import photograph, serving, wait_until


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


def test_an_idle_stream_is_closed(live, monkeypatch):
    monkeypatch.setattr(stream_module, "IDLE_S", 0.1)
    with stream(live) as socket:
        assert problem(socket) == "stream-idle"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


def test_a_viewer_that_leaves_frees_its_place_and_its_work(live):
    admitted = live.app.state.service.admission
    with stream(live, text=TEXT) as socket:
        socket.send_bytes(PHOTO)
    wait_until(lambda: live.app.state.live.open == 0 and admitted.requests == 0)


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
