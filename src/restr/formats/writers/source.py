"""The interface of datasets that can be converted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from restr.data.entries.entry import Entry
from restr.data.opener import Opener
from restr.data.sample import Sample

Progress = Callable[[int], None]  # told how many samples are done since the last call


@runtime_checkable
class Source(Protocol):
    """Samples that can be written in another layout: with their entries, and with what opens their image files."""

    @property
    def files(self) -> Opener: ...

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> Sample: ...

    def entry(self, number: int, /) -> Entry: ...
