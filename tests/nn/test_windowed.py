"""Windowed attention: what each token sees, and where it must equal full attention."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from restr.nn.attention import Attention, Layout
from restr.nn.windowed import WindowedAttention, from_windows, outside, to_cells, to_windows

GRID, BEFORE, AFTER, WIDTH, HEADS = (7, 10), 1, 3, 8, 2
TOKENS = BEFORE + math.prod(GRID) + AFTER
LAYOUT = Layout(BEFORE, GRID)


def pair(window: int, cells: int) -> tuple[Attention, WindowedAttention]:
    full, windowed = Attention(WIDTH, HEADS), WindowedAttention(WIDTH, HEADS, window=window, cells=cells)
    windowed.load_state_dict(full.state_dict())
    return full.double(), windowed.double()


def tokens(rows: int = 2) -> Tensor:
    return torch.randn(rows, TOKENS, WIDTH, dtype=torch.float64)


def mask() -> Tensor:
    found = torch.ones(2, 1, 1, TOKENS, dtype=torch.bool)
    found[1, ..., -2:] = False
    return found


def by_hand(attention: WindowedAttention, z: Tensor, at: int, heard: Tensor) -> Tensor:
    """What the patch at this index mixes, from the description: z (n d), heard bool (n)."""
    h, w = GRID
    q, k, v = attention.qkv(z).view(TOKENS, 3, HEADS, -1).permute(1, 2, 0, 3)  # (heads n d_h)
    row, column = divmod(at, w)
    near = [
        BEFORE + i * w + j
        for i in range(h)
        for j in range(w)
        if (i // attention.window, j // attention.window) == (row // attention.window, column // attention.window)
    ]
    others = [i for i in range(TOKENS) if not BEFORE <= i < BEFORE + h * w and heard[i]]
    keys, values = [k[:, near + others]], [v[:, near + others]]
    scores = [torch.zeros(len(near) + len(others), dtype=z.dtype)]
    cells = attention.cells
    for i in range(cells):
        for j in range(cells):  # the parts of torch's adaptive pooling
            rows = range(i * h // cells, -(-(i + 1) * h // cells))
            columns = range(j * w // cells, -(-(j + 1) * w // cells))
            inside = [BEFORE + r * w + c for r in rows for c in columns]
            unseen = len(set(inside) - set(near)) / len(inside)
            if unseen:
                keys.append(k[:, inside].mean(1, keepdim=True))
                values.append(v[:, inside].mean(1, keepdim=True))
                scores.append(torch.full((1,), math.log(unseen * h * w / cells**2), dtype=z.dtype))
    weights = torch.einsum("kd,knd->kn", q[:, BEFORE + at], torch.cat(keys, 1)) / math.sqrt(q.shape[2])
    weights = (weights + torch.cat(scores)).softmax(1)
    return attention.proj(torch.einsum("kn,knd->kd", weights, torch.cat(values, 1)).flatten())


@pytest.mark.parametrize("at", [0, 9, 24, 42, 69])
def test_a_patch_sees_its_window_the_words_and_the_cells(at: int) -> None:
    _, windowed = pair(4, 3)
    z = tokens()
    mixed = windowed(z, mask(), LAYOUT)
    for row in range(2):
        expected = by_hand(windowed, z[row], at, mask()[row, 0, 0])
        torch.testing.assert_close(mixed[row, BEFORE + at], expected)


def test_words_and_class_token_see_everything() -> None:
    full, windowed = pair(4, 3)
    z = tokens()
    others = [0, *range(TOKENS - AFTER, TOKENS)]
    torch.testing.assert_close(windowed(z, mask(), LAYOUT)[:, others], full(z, mask())[:, others])


def test_an_image_of_one_window_gets_full_attention() -> None:
    full, windowed = pair(10, 3)
    z = tokens()
    torch.testing.assert_close(windowed(z, mask(), LAYOUT), full(z, mask()))
    torch.testing.assert_close(windowed(z, mask()), full(z, mask()))


@pytest.mark.parametrize(("window", "cells"), [(1, 1), (4, 3), (4, 2), (3, 10)])
def test_equal_patches_weigh_as_much_as_in_full_attention(window: int, cells: int) -> None:
    """Where the patches of a cell are alike, a cell stands for them exactly: every patch is counted once."""
    full, windowed = pair(window, cells)
    z = tokens(1)
    z[:, BEFORE : BEFORE + math.prod(GRID)] = z[:, BEFORE : BEFORE + 1]
    difference = (windowed(z, None, LAYOUT) - full(z)).abs().max() / full(z).abs().max()
    assert difference < 0.02


def test_cells_of_one_patch_give_full_attention() -> None:
    """A cell inside the window is not seen twice, one outside it is the patch itself."""
    full, windowed = pair(4, max(GRID))
    z = tokens()
    torch.testing.assert_close(windowed(z, mask(), LAYOUT), full(z, mask()))


def test_each_patch_is_in_the_window_or_in_the_cells() -> None:
    counts = outside((6, 9), 3, 3)
    assert counts.shape == (6, 1, 1, 9)
    assert counts.sum(3).unique().tolist() == [6 * 9 - 3 * 3]
    assert counts[0, 0, 0].tolist() == [0, 6, 6, 3, 6, 6, 6, 6, 6]


@pytest.mark.parametrize("window", [1, 3, 4, 7])
def test_windows_come_back_in_their_places(window: int) -> None:
    patches = torch.randn(2, HEADS, math.prod(GRID), 4)
    parts, inside = to_windows(patches, GRID, window)
    assert torch.equal(from_windows(parts, GRID, window), patches)
    assert int(inside.sum()) == math.prod(GRID)
    assert len(parts) == 2 * len(inside)


def test_cells_are_means() -> None:
    patches = torch.arange(70.0).view(1, 1, 70, 1)
    cells = to_cells(patches, GRID, 1)
    assert cells.shape == (1, 1, 1, 1) and cells.item() == pytest.approx(34.5)
    assert to_cells(patches, GRID, 20).shape == (1, 1, 70, 1)  # never finer than the patches


def test_padding_is_not_heard() -> None:
    _, windowed = pair(4, 3)
    z, other = tokens(), tokens()
    other[0], other[1, : TOKENS - 2] = z[0], z[1, : TOKENS - 2]
    one, two = windowed(z, mask(), LAYOUT), windowed(other, mask(), LAYOUT)
    torch.testing.assert_close(one[0], two[0])
    torch.testing.assert_close(one[1, : TOKENS - 2], two[1, : TOKENS - 2])
