"""Measured colours get the names that people would give them."""

from __future__ import annotations

import numpy as np
import pytest

from painted_scenes import PAINT
from restr.grammar.meaning import colours


@pytest.mark.parametrize("name", PAINT)
def test_plain_paint_gets_its_name(name: str):
    image = np.full((20, 20, 3), PAINT[name], np.uint8)
    region = colours.bucket_shares(colours.bucket_map(image), np.ones((20, 20), bool))
    assert colours.dominant(region) == name
    assert not colours.rules_out(region, name)
    assert all(colours.rules_out(region, other) for other in ("green", "red") if other != name)
