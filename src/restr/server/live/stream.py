"""One viewer's live stream: it asks for a picture, the newest is computed, and the answer goes back before the next."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from restr.inference.result import Result
from restr.inference.tracking.smoothing import CutDetector, Smoother
from restr.server.intake import decode
from restr.server.jobs.deadline import Deadline
from restr.server.live.camera import LivePicture
from restr.server.live.messages import LiveRequest, mask_png, pack, picture_jpeg, problem_text, read_request
from restr.server.live.streams import LiveStreams
from restr.server.problems import Problem, draining
from restr.server.schemas import Question, invalid

_logger = logging.getLogger("restr.server")

IDLE_S = 30.0  # seconds without a word from the viewer after which the stream is closed
_LONGEST = 960  # pixels; a larger picture of the machine's camera is made smaller before it is computed and sent
_PIXELS = 1920 * 1080  # of a viewer's picture
_CAMERA_S = 0.5  # seconds between two looks whether a viewer still waits for the machine's camera
_RETRY, _POLICY, _AWAY = 1013, 1008, 1001  # codes with which a websocket is closed
# Problems after which a stream ends -> how; after any other the viewer may go on.
_ENDS = {
    "too-many-streams": _RETRY,
    "starting": _RETRY,
    "draining": _RETRY,
    "model-failed": _RETRY,
    "not-authorized": _POLICY,
    "unknown-model": _POLICY,
    "stream-idle": _AWAY,
    "internal-error": 1011,
}


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What a viewer waits for."""

    data: bytes | None
    """The viewer's own picture, or None for the machine's camera."""

    number: int
    """Counts the viewer's pictures, or its questions for the camera's."""

    since: float
    """``time.monotonic()`` when it was asked for."""


