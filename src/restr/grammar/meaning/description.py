"""What a sentence says, before it is worded: the meaning that generator, wording and checker share."""

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
    """A piece of clothing or a carried bag that tells a person apart. category None: colour of the clothes only
    ("woman in red"); colour None: the piece only ("guy with the hat")."""

    category: str | None = None
    colour: str | None = None


@dataclass(frozen=True, kw_only=True)
class Relation:
    """``name`` holds between the described object and each of ``others`` (two for "between", else one)."""

    name: RelationName
    others: tuple[Description, ...]


@dataclass(frozen=True, kw_only=True)
class Description:
    """A referring description: a noun concept and what tells the referent apart.

    category: the dataset's category ("person", "skirt", "sky"), or a hypernym of ``lexicon.HYPERNYMS`` ("animal",
    "vehicle", "food", "fruit", "thing"). noun: the exact noun to use where it matters ("woman" for a street
    photograph whose clothes say so), else None and the wording picks a synonym. side: absolute position;
    extreme: the furthest one ("far left"). ordinal: (k, side): k-th counted from that side, k from 1. superlative:
    the most so among its category ("biggest", "tallest", "closest" = front). plural: all of them at once
    ("the two dogs", "all the people"): the mask is the union. garments: for persons. relation: to another object.
    colour: of the object itself. part_of: the description's object is a garment or part of that person ("her hat").
    """

    category: str
    noun: str | None = None
    colour: str | None = None
    size: Size | None = None
    superlative: bool = False
    side: Side | None = None
    extreme: bool = False
    ordinal: tuple[int, Side] | None = None
    garments: tuple[Garment, ...] = ()
    relation: Relation | None = None
    plural: int = 0  # 0: one; n >= 2: that many, all of them
    part_of: Description | None = None
    negated: bool = False  # "not the red one": the other of two


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A sentence, its meaning, and the instances (indices in ``Scene.instances``) whose union it names."""

    text: str
    description: Description
    targets: tuple[int, ...]
    kind: str  # of generate.WEIGHTS ("category", "position", "colour", ...), or "none" where it names nothing
