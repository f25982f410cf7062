"""Several workers: the death of one costs only its open connections, all know the same images, and metrics are sums."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from restr.client import Client, ServerError
from restr.server.app import create_app
from restr.server.processes.several import settings_of_worker
from restr.server.settings import IMAGES_FOLDER, METRICS_FOLDER, ServerSettings
from served import assert_problem, base64_of, model_in, photograph, process, wait_until

PHOTO = photograph()


@pytest.fixture
def two(folder):
    with process(folder, "--workers", "2", "--log", "off") as (server, address, lines):
        wait_until(lambda: len(ready(lines)) == 2, 60)
        yield server, address, lines


def ready(lines: list[str]) -> list[int]:
    """The process numbers of the workers that have become ready."""
    return [int(found[1]) for line in list(lines) if (found := re.search(r"worker (\d+) is ready", line))]


def resident(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def test_a_killed_worker_is_replaced_and_the_images_stay(two):
    server, address, lines = two
    workers = ready(lines)
    assert "libtorch" in resident(workers[0]) and "libtorch" not in resident(server.pid)
    with Client(address) as client:
        name, gone = client.keep(PHOTO), client.keep(photograph(1))
        client.forget(gone)
        right = client.ask(name, "left")[0].document
        answers: list[dict] = []
        stop = threading.Event()

        def ask() -> None:
            with Client(address) as other:
                while not stop.is_set():
                    answers.append(other.ask(name, "left")[0].document)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        [each.start() for each in threads]
        for pid in workers:  # one after the other, until no worker is left that saw the image being kept
            before = len(ready(lines))
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda before=before: len(ready(lines)) > before, 60)
        asked = len(answers)
        wait_until(lambda: len(answers) >= asked + 20)
        stop.set()
        [each.join(30) for each in threads]
        assert all(answer == right for answer in answers)
        with pytest.raises(ServerError, match="unknown-image"):
            client.ask(gone, "left")
    assert sum("SIGKILL" in line for line in lines) == 2
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0


def test_what_one_forgets_all_forget_metrics_are_sums_and_workers_end_with_their_parent(two):
    server, address, lines = two
    with Client(address) as client:
        name = client.keep(PHOTO)
    seen: set[str] = set()

    def asked_everywhere() -> bool:
        # Each connection stays with one worker; time spent on encoding shows that it was the other worker.
        answer = httpx.post(f"{address}/v1/images/{name}/segment", json={"text": "left"})
        assert answer.status_code == 200
        seen.add("encoded" if answer.json()["timings"]["encode_ms"] else "found")
        return seen == {"encoded", "found"}

    wait_until(asked_everywhere)
    assert value(address, "restr_kept_images") == 2, "both workers hold an encoding"
    assert httpx.delete(f"{address}/v1/images/{name}").status_code == 204
    for _ in range(12):
        answer = httpx.post(f"{address}/v1/images/{name}/segment", json={"text": "left"})
        assert_problem(answer, "unknown-image", 404)
    wait_until(lambda: value(address, "restr_kept_images") == 0)
    requests = value(address, 'restr_requests_total{method="DELETE",route="/v1/images/{id}",status="204"}')
    assert requests == 1 and value(address, 'restr_model_loads_total{end="done",model="tiny"}') == 2
    os.kill(ready(lines)[0], signal.SIGKILL)
    wait_until(lambda: len(ready(lines)) == 3, 60)
    assert value(address, 'restr_model_loads_total{end="done",model="tiny"}') == 3
    assert value(address, "restr_open_requests") == 1, "the dead worker's open requests are not counted any more"
    server.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in ready(lines)))


def value(address: str, name: str) -> float:
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == name)


def test_models_that_do_not_load_end_everything(tmp_path):
    broken = model_in(tmp_path / "model")
    (broken / "model.safetensors").write_bytes(b"half")
    done = subprocess.run(
        [sys.executable, "-m", "restr", "serve", "--workers", "2", "--model", str(broken), "--port", "0"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1 and "no worker could load the models" in done.stderr


def test_the_processor_is_settings_of_worker():
    processors = len(os.sched_getaffinity(0))
    assert settings_of_worker(ServerSettings(workers=processors)).threads == 1
    assert settings_of_worker(ServerSettings(workers=2, threads=7)).threads == 7


@pytest.fixture
def shared(tmp_path):
    """The folder that workers share."""
    for name in (IMAGES_FOLDER, METRICS_FOLDER):
        (tmp_path / name).mkdir()
    return tmp_path


def serve_shared(folder: Path, shared: Path, **options) -> TestClient:
    """A client of one of two workers, in this process."""
    settings = ServerSettings(models=(f"tiny={folder}",), device="cpu", log="off", workers=2, **options)
    return TestClient(create_app(settings, shared=shared), base_url="http://127.0.0.1")


def kept_images(client) -> Any:
    return client.app.state.service.images


def test_a_full_disk_is_a_typed_problem_and_keeps_nothing(folder, shared, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with serve_shared(folder, shared) as client:
        assert client.post("/v1/images", json={"image": base64_of(PHOTO)}).status_code == 201
        monkeypatch.setattr("restr.server.files.folder.write_atomically", full)
        answer = client.post("/v1/images", json={"image": base64_of(PHOTO)})
        assert_problem(answer, "overloaded", 503)
        assert answer.headers["retry-after"] == "30"
        assert len(kept_images(client).memory) == 1


def test_an_expired_image_is_gone_for_all(folder, shared):
    with serve_shared(folder, shared) as one, serve_shared(folder, shared) as other:
        path = f"/v1/images/{one.post('/v1/images', json={'image': base64_of(PHOTO)}).json()['id']}/segment"
        assert [client.post(path, json={"text": "left"}).status_code for client in (one, other)] == [200, 200]
        for client in (one, other):
            kept_images(client).files.seconds = -1.0
        for client in (one, other):
            assert_problem(client.post(path, json={"text": "left"}), "unknown-image", 404)
