"""Sets of categories: which belong to a person, which share a name, and what people do with them."""

from __future__ import annotations

import functools

from restr.grammar.words.choices import word_set

# --- what belongs to a person, in street photographs -----------------------------------------------------------------

UPPER_CLOTHES = word_set("""
    blouse shirt t-shirt top sweater sweatshirt jacket coat blazer vest cardigan jumper hoodie cape suit dress romper
    bodysuit
""")
LOWER_CLOTHES = word_set("skirt pants jeans shorts leggings")
CLOTHES = (
    UPPER_CLOTHES
    | LOWER_CLOTHES
    | word_set("""
        stockings tights socks shoes sandals boots loafers heels pumps sneakers flats wedges clogs hat scarf belt tie
        glasses sunglasses gloves necklace bracelet watch ring earrings bra swimwear intimate panties
    """)
)
WORN_ACCESSORIES = word_set("hat glasses sunglasses scarf belt tie necklace bracelet watch ring earrings gloves")
BODY_PARTS = word_set("hair skin accessories")
PERSONAL_BAGS = word_set("bag purse wallet")
"""Bags that belong to a person. They are not a part of the person's mask."""

PERSON_PARTS = CLOTHES | BODY_PARTS | PERSONAL_BAGS
"""Everything that can have an owner."""

WEARER_CUES = (CLOTHES | BODY_PARTS) - {"tie"}
"""Categories that often stand for the person: "red skirt" is who wears it. A tie is an object of its own in COCO."""

WOMENS_CLOTHES = word_set("""
    skirt dress bra heels tights pumps stockings blouse romper bodysuit leggings earrings wedges purse
""")
CARRYABLE = word_set("bag purse wallet handbag backpack suitcase umbrella")

# --- what shares a name ----------------------------------------------------------------------------------------------

# Categories that people call by one another's names: each is a rival of the others.
_CONFUSABLE: tuple[frozenset[str], ...] = tuple(
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
    return frozenset({category}).union(*(group for group in _CONFUSABLE if category in group))


# --- what people say and do with things -------------------------------------------------------------------------------

UNNAMED = frozenset({"accessories"})
"""No word fits every mask of these."""

# Nobody says "the green broccoli", and glass has the colour of the things behind it.
UNCOLOURED = frozenset({
    "person", "skin", "accessories", "wine glass", "mirror", "window", "banana", "broccoli", "carrot", "orange",
    "pizza", "sandwich", "hot dog", "food", "fruit", "tv", "glasses", "giraffe", "zebra", "elephant", "sheep",
    "light", "sky", "grass", "tree", "playingfield", "cake", "donut", "stop sign",
})  # fmt: skip
# Things that people call tall or short.
UPRIGHT = frozenset({
    "person", "bottle", "wine glass", "vase", "potted plant", "giraffe", "chair", "refrigerator", "clock",
    "horse", "elephant", "umbrella", "suitcase",
})  # fmt: skip
# Things that stand on the ground, so that the lower edge tells the depth: a fork is not "behind" the broccoli.
STANDING = frozenset({
    "person", "bicycle", "car", "motorcycle", "bus", "train", "truck", "boat", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "chair", "couch", "potted plant", "bed",
    "dining table", "tv", "toilet", "suitcase", "fire hydrant", "parking meter", "stop sign", "refrigerator",
    "oven", "laptop", "umbrella", "teddy bear", "vase",
})  # fmt: skip
SURFACES = frozenset({"dining table", "table", "counter", "shelf", "cabinet", "desk"})
TABLEWARE = frozenset({
    "wine glass", "bottle", "cup", "pizza", "sandwich", "cake", "knife", "donut", "hot dog", "scissors", "banana",
    "cell phone", "remote",
})  # fmt: skip
SEATS = frozenset({"couch", "bed", "bench", "chair"})
FOUND_ON_SEATS = frozenset({
    "person", "cat", "dog", "teddy bear", "laptop", "book", "remote", "handbag", "backpack", "suitcase",
    "pillow", "blanket", "cell phone",
})  # fmt: skip
BOARDS = frozenset({"surfboard", "skateboard", "snowboard", "skis"})
RIDABLE = frozenset({"bicycle", "motorcycle", "horse", "elephant", "cow"}) | BOARDS
HANDHELD = frozenset({
    "umbrella", "tennis racket", "baseball bat", "cell phone", "frisbee", "toothbrush", "remote", "hair drier", "banana",
    "donut", "hot dog", "teddy bear", "surfboard", "snowboard", "kite", "wine glass", "bottle", "cup", "pizza",
    "sandwich", "cake", "scissors", "knife",
})  # fmt: skip
COMPANIONS = HANDHELD | RIDABLE | frozenset({"dog", "handbag", "backpack", "suitcase", "tie", "baseball glove", "cat"})
"""Things that a person can be "with"."""
