"""What a scene shows, measured once: sizes, places, colours and clothes of its instances."""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from restr.grammar.meaning import colours
from restr.grammar.scene import Scene

if TYPE_CHECKING:
    from restr.grammar.meaning.description import Description
    from restr.grammar.meaning.resolve import Candidates

SMALL_SIDE = 128  # relations are measured on masks of about this longest side
COLOUR_SIDE = 256  # and colours on a picture of about this one


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


UPPER = _names(
    "blouse shirt t-shirt top sweater sweatshirt jacket coat blazer vest cardigan jumper hoodie cape suit dress romper "
    "bodysuit"
)
LOWER = _names("skirt pants jeans shorts leggings")
ELSEWHERE = _names(
    "stockings tights socks shoes sandals boots loafers heels pumps sneakers flats wedges clogs hat scarf belt tie "
    "glasses sunglasses gloves necklace bracelet watch ring earrings bra swimwear intimate panties"
)
WORN = UPPER | LOWER | ELSEWHERE
CARRIED = _names("bag purse wallet")  # belong to a person without being part of the mask
BODY = _names("hair skin accessories")
GARMENTS = WORN | CARRIED | BODY
FEMALE = _names("skirt dress bra heels tights pumps stockings blouse romper bodysuit leggings earrings wedges purse")

# Categories that people call by one another's names: each is a rival of the others.
CONFUSABLE: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split(","))
    for names in (
        "table,dining table,desk,counter",
        "bag,purse,handbag,backpack,wallet,suitcase",
        "cup,wine glass,vase",
        "cup,bowl",
        "wine glass,glasses",
        "couch,chair,bench,bed",
        "shirt,t-shirt,top,blouse,sweater,sweatshirt,jumper,cardigan,hoodie,vest,bodysuit",
        "jacket,coat,blazer,suit,cape,cardigan,sweatshirt,hoodie,vest",
        "sweater,coat,jacket",
        "pants,jeans,leggings,tights,stockings,suit",
        "skirt,dress,romper,shorts",
        "shoes,heels,pumps,boots,sandals,sneakers,flats,loafers,wedges,clogs,socks",
        "sunglasses,glasses",
        "necklace,scarf,accessories",
        "bracelet,watch,ring,accessories,gloves",
        "stockings,tights,leggings,socks",
        "light,traffic light",
        "building,house",
        "tree,potted plant,bush",
        "flower,potted plant,vase",
        "wall,wall-tile,wall-wood,wall-brick,wall-stone",
        "floor,floor-wood,rug",
        "road,pavement,platform,floor,dirt,gravel",
        "grass,playingfield",
        "sea,water,river",
        "cabinet,shelf,counter",
        "car,truck,bus",
        "train,bus",
        "bicycle,motorcycle",
        "remote,cell phone",
        "laptop,keyboard",
        "tv,laptop",
        "mountain,rock",
        "snow,ice",
        "sand,dirt",
        "fruit,apple,orange,banana",
        "food,sandwich,pizza,cake,hot dog,donut,carrot,broccoli",
        "sandwich,hot dog",
        "skis,snowboard",
        "surfboard,skateboard",
        "horse,cow",
        "dog,sheep,bear",
        "teddy bear,bear",
        "window,mirror,window-blind",
        "fork,knife,spoon",
        "microwave,oven,toaster",
        "baseball bat,tennis racket",
        "bottle,vase",
        "blanket,towel,curtain,rug",
        "paper,cardboard,book",
        "frisbee,sports ball",
    )
)


@functools.cache
def rivals(category: str) -> frozenset[str]:
    """The categories that somebody might mean by this one's name, itself included."""
    return frozenset({category}).union(*(group for group in CONFUSABLE if category in group))


