"""Shapes in signatures are checked in tests, and cost nothing elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from jaxtyping import TypeCheckError

from restr.model.build import build_model
from restr.nn.attention import Attention
from restr.presets import restr_tiny


def test_a_wrong_shape_is_seen() -> None:
    attention = Attention(8, 2)
    with pytest.raises(TypeCheckError, match="tokens"):
        attention(torch.zeros(2, 3, 8, 1))
    with pytest.raises(TypeCheckError, match="key_mask"):
        attention(torch.zeros(2, 3, 8), torch.ones(2, 1, 1, 4, dtype=torch.bool))
    with pytest.raises(TypeCheckError, match="ids"):
        build_model(restr_tiny()).eval()(torch.zeros(1, 3, 16, 16), torch.zeros(1, 4))


def test_users_need_no_jaxtyping() -> None:
    code = "import sys, restr.model.restr; print(sorted({'jaxtyping', 'beartype'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
