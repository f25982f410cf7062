"""How people say where something is.

A side has three forms: "before" the noun ("left"), "after" it as a phrase ("on the left side"), and "loose" anywhere in
a terse sentence. The "far" forms are for the object that is furthest on that side. ``{picture}`` stands for a word for
the photograph.
"""

from __future__ import annotations

from restr.grammar.words.choices import Choices, weighted_phrases

PICTURE_WORDS = Choices.of(
    "picture:5 pic:4 photo:3.5 image:3 frame:0.7 screen:0.6 shot:0.4 scene:0.2 photograph:0.2 pix:0.1"
)

_LEFT_OR_RIGHT = {
    "before": "{s}:20 {s}_side:1 {s}_hand:0.5 {s}_hand_side:0.2 {s}side:0.2",
    "after": """
        on_the_{s}:20 on_{s}:20 to_the_{s}:6 on_the_{s}_side:4 on_{s}_side:4 at_{s}:1 at_the_{s}:1 in_the_{s}:0.6
        {s}_side:3 to_{s}:1.5 on_{s}_hand_side:0.7 on_the_{s}_hand_side:1.2 on_the_{s}_of_the_{picture}:1.5
        on_{s}_of_{picture}:0.6 on_the_{s}_side_of_the_{picture}:1 {s}_side_of_{picture}:0.6
        at_the_{s}_of_the_{picture}:0.4 in_{s}:0.6 toward_the_{s}:0.3 towards_the_{s}:0.3 over_on_the_{s}:0.3
        on_our_{s}:0.4 to_our_{s}:0.3 on_your_{s}:0.3 on_my_{s}:0.1 {s}_half:0.2 in_the_{s}_half:0.1""",
    "loose": "{s}:20 on_{s}:8 {s}_side:4 on_the_{s}:3 to_{s}:0.6 {s}_hand_side:0.5",
    "far before": """
        far_{s}:20 {s}most:8 {s}_most:4 furthest_{s}:3 farthest_{s}:2.5 very_{s}:0.6 most_{s}:0.3 furthermost_{s}:0.1
        {s}:4 extreme_{s}:0.4 outer_{s}:0.1 first_{s}:0.2 outside_{s}:0.1""",
    "far after": """
        on_the_far_{s}:14 on_far_{s}:14 far_{s}:8 to_the_far_{s}:4 at_far_{s}:0.7 at_the_far_{s}:1 all_the_way_{s}:1
        furthest_{s}:2.5 farthest_{s}:2.5 furthest_to_the_{s}:2.5 farthest_to_the_{s}:1.5 all_the_way_to_the_{s}:1.5
        very_{s}:0.5 all_the_way_on_the_{s}:0.7 on_the_very_{s}:0.5 most_to_the_{s}:0.3 furthest_on_the_{s}:0.5
        on_far_{s}_side:1 on_the_{s}:3 on_the_far_{s}_side:1.5 on_{s}:3 at_the_{s}_edge:0.5 on_the_{s}_edge:0.5
        closest_to_the_{s}:0.6 {s}most:2 {s}_most:1.5 on_the_{s}_end:0.5 on_the_far_{s}_of_the_{picture}:0.8
        at_the_{s}_end:0.3 on_the_extreme_{s}:0.3""",
    "far loose": """
        far_{s}:20 {s}most:4 {s}_most:3 on_far_{s}:3 furthest_{s}:2 farthest_{s}:1.5 very_{s}:0.5 {s}:5
        on_the_far_{s}:2 far_{s}_side:0.7 all_the_way_{s}:0.4""",
}
_CORNER = {
    "before": "{v}_{h}:20 {v}_{h}_corner:3 {h}_{v}:2 {v}_{h}_side:0.3",
    "after": """
        on_the_{v}_{h}:7 on_{v}_{h}:6 in_the_{v}_{h}:5 in_{v}_{h}:3 {v}_{h}_corner:6 in_the_{v}_{h}_corner:7
        at_{v}_{h}:1 at_the_{v}_{h}:2 in_{v}_{h}_corner:3 to_the_{v}_{h}:1.5 on_the_{v}_{h}_side:0.5
        in_the_{v}_{h}_hand_corner:0.7 at_the_{v}_{h}_corner:0.5 in_the_{v}_{h}_of_the_{picture}:0.7
        in_the_{v}_{h}_corner_of_the_{picture}:0.4 on_the_{h}_at_the_{v}:0.2""",
    "loose": "{v}_{h}:20 {v}_{h}_corner:6 {h}_{v}:3 in_{v}_{h}:1.5 on_{v}_{h}:1.5 {v}_{h}_side:0.3",
}
_OTHER_SIDES: dict[str, dict[str, str]] = {
    "top": {
        "before": "top:20 upper:5 higher:1.5",
        "after": """
            on_top:7 at_the_top:12 at_top:6 on_the_top:4 up_top:3 in_the_top:0.6 near_the_top:1 top:3 up_high:0.4
            higher_up:1 at_the_top_of_the_{picture}:1.5 at_top_of_{picture}:0.7 on_top_of_{picture}:0.2
            toward_the_top:0.3 in_the_upper_part:0.3""",
        "loose": "top:20 on_top:4 at_top:3 up_top:1.5 upper:1 at_the_top:1",
        "far before": "top:14 topmost:1.5 top_most:1 highest:3 very_top:1.5 uppermost:0.7 upper:1 far_top:0.3",
        "far after": """
            at_the_very_top:6 at_the_top:8 on_top:3 at_top:3 highest_up:0.7 up_top:1.5 on_the_very_top:1
            furthest_up:0.5 very_top:1.5 all_the_way_at_the_top:0.7 all_the_way_up:0.2 closest_to_the_top:0.4""",
        "far loose": "top:14 very_top:3 topmost:1 at_top:1.5 highest:1.5 top_most:0.7 all_the_way_at_top:0.3",
    },
    "bottom": {
        "before": "bottom:20 lower:5",
        "after": """
            at_the_bottom:12 on_the_bottom:7 on_bottom:7 at_bottom:6 down_low:0.4 bottom:3 near_the_bottom:1
            in_the_bottom:1 lower_down:0.7 at_the_bottom_of_the_{picture}:1.5 at_bottom_of_{picture}:0.7
            on_bottom_of_{picture}:0.3 in_the_lower_part:0.3 toward_the_bottom:0.3 down_at_the_bottom:0.3""",
        "loose": "bottom:20 on_bottom:5 at_bottom:3 lower:0.7 at_the_bottom:1.5",
        "far before": "bottom:14 bottommost:1 bottom_most:1.5 lowest:3 very_bottom:2 lower:1 far_bottom:0.3",
        "far after": """
            at_the_very_bottom:6 at_the_bottom:8 on_the_bottom:4 on_bottom:3 lowest_down:0.3 at_bottom:3
            very_bottom:1.5 on_the_very_bottom:1 all_the_way_at_the_bottom:0.7 closest_to_the_bottom:0.5
            furthest_down:0.4""",
        "far loose": "bottom:14 very_bottom:3 bottommost:0.6 at_bottom:1.5 lowest:1.5 bottom_most:0.7",
    },
    "middle": {
        "before": "middle:20 center:9 central:0.6 centre:0.7 mid:0.5 middle_most:0.2",
        "after": """
            in_the_middle:20 in_middle:12 in_the_center:7 in_center:5 in_the_centre:0.6 at_the_center:1 middle:4
            center:2 in_the_middle_of_the_{picture}:1.2 in_the_center_of_the_{picture}:0.7 at_center:0.4
            in_middle_of_{picture}:0.7 right_in_the_middle:0.5 smack_in_the_middle:0.1 dead_center:0.4
            in_the_very_middle:0.2""",
        "loose": "middle:20 center:9 in_middle:7 in_center:3 in_the_middle:4 centre:0.6 in_the_center:1 mid:0.3",
    },
    "front": {
        "before": "front:18 closest:7 closer:4 nearest:2 near:2 foreground:1.5 nearer:0.6 close:1",
        "after": """
            in_front:20 in_the_front:8 in_the_foreground:4 in_foreground:2.5 up_front:4 closest_to_us:3 closer_to_us:2
            closest_to_the_camera:2.5 closest_to_camera:2.5 nearest_the_camera:1 nearest_us:0.7 closest_to_you:0.7
            at_the_front:2 closer_to_the_camera:0.8 nearest_to_us:0.4 near_us:0.4 closest:2 closest_to_me:0.3
            at_front:0.4 nearest_camera:0.5 in_the_front_row:0.3 nearest_to_the_camera:0.4 close_to_us:0.3""",
        "loose": """
            front:14 in_front:7 closest:6 foreground:1.5 closest_to_us:2 up_front:1.5 nearest:1.5 closest_to_camera:1
            closer:1.5""",
        "far before": "closest:14 front:8 nearest:4 frontmost:0.6 front_most:0.7 foremost:0.2 very_front:0.6",
        "far after": """
            closest_to_us:7 closest_to_the_camera:6 closest_to_camera:5 in_front:7 nearest_us:1.5 nearest_the_camera:2
            nearest_to_us:1 nearest_camera:1 closest:4 in_the_very_front:1 at_the_very_front:0.5 closest_to_you:1.5
            in_the_front:3 all_the_way_in_front:0.3 closest_to_me:0.6 right_in_front:0.5 in_the_foreground:1
            closest_to_the_viewer:0.3 closest_to_the_photographer:0.1""",
        "far loose": "closest:14 front:5 nearest:3 closest_to_us:4 closest_to_camera:2.5 very_front:0.7 in_front:2",
    },
    "back": {
        "before": "back:18 background:2 rear:1 far:2 further:0.7 farther:0.5 distant:0.6",
        "after": """
            in_back:16 in_the_back:16 in_the_background:6 in_background:5 at_the_back:1.5 in_the_rear:0.5 behind:1.5
            further_back:1.5 far_away:0.7 in_the_distance:0.7 in_back_row:0.3 further_away:1.2 farther_back:0.7
            way_in_back:0.4 farther_away:0.7 in_the_back_of_the_{picture}:0.3 way_back:0.3 toward_the_back:0.4
            away_from_us:0.2 back_there:0.1""",
        "loose": "back:12 in_back:9 background:3 in_background:1.5 in_the_back:3 behind:1 rear:0.3 further_back:0.7",
        "far before": """
            back:8 furthest:5 farthest:4 furthest_back:2 farthest_back:1.5 back_most:0.4 rear:0.5 far_back:1 far:1.5""",
        "far after": """
            in_back:6 in_the_back:6 furthest_back:3 farthest_back:2.5 furthest_away:4 farthest_away:4
            way_in_the_back:1.5 all_the_way_in_the_back:1 furthest_from_us:1.2 farthest_from_us:0.8
            farthest_from_the_camera:0.8 in_the_very_back:0.7 furthest_from_the_camera:1 in_far_back:0.7
            in_the_far_back:1 way_in_back:1 in_the_background:1.5 all_the_way_back:0.7 furthest_from_camera:0.5""",
        "far loose": """
            back:5 furthest_back:2.5 farthest_back:2 furthest:3 farthest:2.5 furthest_away:2 far_back:2 in_back:3
            way_back:0.7""",
    },
}


