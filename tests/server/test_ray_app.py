"""The server under Ray Serve: its application, and a cluster of two nodes that loses one of them under load.

Skipped without Ray, which is in no developer's extra: pip install -e '.[ray,client]', then pytest -m 'slow or not slow' here.
"""

from __future__ import annotations

import os
import re
import threading
import time
import warnings
from collections import Counter
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from restr.inference.segmenter import Segmenter
from restr.server.files.store import StoredFile
from served import model_in, photograph, wait_until

if any(find_spec(name) is None for name in ("ray", "grpc_reflection")):  # Ray alone lacks what Ray Serve needs
    pytest.skip("needs Ray Serve: pip install -e '.[ray]'", allow_module_level=True)
with warnings.catch_warnings(action="ignore"):  # Ray's own, of pydantic
    import ray
    from ray import serve
    from ray.cluster_utils import Cluster

    from restr.server import ray_app
    from restr.server.files.ray_store import ACTORS, RayStore
    from restr.server.processes.ray_replicas import DEPLOYMENT
    from restr.server.ray_app import app
pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's: sockets and files left open at the end of a cluster

PORT = 8471
TEXTS = ("left", "red", "blue circle")


def test_the_line_of_the_documentation_is_an_application() -> None:
    page = (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8")
    for text in (page, ray_app.__doc__ or ""):
        (line,) = re.findall(r"serve run restr\.server\.ray_app:app (.+)", text)
        made = app(dict(word.partition("=")[::2] for word in line.split()))
        deployment = made._bound_deployment
        assert (deployment.name, deployment.num_replicas) == (DEPLOYMENT, 4) and (deployment.ray_actor_options or {})[
            "num_cpus"
        ] == 2
        assert deployment.init_args[0].rate_limit == 600


class Load:
    """Clients that ask until told to stop, and remember every wrong answer."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.stop = address, threading.Event()
        self.photos = [photograph(seed, size=(60 + 4 * seed, 50)) for seed in range(4)]
        truth = Segmenter.from_pretrained(folder, device="cpu")
        self.right = {(i, text): truth(photo, text) for i, photo in enumerate(self.photos) for text in TEXTS}
        with httpx.Client(base_url=address, timeout=60) as client:
            kinds = {"content-type": "image/png"}
            self.kept = [client.post("/v1/images", content=photo, headers=kinds).json()["id"] for photo in self.photos]
        self.answers: list[tuple[float, int]] = []  # when, status
        self.wrong: list[object] = []
        self.threads = [threading.Thread(target=self._ask, args=(seed,)) for seed in range(6)]

    def _ask(self, seed: int) -> None:
        questions = list(self.right)
        with httpx.Client(base_url=self.address, timeout=20) as client:
            while not self.stop.is_set():
                i, text = questions[seed % len(questions)]
                seed += 5
                try:
                    if seed % 2:
                        answer = client.post("/v1/segment", files={"image": self.photos[i]}, data={"text": text})
                    else:
                        answer = client.post(f"/v1/images/{self.kept[i]}/segment", json={"text": text})
                except httpx.TransportError:
                    self.answers.append((time.monotonic(), 0))
                    continue
                self.answers.append((time.monotonic(), answer.status_code))
                if answer.status_code == 200:
                    self._check(answer.json()["results"][0], i, text)
                elif answer.status_code < 500:  # the client did nothing wrong, and no kept image is lost
                    self.wrong.append((i, text, answer.text))

    def _check(self, found: dict[str, Any], i: int, text: str) -> None:
        result = self.right[i, text]
        same = found["text"] == text and found["rle"]["size"] == list(result.mask.shape)
        if not same or abs(found["score"] - result.score) > 2e-3 or abs(found["area"] - result.area) > 40:
            self.wrong.append((i, text, found))


def replicas_of(address: str, samples: int = 24) -> dict[str, float]:
    """The number of answered questions of each replica; the time at which it loaded its model is the key."""
    found: dict[str, float] = {}
    for _ in range(samples):
        text = httpx.get(f"{address}/metrics", timeout=60).text
        loaded = re.search(r"^restr_model_loads_created\{[^}]*done[^}]*\} (\S+)", text, re.MULTILINE)
        done = re.search(r'^restr_jobs_total\{end="done",kind="segment"[^}]*\} (\S+)', text, re.MULTILINE)
        assert loaded is not None, text
        found[loaded[1]] = float(done[1]) if done else 0.0
    return found


def node_of(name: str) -> set[str]:
    """The nodes of the living actors whose name contains ``name``."""
    from ray._private.state import actors

    return {
        each["Address"]["NodeID"] for each in actors().values() if each["State"] == "ALIVE" and name in each["Name"]
    }


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's processes must import restr, but none of the tests' helpers.
    before = os.environ.get("PYTHONPATH")
    source = str(Path(__file__).parents[2] / "src")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [source, before])))
    folder = model_in(tmp_path)
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    other = nodes.add_node(num_cpus=2)
    ray.init(address=nodes.address, log_to_driver=False)
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(app({"model": f"tiny={folder}", "replicas": 2, "cpus": 1, "device": "cpu", "kept_bytes": 2**26}))
    yield nodes, other, folder, f"http://127.0.0.1:{PORT}"
    serve.shutdown()
    ray.shutdown()
    nodes.shutdown()


@pytest.mark.slow
def test_a_node_that_dies_under_load_costs_the_requests_that_were_on_it(cluster) -> None:
    nodes, other, folder, address = cluster
    assert len(node_of(f"#{DEPLOYMENT}#")) == 2 and len(node_of("images-")) == 2, "not spread over both nodes"
    load = Load(address, folder)
    [each.start() for each in load.threads]
    try:
        time.sleep(6)
        before = replicas_of(address)
        assert len(before) == 2 and min(before.values()) > 0.2 * sum(before.values()), before
        killed = time.monotonic()
        nodes.remove_node(other, allow_graceful=False)
        # until the lost replica is replaced, on the remaining node
        wait_until(lambda: set(replicas_of_quietly(address)) - set(before), 120)
        recovered = time.monotonic()
        time.sleep(6)
        after = replicas_of(address)
    finally:
        load.stop.set()
        [each.join(90) for each in load.threads]
    assert load.wrong == []
    failed = [at - killed for at, status in load.answers if status != 200]
    counts = Counter(status for _, status in load.answers)
    good = sorted(at for at, status in load.answers if status == 200)
    longest = max(later - earlier for earlier, later in pairwise(good))
    print(
        f"\nanswers {dict(counts)}; shares {before} then {after}; failures {[round(each, 1) for each in failed]} s after"
    )
    print(f"recovered {recovered - killed:.1f} s after the kill; the longest time without an answer {longest:.1f} s")
    assert counts[200] > 100 and all(0 <= each < 30 for each in failed)
    assert len(failed) <= 40
    assert len(after) == 2 and len(set(after) & set(before)) == 1, "one was to be kept and one to be replaced"


def replicas_of_quietly(address: str) -> dict[str, float]:
    """As ``replicas_of``, but empty while requests fail."""
    try:
        return replicas_of(address, samples=8)
    except (AssertionError, httpx.HTTPError):
        time.sleep(0.5)
        return {}


@pytest.mark.slow
def test_an_image_is_forgotten_by_all_and_a_lost_actor_is_filled_again(cluster) -> None:
    _, _, _, address = cluster
    with httpx.Client(base_url=address, timeout=60) as client:
        send = {"content": photograph(), "headers": {"content-type": "image/png"}}
        name = client.post("/v1/images", **send).json()["id"]
        statuses = {client.post(f"/v1/images/{name}/segment", json={"text": "left"}).status_code for _ in range(12)}
        assert statuses == {200}
        assert client.delete(f"/v1/images/{name}").status_code == 204
        statuses = {client.post(f"/v1/images/{name}/segment", json={"text": "left"}).status_code for _ in range(12)}
        assert statuses == {404}

    from ray._private.state import actors

    def find(copy: str) -> Any:
        names = [each["Name"] for each in actors().values() if each["State"] == "ALIVE" and copy in each["Name"]]
        if not names:
            raise ValueError(f"no {copy}")
        return ray.get_actor(names[0], namespace="serve")

    store = RayStore(find, seconds=10)
    store.put("handle", StoredFile("tiny", b"bytes"))
    ray.kill(find(ACTORS[0]))
    assert store.touch("handle") and store.holds("handle")
    wait_until(lambda: len(node_of(ACTORS[0])) == 1 and not ray.get(find(ACTORS[0]).holds.remote("handle")), 60)
    assert store.get("handle") == ("tiny", b"bytes")
    wait_until(lambda: ray.get(find(ACTORS[0]).holds.remote("handle")))
    assert store.remove("handle") and not store.remove("handle") and store.get("handle") is None
