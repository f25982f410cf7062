"""How people say where something is.

Four forms: "before" the noun ("left", "far left"), "after" it as a phrase ("on the left side"), loose anywhere
("left", "far left": what terse typing leaves), and "which" for "the one that is ...". The first of the two lists of a
side is plain position, the second the furthest one. ``{picture}`` is a word for the photograph.
"""

from __future__ import annotations

PICTURE = "picture:5 pic:4 photo:3.5 image:3 frame:0.7 screen:0.6 shot:0.4 scene:0.2 photograph:0.2 pix:0.1"

_LATERAL_BEFORE = "{s}:20 {s}_side:1 {s}_hand:0.5 {s}_hand_side:0.2 {s}side:0.2"
_LATERAL_AFTER = """on_the_{s}:20 on_{s}:20 to_the_{s}:6 on_the_{s}_side:4 on_{s}_side:4 at_{s}:1 at_the_{s}:1
  in_the_{s}:0.6
  {s}_side:3 to_{s}:1.5 on_{s}_hand_side:0.7 on_the_{s}_hand_side:1.2 on_the_{s}_of_the_{picture}:1.5
  on_{s}_of_{picture}:0.6
  on_the_{s}_side_of_the_{picture}:1 {s}_side_of_{picture}:0.6 at_the_{s}_of_the_{picture}:0.4 in_{s}:0.6
  toward_the_{s}:0.3 towards_the_{s}:0.3 over_on_the_{s}:0.3 on_our_{s}:0.4 to_our_{s}:0.3 on_your_{s}:0.3 on_my_{s}:0.1
  {s}_half:0.2 in_the_{s}_half:0.1"""
_LATERAL_LOOSE = "{s}:20 on_{s}:8 {s}_side:4 on_the_{s}:3 to_{s}:0.6 {s}_hand_side:0.5"
_FAR_BEFORE = """far_{s}:20 {s}most:8 {s}_most:4 furthest_{s}:3 farthest_{s}:2.5 very_{s}:0.6 most_{s}:0.3
  furthermost_{s}:0.1
  {s}:4 extreme_{s}:0.4 outer_{s}:0.1 first_{s}:0.2 outside_{s}:0.1"""
_FAR_AFTER = """on_the_far_{s}:14 on_far_{s}:14 far_{s}:8 to_the_far_{s}:4 at_far_{s}:0.7 at_the_far_{s}:1
  all_the_way_{s}:1
  furthest_{s}:2.5 farthest_{s}:2.5 furthest_to_the_{s}:2.5 farthest_to_the_{s}:1.5 all_the_way_to_the_{s}:1.5
  very_{s}:0.5
  all_the_way_on_the_{s}:0.7 on_the_very_{s}:0.5 most_to_the_{s}:0.3 furthest_on_the_{s}:0.5 on_far_{s}_side:1
  on_the_{s}:3
  on_the_far_{s}_side:1.5 on_{s}:3 at_the_{s}_edge:0.5 on_the_{s}_edge:0.5 closest_to_the_{s}:0.6 {s}most:2 {s}_most:1.5
  on_the_{s}_end:0.5 on_the_far_{s}_of_the_{picture}:0.8 at_the_{s}_end:0.3 on_the_extreme_{s}:0.3"""
_FAR_LOOSE = """far_{s}:20 {s}most:4 {s}_most:3 on_far_{s}:3 furthest_{s}:2 farthest_{s}:1.5 very_{s}:0.5 {s}:5
  on_the_far_{s}:2
  far_{s}_side:0.7 all_the_way_{s}:0.4"""


def _lateral(side: str) -> dict[str, str]:
    forms = {
        "before": _LATERAL_BEFORE,
        "after": _LATERAL_AFTER,
        "loose": _LATERAL_LOOSE,
        "far before": _FAR_BEFORE,
        "far after": _FAR_AFTER,
        "far loose": _FAR_LOOSE,
    }
    return {name: form.replace("{s}", side) for name, form in forms.items()}


_CORNER = {
    "before": "{v}_{h}:20 {v}_{h}_corner:3 {h}_{v}:2 {v}_{h}_side:0.3",
    "after": """on_the_{v}_{h}:7 on_{v}_{h}:6 in_the_{v}_{h}:5 in_{v}_{h}:3 {v}_{h}_corner:6 in_the_{v}_{h}_corner:7
  at_{v}_{h}:1
      at_the_{v}_{h}:2 in_{v}_{h}_corner:3 to_the_{v}_{h}:1.5 on_the_{v}_{h}_side:0.5 in_the_{v}_{h}_hand_corner:0.7
      at_the_{v}_{h}_corner:0.5 in_the_{v}_{h}_of_the_{picture}:0.7 in_the_{v}_{h}_corner_of_the_{picture}:0.4
      on_the_{h}_at_the_{v}:0.2""",
    "loose": "{v}_{h}:20 {v}_{h}_corner:6 {h}_{v}:3 in_{v}_{h}:1.5 on_{v}_{h}:1.5 {v}_{h}_side:0.3",
}