def _left_or_right(side: str) -> dict[str, Choices]:
    return {form: Choices.of(text.replace("{s}", side)) for form, text in _LEFT_OR_RIGHT.items()}


def _corner(vertical: str, horizontal: str) -> dict[str, Choices]:
    other = {"top": "upper", "bottom": "lower"}[vertical]
    far = [(f"very {vertical} {horizontal}", 2.0), (f"far {vertical} {horizontal}", 2.0)]
    forms: dict[str, Choices] = {}
    for form, text in _CORNER.items():
        choices = list(weighted_phrases(text.replace("{h}", horizontal)))
        plain = [(phrase.replace("{v}", vertical), weight) for phrase, weight in choices]
        second = [  # "upper left" beside "top left", but no "left upper"
            (phrase.replace("{v}", other), round(0.6 * weight, 2))
            for phrase, weight in choices
            if "{v} " + horizontal in phrase
        ]
        forms[form] = Choices(plain + second)
        forms["far " + form] = Choices(plain + second + far)
    return forms


def _other_side(texts: dict[str, str]) -> dict[str, Choices]:
    """The forms of a side; without "far" texts its far forms are the plain ones."""
    return {
        far + form: Choices.of(texts.get(far + form, texts[form]))
        for far in ("", "far ")
        for form in ("before", "after", "loose")
    }