class LiveStream:
    """Talks with one viewer over a websocket.

    The viewer sends a picture of its own, or asks for the machine's; it gets one answer, and asks again. So nothing can
    queue up in either direction. A viewer that sends faster than it is answered has its older pictures dropped.
    """

    def __init__(self, socket: WebSocket, streams: LiveStreams) -> None:
        self.socket, self.streams, self.service = socket, streams, streams.service
        start = streams.start
        begin = {"text": start.text, "threshold": start.threshold, "presence": start.presence, "smooth": start.smooth}
        self.choice = LiveRequest.model_validate(begin)
        self.received = self.computed = self.dropped = 0
        self._wanted: _Wanted | None = None  # the slot: the newest alone
        self._news, self._gone = asyncio.Event(), asyncio.Event()
        self._seen = -1  # index of the camera's last picture
        self._cuts, self._smoother = CutDetector(), Smoother()
        self._client = (socket.client.host if socket.client else "") or ""

    async def run(self) -> None:
        """Until the viewer leaves, is idle, or the server goes down."""
        await self.socket.accept()
        try:
            await self._greet()
        except Problem as problem:
            await self._end(problem)
        except WebSocketDisconnect:
            pass

    async def _greet(self) -> None:
        """Read the first message, which may hold a key, and take a place."""
        try:
            async with asyncio.timeout(self.streams.settings.body_s):
                first = await self.socket.receive()
        except TimeoutError as error:
            raise Problem("stream-idle", "the first message did not come in time; send the settings at once") from error
        if first["type"] == "websocket.disconnect":
            return
        asked = read_request(first.get("text") or "{}")
        headers = dict(self.socket.headers.raw)
        if asked.key:
            headers[b"authorization"] = b"Bearer " + asked.key.encode()
        self._client = self.streams.keys.check(headers) or self._client
        self.service.check_ready()
        with self.streams.enter():
            self._take(asked)
            await self.socket.send_json(self._hello())
            reader = asyncio.create_task(self._read())
            try:
                await self._answer_all()
            finally:
                self._gone.set()
                reader.cancel()
                _logger.debug("a live stream ended: %d computed, %d dropped", self.computed, self.dropped)

    def _hello(self) -> dict[str, Any]:
        model = self.service.model(self.choice.model)
        info, camera = model.info(default=False), self.streams.start.camera
        return {
            "hello": {
                "model": info.name,
                "text": self.choice.text or "",
                "threshold": self.choice.threshold or info.threshold,
                "presence": info.presence if self.choice.presence is None else self.choice.presence,
                "smooth": self.choice.smooth,
                "camera": camera.label if camera else None,
            }
        }

    async def _read(self) -> None:
        """Keep the newest of what the viewer asks for; always reading, so that nothing waits in the connection."""
        with suppress(WebSocketDisconnect, RuntimeError):
            while (message := await self.socket.receive())["type"] != "websocket.disconnect":
                if (data := message.get("bytes")) is not None:
                    self.received += 1
                    self._put(_Wanted(data=data, number=self.received, since=time.monotonic()))
                    continue
                try:
                    self._take(read_request(message.get("text") or ""))
                except Problem as problem:
                    await self._say(problem)
        self._gone.set()
        self._news.set()

    def _take(self, asked: LiveRequest) -> None:
        """Change the settings that a message names, and note what it asks for."""
        named = asked.model_fields_set - {"next", "key"}
        changed = {name: getattr(asked, name) for name in named}
        if changed.get("model"):
            self.service.model(changed["model"])
        self.choice = self.choice.model_copy(update=changed)
        if asked.next:
            self._put(_Wanted(data=None, number=self.computed + 1, since=time.monotonic()))
        self._news.set()  # a word that asks for nothing shows that the viewer is there

    def _put(self, wanted: _Wanted) -> None:
        if self._wanted is not None and self._wanted.data is not None:
            self.dropped += 1
            self.streams.metrics.live_pictures.labels("dropped").inc()
        self._wanted = wanted
        self._news.set()

    async def _answer_all(self) -> None:
        while (wanted := await self._next()) is not None:
            try:
                async with Deadline(self._until_gone, self.streams.settings.deadline_s) as deadline:
                    answer = await self._answer(deadline, wanted)
            except Problem as problem:
                if problem.name == "client-gone":
                    return
                if problem.name in _ENDS:
                    raise
                self.streams.metrics.live_pictures.labels("failed").inc()
                await self._say(problem.with_traceback(None))
            except Exception as error:
                _logger.exception("a live picture failed")
                raise Problem("internal-error", "something went wrong here; the log says more") from error
            else:
                if answer is not None:
                    await self.socket.send_bytes(answer)

    async def _next(self) -> _Wanted | None:
        """What the viewer wants next; None once it has left. Raises ``Problem`` if it is idle."""
        while self._wanted is None:
            if self._gone.is_set():
                return None
            self._news.clear()
            try:
                async with asyncio.timeout(IDLE_S):
                    await self._news.wait()
            except TimeoutError as error:
                raise Problem(
                    "stream-idle", f"nothing was asked for {IDLE_S:g} seconds; open the stream again"
                ) from error
        wanted, self._wanted = self._wanted, None
        return None if self._gone.is_set() else wanted

    async def _until_gone(self) -> dict[str, str]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _answer(self, deadline: Deadline, wanted: _Wanted) -> bytes | None:
        """The answer's message. Raises ``Problem``."""
        self.service.check_ready()
        self.streams.rate.take(self._client)
        run = self.service.helpers.run
        document: dict[str, Any] = {"frame": wanted.number, "age_ms": None}
        sent = b""
        if wanted.data is not None:
            pixels = await run(deadline, _pixels, wanted.data, self.streams.settings.image_bytes)
        else:
            picture = await self._camera_picture()
            if picture is None:
                return None
            if self._seen >= 0:
                missed = picture.index - self._seen - 1
                self.dropped += missed
                self.streams.metrics.live_pictures.labels("dropped").inc(missed)
            self._seen = picture.index
            deadline.restart()  # waiting for the camera is not work
            pixels = await run(deadline, _reduced, picture.image)
            sent = await run(deadline, picture_jpeg, pixels)
        document |= {"width": pixels.shape[1], "height": pixels.shape[0]}
        mask, choice = b"", self.choice
        if (choice.text or "").strip():
            outcome = await self.service.ask_pixels(deadline, pixels, choice.model, _question(choice))
            found = await run(deadline, self._found, outcome.results[0], pixels, choice)
            document |= found[0] | {"compute_ms": round(outcome.work_ms, 1)}
            mask = found[1]
        self.computed += 1
        self.streams.metrics.live_pictures.labels("computed").inc()
        now = time.monotonic()
        if wanted.data is None:
            document["age_ms"] = round(1000 * (now - picture.taken), 1)
        document["held_ms"] = round(1000 * (now - wanted.since), 1)
        document["counts"] = {"received": self.received, "computed": self.computed, "dropped": self.dropped}
        return pack(document, mask, sent)

    async def _camera_picture(self) -> LivePicture | None:
        """The camera's newest picture that this viewer has not seen; None if the viewer has left. Raises ``Problem``."""
        camera = self.streams.start.camera
        if camera is None:
            raise Problem(
                "camera-failed",
                "this server has no camera of its own; send pictures, or start it with restr live --source",
            )
        while not self._gone.is_set():
            picture = await asyncio.to_thread(camera.newest, self._seen, _CAMERA_S)
            if picture is not None:
                return picture
            if camera.failure is not None:
                raise Problem("camera-failed", camera.failure, retry_after=5)
            if self.service.draining:
                raise draining()
        return None

    def _found(self, result: Result, pixels: np.ndarray, choice: LiveRequest) -> tuple[dict[str, Any], bytes]:
        """(the result's facts, its mask as PNG), smoothed over the computed pictures of one scene."""
        said = [each.text for each in self._smoother.last]
        self._smoother.smooth = choice.smooth
        new_scene = self._cuts.begins_scene(pixels) or said != [result.text]
        smoothed = self._smoother.add([result], new_scene=new_scene)[0]
        return smoothed.summary(), mask_png(smoothed.mask) if smoothed.found else b""

    async def _say(self, problem: Problem) -> None:
        self.streams.metrics.problems.labels(problem.name).inc()
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.send_text(problem_text(problem))

    async def _end(self, problem: Problem) -> None:
        await self._say(problem)
        if self.socket.client_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect, RuntimeError):
                await self.socket.close(_ENDS.get(problem.name, _POLICY))


def _question(choice: LiveRequest) -> Question:
    try:
        return Question.model_validate(choice.model_dump(include={"text", "threshold", "presence"}))
    except ValidationError as error:
        raise invalid(error, "the settings") from error


def _pixels(data: bytes, most_bytes: int) -> np.ndarray:
    """A viewer's picture. Raises ``Problem``."""
    return decode.decode(data, decode.header(data, most_bytes=most_bytes, most_pixels=_PIXELS))


def _reduced(pixels: np.ndarray) -> np.ndarray:
    """A picture with its longest side within ``_LONGEST``."""
    height, width = pixels.shape[:2]
    scale = _LONGEST / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