def _corner(vertical: str, horizontal: str) -> dict[str, str]:
    other = {"top": "upper", "bottom": "lower"}[vertical]
    entry: dict[str, str] = {}
    for name, form in _CORNER.items():
        choices = [choice.rpartition(":") for choice in form.replace("{h}", horizontal).split()]
        plain = [f"{phrase.replace('{v}', vertical)}:{weight}" for phrase, _, weight in choices]
        second = [  # "upper left" beside "top left", but no "left upper"
            f"{phrase.replace('{v}', other)}:{0.6 * float(weight):.2f}"
            for phrase, _, weight in choices
            if "{v}_" + horizontal in phrase
        ]
        entry[name] = " ".join(plain + second)
        entry["far " + name] = f"{entry[name]} very_{vertical}_{horizontal}:2 far_{vertical}_{horizontal}:2"
    return entry


SIDES: dict[str, dict[str, str]] = {
    "left": _lateral("left"),
    "right": _lateral("right"),
    "top": {
        "before": "top:20 upper:5 higher:1.5",
        "after": """on_top:7 at_the_top:12 at_top:6 on_the_top:4 up_top:3 in_the_top:0.6 near_the_top:1 top:3
          up_high:0.4 higher_up:1
          at_the_top_of_the_{picture}:1.5 at_top_of_{picture}:0.7 on_top_of_{picture}:0.2 toward_the_top:0.3
          in_the_upper_part:0.3""",
        "loose": "top:20 on_top:4 at_top:3 up_top:1.5 upper:1 at_the_top:1",
        "far before": "top:14 topmost:1.5 top_most:1 highest:3 very_top:1.5 uppermost:0.7 upper:1 far_top:0.3",
        "far after": """at_the_very_top:6 at_the_top:8 on_top:3 at_top:3 highest_up:0.7 up_top:1.5 on_the_very_top:1
          furthest_up:0.5
          very_top:1.5 all_the_way_at_the_top:0.7 all_the_way_up:0.2 closest_to_the_top:0.4""",
        "far loose": "top:14 very_top:3 topmost:1 at_top:1.5 highest:1.5 top_most:0.7 all_the_way_at_top:0.3",
    },
    "bottom": {
        "before": "bottom:20 lower:5",
        "after": """at_the_bottom:12 on_the_bottom:7 on_bottom:7 at_bottom:6 down_low:0.4 bottom:3 near_the_bottom:1
          in_the_bottom:1
          lower_down:0.7 at_the_bottom_of_the_{picture}:1.5 at_bottom_of_{picture}:0.7 on_bottom_of_{picture}:0.3
          in_the_lower_part:0.3 toward_the_bottom:0.3 down_at_the_bottom:0.3""",
        "loose": "bottom:20 on_bottom:5 at_bottom:3 lower:0.7 at_the_bottom:1.5",
        "far before": "bottom:14 bottommost:1 bottom_most:1.5 lowest:3 very_bottom:2 lower:1 far_bottom:0.3",
        "far after": """at_the_very_bottom:6 at_the_bottom:8 on_the_bottom:4 on_bottom:3 lowest_down:0.3 at_bottom:3
          very_bottom:1.5
          on_the_very_bottom:1 all_the_way_at_the_bottom:0.7 closest_to_the_bottom:0.5 furthest_down:0.4""",
        "far loose": "bottom:14 very_bottom:3 bottommost:0.6 at_bottom:1.5 lowest:1.5 bottom_most:0.7",
    },
    "middle": {
        "before": "middle:20 center:9 central:0.6 centre:0.7 mid:0.5 middle_most:0.2",
        "after": """in_the_middle:20 in_middle:12 in_the_center:7 in_center:5 in_the_centre:0.6 at_the_center:1
          middle:4 center:2
          in_the_middle_of_the_{picture}:1.2 in_the_center_of_the_{picture}:0.7 at_center:0.4 in_middle_of_{picture}:0.7
          right_in_the_middle:0.5 smack_in_the_middle:0.1 dead_center:0.4 in_the_very_middle:0.2""",
        "loose": "middle:20 center:9 in_middle:7 in_center:3 in_the_middle:4 centre:0.6 in_the_center:1 mid:0.3",
    },
    "front": {
        "before": "front:18 closest:7 closer:4 nearest:2 near:2 foreground:1.5 nearer:0.6 close:1",
        "after": """in_front:20 in_the_front:8 in_the_foreground:4 in_foreground:2.5 up_front:4 closest_to_us:3
          closer_to_us:2
          closest_to_the_camera:2.5 closest_to_camera:2.5 nearest_the_camera:1 nearest_us:0.7 closest_to_you:0.7
          at_the_front:2
          closer_to_the_camera:0.8 nearest_to_us:0.4 near_us:0.4 closest:2 closest_to_me:0.3 at_front:0.4
          nearest_camera:0.5
          in_the_front_row:0.3 nearest_to_the_camera:0.4 close_to_us:0.3""",
        "loose": """front:14 in_front:7 closest:6 foreground:1.5 closest_to_us:2 up_front:1.5 nearest:1.5
          closest_to_camera:1 closer:1.5""",
        "far before": "closest:14 front:8 nearest:4 frontmost:0.6 front_most:0.7 foremost:0.2 very_front:0.6",
        "far after": """closest_to_us:7 closest_to_the_camera:6 closest_to_camera:5 in_front:7 nearest_us:1.5
          nearest_the_camera:2
          nearest_to_us:1 nearest_camera:1 closest:4 in_the_very_front:1 at_the_very_front:0.5 closest_to_you:1.5
          in_the_front:3
          all_the_way_in_front:0.3 closest_to_me:0.6 right_in_front:0.5 in_the_foreground:1 closest_to_the_viewer:0.3
          closest_to_the_photographer:0.1""",
        "far loose": "closest:14 front:5 nearest:3 closest_to_us:4 closest_to_camera:2.5 very_front:0.7 in_front:2",
    },
    "back": {
        "before": "back:18 background:2 rear:1 far:2 further:0.7 farther:0.5 distant:0.6",
        "after": """in_back:16 in_the_back:16 in_the_background:6 in_background:5 at_the_back:1.5 in_the_rear:0.5
          behind:1.5 further_back:1.5
          far_away:0.7 in_the_distance:0.7 in_back_row:0.3 further_away:1.2 farther_back:0.7 way_in_back:0.4
          farther_away:0.7
          in_the_back_of_the_{picture}:0.3 way_back:0.3 toward_the_back:0.4 away_from_us:0.2 back_there:0.1""",
        "loose": "back:12 in_back:9 background:3 in_background:1.5 in_the_back:3 behind:1 rear:0.3 further_back:0.7",
        "far before": """back:8 furthest:5 farthest:4 furthest_back:2 farthest_back:1.5 back_most:0.4 rear:0.5
          far_back:1 far:1.5""",
        "far after": """in_back:6 in_the_back:6 furthest_back:3 farthest_back:2.5 furthest_away:4 farthest_away:4
          way_in_the_back:1.5
          all_the_way_in_the_back:1 furthest_from_us:1.2 farthest_from_us:0.8 farthest_from_the_camera:0.8
          in_the_very_back:0.7
          furthest_from_the_camera:1 in_far_back:0.7 in_the_far_back:1 way_in_back:1 in_the_background:1.5
          all_the_way_back:0.7
          furthest_from_camera:0.5""",
        "far loose": """back:5 furthest_back:2.5 farthest_back:2 furthest:3 farthest:2.5 furthest_away:2 far_back:2
          in_back:3 way_back:0.7""",
    },
    "top left": _corner("top", "left"),
    "top right": _corner("top", "right"),
    "bottom left": _corner("bottom", "left"),
    "bottom right": _corner("bottom", "right"),
}
SIDES["middle"] |= {f"far {name}": phrases for name, phrases in tuple(SIDES["middle"].items())}

