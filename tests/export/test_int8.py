"""int8 knows from facts how to round what enters a matrix product: recorded, stored, and in the graphs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from restr.cli.main import main
from restr.errors import ConfigError, WeightsError
from restr.export.activations import (
    INT8_FACTS,
    RoundedInput,
    int8_facts_of,
    products,
    read_int8_facts,
    record_inputs,
    save_int8_facts,
)
from restr.export.int8 import RoundTo8Bits, round_products
from restr.export.rewriting import for_runtimes
from restr.inference.locate import model_folder
from restr.model.restr import ReSTR
from restr.model.weights import load_pretrained, save_pretrained
from small_exports import WORDS, shallow_model, with_presence


def examples(count: int = 4) -> list[tuple[Tensor, Tensor]]:
    rng = torch.Generator().manual_seed(0)
    return [
        (torch.randn(1, 3, 64, 64, generator=rng), torch.randint(2, len(WORDS), (1, 4), generator=rng))
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def model() -> ReSTR:
    return shallow_model(with_presence(0.0))


@pytest.fixture(scope="module")
def inputs(model: ReSTR) -> dict[str, RoundedInput]:
    return record_inputs(for_runtimes(model), examples())


def test_every_product_is_recorded_once(model: ReSTR, inputs: dict[str, RoundedInput]) -> None:
    rewritten = for_runtimes(model)
    names = list(products(rewritten))
    assert sorted(key for key in inputs if not key.endswith(".out")) == sorted(first for first, *_ in names)
    assert ("vision.blocks.0.attn.q", "vision.blocks.0.attn.k", "vision.blocks.0.attn.v") in names
    assert {"vision.blocks.0.attn.q.out", "vision.blocks.0.attn.k.out"} <= set(inputs)
    layers = {layer for each in names for layer in each}
    for name, module in rewritten.named_modules():
        if isinstance(module, torch.nn.Linear) and module.weight.numel() >= 1024:
            assert name in layers


def test_ranges_hold_what_was_seen(model: ReSTR, inputs: dict[str, RoundedInput]) -> None:
    rewritten, seen = for_runtimes(model), []
    rewritten.get_submodule("vision.blocks.0.mlp.fc2").register_forward_hook(
        lambda m, given, out: seen.append(given[0])
    )
    with torch.inference_mode():
        for image, ids in examples():
            rewritten(image, ids)
    how = inputs["vision.blocks.0.mlp.fc2"]
    scaled = torch.cat(seen).flatten(0, 1) / how.factors
    assert (how.low, how.high) == pytest.approx((float(scaled.min()), float(scaled.max())), rel=1e-5)
    torch.testing.assert_close(how.mean, scaled.mean(0), rtol=0.07, atol=0.01)
    assert how.low < 0 < how.high, "GELU's small negative side and its large positive one"


def test_rounding_has_255_steps_from_low_to_high() -> None:
    round_to = RoundTo8Bits(RoundedInput(torch.tensor([2.0, 1.0]), torch.zeros(2), -0.5, 2.0))
    rounded = round_to(torch.tensor([[4.0, -0.5], [9.0, -3.0], [0.0, 0.0041]]))
    torch.testing.assert_close(rounded, torch.tensor([[2.0, -0.5], [2.0, -0.5], [0.0, 0.0]]))
    symmetric = RoundTo8Bits(RoundedInput(torch.empty(0), torch.empty(0), -2.54, 2.54))
    torch.testing.assert_close(symmetric(torch.tensor([0.021, -9.0, 9.0])), torch.tensor([0.02, -2.56, 2.54]))


def test_factors_alone_change_nothing(model: ReSTR, inputs: dict[str, RoundedInput]) -> None:
    """With ranges so fine that nothing is rounded, the model is the one before."""
    scaled, (image, ids) = for_runtimes(model), examples(1)[0]
    round_products(scaled, {name: each._replace(mean=torch.empty(0)) for name, each in inputs.items()})
    for module in scaled.modules():
        if isinstance(module, RoundTo8Bits):
            inverse = module.inverse
            module.forward = (lambda x: x) if inverse is None else (lambda x, inverse=inverse: x * inverse)  # type: ignore[method-assign]
    with torch.inference_mode():
        torch.testing.assert_close(scaled(image, ids).logits, model(image, ids).logits, atol=1e-4, rtol=1e-4)


def test_rounding_stays_near(model: ReSTR, inputs: dict[str, RoundedInput]) -> None:
    rounded, (image, ids) = for_runtimes(model), examples(1)[0]
    round_products(rounded, inputs)
    with torch.inference_mode():
        ours, theirs = rounded(image, ids).logits, model(image, ids).logits
    assert 0 < (ours - theirs).abs().mean() < 0.2 * theirs.std()


def test_facts_of_another_model_are_refused(model: ReSTR, inputs: dict[str, RoundedInput]) -> None:
    name = "vision.blocks.0.mlp.fc2"
    with pytest.raises(WeightsError, match=r"are for 3 channels, the layer has \(\d+,\)"):
        round_products(for_runtimes(model), {name: inputs[name]._replace(factors=torch.ones(3))})


def test_facts_are_kept_beside_their_weights(model: ReSTR, inputs: dict[str, RoundedInput], tmp_path: Path) -> None:
    save_pretrained(model, WORDS, tmp_path)
    with pytest.raises(ConfigError, match=r"has no int8\.safetensors.*--photo DIR"):
        int8_facts_of(tmp_path)
    save_int8_facts(inputs, tmp_path)
    again = read_int8_facts(tmp_path)
    assert again.keys() == inputs.keys()
    for name, each in inputs.items():
        torch.testing.assert_close(again[name].factors, each.factors, rtol=0, atol=0)
        torch.testing.assert_close(again[name].mean, each.mean, rtol=0, atol=0)
        np.testing.assert_allclose(again[name][2:], each[2:], rtol=1e-6)

    kept = (tmp_path / INT8_FACTS).read_bytes()
    (tmp_path / INT8_FACTS).write_bytes(kept[:100])
    with pytest.raises(WeightsError, match="cannot be read"):
        read_int8_facts(tmp_path)
    save_file({"x": torch.zeros(1)}, tmp_path / INT8_FACTS, {"format": "99"})
    with pytest.raises(WeightsError, match="has format 99; this restr reads 1"):
        read_int8_facts(tmp_path)
    (tmp_path / INT8_FACTS).write_bytes(kept)
    other = shallow_model(replace(model.config, name="other"))
    with torch.no_grad():
        next(other.parameters()).add_(1)
    save_pretrained(other, WORDS, tmp_path)
    with pytest.raises(WeightsError, match="belongs to other weights"):
        read_int8_facts(tmp_path)


def test_the_bundled_facts_fit_the_bundled_weights() -> None:
    folder = model_folder(None)
    inputs = read_int8_facts(folder)
    assert (folder / INT8_FACTS).stat().st_size < 200_000
    with safe_open(folder / INT8_FACTS, "pt") as file:
        assert file.metadata()["format"] == "1"
    rewritten = for_runtimes(load_pretrained(folder)[0])
    round_products(rewritten, inputs)
    assert sum(isinstance(module, RoundTo8Bits) for module in rewritten.modules()) == len(inputs)


@pytest.mark.slow
def test_the_bundled_model_in_int8_needs_no_photographs(tmp_path: Path) -> None:
    """And agrees with itself in fp32 on the example photographs."""
    pytest.importorskip("openvino")
    from restr import Segmenter

    assert main(["export", "--to", "openvino", "--int8", "--out", str(tmp_path)]) == 0
    ours, theirs = Segmenter.from_pretrained(tmp_path), Segmenter.from_pretrained(device="cpu")
    assert ours.backend.precision == "int8"
    pictures = Path(__file__).parents[2] / "examples"
    for name, text in (("coffee.jpg", "the cup"), ("chelsea.jpg", "the cat"), ("astronaut.jpg", "the woman")):
        mine, other = (each(pictures / name, text).mask for each in (ours, theirs))
        assert (mine & other).sum() / (mine | other).sum() > 0.9, name
