"""Exports to other runtimes, of other variants, and of the bundled model: the slow tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from restr import Segmenter
from restr.cli.main import main
from restr.export.graphs import Expression, graphs
from restr.export.quiet import quiet
from restr.export.run import Plan, export
from restr.model.fusion import FUSIONS
from small_exports import WORDS, shallow_config, shallow_model

pytestmark = pytest.mark.slow
IMAGE = np.random.default_rng(1).integers(0, 256, (70, 110, 3), dtype=np.uint8)
TEXTS = ["left", "the red circle on the left", "the blue zzqqxx"]


@pytest.fixture(scope="module")
def reference() -> Segmenter:
    return Segmenter(shallow_model(), WORDS, device="cpu")


def test_a_traced_half_keeps_every_size_and_count() -> None:
    """What torch-export and AOTInductor start from; the ONNX exporter does, too."""
    model = shallow_model()
    with quiet():
        program = graphs(model, dynamic=True, whole=False)["expression"].trace().module()
    for t, l, h, w in [(1, 1, 1, 1), (2, 5, 7, 3), (5, 16, 16, 16)]:  # noqa: E741
        patches, ids = torch.randn(1, h, w, 64), torch.randint(1, len(WORDS), (t, l))
        with torch.inference_mode():
            torch.testing.assert_close(program(patches, ids), Expression(model)(patches, ids), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("target", ["openvino", "torch-export", "aoti"])
def test_other_targets_keep_what_onnx_keeps(target, tmp_path: Path, reference: Segmenter) -> None:
    if target == "openvino":
        pytest.importorskip("openvino")
    report = export(shallow_model(), WORDS, tmp_path, Plan(target=target))
    assert report.holds
    exported = Segmenter.from_pretrained(tmp_path, device="cpu")
    np.testing.assert_allclose(exported(IMAGE, TEXTS)[1].prob, reference(IMAGE, TEXTS)[1].prob, atol=1e-4)


def test_openvino_in_int8_is_smaller_and_near(tmp_path: Path, reference: Segmenter) -> None:
    pytest.importorskip("openvino")
    photographs = [np.roll(IMAGE, 9 * number, 1) for number in range(3)]
    plan = Plan(target="openvino", precision="int8")
    report = export(shallow_model(), WORDS, tmp_path, plan, photographs=photographs)
    assert len({case.image for case in report.cases}) == 1 and len(report.cases) == 2 * 3 * 3, (
        "two photographs are compared on"
    )
    exported = Segmenter.from_pretrained(tmp_path)
    assert exported.backend.precision == "int8"
    ours, theirs = (each(IMAGE, "the red circle").prob for each in (exported, reference))
    assert 0 < np.abs(ours - theirs).max() < 0.2


@pytest.mark.parametrize("variant", [*sorted(set(FUSIONS) - {"cme"}), "released"])
def test_every_variant_is_exported(variant: str, tmp_path: Path) -> None:
    if variant == "released":
        config = shallow_config(normalise=True, attend_padding=True, patch_positions=False)
        language = replace(
            config.language,
            padding="left",
            attend_padding=True,
            unknown_row=3,
            reading="literal",
            vocab=len(WORDS) + 2,
        )
        config = replace(
            config,
            language=language,
            decoder=replace(config.decoder, bias=False, head_bias=False, align_corners=True),
            preprocess=replace(config.preprocess, fit="letterbox", place="centre"),
        )
    else:
        config = shallow_config(variant=variant)
    model, words = shallow_model(config), WORDS.of(config.language)
    assert export(model, words, tmp_path, Plan()).holds
    exported, own = Segmenter.from_pretrained(tmp_path), Segmenter(model, words, device="cpu")
    assert exported.tokenizer(["reddish left"]).tolist() == own.tokenizer(["reddish left"]).tolist()
    ours, theirs = (each(IMAGE, "the red circle").prob for each in (exported, own))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


def test_fixed_size(tmp_path: Path) -> None:
    assert export(shallow_model(), WORDS, tmp_path, Plan(dynamic=False)).holds
    exported = Segmenter.from_pretrained(tmp_path)
    assert exported.config.preprocess.fit == "letterbox"
    assert exported(IMAGE, "left").mask.shape == (70, 110)


def test_the_bundled_model(tmp_path: Path) -> None:
    photograph = Path(__file__).parents[2] / "examples" / "coffee.jpg"
    assert main(["export", "--to", "onnx", "--whole", "--out", str(tmp_path), "--photo", str(photograph)]) == 0
    cases = json.loads((tmp_path / "parity.json").read_text())["cases"]
    assert {case["graph"] for case in cases} == {"two graphs", "whole"}
    ours, theirs = (Segmenter.from_pretrained(path)(photograph, "the cup") for path in (tmp_path, None))
    assert (ours.mask == theirs.mask).mean() >= 0.999 and ours.box == theirs.box
