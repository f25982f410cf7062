"""Every route of the server, and every problem that it answers with."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from restr import masks
from restr.client.results import RemoteResult
from restr.inference.segmenter import Segmenter
from served import PREFIX, assert_problem, base64_of, photograph

PHOTO = photograph()
TEXTS = ["the left circle", "red square"]
ALL = ["rle", "polygons", "instances", "mask", "prob", "overlay", "cutout"]


@pytest.fixture(scope="module")
def truth(folder):
    return Segmenter.from_pretrained(folder, device="cpu")


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def assert_near(mask, result):
    """The masks agree, except for pixels whose probability is at the threshold up to rounding."""
    differ = mask != result.mask
    assert (np.abs(result.prob[differ] - result.threshold) < 1e-4).all()


@pytest.mark.parametrize("way", ["multipart", "json", "raw"])
def test_an_image_is_kept_asked_about_and_forgotten(client, truth, way):
    if way == "multipart":
        kept = client.post("/v1/images", files={"image": ("../../etc/passwd", PHOTO)}, data={"model": "tiny"})
    elif way == "json":
        kept = client.post("/v1/images", json={"image": base64_of(PHOTO)})
    else:
        kept = client.post("/v1/images?model=tiny", content=PHOTO, headers={"content-type": "image/png"})
    assert kept.status_code == 201
    document = kept.json()
    name = document.pop("id")
    assert document == {"width": 110, "height": 70, "model": "tiny"} and len(name) >= 32
    answer = client.post(f"/v1/images/{name}/segment", json={"texts": TEXTS, "formats": ALL, "words": True})
    assert answer.status_code == 200
    body = answer.json()
    assert body["model"] == "tiny" and body["image"] == {"id": name, "width": 110, "height": 70}
    assert set(body["timings"]) == {"queue_ms", "encode_ms", "segment_ms"} and body["timings"]["encode_ms"] == 0
    for found, result in zip(body["results"], truth(PHOTO, TEXTS, attention=True), strict=True):
        assert (found["text"], found["found"], found["presence"]) == (result.text, result.area > 0, None)
        assert found["score"] == pytest.approx(result.score, abs=2e-3)
        mask = masks.rle_decode(found["rle"])
        assert_near(mask, result)
        assert found["area"] == mask.sum() and tuple(found["box"]) == masks.box_of(mask)
        np.testing.assert_array_equal(np.asarray(opened(found["mask"])) == 255, mask)
        prob = np.asarray(opened(found["prob"]), np.float32) / 255
        np.testing.assert_allclose(prob, result.prob, atol=0.003)
        assert opened(found["cutout"]).mode == "RGBA" and opened(found["overlay"]).mode == "RGB"
        regions = RemoteResult(document=found).instances
        assert regions and all(mask[each.mask].all() for each in regions)
        assert [each.box for each in regions] == [masks.box_of(each.mask) for each in regions]
        assert found["polygons"] and found["words"]["words"] == list(result.attention.words)
    assert client.delete(f"/v1/images/{name}").status_code == 204
    assert_problem(client.delete(f"/v1/images/{name}"), "unknown-image", 404)
    assert_problem(client.post(f"/v1/images/{name}/segment", json={"text": "left"}), "unknown-image", 404)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_segment_takes_json_and_forms_alike(client, kind):
    photo = photograph(3, kind)
    form = client.post(
        "/v1/segment", files={"image": photo}, data={"text": TEXTS, "threshold": "0.4", "formats": "rle,mask"}
    )
    plain = client.post(
        "/v1/segment", json={"image": base64_of(photo), "texts": TEXTS, "threshold": 0.4, "formats": ["rle", "mask"]}
    )
    assert form.status_code == plain.status_code == 200
    assert form.json()["results"] == plain.json()["results"] and form.json()["image"]["id"] is None
    assert set(form.json()["results"][0]) == {"text", "found", "presence", "score", "box", "area", "rle", "mask"}


@pytest.mark.parametrize("form", ["mask", "prob", "overlay", "cutout"])
def test_accept_png_gets_the_picture_itself(client, form):
    answer = client.post(
        f"/v1/segment?as={form}", files={"image": PHOTO}, data={"text": "left"}, headers={"accept": "image/png"}
    )
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).format == "PNG"
    several = client.post("/v1/segment", files={"image": PHOTO}, data={"text": TEXTS}, headers={"accept": "image/png"})
    assert_problem(several, "invalid-request", 422)


def test_a_batch_answers_line_by_line_in_order(client):
    lines = [{"image": base64_of(photograph(i)), "texts": [text]} for i, text in enumerate(["left", "red", "blue"])]
    body = "\n".join([json.dumps(lines[0]), "{}", json.dumps(lines[1]), "nonsense", json.dumps(lines[2])])
    answer = client.post("/v1/batch", content=body, headers={"content-type": "application/x-ndjson"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["results"][0]["text"] for each in found[::2]] == ["left", "red", "blue"]
    assert [each["type"] for each in found[1::2]] == [PREFIX + "invalid-request", PREFIX + "malformed-body"]


def test_operations(client):
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json() == {"status": "ready"}
    (model,) = client.get("/v1/models").json()["models"]
    assert (model["name"], model["default"], model["backend"], model["words"]) == ("tiny", True, "torch", True)
    assert (model["threshold"], model["presence"]) == (0.5, None)
    assert model["scoring"] == {"bias": 0.0, "certainty": 1.0, "presence": 0.0}
    text = client.get("/metrics").text
    assert "restr_requests_total" in text and 'restr_model_loads_total{end="done",model="tiny"} 1.0' in text
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/v1/images", "/v1/images/{id}/segment", "/v1/images/{id}", "/v1/segment", "/v1/batch",
                          "/v1/models", "/health/live", "/health/ready", "/metrics"}  # fmt: skip
    for path in ("/", "/v1/models", "/nowhere"):
        headers = client.get(path).headers
        assert "script-src 'self'" in headers["content-security-policy"] and headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/nothing.js"]
)
def test_static_serves_nothing_but_the_page(client, path):
    assert_problem(client.get(path), "not-found", 404)


QUESTIONS = [
    ({}, "text"), ({"text": "left", "texts": ["left"]}, "text"), ({"texts": []}, "texts"), ({"text": "..."}, "text"),
    ({"text": "left", "threshold": 1}, "threshold"), ({"text": "left", "formats": ["svg"]}, "formats"),
    ({"text": "left", "more": 1}, "more"), ({"texts": ["left"] * 33}, "33"), ({"text": "left " * 61}, "61"),
    ({"text": 5}, "text"), ({"text": "left", "model": "none"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("question", "named"), QUESTIONS)
def test_a_wrong_question_is_told_what_is_wrong(client, question, named):
    name, status = ("unknown-model", 404) if question.get("model") else ("invalid-request", 422)
    answer = client.post("/v1/segment", json={"image": base64_of(PHOTO)} | question)
    assert named in assert_problem(answer, name, status)["detail"]


def test_each_refusal_has_its_type(client):
    big = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (50_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0" + b"\0" * 4
    png = {"content-type": "image/png"}
    assert_problem(client.post("/v1/images", content=PHOTO[:200], headers=png), "image-damaged", 422)
    assert_problem(client.post("/v1/images", content=b"<svg/>", headers=png), "not-an-image", 415)
    buffer = io.BytesIO()
    Image.new("1", (6000, 4001)).save(buffer, "PNG")  # a few kilobytes
    assert_problem(client.post("/v1/images", content=buffer.getvalue(), headers=png), "image-too-large", 413)
    answer = client.post("/v1/images", content=big, headers=png)
    assert answer.status_code in (413, 422) and answer.json()["type"].startswith(PREFIX)
    assert_problem(
        client.post("/v1/images", content=b"x", headers={"content-type": "image/svg+xml"}),
        "unsupported-media-type",
        415,
    )
    assert_problem(client.post("/v1/images", content=b"\0" * (16 * 2**20 + 1), headers=png), "body-too-large", 413)
    assert_problem(client.post("/v1/images", json={"image": "data:image/png;base64,AAAA"}), "invalid-request", 422)
    assert_problem(
        client.post("/v1/segment", content=b"[" * 9999, headers={"content-type": "application/json"}),
        "malformed-body",
        400,
    )
    assert_problem(client.get("/nowhere"), "not-found", 404)
    refused = client.get("/v1/segment")
    assert_problem(refused, "method-not-allowed", 405)
    assert refused.headers["allow"] == "POST"
    assert_problem(client.get("/v1/models", headers={"host": "evil.example"}), "wrong-host", 421)
    assert_problem(client.delete("/v1/images/x", headers={"sec-fetch-site": "cross-site"}), "cross-site", 403)
