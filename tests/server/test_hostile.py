"""Malicious and malformed bodies: each is answered by a typed problem, and the server keeps running."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from hostile import hostile, spoilt
from restr.server.intake.decode import decode, header
from restr.server.problems import PROBLEMS, Problem
from served import PREFIX, listening, model_in, photograph

CORPUS = list(hostile())


def test_the_corpus_is_large():
    assert len(CORPUS) >= 500


def test_every_hostile_body_is_answered_by_a_typed_problem(client):
    for path, content, headers in CORPUS:
        answer = client.post(path, content=content, headers=headers)
        shown = (path, content[:80], headers, answer.status_code, answer.text[:200])
        assert 400 <= answer.status_code < 500, shown
        assert answer.headers["content-type"] == "application/problem+json", shown
        document = answer.json()
        assert PROBLEMS[document["type"].removeprefix(PREFIX)][0] == answer.status_code, shown
        assert len(answer.content) < 4000 and "0x" not in document["detail"], shown
    assert client.get("/health/ready").status_code == 200
    assert client.app.state.service.admission.requests == 0
    assert client.post("/v1/images", files={"image": photograph()}).status_code == 201


def test_a_spoilt_image_is_let_go_of_when_it_is_refused():
    data = spoilt(600, 400)
    with pytest.raises(Problem, match="damaged") as caught:
        decode(data, header(data, most_bytes=10**6, most_pixels=10**6))
    # The traceback of another error would keep the half-decoded picture alive.
    assert caught.value.__context__ is None


@pytest.mark.slow
def test_what_the_description_allows_never_fails(tmp_path):
    schemathesis = pytest.importorskip("schemathesis")
    with listening(model_in(tmp_path / "model")) as (_, address):
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        count = 0
        for each in schema.get_all_operations():
            if each.ok().path == "/v1/batch":
                continue  # it cannot write NDJSON
            strategy = each.ok().as_strategy()

            @given(case=strategy)
            @settings(
                max_examples=600,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            )
            def ask(case):
                nonlocal count
                count += 1
                answer = case.call()
                assert answer.status_code < 500, (answer.status_code, answer.text)

            ask()
    assert count >= 2000