class SceneFacts:
    """Measurements of one scene; every array has one row an instance, in the scene's order.

    share: area over the image's. box: (n 4) x0 y0 x1 y1; centre: (n 2) x y of the visible pixels' mean; both in
    shares of the image's width and height. contact: (n n) small-mask pixels of j within reach of i.
    """

    def __init__(self, scene: Scene) -> None:
        self.categories = tuple(instance.category for instance in scene.instances)
        self.stuff = tuple(instance.stuff for instance in scene.instances)
        self.owner = tuple(instance.owner for instance in scene.instances)
        self.attributes = tuple(instance.attributes for instance in scene.instances)
        self.complete = scene.complete
        self.source = scene.source
        self.count = len(scene.instances)
        height, width = scene.image.shape[:2]
        self.aspect = width / height
        self._masks = [instance.mask for instance in scene.instances]
        step = max(1, math.ceil(max(height, width) / COLOUR_SIDE))
        self._step = step
        self._buckets = colours.bucket_map(np.ascontiguousarray(scene.image[::step, ::step, :3]))
        self._dim = float(scene.image[::step, ::step, :3].mean()) < colours.DIM
        self._fine = [mask[::step, ::step] for mask in self._masks]
        self._measure(height, width)
        self._shares: dict[tuple[int, str], np.ndarray | None] = {}
        self.garments_of: dict[int, list[int]] = {}
        self.resolved: dict[Description, Candidates] = {}  # filled by resolve.candidates
        for i, owner in enumerate(self.owner):
            if owner is not None:
                self.garments_of.setdefault(owner, []).append(i)

    def _measure(self, height: int, width: int) -> None:
        n = self.count
        self.share = np.zeros(n)
        self.box = np.zeros((n, 4))
        self.centre = np.zeros((n, 2))
        for i, mask in enumerate(self._masks):
            columns, rows = mask.sum(0, dtype=np.int64), mask.sum(1, dtype=np.int64)
            area = int(columns.sum())
            if not area:
                continue
            x, y = np.flatnonzero(columns), np.flatnonzero(rows)
            self.share[i] = area / (height * width)
            self.box[i] = x[0] / width, y[0] / height, (x[-1] + 1) / width, (y[-1] + 1) / height
            self.centre[i] = (
                (columns @ np.arange(width) / area + 0.5) / width,
                (rows @ np.arange(height) / area + 0.5) / height,
            )
        self.size = self.box[:, 2:] - self.box[:, :2]

    @functools.cached_property
    def contact(self) -> np.ndarray:
        """(n n): how many of j's small pixels lie within about 2% of the longest side of i, over j's size."""
        if not self.count:
            return np.zeros((0, 0))
        step = max(1, math.ceil(max(self._masks[0].shape) / SMALL_SIDE))
        small = [np.ascontiguousarray(mask[::step, ::step]) for mask in self._masks]
        flat = np.stack([mask.ravel() for mask in small]).astype(np.float32)
        near = np.stack([_dilate(mask, 2).ravel() for mask in small]).astype(np.float32)
        return (near @ flat.T) / np.maximum(flat.sum(1), 1.0)[None]

    def named(self, names: Iterable[str]) -> tuple[list[int], list[int]]:
        """The instances of these categories, and those that might be called by the same names as well."""
        exact = set(names)
        loose = frozenset().union(*(rivals(name) for name in exact))
        present = [i for i in range(self.count) if self.share[i] > 0]
        certain = [i for i in present if self.categories[i] in exact]
        return certain, [i for i in present if self.categories[i] in loose]

    def noun_of(self, person: int) -> str | None:
        """ "woman" or "man" where this person's clothes say so, else None."""
        worn = {self.categories[i] for i in self.garments_of.get(person, ())}
        if worn & FEMALE:
            return "woman"
        if {"tie", "suit"} <= worn:
            return "man"
        return None

    def dressed(self, person: int) -> bool:
        """Whether this person's clothes have masks of their own."""
        return person in self.garments_of

    def shares(self, i: int, part: str = "whole") -> np.ndarray | None:
        """Colour shares of an instance or, for people without clothing masks, of its "upper", "lower" or "clothes"."""
        key = (i, part)
        if key not in self._shares:
            region = self._fine[i]
            if part != "whole":
                region = region & self._band(i, part)
            self._shares[key] = colours.shares(self._buckets, region)
        return self._shares[key]

    def _band(self, i: int, part: str) -> np.ndarray:
        """Rows of the reduced picture where a person's upper clothes, lower clothes or any clothes should be."""
        y0, y1 = self.box[i, 1], self.box[i, 3]
        low, high = self.bands(i)[part]
        rows = self._buckets.shape[0]
        band = np.zeros((rows, 1), bool)
        band[int((y0 + low * (y1 - y0)) * rows) : math.ceil((y0 + high * (y1 - y0)) * rows)] = True
        return band

    def bands(self, i: int) -> dict[str, tuple[float, float]]:
        """From where to where, in shares of the box's height, a person's upper, lower and all clothes reach."""
        if self.slimness(i) >= 2.0:  # head to foot
            return {"upper": (0.2, 0.46), "lower": (0.58, 0.84), "clothes": (0.17, 0.9)}
        if self.slimness(i) >= 1.2:  # sitting, or cut at the hips
            return {"upper": (0.3, 0.55), "lower": (1.0, 1.0), "clothes": (0.2, 1.0)}
        return {"upper": (0.5, 0.9), "lower": (1.0, 1.0), "clothes": (0.25, 1.0)}

    def slimness(self, i: int) -> float:
        """Height over width of an instance's box, in pixels."""
        return float(self.size[i, 1] / max(self.size[i, 0] * self.aspect, 1e-6))

    def coloured(self, i: int) -> str | None:
        """The colour one would name for this object, or None where the pixels do not say it clearly."""
        return self.attributes[i].get("colour") or self.named_colour(self.shares(i))

    def named_colour(self, shares: np.ndarray | None) -> str | None:
        """The colour that leads in a region, unless the whole picture is too dark to trust it."""
        colour = colours.dominant(shares)
        return None if self._dim and colour in ("black", "brown", "gray") else colour

    def not_coloured(self, i: int, colour: str) -> bool:
        """Whether nobody would give this object that colour."""
        known = self.attributes[i].get("colour")
        return known != colour if known else colours.clearly_not(self.shares(i), colour)


def _dilate(mask: np.ndarray, times: int) -> np.ndarray:
    """The mask grown by that many pixels in the eight directions."""
    grown = mask.copy()
    for _ in range(times):
        tall = grown.copy()
        tall[1:] |= grown[:-1]
        tall[:-1] |= grown[1:]
        grown = tall.copy()
        grown[:, 1:] |= tall[:, :-1]
        grown[:, :-1] |= tall[:, 1:]
    return grown


_cache: weakref.WeakKeyDictionary[Scene, SceneFacts] = weakref.WeakKeyDictionary()


def facts_of(scene: Scene) -> SceneFacts:
    """The scene's facts, measured on first use and kept as long as the scene lives."""
    found = _cache.get(scene)
    if found is None:
        found = _cache[scene] = SceneFacts(scene)
    return found