ORDINALS = {
    1: "first:10 1st:4",
    2: "second:12 2nd:7",
    3: "third:11 3rd:6",
    4: "fourth:10 4th:6",
    5: "fifth:10 5th:6",
    6: "sixth:10 6th:5",
    7: "seventh:10 7th:5",
    8: "eighth:10 8th:5",
}

# After "second": which end one counts from.
COUNTED_FROM = """from_the_{s}:14 from_{s}:16 on_the_{s}:2 from_{s}_side:0.8 from_the_{s}_side:0.7 on_{s}:2
  to_the_{s}:0.3 in_from_{s}:0.4
  in_from_the_{s}:0.5 over_from_{s}:0.3 starting_from_the_{s}:0.2 counting_from_the_{s}:0.2 from_far_{s}:0.3
  from_our_{s}:0.1"""

# Colour as measured -> the words for it.
COLOURS = """
red: red:20 reddish:0.3
orange: orange:20 orangish:0.2 orangey:0.1
yellow: yellow:20 yellowish:0.2
green: green:20 greenish:0.3
blue: blue:20 bluish:0.2
purple: purple:20 violet:0.7 lavender:0.2
pink: pink:20 pinkish:0.3
brown: brown:20 brownish:0.3
black: black:20 dark:1.2
white: white:20 whitish:0.1
gray: gray:11 grey:9 greyish:0.1
tan: tan:12 beige:7 khaki:1.2 light_brown:1.2 cream:0.6
beige: beige:10 tan:9 cream:1.5
dark_red: maroon:6 dark_red:6 burgundy:4 red:3
maroon: maroon:6 dark_red:4
dark_blue: dark_blue:8 navy:5 navy_blue:4 blue:4
navy: navy:6 navy_blue:4 dark_blue:6
light_blue: light_blue:12 baby_blue:1 sky_blue:1 pale_blue:0.6 blue:3
dark_green: dark_green:10 green:4
light_green: light_green:10 lime_green:1 green:4
dark_gray: dark_gray:6 dark_grey:5 charcoal:1 gray:3
light_gray: light_gray:6 light_grey:5 gray:3
dark_brown: dark_brown:10 brown:4
light_brown: light_brown:10 tan:6 brown:2
teal: teal:8 turquoise:5 aqua:3 blue_green:1
blonde: blonde:10 blond:6
silver: silver:10 gray:3
gold: gold:10 golden:4
dark: dark:10
light: light:10
cream: cream:8 off_white:3 beige:3
"""
