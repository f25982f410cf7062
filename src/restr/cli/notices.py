"""Notices on standard error about a dataset that is opened: what its reader left out, and masks that are all empty."""

from __future__ import annotations

import sys
from typing import TypeVar

from restr.data.dataset import IndexedSamples
from restr.data.entries.left_out import summary
from restr.data.sample import SampleSource
from restr.errors import DatasetError, UnreachableError

_Source = TypeVar("_Source", bound=SampleSource)
LOOKED_AT = 50  # masks; a dataset whose masks are all empty shows in these


def announce(samples: _Source, data: str) -> _Source:
    """Print the notices, one line each; returns ``samples``. data: their spec."""
    if not isinstance(samples, IndexedSamples):  # generated, so nothing was left out
        return samples
    left = summary(samples.left_out())
    if left:
        print(f"{data}: left out {left}; restr data check says which and why", file=sys.stderr)
    looked = empty_masks(samples)
    if looked:
        which = "each mask that names a region" if looked < LOOKED_AT else f"each of the {looked} masks looked at"
        print(
            f"{data}: {which} is empty, so nothing can be learnt or measured; restr data check says more",
            file=sys.stderr,
        )
    return samples


def empty_masks(samples: IndexedSamples) -> int:
    """How many masks were looked at, if all of them are empty although their sentences mean something; else 0.

    Stops at the first mask with a pixel, so that it usually reads one picture.
    """
    looked = 0
    step = max(1, len(samples) // LOOKED_AT)
    for number in range(0, len(samples), step):
        entry = samples.entry(number)
        if not entry.regions:
            continue
        try:
            if samples.sample(entry).mask.any():
                return 0
        except UnreachableError:  # the run itself will report it
            return 0
        except DatasetError:
            continue
        looked += 1
        if looked == LOOKED_AT:
            break
    return looked
