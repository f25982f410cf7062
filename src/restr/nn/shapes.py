"""Shapes in signatures: ``Float[Tensor, "b n d"]``, in the letters of the paper. Only the tests check them.

b: batch. n: patches, or tokens in general. h, w: patch grid. H, W: image. l: words. d: token width; D: the fusion's.
Without jaxtyping, or outside the tests, these names are never evaluated and cost nothing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Int
else:
    Bool = Float = Int = None

__all__ = ["Bool", "Float", "Int"]
