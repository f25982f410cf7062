"""Attention, Transformer, patches and positions, each against an independent way to compute the same."""

import torch
import torch.nn.functional as F

from restr.config import TransformerConfig
from restr.nn.attention import Attention
from restr.nn.patches import PatchEmbed, resample_patch_embedding, resize_positions
from restr.nn.positions import FOURIER_FEATURES, fourier_positions, sinusoidal_positions
from restr.nn.transformer import DropPath, Transformer

BLOCKS = TransformerConfig(width=16, depth=2, heads=4, mlp=32)


def test_attention_is_softmax_of_scaled_products() -> None:
    attention = Attention(16, 4).double()
    tokens = torch.randn(2, 5, 16, dtype=torch.double)
    q, k, v = attention.qkv(tokens).chunk(3, dim=-1)
    heads = []
    for i in range(4):
        part = slice(4 * i, 4 * i + 4)
        weights = torch.softmax(q[..., part] @ k[..., part].transpose(1, 2) / 4**0.5, dim=-1)
        heads.append(weights @ v[..., part])
    torch.testing.assert_close(attention(tokens), attention.proj(torch.cat(heads, dim=-1)))


def test_padding_never_changes_a_result() -> None:
    encoder = Transformer(BLOCKS).double().eval()
    tokens = torch.randn(2, 5, 16, dtype=torch.double)
    padded = torch.cat([tokens, torch.randn(2, 3, 16, dtype=torch.double) * 100], dim=1)
    padding = torch.tensor([[False] * 5 + [True] * 3] * 2)
    torch.testing.assert_close(encoder(padded, padding)[:, :5], encoder(tokens))


def test_a_patch_embedding_is_a_convolution_with_stride() -> None:
    embed = PatchEmbed(4, 16).double()
    image = torch.randn(2, 3, 8, 12, dtype=torch.double)
    expected = F.conv2d(image, embed.proj.weight, embed.proj.bias, stride=4).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embed(image), expected)


def test_a_resampled_patch_embedding_gives_a_resized_patch_the_same_token() -> None:
    weight = torch.randn(6, 3, 14, 14, dtype=torch.double)
    patch = torch.randn(5, 3, 14, 14, dtype=torch.double)
    larger = F.interpolate(patch, size=(16, 16), mode="bicubic", align_corners=False)
    before = torch.einsum("dchw,bchw->bd", weight, patch)
    after = torch.einsum("dchw,bchw->bd", resample_patch_embedding(weight, 16), larger)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)


def test_positions_keep_their_grid_and_follow_it() -> None:
    positions = torch.arange(9.0).view(1, 9, 1)
    assert resize_positions(positions, (3, 3)) is positions
    resized = resize_positions(positions, (6, 3)).view(6, 3)
    assert resized.shape == (6, 3)
    assert (resized.diff(dim=0) > 0).all() and (resized.diff(dim=1) > 0).all()


def test_sinusoids_are_those_of_the_transformer() -> None:
    table = sinusoidal_positions(7, 10)
    assert table.shape == (7, 10)
    torch.testing.assert_close(table[3, 4], torch.sin(torch.tensor(3 / 10_000 ** (4 / 10))))
    torch.testing.assert_close(table[3, 5], torch.cos(torch.tensor(3 / 10_000 ** (4 / 10))))


def test_places_are_measured_against_the_image() -> None:
    coarse, fine = fourier_positions((2, 2)), fourier_positions((4, 6))
    assert coarse.shape == (4, FOURIER_FEATURES) and fine.shape == (24, FOURIER_FEATURES)
    torch.testing.assert_close(coarse[0, :2], torch.tensor([-0.5, -0.5]))
    torch.testing.assert_close(fine[:, :2].view(4, 6, 2)[1:3, 2:4].mean((0, 1)), torch.zeros(2), atol=1e-6, rtol=0)
    assert (fine[:, 1].view(4, 6).diff(dim=1) > 0).all()  # x grows to the right


def test_drop_path_keeps_the_mean_and_does_nothing_in_eval() -> None:
    drop = DropPath(0.25)
    branch = torch.ones(20_000, 1, 1)
    dropped = drop(branch)
    assert set(dropped.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs(dropped.mean().item() - 1) < 0.03
    assert drop.eval()(branch) is branch
