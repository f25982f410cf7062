"""`restr live` in numbers: pictures a second and how old each is, for both cameras, and when a viewer sends too many.

    python benchmarks/live.py                # 20 seconds a row, on this machine
    python benchmarks/live.py --seconds 5

The server runs in a process of its own, with the bundled model. This process plays the page, without a browser: a camera gives 30
pictures of 640 x 480 a second. Rows: ``page`` sends the newest picture once it has its answer, as the page does; ``pushing``
sends every picture, whether answered or not; ``server's camera`` asks for the pictures of a clip that the server plays.
The delay is from a picture's moment to its answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from websockets.sync.client import connect

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from camera_clip import RATE, camera_pictures, write_camera_clip  # noqa: E402  (the tests' own)
from server_process import ServerProcess  # noqa: E402

TEXT = "the cup"
WAYS = ("page", "pushing", "server's camera")


class Answer(NamedTuple):
    """An answer and what it tells."""

    document: dict[str, Any]
    delay_ms: float
    at: float


def document_of(message: str | bytes) -> dict[str, Any]:
    """The document of an answer. Raises ``RuntimeError`` for a problem."""
    if isinstance(message, str):
        raise RuntimeError(message)
    return json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])


def asked(address: str, seconds: float, *, own: bool) -> tuple[list[Answer], int]:
    """(answers, pictures that the camera gave) of a viewer that asks for one after the other. own: with its own camera."""
    pictures, answers = camera_pictures(), []
    with connect(address, compression=None, max_size=None) as socket:
        socket.send(json.dumps({"text": TEXT}))
        socket.recv()
        began = time.monotonic()
        shown = -1
        while time.monotonic() - began < seconds:
            asked_at = time.monotonic()
            if own:
                number = max(shown + 1, int(RATE * (asked_at - began)))
                time.sleep(max(0.0, began + number / RATE - time.monotonic()))  # until there is a new one
                socket.send(pictures[number % len(pictures)])
                taken, shown = began + number / RATE, number
            else:
                socket.send('{"next": true}')
            document = document_of(socket.recv())
            now = time.monotonic()
            travelled = 1000 * (now - asked_at) - document["held_ms"]
            answers.append(
                Answer(document, 1000 * (now - taken) if own else document["age_ms"] + travelled, now - began)
            )
    counts = answers[-1].document["counts"]
    return answers, shown + 1 if own else counts["computed"] + counts["dropped"]


def pushed(address: str, seconds: float) -> tuple[list[Answer], int]:
    """As ``asked`` of a viewer that sends every picture of its camera."""
    pictures, answers, sent = camera_pictures(), [], []
    with connect(address, compression=None, max_size=None) as socket:
        socket.send(json.dumps({"text": TEXT}))
        socket.recv()
        began = time.monotonic()

        def push() -> None:
            for number in range(int(RATE * seconds)):
                time.sleep(max(0.0, began + number / RATE - time.monotonic()))
                sent.append(time.monotonic())
                socket.send(pictures[number % len(pictures)])

        thread = threading.Thread(target=push)
        thread.start()
        while not answers or answers[-1].document["frame"] < int(RATE * seconds):
            document = document_of(socket.recv())
            now = time.monotonic()
            answers.append(Answer(document, 1000 * (now - sent[document["frame"] - 1]), now - began))
        thread.join()
    return answers, len(sent)


def row(way: str, answers: list[Answer], camera: int) -> str:
    """A row of the table."""
    delays = sorted(each.delay_ms for each in answers)
    rate = (len(answers) - 1) / max(1e-9, answers[-1].at - answers[0].at)
    work = statistics.median(each.document["compute_ms"] for each in answers)
    late = delays[min(len(delays) - 1, int(0.95 * len(delays)))]
    return (
        f"| {way} | {camera} | {len(answers)} | {camera - len(answers)} | {rate:.1f} | {work:.0f} ms | "
        f"{statistics.median(delays):.0f} ms | {late:.0f} ms |"
    )


def main() -> None:
    """Measure every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row")
    seconds = parser.parse_args().seconds
    print(
        "| | Camera's pictures | Computed | Dropped | A second | Model's work | Delay, median | Delay, 95th percentile |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        clip = write_camera_clip(Path(folder) / "camera.mjpeg")
        with ServerProcess("--source", str(clip), "--loop", verb="live") as server:
            address = server.address.replace("http", "ws") + "/v1/live"
            asked(address, 2.0, own=True)  # the first pictures are slow
            for way in WAYS:
                found = pushed(address, seconds) if way == "pushing" else asked(address, seconds, own=way == "page")
                print(row(way, *found), flush=True)


if __name__ == "__main__":
    main()
