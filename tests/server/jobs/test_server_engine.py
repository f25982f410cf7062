"""The engine loses no job, mixes none up, and merges those that can be one call."""

from __future__ import annotations

import random
import threading
import time

import numpy as np
import pytest

from restr.inference.segmenter import Segmenter
from restr.server.jobs.engine import EncodeJob, InferenceEngine, SegmentJob
from restr.server.metrics import Metrics
from restr.server.problems import Problem
from served import model_in, photograph

TEXTS = ["the left circle", "red", "blue square on the right", "the circle", "left", "right", "square"]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory):
    return Segmenter.from_pretrained(model_in(tmp_path_factory.mktemp("model")), device="cpu")


def engine_of(segmenter, **options):
    return InferenceEngine("tiny", segmenter, Metrics(), **options)


def later(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def counted(engine, kind: str, end: str) -> float:
    return (
        engine.metrics.registry.get_sample_value("restr_jobs_total", {"model": "tiny", "kind": kind, "end": end}) or 0
    )


def pixels(seed: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).integers(0, 256, (40 + 8 * seed, 60, 3), dtype=np.uint8))


def test_many_threads_each_get_their_own_answer(segmenter):
    engine = engine_of(segmenter, max_wait=0.005, others=lambda: 16)
    images = [pixels(seed) for seed in range(4)]
    encoded = [engine.submit(EncodeJob(pixels=each, deadline=later())).result().value for each in images]
    truth = {
        (i, text): segmenter.predict_encoded(each.image, [text])[0] for i, each in enumerate(encoded) for text in TEXTS
    }
    wrong: list[object] = []

    def ask(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            i, texts = chance.randrange(4), chance.sample(TEXTS, chance.randint(1, 3))
            threshold = chance.choice([None, 0.3, 0.7])
            job = SegmentJob(encoded=encoded[i], texts=tuple(texts), threshold=threshold, deadline=later())
            for text, result in zip(texts, engine.submit(job).result(30).value, strict=True):
                right = truth[i, text]
                if (
                    result.text != text
                    or result.prob.shape != right.prob.shape
                    or np.abs(result.prob - right.prob).max() > 1e-4
                    or result.threshold != (threshold or 0.5)
                ):
                    wrong.append((i, text))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(16)]
    [each.start() for each in threads]
    [each.join() for each in threads]
    engine.close()
    calls = engine.metrics.registry.get_sample_value("restr_merged_jobs_count", {"model": "tiny", "kind": "segment"})
    assert wrong == [] and counted(engine, "segment", "done") == 16 * 12
    assert calls is not None and calls < 16 * 12, "something was computed together"


@pytest.fixture
def held(segmenter):
    """An engine that computes nothing until it is released, and an encoded image."""
    engine = engine_of(segmenter)
    encoded = engine.submit(EncodeJob(pixels=pixels(1), deadline=later())).result().value
    go, values = threading.Event(), engine._values
    engine._values = lambda batch: (go.wait(20), values(batch))[1]  # type: ignore[method-assign]
    yield engine, encoded, go
    go.set()
    engine.close()


def job(encoded, *texts: str, deadline: float | None = None, words: bool = False) -> SegmentJob:
    return SegmentJob(encoded=encoded, texts=texts or ("left",), deadline=deadline or later(), words=words)


def test_expressions_on_one_image_are_one_call(held, monkeypatch):
    engine, encoded, go = held
    calls = []
    predict = Segmenter.predict_encoded
    monkeypatch.setattr(
        Segmenter,
        "predict_encoded",
        lambda self, image, texts, **o: calls.append(list(texts)) or predict(self, image, texts, **o),
    )
    first = engine.submit(job(encoded, "square"))
    time.sleep(0.05)
    futures = [engine.submit(job(encoded, text)) for text in ("left", "right", "left", "red")]
    apart = engine.submit(job(encoded, "left", words=True))
    go.set()
    assert [each.result(10).value[0].text for each in (first, *futures)] == ["square", "left", "right", "left", "red"]
    assert apart.result(10).value[0].attention is not None
    assert calls == [["square"], ["left", "right", "red"], ["left"]]


def test_images_of_a_size_are_encoded_together_and_come_out_as_alone(segmenter, monkeypatch):
    engine = engine_of(segmenter, batch_images=3)
    go, values, calls = threading.Event(), engine._values, []
    engine._values = lambda batch: (go.wait(20), values(batch))[1]  # type: ignore[method-assign]
    encode = type(segmenter.backend).encode_images
    monkeypatch.setattr(
        type(segmenter.backend), "encode_images", lambda self, images: calls.append(len(images)) or encode(self, images)
    )
    pictures = [np.random.default_rng(seed).integers(0, 256, (50, 60, 3), dtype=np.uint8) for seed in range(6)]
    pictures[2] = np.ascontiguousarray(pictures[2][:20])  # another size for the model
    futures = [engine.submit(EncodeJob(pixels=pictures[0], deadline=later()))]
    time.sleep(0.05)
    futures += [engine.submit(EncodeJob(pixels=each, deadline=later())) for each in pictures[1:]]
    asked = engine.submit(EncodeJob(pixels=pictures[1], deadline=time.monotonic()))
    go.set()
    encoded = [future.result(20).value for future in futures]
    with pytest.raises(Problem, match="longer than it may"):
        asked.result(20)
    assert calls == [1, 3, 1, 1]
    alone = Segmenter(segmenter.model, segmenter.tokenizer.vocabulary, device="cpu")
    for one, pixels_ in zip(encoded, pictures, strict=True):
        np.testing.assert_array_equal(one.image.pixels, pixels_)
        right = alone.encode(pixels_).features
        assert one.image.features.tokens.grid == right.tokens.grid
        np.testing.assert_allclose(one.image.features.tokens.patches, right.tokens.patches, atol=2e-6)
    engine.close()


def test_late_and_cancelled_jobs_are_not_computed(held):
    engine, encoded, go = held
    engine.submit(job(encoded))
    time.sleep(0.05)
    late, left = engine.submit(job(encoded, "red", deadline=time.monotonic())), engine.submit(job(encoded, "blue"))
    assert left.cancel()
    go.set()
    with pytest.raises(Problem, match="longer than it may"):
        late.result(10)
    assert counted(engine, "segment", "cancelled") == 1 and counted(engine, "segment", "late") == 1


def test_closing_answers_what_was_accepted_and_takes_no_more(held):
    engine, encoded, go = held
    futures = [engine.submit(job(encoded, text)) for text in TEXTS]
    closing = threading.Thread(target=engine.close)
    closing.start()
    time.sleep(0.05)
    with pytest.raises(Problem, match="going down"):
        engine.submit(job(encoded))
    go.set()
    closing.join(20)
    assert [each.result(0).value[0].text for each in futures] == TEXTS


def test_one_requests_failure_is_not_anothers(held):
    engine, encoded, go = held
    engine.submit(job(encoded))
    time.sleep(0.05)
    bad, good = engine.submit(job(encoded, "...")), engine.submit(job(encoded, "red"))
    go.set()
    assert good.result(10).value[0].text == "red"
    with pytest.raises(Exception, match="no word"):
        bad.result(10)


def test_a_lone_request_does_not_wait(segmenter):
    engine = engine_of(segmenter, max_wait=5.0, others=lambda: 1)
    encoded = engine.submit(EncodeJob(pixels=pixels(0), deadline=later())).result().value
    started = time.monotonic()
    engine.submit(job(encoded)).result(10)
    assert time.monotonic() - started < 2.5
    engine.close()
    assert photograph(1) != photograph(2)
