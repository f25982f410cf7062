"""The meaning of a sentence before it is put into words, shared by generator, wording and checker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["left", "right", "top", "bottom", "middle", "front", "back",
               "top left", "top right", "bottom left", "bottom right"]  # fmt: skip
Size = Literal["big", "small", "tall", "short", "wide", "thin"]
RelationName = Literal["next to", "on", "under", "above", "below", "behind", "in front of", "holding", "held by",
                       "riding", "ridden by", "between", "left of", "right of", "wearing", "of", "with"]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Garment:
    """A piece of clothing or a carried bag that tells a person apart."""

    category: str | None = None
    """None: only the colour of the clothes is known ("woman in red")."""

    colour: str | None = None
    """None: only the piece is named ("guy with the hat")."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A relation of the described object to others."""

    name: RelationName
    """Holds between the described object and each of ``others``."""

    others: tuple[Description, ...]
    """Two for "between", else one."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """A referring description: a kind of thing, and the cues that tell the meant one apart."""

    category: str
    """A category of the dataset ("person", "skirt", "sky") or a general term of ``lexicon.HYPERNYMS`` ("animal")."""

    noun: str | None = None
    """The exact noun, where it matters ("woman" in a street photograph whose clothes say so). None: any synonym."""

    colour: str | None = None
    """The colour of the object itself."""

    size: Size | None = None
    """Compared with the others of its kind."""

    superlative: bool = False
    """The most so of its kind: "biggest", "tallest", "closest" (side "front")."""

    side: Side | None = None
    """The place in the image."""

    extreme: bool = False
    """The furthest one on that side: "far left"."""

    ordinal: tuple[int, Side] | None = None
    """(k, side): the k-th counted from that side, k from 1."""

    garments: tuple[Garment, ...] = ()
    """Worn or carried; only of persons."""

    relation: Relation | None = None
    """To another object."""

    plural: int = 0
    """0: one object. n >= 2: n objects, all of their kind; the mask is their union ("the two dogs")."""

    part_of: Description | None = None
    """The person to whom this garment or body part belongs ("her hat")."""

    negated: bool = False
    """The other one of two: "not the red one"."""


@dataclass(frozen=True)
class Matches:
    """The instances of a scene that a description can mean, as indices in ``Scene.instances``."""

    certain: tuple[int, ...]
    """They fit without doubt."""

    possible: tuple[int, ...]
    """The certain and the doubtful ones (``resolve.UNSEEN`` may be among them)."""

    @property
    def single(self) -> int | None:
        """The one instance that is meant; None if nothing fits or a doubt remains."""
        return self.certain[0] if len(self.possible) == 1 and self.certain == self.possible else None


@dataclass(frozen=True)
class Proposal:
    """A description to say of a scene."""

    description: Description
    """The meaning."""

    targets: tuple[int, ...]
    """The instances that it names: indices in ``Scene.instances``, none if it names nothing."""

    kind: str
    """The cue that it relies on: a key of ``generate.KIND_WEIGHTS``, or "none" if it names nothing."""

    weight: float = 1.0
    """How readily people say it, relative to others of its kind."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A sentence and its meaning."""

    text: str
    """The words."""

    description: Description
    """The meaning."""

    targets: tuple[int, ...]
    """The instances whose union it names, as in ``Proposal``."""

    kind: str
    """As in ``Proposal``."""
