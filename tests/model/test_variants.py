"""One contract for every fusion variant and option: gradients, padding, batches, saving, export, compilation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import torch
from torch import Tensor

from restr.ablation.cost import gmac_of, parameters_of
from restr.config import ClassifierConfig, DecoderConfig, FusionConfig, ModelConfig, TransformerConfig
from restr.config.settings import with_settings
from restr.errors import ConfigError
from restr.inference.backends.patch_cache import CachingModel
from restr.model.build import build_model
from restr.model.fusion import FUSIONS, TwoEncoders
from restr.model.restr import ReSTR
from restr.model.weights import load_pretrained, save_pretrained
from restr.nn.transformer import Block
from restr.presets import PRESETS, restr_released, restr_tiny
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import PADDING, Vocabulary

WORDS = ["left", "right", "dog", "cat", "red"]
TEXTS = ["left dog", "red cat right dog left"]
WIDER = dataclasses.replace(restr_tiny().fusion.linguistic_seed, mlp=100, depth=2)


def with_fusion(**settings: object) -> ModelConfig:
    config = with_vision(restr_tiny(vocab=len(WORDS) + 2), depth=1)
    blocks = dataclasses.replace(config.fusion.visual_linguistic, depth=2)
    fusion = dataclasses.replace(config.fusion, visual_linguistic=blocks, linguistic_seed=blocks, patch_positions=False)
    return dataclasses.replace(config, fusion=dataclasses.replace(fusion, **settings))


def with_vision(config: ModelConfig, *, depth: int, layer_scale: bool = False, **settings: object) -> ModelConfig:
    blocks = dataclasses.replace(config.vision.blocks, depth=depth, layer_scale=layer_scale)
    return dataclasses.replace(config, vision=dataclasses.replace(config.vision, blocks=blocks, **settings))


def with_language(**settings: object) -> ModelConfig:
    config = with_fusion()
    return dataclasses.replace(config, language=dataclasses.replace(config.language, **settings))


def with_post_norm() -> ModelConfig:
    blocks = dataclasses.replace(with_fusion().language.blocks, norm="post", final_norm=False)
    return with_language(blocks=blocks)


def released() -> ModelConfig:
    """All choices of the released program at once, in a small model."""
    config, theirs = with_fusion(), restr_released()

    def small(their: TransformerConfig, our: TransformerConfig) -> TransformerConfig:
        return dataclasses.replace(their, width=our.width, depth=our.depth, heads=our.heads, mlp=our.mlp, drop_path=0.0)

    vision = dataclasses.replace(config.vision, blocks=small(theirs.vision.blocks, config.vision.blocks))
    language = dataclasses.replace(
        theirs.language,
        blocks=small(theirs.language.blocks, config.language.blocks),
        vocab=len(WORDS) + theirs.language.unknown_row + 1,
        vectors=config.language.vectors,
    )
    fusion = dataclasses.replace(
        theirs.fusion,
        visual_linguistic=small(theirs.fusion.visual_linguistic, config.fusion.visual_linguistic),
        linguistic_seed=small(theirs.fusion.linguistic_seed, config.fusion.linguistic_seed),
    )
    preprocess = dataclasses.replace(theirs.preprocess, size=config.preprocess.size)
    return dataclasses.replace(theirs, vision=vision, language=language, fusion=fusion, preprocess=preprocess)


def windowed() -> ModelConfig:
    """Vision and visual-linguistic blocks with windows smaller than the image."""
    config = with_fusion()
    small = {"attention": "windowed", "window": 3, "cells": 2}
    return with_parts(
        vision=dataclasses.replace(config.vision, blocks=dataclasses.replace(config.vision.blocks, **small)),
        fusion=dataclasses.replace(
            config.fusion, visual_linguistic=dataclasses.replace(config.fusion.visual_linguistic, **small)
        ),
    )


def with_parts(**parts: object) -> ModelConfig:
    return dataclasses.replace(with_fusion(), **parts)  # type: ignore[arg-type]


def shrunk(config: ModelConfig) -> ModelConfig:
    """The structure of a preset for 480 pixels at the widths of these tests, with a quarter of its patch side."""
    settings: dict[str, object] = {"vision.patch": config.vision.patch // 4, "vision.grid": 4, "preprocess.size": 64}
    settings |= {"language.vocab": len(WORDS) + 2, "language.vectors": 32, "vision.blocks.drop_path": 0.0}
    for blocks in ("vision.blocks", "language.blocks", "fusion.visual_linguistic", "fusion.linguistic_seed"):
        settings |= {f"{blocks}.width": 32, f"{blocks}.heads": 2, f"{blocks}.mlp": 64, f"{blocks}.window": 3}
        settings |= {f"{blocks}.cells": 2}
    return with_settings(config, settings | {"vision.blocks.depth": 1, "language.blocks.depth": 1})


CONFIGS: dict[str, Callable[[], ModelConfig]] = {
    **{variant: lambda variant=variant: with_fusion(variant=variant) for variant in FUSIONS},
    "cme-dagger-depth": lambda: with_fusion(sharing="depth"),
    **{
        f"{variant}-dagger-encoders": lambda variant=variant: with_fusion(variant=variant, sharing="encoders")
        for variant, kind in FUSIONS.items()
        if issubclass(kind, TwoEncoders)
    },
    "vme-depth": lambda: with_fusion(variant="vme", sharing="depth"),
    "patch-positions": lambda: with_fusion(patch_positions=True),
    "normalised": lambda: with_fusion(normalise=True),
    "attended-padding": lambda: with_language(attend_padding=True, padding="left"),
    "fusion-attended-padding": lambda: with_fusion(attend_padding=True),
    "left-padding": lambda: with_language(padding="left"),
    "learnt-positions": lambda: with_language(positions="learnt"),
    "post-norm": with_post_norm,
    "mapped-classifier": lambda: with_parts(classifier=ClassifierConfig(kind="maps")),
    "masked-by-logit": lambda: with_parts(decoder=DecoderConfig(mask_by="logit")),
    "beside-fused": lambda: with_parts(decoder=DecoderConfig(beside="fused")),
    "aligned-corners": lambda: with_parts(decoder=DecoderConfig(align_corners=True, head_bias=False)),
    "no-decoder-bias": lambda: with_parts(decoder=DecoderConfig(bias=False)),
    "enlarge-first": lambda: with_parts(decoder=DecoderConfig(order="enlarge_first")),
    "tapped-registers": lambda: with_vision(with_fusion(), depth=2, layer_scale=True, taps=(1,), registers=2),
    "windowed": windowed,
    "released": released,
    "no-decoder": lambda: with_parts(decoder=DecoderConfig(kind="none")),
    **{name: lambda name=name: shrunk(PRESETS[name]()) for name in PRESETS if name.startswith("restr_base_")},
}
WINDOWED = {"windowed", "restr_base_p8_windowed"}
SEES_PADDING = {"attended-padding", "released"}


@pytest.fixture(params=CONFIGS, ids=str)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(name: str) -> ReSTR:
    return build_model(CONFIGS[name](), seed=0).eval()


def words(model: ReSTR, texts: list[str] = TEXTS) -> Tensor:
    return torch.from_numpy(Tokenizer.of(vocabulary(model), model.config)(texts))


def vocabulary(model: ReSTR) -> Vocabulary:
    return Vocabulary(WORDS).of(model.config.language)


def images(rows: int = 2) -> Tensor:
    return torch.randn(rows, 3, 16, 24, generator=torch.Generator().manual_seed(1))


def test_the_gradient_reaches_both_encoders_and_the_seed(model: ReSTR) -> None:
    output = model(images(), words(model))
    (output.logits.square().mean() + output.patch_logits.square().mean()).backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # the word table has rows that no sentence uses, but it is reached; the unknown word is not in the sentences
    assert set(unreached) <= {"language.unknown"}


def test_a_batch_of_one_is_a_row_of_a_batch(name: str, model: ReSTR) -> None:
    together = model(images(), words(model))
    one = words(model, TEXTS[:1])  # without the padding that its neighbour needs
    alone = model(images()[:1], one)
    torch.testing.assert_close(together.logits[:1], alone.logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.patch_logits[:1], alone.patch_logits, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_padding_has_no_influence(name: str, model: ReSTR) -> None:
    """Neither the word encoder nor the fusion attends to padding, whatever rows or vectors stand there."""
    ids, image = words(model), model.encode_image(images())
    padding = ids == PADDING
    of_words, of_other = (model.language(each, padding) for each in (ids, ids.masked_fill(padding, 3)))
    heard = not torch.allclose(of_words[~padding], of_other[~padding], atol=1e-6)
    assert heard == model.config.language.attend_padding
    one, two = (model.fusion(image, each, padding) for each in (of_words, of_other))
    heard = not all(torch.allclose(*pair, atol=1e-6) for pair in zip(one, two, strict=True))
    assert heard == (name in SEES_PADDING)


@torch.inference_mode()
def test_the_patch_cache_changes_no_result(name: str) -> None:
    model = build_model(CONFIGS[name](), seed=0).eval()
    tokens, ids, served = model.encode_image(images(1)), words(model), CachingModel(model)
    image = served.precompute(tokens)
    assert (image.attention is None) == (name in WINDOWED)
    found, right = served.segment(image, ids), model.segment(tokens, ids)
    torch.testing.assert_close(found.logits, right.logits, rtol=1e-4, atol=1e-5)
    assert name in WINDOWED or not torch.equal(found.logits, right.logits), "it was computed another way"


def test_sides_matter(model: ReSTR) -> None:
    one, two = (model(images(1), words(model, [text])).logits for text in ("left dog", "right dog"))
    assert not torch.allclose(one, two, atol=1e-6)


def test_saving_and_loading_is_bit_equal(model: ReSTR, tmp_path: Path) -> None:
    save_pretrained(model, vocabulary(model), tmp_path)
    again, words_again = load_pretrained(tmp_path)
    assert again.config == model.config
    assert words_again.words == tuple(WORDS) and words_again.fits(model.config.language)
    assert torch.equal(model(images(), words(model)).logits, again(images(), words(model)).logits)


def test_export_gives_the_same_numbers(model: ReSTR) -> None:
    arguments = (images(), words(model))
    with torch.no_grad():
        expected = model(*arguments)
        exported = torch.export.export(model, arguments).module()(*arguments)
    torch.testing.assert_close(exported.logits, expected.logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", [*FUSIONS, "windowed"])
def test_compile_accepts_the_model(variant: str) -> None:
    model = build_model(CONFIGS[variant](), seed=0).eval()
    with torch.no_grad():
        expected = model(images(), words(model)).logits
        traced = torch.compile(model, backend="eager", fullgraph=True)(images(), words(model)).logits
    torch.testing.assert_close(traced, expected, rtol=1e-4, atol=1e-5)


def test_the_config_names_every_fusion() -> None:
    """The other tests take their variants from ``FUSIONS``: every row computes, explains itself, exports and is cached."""
    named = set(get_args(get_type_hints(FusionConfig)["variant"]))
    assert named == set(FUSIONS), "FUSIONS and the Literal of FusionConfig.variant (config/encoders.py) differ"


def test_shared_weights_are_stored_once() -> None:
    count = {name: sum(p.numel() for p in build_model(CONFIGS[name]()).fusion.parameters()) for name in CONFIGS}
    block = sum(p.numel() for p in Block(with_fusion().fusion.visual_linguistic, 0.0).parameters())
    norm = 2 * with_fusion().fusion.width
    assert count["cme"] - count["cme-dagger-depth"] == 2 * block
    assert count["cme"] - count["cme-dagger-encoders"] == 2 * block + norm
    assert count["vme"] - count["vme-depth"] == 3 * block
    assert count["ime"] == count["cme"] == count["vme"] + norm


def test_the_seed_of_ime_never_sees_the_image() -> None:
    for variant, sees in (("ime", False), ("cme", True), ("vme", True)):
        model = build_model(with_fusion(variant=variant), seed=0).eval()
        seeds = [model(image, words(model)).classifier for image in (images(), images() + 1)]
        assert torch.equal(*seeds) != sees


@pytest.mark.parametrize(("sharing", "millions"), [("none", 129.0), ("depth", 114.8)])
def test_the_released_setting_has_the_published_number_of_parameters(sharing: str, millions: float) -> None:
    config = restr_released()
    config = dataclasses.replace(config, fusion=dataclasses.replace(config.fusion, sharing=sharing))
    assert round(parameters_of(config) / 1e6, 1) == millions


@pytest.mark.parametrize(("order", "giga"), [("enlarge_first", 126.2), ("project_first", 113.4)])
def test_the_released_setting_costs_the_published_multiplications(order: str, giga: float) -> None:
    config = restr_released()
    config = dataclasses.replace(config, decoder=dataclasses.replace(config.decoder, order=order))
    assert round(gmac_of(config), 1) == giga


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"variant": "xme"}, "choose one of cme, ime, vme"),
        ({"sharing": "all"}, "choose one of none, depth, encoders"),
        ({"variant": "vme", "sharing": "encoders"}, "vme has one encoder only"),
        ({"variant": "vme", "linguistic_seed": WIDER}, "vme has one encoder, but .* differ"),
        ({"sharing": "encoders", "linguistic_seed": WIDER}, "make them equal"),
    ],
)
def test_wrong_settings_say_what_is_known(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        with_fusion(**settings)