# Side -> form -> phrases.
SIDE_PHRASES: dict[str, dict[str, Choices]] = {
    "left": _left_or_right("left"),
    "right": _left_or_right("right"),
    **{side: _other_side(texts) for side, texts in _OTHER_SIDES.items()},
    "top left": _corner("top", "left"),
    "top right": _corner("top", "right"),
    "bottom left": _corner("bottom", "left"),
    "bottom right": _corner("bottom", "right"),
}

ORDINAL_WORDS: dict[int, Choices] = {
    1: Choices.of("first:10 1st:4"),
    2: Choices.of("second:12 2nd:7"),
    3: Choices.of("third:11 3rd:6"),
    4: Choices.of("fourth:10 4th:6"),
    5: Choices.of("fifth:10 5th:6"),
    6: Choices.of("sixth:10 6th:5"),
    7: Choices.of("seventh:10 7th:5"),
    8: Choices.of("eighth:10 8th:5"),
}

# After "second": the end from which one counts.
COUNTING_PHRASES = Choices.of("""
    from_the_{s}:14 from_{s}:16 on_the_{s}:2 from_{s}_side:0.8 from_the_{s}_side:0.7 on_{s}:2 to_the_{s}:0.3
    in_from_{s}:0.4 in_from_the_{s}:0.5 over_from_{s}:0.3 starting_from_the_{s}:0.2 counting_from_the_{s}:0.2
    from_far_{s}:0.3 from_our_{s}:0.1
""")
