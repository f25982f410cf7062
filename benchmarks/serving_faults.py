"""Faults around `restr serve`: each is made for real, and the outcome compared with the expected one.

    python benchmarks/serving_faults.py                     # a Markdown table; Linux, about three minutes
    python benchmarks/serving_faults.py --only "killed worker"

The real server with the bundled model, in processes of its own. The exit status is 1 if an outcome was not expected.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter

import httpx
from fault_table import Fault, table
from server_load import CLIENTS, PHOTOS, TEXT, Counting, Load, Seen, loris, post, sockets
from serving import ROOT, ServerProcess

from restr.client import Client, ServerError

sys.path.insert(0, str(ROOT / "tests" / "support"))
from hostile import hostile, spoilt  # noqa: E402  (the tests' own)

PROBLEM = "application/problem+json"
LORIS = 50
MEMORY = 1.5  # times what the warm server takes


def killed_worker() -> tuple[bool, str]:
    with ServerProcess("--log", "off", "--workers", "2") as server:
        workers = server.until_ready(2)
        with Client(server.address) as client:
            ids = [client.keep(photo) for photo in PHOTOS]
            right = [client.ask(each, TEXT)[0].score for each in ids]

        def ask(number: int, seen: Seen) -> None:
            which = number % len(PHOTOS)
            with Client(server.address, transport=Counting(seen)) as client:
                for _ in range(3):
                    try:
                        kept = number >= len(PHOTOS)
                        found = client.ask(ids[which], TEXT) if kept else client.segment(PHOTOS[which], TEXT)
                        seen.add("answered" if abs(found[0].score - right[which]) < 0.01 else "wrong")
                    except (ServerError, httpx.TransportError) as error:
                        seen.add(f"lost: {error}")

        idle = sockets(workers[0])
        load = Load(ask)
        time.sleep(4)
        while sockets(workers[0]) < idle + 2:  # so that a connection can break
            time.sleep(0.01)
        at = time.monotonic()
        os.kill(workers[0], signal.SIGKILL)
        server.until_ready(3)
        back = time.monotonic() - at
        before = load.seen["answered"]
        time.sleep(4)
        seen = load.end()
        with Client(server.address, retries=0) as client:
            kept = [abs(client.ask(each, TEXT)[0].score - score) < 0.01 for each, score in zip(ids, right, strict=True)]
    lost = sum(count for name, count in seen.items() if name.startswith("lost"))
    good = lost == 0 == seen["wrong"] and 0 < seen["broken"] <= CLIENTS and seen["answered"] > before and all(kept)
    return good, (
        f"{seen['answered']} answers, {seen['broken']} connections broken (of {CLIENTS} clients), {lost} requests lost, "
        f"{seen['wrong']} mixed up; a new worker after {back:.1f} s; {sum(kept)} of {len(kept)} kept images answer"
    )


def gone_clients() -> tuple[bool, str]:
    with ServerProcess("--log", "off") as server:
        left = Seen()

        def leave() -> None:
            try:
                httpx.post(f"{server.address}/v1/segment", files={"image": PHOTOS[0]}, data={"text": TEXT}, timeout=0.5)
                left.add("answered")
            except httpx.TimeoutException:
                left.add("left")

        threads = [threading.Thread(target=leave) for _ in range(32)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        begun = time.monotonic()
        waiting = ("restr_admitted_requests", 'restr_waiting_jobs{model="restr_small"}')
        while any(map(server.metric, waiting)) and time.monotonic() < begun + 20:
            time.sleep(0.02)
        empty = time.monotonic() - begun
        dropped = server.metric('restr_jobs_total{end="cancelled",kind="encode",model="restr_small"}')
        dropped += server.metric('restr_jobs_total{end="cancelled",kind="segment",model="restr_small"}')
        gone = server.metric('restr_problems_total{type="client-gone"}')
        with Client(server.address, retries=0) as client:
            answered = len(client.segment(PHOTOS[0], TEXT))
    good = left["left"] > 20 and empty < 5 and dropped > 0 and answered == 1
    return good, (
        f"{left['left']} left, {gone:.0f} noticed while open; {dropped:.0f} jobs never computed; the queue empty after "
        f"{empty:.2f} s; the next question answered"
    )


def told_to_stop(*options: str) -> tuple[bool, str]:
    with ServerProcess("--log", "off", *options) as server:
        if options:
            server.until_ready(int(options[-1]))
        told: list[float] = []

        def ask(number: int, seen: Seen) -> None:
            begun = time.monotonic()
            try:
                answer = post(server, number)
                outcome = str(answer.status_code)
            except httpx.TransportError as error:
                outcome = type(error).__name__
            # A request sent just before the signal may not have been read by then; one without a connection was not.
            early = outcome != "ConnectError" and (not told or begun < told[0] - 0.1)
            seen.add(f"{'before' if early else 'after'} {outcome}")
            if told and outcome != "200":
                time.sleep(0.1)

        load = Load(ask)
        time.sleep(3)
        told.append(time.monotonic())
        server.process.send_signal(signal.SIGTERM)
        status = server.process.wait(60)
        took = time.monotonic() - told[0]
        seen = load.end()
    answered = seen.pop("before 200")
    unanswered = {name: count for name, count in seen.items() if name.startswith("before")}
    after = Counter({name.removeprefix("after "): count for name, count in seen.items() if name.startswith("after")})
    unanswered.pop("before 503", None)  # the answer says that it was not accepted
    good = (
        status == 0
        and not unanswered
        and answered > 0
        and set(after) <= {"200", "503", "ConnectError", "ReadError", "RemoteProtocolError"}
    )
    refused = ", ".join(f"{count} {name}" for name, count in sorted(after.items()) if name != "200")
    return good, (
        f"{answered} accepted and answered, {sum(unanswered.values())} not; status {status} after {took:.1f} s; later ones: "
        f"{after['200']} answered, else {refused or 'none'}"
    )


def full_queue() -> tuple[bool, str]:
    with ServerProcess("--log", "off", "--queue", "4") as server:

        def ask(number: int, seen: Seen) -> None:
            answer = post(server, number)
            seen.add(str(answer.status_code))
            if answer.status_code == 429:
                wished = answer.headers.get("retry-after", "").isdigit() and answer.headers["content-type"] == PROBLEM
                if wished:
                    seen.add("with Retry-After")
                time.sleep(0.2)

        load = Load(ask, 16)
        time.sleep(5)
        seen = load.end()
        patient = Seen()

        def come_back(number: int) -> None:
            with Client(server.address, retries=20) as client:
                client.segment(PHOTOS[number % 4], TEXT)
            patient.add("answered")

        threads = [threading.Thread(target=come_back, args=(number,)) for number in range(16)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    good = set(seen) == {"200", "429", "with Retry-After"} and seen["429"] == seen["with Retry-After"]
    good &= patient["answered"] == 16
    return good, (
        f"{seen['200']} answered, {seen['429']} told to come back ({seen['with Retry-After']} with Retry-After), nothing "
        f"else; of 16 clients that do come back {patient['answered']} answered"
    )


def hostile_bodies() -> tuple[bool, str]:
    png = {"content-type": "image/png"}
    heavy = [
        ("/v1/images", bytes(17 * 2**20), png),
        ("/v1/images", spoilt(6000, 4000), png),
    ]  # the largest image that is decoded
    bodies = list(hostile()) + heavy * 8
    with ServerProcess("--log", "off", "--body-s", "3") as server:
        for number in range(12):
            with Client(server.address) as client:
                client.segment(PHOTOS[number % 4], [TEXT, "the face"])
        time.sleep(1)
        idle, most, done = server.resident(), [0], threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                most[0] = max(most[0], server.resident())

        seen = Seen()
        lock, rest = threading.Lock(), iter(bodies)

        def send() -> None:
            with httpx.Client(base_url=server.address, timeout=60) as client:
                while True:
                    with lock:
                        body = next(rest, None)
                    if body is None:
                        return
                    path, content, headers = body
                    try:
                        answer = client.post(path, content=content, headers=headers)
                    except httpx.WriteError:  # the refusal came before the body's end
                        seen.add("refused while sending")
                        continue
                    typed = 400 <= answer.status_code < 500 and answer.headers["content-type"] == PROBLEM
                    seen.add("typed 4xx" if typed else f"{path} {answer.status_code}")

        threads = [threading.Thread(target=watch), *(threading.Thread(target=send) for _ in range(CLIENTS))]
        lorises = [threading.Thread(target=loris, args=(server.address, seen)) for _ in range(LORIS)]
        for each in [*threads, *lorises]:
            each.start()
        for each in [*threads[1:], *lorises]:
            each.join()
        with Client(server.address, retries=0) as client:
            answered = len(client.segment(PHOTOS[0], TEXT))
        done.set()
        threads[0].join()
        time.sleep(2)
        after = server.resident()
    known = {"typed 4xx", "refused while sending", "loris closed"}
    good = set(seen) <= known and seen["loris closed"] == LORIS and most[0] <= MEMORY * idle and answered == 1
    other = {name: count for name, count in seen.items() if name not in known}
    return good, (
        f"{len(bodies)} bodies: {seen['typed 4xx']} typed 4xx, {seen['refused while sending']} cut off while sending, "
        f"{other or 'nothing else'}; {seen['loris closed']} of {LORIS} slow connections closed; memory {idle >> 20} MB warm, "
        f"{most[0] >> 20} at most ({most[0] / idle:.2f} times), {after >> 20} after; the next question answered"
    )


FAULTS: dict[str, tuple[Fault, str]] = {
    "killed worker": (
        killed_worker,
        "2 workers, one gets SIGKILL under load: only its open requests break, the client asks again, a new one comes up, "
        "kept images answer",
    ),
    "clients that leave": (gone_clients, "their work is dropped, the queue empties"),
    "SIGTERM": (told_to_stop, "under load: every accepted request is answered, status 0"),
    "SIGTERM, 2 workers": (lambda: told_to_stop("--workers", "2"), "the same"),
    "full queue": (full_queue, "429 with Retry-After, the rest is answered"),
    "hostile bodies": (
        hostile_bodies, f"typed 4xx, slow connections closed, memory at most {MEMORY} times that of the warm server",
    ),
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(table(FAULTS, __doc__))
