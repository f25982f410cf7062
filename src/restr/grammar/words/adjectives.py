"""The words for colours, sizes and numbers."""

from __future__ import annotations

from restr.grammar.words.choices import Choices

# Colour as measured -> the words for it.
COLOUR_WORDS: dict[str, Choices] = {
    "red": Choices.of("red:20 reddish:0.3"),
    "orange": Choices.of("orange:20 orangish:0.2 orangey:0.1"),
    "yellow": Choices.of("yellow:20 yellowish:0.2"),
    "green": Choices.of("green:20 greenish:0.3"),
    "blue": Choices.of("blue:20 bluish:0.2"),
    "purple": Choices.of("purple:20 violet:0.7 lavender:0.2"),
    "pink": Choices.of("pink:20 pinkish:0.3"),
    "brown": Choices.of("brown:20 brownish:0.3"),
    "black": Choices.of("black:20 dark:1.2"),
    "white": Choices.of("white:20 whitish:0.1"),
    "gray": Choices.of("gray:11 grey:9 greyish:0.1"),
    "tan": Choices.of("tan:12 beige:7 khaki:1.2 light_brown:1.2 cream:0.6"),
    "beige": Choices.of("beige:10 tan:9 cream:1.5"),
    "dark red": Choices.of("maroon:6 dark_red:6 burgundy:4 red:3"),
    "maroon": Choices.of("maroon:6 dark_red:4"),
    "dark blue": Choices.of("dark_blue:8 navy:5 navy_blue:4 blue:4"),
    "navy": Choices.of("navy:6 navy_blue:4 dark_blue:6"),
    "light blue": Choices.of("light_blue:12 baby_blue:1 sky_blue:1 pale_blue:0.6 blue:3"),
    "dark green": Choices.of("dark_green:10 green:4"),
    "light green": Choices.of("light_green:10 lime_green:1 green:4"),
    "dark gray": Choices.of("dark_gray:6 dark_grey:5 charcoal:1 gray:3"),
    "light gray": Choices.of("light_gray:6 light_grey:5 gray:3"),
    "dark brown": Choices.of("dark_brown:10 brown:4"),
    "light brown": Choices.of("light_brown:10 tan:6 brown:2"),
    "teal": Choices.of("teal:8 turquoise:5 aqua:3 blue_green:1"),
    "blonde": Choices.of("blonde:10 blond:6"),
    "silver": Choices.of("silver:10 gray:3"),
    "gold": Choices.of("gold:10 golden:4"),
    "dark": Choices.of("dark:10"),
    "light": Choices.of("light:10"),
    "cream": Choices.of("cream:8 off_white:3 beige:3"),
}
HAIR_COLOUR_WORDS: dict[str, Choices] = {
    "yellow": Choices.of("blonde:10 blond:7"),
    "tan": Choices.of("blonde:10 blond:7 light:2"),
    "brown": Choices.of("brown:12 dark:3 brunette:1"),
    "black": Choices.of("black:10 dark:8"),
    "orange": Choices.of("red:10 ginger:3 orange:2"),
    "red": Choices.of("red:12"),
    "gray": Choices.of("gray:10 grey:10 white:2"),
}

# Size -> plain adjective and superlative.
SIZE_WORDS: dict[str, tuple[Choices, Choices]] = {
    "big": (
        Choices.of("big:14 large:8 bigger:6 larger:5 huge:1 giant:0.5"),
        Choices.of("biggest:14 largest:12 big:4 bigger:1.5 larger:1 large:1.5"),
    ),
    "small": (
        Choices.of("small:14 little:7 smaller:7 tiny:3 littler:0.3"),
        Choices.of("smallest:14 tiniest:1.5 littlest:1.5 small:4 little:3 smaller:1.5 tiny:1.5"),
    ),
    "tall": (Choices.of("tall:14 taller:7"), Choices.of("tallest:16 tall:3 taller:2")),
    "short": (Choices.of("short:12 shorter:8"), Choices.of("shortest:16 short:3 shorter:2")),
    "wide": (Choices.of("wide:10 wider:5 broad:0.5"), Choices.of("widest:14 broadest:0.6 wide:2")),
    "thin": (
        Choices.of("thin:10 thinner:4 narrow:3 skinny:2"),
        Choices.of("thinnest:10 narrowest:2 skinniest:1.5 thin:2"),
    ),
}

NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
