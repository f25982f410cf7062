"""How sure it is that a cue fits an instance."""

from __future__ import annotations

from enum import IntEnum


class Truth(IntEnum):
    """A three-valued truth; the truth of several cues together is their minimum."""

    NO = -1
    MAYBE = 0
    YES = 1


YES, MAYBE, NO = Truth.YES, Truth.MAYBE, Truth.NO
