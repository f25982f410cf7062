"""The contract of every preset's model: shapes, padding, batches, gradients; and the parts against the paper's text."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from restr.config import ModelConfig
from restr.errors import ConfigError, ImageError
from restr.losses import dice_loss, focal_bce, near_boundary, segmentation_loss
from restr.model.build import build_model
from restr.model.decoder import Decoder, PatchScores, Upsample
from restr.model.fusion import ImageTokens
from restr.model.restr import ReSTR, ReSTROutput
from restr.model.vision import PatchFeatures, VisionEncoder
from restr.presets import restr_base, restr_small, restr_tiny

IDS = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]])


def shallow(config: ModelConfig) -> ModelConfig:
    """The preset with as few vision blocks as its taps allow: its structure without its cost."""
    blocks = dataclasses.replace(config.vision.blocks, depth=max(config.vision.taps, default=0) + 1)
    language = dataclasses.replace(config.language, vocab=12)
    return dataclasses.replace(config, vision=dataclasses.replace(config.vision, blocks=blocks), language=language)


@pytest.fixture(params=[restr_tiny, restr_small, restr_base], ids=lambda preset: preset.__name__)
def model(request: pytest.FixtureRequest) -> ReSTR:
    return build_model(shallow(request.param()), seed=0).eval()


def images(model: ReSTR, rows: int = 2) -> Tensor:
    patch = model.config.vision.patch
    return torch.randn(rows, 3, 2 * patch, 3 * patch, generator=torch.Generator().manual_seed(1))


def test_shapes(model: ReSTR) -> None:
    image = images(model)
    output = model(image, IDS)
    assert output.grid == (2, 3)
    assert output.logits.shape == (2, 1, *image.shape[-2:])
    assert output.patch_logits.shape == (2, 6)


def test_padding_and_neighbours_in_the_batch_change_nothing(model: ReSTR) -> None:
    image = images(model)
    together = model(image, IDS)
    alone = model(image[1:], IDS[1:, :2])
    torch.testing.assert_close(together.logits[1:], alone.logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.patch_logits[1:], alone.patch_logits, rtol=1e-4, atol=1e-5)


def test_one_image_meets_many_sentences(model: ReSTR) -> None:
    image = images(model, rows=1)
    once = model.segment(model.encode_image(image), IDS)
    repeated = model(image.expand(2, -1, -1, -1), IDS)
    torch.testing.assert_close(once.logits, repeated.logits, rtol=1e-4, atol=1e-5)


def test_the_words_decide(model: ReSTR) -> None:
    image = images(model)
    assert not torch.allclose(model(image, IDS).logits, model(image, IDS + 1).logits)


def test_every_trainable_weight_gets_a_gradient(model: ReSTR) -> None:
    model.train()
    ids = torch.tensor([[2, 1, 4, 5], [6, 7, 0, 0]])  # 1: the unknown word, whose vector is learnt too
    output = model(images(model), ids)
    segmentation_loss(output, torch.ones_like(output.logits), dice_weight=1.0).total.backward()
    without = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert not without
    frozen = {name.split(".")[0] for name, p in model.named_parameters() if not p.requires_grad}
    assert ("vision" in frozen) == model.config.vision.frozen


def test_a_frozen_encoder_stays_in_eval_mode() -> None:
    model = build_model(shallow(restr_small()), seed=0).train()
    assert model.training and not model.vision.training


def test_a_size_that_the_patch_does_not_divide_is_refused(model: ReSTR) -> None:
    patch = model.config.vision.patch
    with pytest.raises(ImageError, match=f"multiples of the patch, {patch}"):
        model.encode_image(torch.zeros(1, 3, patch, patch + 1))


def test_a_seed_gives_the_same_weights_and_leaves_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    first, second = (build_model(restr_tiny(), seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(before, torch.random.get_rng_state())


def test_positions_follow_the_weights_however_they_change() -> None:
    vision = build_model(shallow(restr_small()), seed=0).eval().vision
    before = vision.positions((2, 3)).clone()
    assert vision.positions((2, 3)) is vision.positions((2, 3))
    state = vision.state_dict()
    state["pos_embed"] = state["pos_embed"] + 1
    vision.load_state_dict(state)
    torch.testing.assert_close(vision.positions((2, 3)), before + 1)
    with torch.no_grad():
        vision.pos_embed.add_(1)
    torch.testing.assert_close(vision.positions((2, 3)), before + 2)
    assert vision.double().positions((2, 3)).dtype == torch.float64


def test_projecting_first_equals_upsampling_first() -> None:
    """The decoder's order is the paper's, commuted: the same numbers for a quarter of the multiplications."""
    config = restr_tiny()
    decoder = Decoder(config.decoder, 16, 3).double()
    patches, patch_logits = torch.randn(2, 6, 16).double(), torch.randn(2, 6).double()
    features = torch.cat([patches, patches * patch_logits.sigmoid()[..., None]], dim=-1)
    features = features.transpose(1, 2).unflatten(2, (2, 3))
    for block in decoder.blocks:
        assert isinstance(block, Upsample)
        features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
        features = torch.einsum("bchw,dc->bdhw", features, block.proj.weight) + block.proj.bias[:, None, None]
        features = F.leaky_relu(features, config.decoder.negative_slope)
    expected = torch.einsum("bchw,c->bhw", features, decoder.head.weight[0])[:, None] + decoder.head.bias
    torch.testing.assert_close(
        decoder(ImageTokens(patches, (2, 3)), patches, PatchScores(patch_logits, patches)), expected
    )


def test_coarse_logits_are_near_the_full_ones() -> None:
    decoder = Decoder(restr_tiny().decoder, 16, 3)
    patches, patch_logits = torch.randn(1, 6, 16), torch.randn(1, 6)
    full = decoder(ImageTokens(patches, (2, 3)), patches, PatchScores(patch_logits, patches))
    decoder.coarse = 1
    coarse = decoder(ImageTokens(patches, (2, 3)), patches, PatchScores(patch_logits, patches))
    assert coarse.shape == (1, 1, 8, 12)
    assert F.mse_loss(F.avg_pool2d(full, 2), coarse) < 0.05 * full.var()


def output(logits: Tensor, patch_logits: Tensor) -> ReSTROutput:
    return ReSTROutput(logits, patch_logits, (2, 2))


def test_the_loss_is_bce_plus_a_tenth_of_the_patches_bce() -> None:
    logits, patch_logits = torch.randn(1, 1, 4, 4), torch.randn(1, 4)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :2] = 1  # one whole patch ...
    mask[..., 3, 3] = 1  # ... and a quarter of another, below the paper's share of 0.8
    terms = segmentation_loss(output(logits, patch_logits), mask)
    p = logits.sigmoid()
    bce = -(mask * p.log() + (1 - mask) * (1 - p).log()).mean()
    labels = torch.tensor([[1.0, 0, 0, 0]])
    patch = -(labels * patch_logits.sigmoid().log() + (1 - labels) * (1 - patch_logits.sigmoid()).log()).mean()
    torch.testing.assert_close(terms.total, bce + 0.1 * patch)
    soft = segmentation_loss(output(logits, patch_logits), mask, patch_share=None)
    shares = torch.tensor([[1.0, 0, 0, 0.25]])
    torch.testing.assert_close(soft.patch, F.binary_cross_entropy_with_logits(patch_logits, shares))


def test_dice_counts_every_mask_alike() -> None:
    target = torch.zeros(2, 1, 10, 10)
    target[0, :, :1, :1] = target[1, :, :9, :9] = 1
    right, wrong = (target - 0.5) * 100, (0.5 - target) * 100
    assert dice_loss(right, target) < 1e-3
    assert dice_loss(wrong, target) > 0.7
    torch.testing.assert_close(dice_loss(right, target), torch.zeros(()), atol=1e-3, rtol=0)


def test_features_of_a_bfloat16_cache_are_welcome() -> None:
    model = build_model(shallow(restr_small()), seed=0).eval()
    features = model.vision(images(model))
    half = PatchFeatures(features.patches.half().float(), features.grid)
    exact, cached = (model.segment(model.project(each), IDS).logits for each in (features, half))
    torch.testing.assert_close(exact, cached, rtol=0.02, atol=0.02)


def test_taps_stand_beside_the_last_block_and_change_nothing_of_it() -> None:
    config = restr_tiny().vision
    plain, tapped = VisionEncoder(config).eval(), VisionEncoder(dataclasses.replace(config, taps=(1, 2))).eval()
    tapped.load_state_dict(plain.state_dict())  # a tap has no weights
    image = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    seen: list[Tensor] = []
    plain.blocks[1].register_forward_hook(lambda block, inputs, output: seen.append(output[:, 1:]))
    width = config.blocks.width
    last, tokens = plain(image).patches, tapped(image).patches
    assert tokens.shape[-1] == tapped.config.width_out == 3 * width
    assert torch.equal(tokens[..., :width], last)
    torch.testing.assert_close(tokens[..., 2 * width :], F.layer_norm(seen[0], (width,)))


@pytest.mark.parametrize("taps", [(0,), (3,), (2, 1), (1, 1)])
def test_taps_must_be_depths_in_order(taps: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="depths between 1 and 2"):
        dataclasses.replace(restr_tiny().vision, taps=taps)


def test_the_losses_options_do_what_they_say() -> None:
    logits = torch.tensor([[[[4.0, 4.0], [-4.0, 4.0]]]])
    mask = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])  # one pixel is wrong
    result = ReSTROutput(logits, torch.zeros(1, 4), (2, 2))

    def mask_loss(**settings: float) -> float:
        return segmentation_loss(result, mask, **settings).mask.item()  # type: ignore[arg-type]

    wrong, right = F.softplus(torch.tensor(4.0)).item(), F.softplus(torch.tensor(-4.0)).item()
    p_wrong = 1 / (1 + math.exp(-4))
    assert mask_loss() == pytest.approx((wrong + 3 * right) / 4)
    assert mask_loss(focal_gamma=2.0) == pytest.approx(
        (wrong * p_wrong**2 + 3 * right * (1 - p_wrong) ** 2) / 4, rel=1e-4
    )
    assert mask_loss(smoothing=0.1) == pytest.approx(0.95 * mask_loss() + 0.05 * (3 * wrong + right) / 4)


def test_the_boundary_is_where_both_labels_are_near() -> None:
    target = torch.zeros(1, 1, 1, 12)
    target[..., 6:] = 1
    assert near_boundary(target)[0, 0, 0].nonzero().flatten().tolist() == [4, 5, 6, 7]

    logits = torch.full((1, 1, 1, 12), 2.0)  # wrong on the first six, four of the twelve count six times as much
    wrong, right = F.softplus(torch.tensor(2.0)).item(), F.softplus(torch.tensor(-2.0)).item()
    result = ReSTROutput(logits, torch.zeros(1, 3), (1, 3))
    weighted = segmentation_loss(result, target, boundary_weight=5.0).mask.item()
    far = target.clone()
    far[..., 6:8] = 0  # the outline moves; two far pixels change sides
    assert weighted == pytest.approx((4 + 2 * 6) * (wrong + right) / (8 + 4 * 6))
    assert segmentation_loss(result, far, boundary_weight=5.0).mask.item() == pytest.approx(
        ((6 + 2 * 6) * wrong + (2 + 2 * 6) * right) / (8 + 4 * 6)
    )


def test_the_focal_loss_has_a_slope_where_a_pixel_is_certain() -> None:
    logits = torch.tensor([200.0, -200.0], requires_grad=True)
    focal_bce(logits, torch.tensor([1.0, 0.0]), 0.5).sum().backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_a_model_built_in_inference_mode_works() -> None:
    with torch.inference_mode():
        encoder = VisionEncoder(restr_tiny().vision).eval()
        assert encoder(torch.randn(1, 3, 64, 32)).grid == (64 // encoder.config.patch, 32 // encoder.config.patch)
