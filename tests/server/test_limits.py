"""Limits, keys and rates that an operator sets; changed models; a full queue, late answers, shutdown."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import Any

import pytest

from restr.errors import ConfigError
from restr.server.http.security import ApiKeys, RateLimit
from restr.server.problems import PROBLEMS
from restr.server.settings import ServerSettings
from served import assert_problem, base64_of, model_in, photograph, serving, wait_until

PHOTO = photograph()
TEXTS = ["the left circle", "red square"]


def state_of(client) -> Any:
    """The application's state."""
    return client.app.state


def test_too_much_work_at_once_is_refused(folder):
    with serving(folder, image_pixels=10_000, work_pixels=10_000) as client:
        answer = client.post("/v1/segment", json={"image": base64_of(PHOTO), "texts": TEXTS})
        assert_problem(answer, "too-much-at-once", 413)


def test_a_failure_inside_says_nothing_about_the_inside(client, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(state_of(client).service, "_texts", fail)
    answer = client.post("/v1/segment", json={"image": base64_of(PHOTO), "text": "left"})
    assert_problem(answer, "internal-error", 500)
    assert "secret" not in answer.text


def test_api_keys_open_the_api_alone(folder, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"# ours\n{hashlib.sha256(b'open sesame').hexdigest()}\n")
    with serving(folder, api_keys=keys) as client:
        answer = client.get("/v1/models")
        assert_problem(answer, "not-authorized", 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert_problem(client.get("/v1/models", headers={"authorization": "Bearer wrong"}), "not-authorized", 401)
        assert_problem(client.get("/metrics"), "not-authorized", 401)
        for headers in ({"authorization": "Bearer open sesame"}, {"x-api-key": "open sesame"}):
            assert client.get("/v1/models", headers=headers).status_code == 200
        assert client.get("/health/live").status_code == 200
    for content in ("", "not a hash"):
        keys.write_text(content)
        with pytest.raises(ConfigError):
            ApiKeys.from_file(keys)


def test_the_rate_is_limited_and_recovers():
    now = [0.0]
    limit = RateLimit(60, clock=lambda: now[0])
    for _ in range(60):
        limit.take("a")
    with pytest.raises(Exception, match="60 requests a minute") as caught:
        limit.take("a")
    assert caught.value.headers["Retry-After"] == "1"  # type: ignore[attr-defined]
    limit.take("b")
    now[0] = 1.0
    limit.take("a")


def test_the_rate_limit_answers_429(folder):
    with serving(folder, rate_limit=2) as client:
        answers = [client.get("/v1/models") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert_problem(answers[2], "rate-limited", 429)
        assert int(answers[2].headers["retry-after"]) >= 1


def test_a_changed_model_is_taken_and_kept_images_follow(tmp_path, folder):
    place = model_in(tmp_path / "model")
    with serving(place) as client:
        service = state_of(client).service
        name = client.post("/v1/images", json={"image": base64_of(PHOTO)}).json()["id"]
        assert service.reload() == []
        time.sleep(0.01)
        model_in(place)
        before = service.models["tiny"].segmenter
        assert service.reload() == ["tiny"] and service.models["tiny"].segmenter is not before
        first, second = (client.post(f"/v1/images/{name}/segment", json={"text": "left"}).json() for _ in range(2))
        assert first["timings"]["encode_ms"] > 0 == second["timings"]["encode_ms"]
        (place / "model.safetensors").write_bytes(b"half")
        assert (
            service.reload() == []
            and client.post(f"/v1/images/{name}/segment", json={"text": "left"}).status_code == 200
        )


def test_kept_images_are_given_up_by_size_and_by_age(folder):
    with serving(folder) as client:
        store = state_of(client).service.images.memory
        names = [client.post("/v1/images", json={"image": base64_of(photograph(i))}).json()["id"] for i in range(3)]
        assert len(store) == 3
        store.get(names[0])
        store.most = store.held - 1
        store.trim()
        assert [name in store._kept for name in names] == [True, False, True]
        store.seconds = -1.0
        store.trim()
        assert len(store) == 0 == store.held


def test_settings_are_checked():
    for wrong in (
        {"queue": 0},
        {"port": 99_999},
        {"port": -1},
        {"deadline_s": 0},
        {"models": ("a=x", "a=y")},
        {"models": ("..=x",)},
        {"work_pixels": 1},
    ):
        with pytest.raises(ConfigError):
            ServerSettings(**wrong)  # type: ignore[arg-type]
    assert ServerSettings(host="0.0.0.0").allowed_hosts() == ()


def test_every_problem_is_documented_by_its_status():
    assert all(400 <= status < 600 and title for status, title in PROBLEMS.values())


def test_answers_before_and_after_the_server_is_ready(client, monkeypatch):
    service = state_of(client).service
    monkeypatch.setattr(service, "loaded", False)
    assert_problem(client.get("/health/ready"), "starting", 503)
    monkeypatch.setattr(service, "failure", ConfigError("none"))
    assert_problem(client.get("/v1/models"), "model-failed", 503)
    monkeypatch.setattr(service, "draining", True)
    answer = client.post("/v1/segment", json={})
    assert_problem(answer, "draining", 503)
    assert answer.headers["retry-after"] == "5"
    assert client.get("/health/live").status_code == 200


def test_a_full_house_and_a_late_answer_and_a_drain(folder):
    with serving(folder, queue=2, deadline_s=1.0) as client:
        service = state_of(client).service
        engine = service.models["tiny"].engine
        name = client.post("/v1/images", json={"image": base64_of(PHOTO)}).json()["id"]
        hold, compute = threading.Event(), engine._compute
        engine._compute = lambda batch, started: (hold.wait(20), compute(batch, started))
        answers: list = []

        def ask() -> None:
            answers.append(client.post(f"/v1/images/{name}/segment", json={"text": "left"}))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        [each.start() for each in threads]
        wait_until(lambda: service.admission.requests == 2)
        refused = client.post(f"/v1/images/{name}/segment", json={"text": "left"})
        assert_problem(refused, "queue-full", 429)
        assert refused.headers["retry-after"] == "1"
        [each.join() for each in threads]
        for each in answers:
            assert_problem(each, "deadline-exceeded", 504)
        hold.set()
        wait_until(lambda: service.admission.requests == 0)
        assert client.post(f"/v1/images/{name}/segment", json={"text": "left"}).status_code == 200


def test_too_many_open_requests_are_refused(client, monkeypatch):
    monkeypatch.setattr(state_of(client).gate, "open", 10_000)
    assert_problem(client.get("/v1/models"), "overloaded", 503)
    assert client.get("/health/live").status_code == 200
