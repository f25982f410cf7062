"""The server says how probable it is that anything is meant; a request may set the threshold."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from restr import masks
from restr.client import AsyncClient, Client
from restr.inference.result import Result
from restr.inference.segmenter import Segmenter
from restr.server.jobs.engine import EncodeJob, InferenceEngine, SegmentJob
from restr.server.metrics import Metrics
from served import assert_problem, base64_of, listening, model_in, photograph, serving
from small_exports import with_presence

PHOTO = photograph()
TEXTS = ["the left circle", "red square", "blue on the right", "circle"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose own threshold lies between the presences of the texts."""
    place = tmp_path_factory.mktemp("model")
    found = Segmenter.from_pretrained(model_in(place, with_presence()), device="cpu")(PHOTO, TEXTS)
    low, high = sorted(presence_of(each) for each in found)[1:3]
    assert high - low > 1e-3
    return model_in(place, with_presence((low + high) / 2))


@pytest.fixture(scope="module")
def found(folder: Path) -> list[Result]:
    return Segmenter.from_pretrained(folder, device="cpu")(PHOTO, TEXTS)


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    with serving(folder) as one:
        yield one


def presence_of(result: Result) -> float:
    assert result.presence is not None
    return result.presence


def asked(client: TestClient, **question: Any) -> list[dict[str, Any]]:
    answer = client.post("/v1/segment", json={"image": base64_of(PHOTO), "texts": TEXTS} | question)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def pixels(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_the_model_s_own_threshold_decides(client: TestClient, found: list[Result]) -> None:
    answers = asked(client, formats=["rle", "mask", "prob", "cutout", "polygons"])
    assert [each["found"] for each in answers] == [each.found for each in found]
    assert sorted(each["found"] for each in answers) == [False, False, True, True]
    for answer, result in zip(answers, found, strict=True):
        assert answer["presence"] == pytest.approx(result.presence, abs=1e-3)
        assert answer["score"] == pytest.approx(result.score, abs=2e-3)
        assert (pixels(answer["mask"]) == 255).sum() == answer["area"] == masks.rle_decode(answer["rle"]).sum()
        np.testing.assert_allclose(pixels(answer["prob"]) / 255, result.prob, atol=0.003)
        if not result.found:
            assert (answer["score"], answer["box"], answer["area"], answer["polygons"]) == (0.0, None, 0, [])
            assert pixels(answer["cutout"]).shape == (1, 1, 4)


def test_a_request_s_own_threshold_decides(client: TestClient, found: list[Result]) -> None:
    assert all(each["found"] for each in asked(client, presence=0))
    assert not any(each["found"] for each in asked(client, presence=1.0))
    between = presence_of(found[1])
    expected = [presence_of(each) >= between - 1e-3 for each in found]
    assert [each["found"] for each in asked(client, presence=between - 1e-3)] == expected
    form = client.post("/v1/segment", files={"image": PHOTO}, data={"text": TEXTS, "presence": "0", "threshold": "0.5"})
    assert form.json()["results"] == asked(client, presence=0)


def test_a_picture_of_what_is_not_there_is_empty(client: TestClient) -> None:
    png = {"accept": "image/png"}
    for presence, some in (("1", False), ("0", True)):
        data = {"text": TEXTS[0], "presence": presence}
        mask = client.post("/v1/segment", files={"image": PHOTO}, data=data, headers=png)
        assert np.asarray(Image.open(io.BytesIO(mask.content))).any() == some


@pytest.mark.parametrize("presence", [-0.1, 1.1, "much"])
def test_a_presence_that_is_none_is_a_problem(client: TestClient, presence: object) -> None:
    body = {"image": base64_of(PHOTO), "text": "left", "presence": presence}
    assert "presence" in assert_problem(client.post("/v1/segment", json=body), "invalid-request", 422)["detail"]


def test_models_say_their_thresholds_and_how_a_score_is_made(client: TestClient, found: list[Result]) -> None:
    (model,) = client.get("/v1/models").json()["models"]
    assert model["presence"] == found[0].least_presence
    assert model["scoring"] == {"bias": -0.5, "certainty": 0.8, "presence": 0.6}
    schema = client.get("/openapi.json").json()["components"]["schemas"]
    assert {"found", "presence"} <= set(schema["Found"]["required"])


def test_one_call_serves_questions_of_different_thresholds(folder: Path) -> None:
    segmenter = Segmenter.from_pretrained(folder, device="cpu")
    engine = InferenceEngine("tiny", segmenter, Metrics(), max_wait=0.2, others=lambda: 9)
    until = time.monotonic() + 30
    encoded = engine.submit(EncodeJob(pixels=np.zeros((64, 64, 3), np.uint8), deadline=until)).result().value
    go, futures = threading.Event(), []
    calls: list[list[str]] = []
    predict = segmenter.predict_encoded

    def slowly(image, texts, **options):  # so that what follows waits together
        go.wait(10)
        calls.append(list(texts))
        return predict(image, texts, **options)

    segmenter.predict_encoded = slowly  # type: ignore[method-assign]
    chosen = [(None, None), (0.0, None), (1.0, 0.3), (0.0, 0.3)]
    for presence, threshold in chosen:
        job = SegmentJob(encoded=encoded, texts=("left",), presence=presence, threshold=threshold, deadline=until)
        futures.append(engine.submit(job))
    go.set()
    results = [future.result(30).value[0] for future in futures]
    engine.close()
    own = segmenter.config
    assert [(each.least_presence, each.threshold) for each in results] == [
        (own.presence.threshold, own.preprocess.threshold), (0.0, 0.5), (1.0, 0.3), (0.0, 0.3),
    ]  # fmt: skip
    assert [each.present for each in results[1:]] == [True, False, True]
    assert all(call == ["left"] for call in calls) and len(calls) < len(chosen)


def test_clients_ask_and_tell(folder: Path, found: list[Result]) -> None:
    with listening(folder) as (_, address):
        with Client(address) as client:
            name = client.keep(PHOTO)
            own = client.ask(name, TEXTS)
            assert [each.found for each in own] == [each.found for each in found]
            assert [each.presence for each in own] == pytest.approx([each.presence for each in found], abs=1e-3)
            assert all(each.mask.any() for each in client.ask(name, TEXTS, presence=0))
            never = client.segment(PHOTO, TEXTS, presence=1)
            assert [(each.found, each.score, each.mask.sum()) for each in never] == [(False, 0.0, 0)] * len(TEXTS)

        async def both() -> tuple[bool, bool]:
            async with AsyncClient(address) as other:
                kept = await other.keep(PHOTO)
                lax, strict = await other.ask(kept, "left", presence=0), await other.segment(PHOTO, "left", presence=1)
                return lax[0].found, strict[0].found

        assert asyncio.run(both()) == (True, False)
