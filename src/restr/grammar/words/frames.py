"""Sentence frames around the words: how people say that somebody wears, holds, rides or stands beside something.

``{o}`` stands for the other object's noun phrase, ``{o's}`` for its possessive, ``{g}`` for clothes with their colour,
``{c}`` for a colour.
"""

from __future__ import annotations

from restr.grammar.words.choices import Choices

# Relation -> the frames that place the other object.
RELATION_FRAMES: dict[str, Choices] = {
    "next to": Choices.of("""
        next_to_{o}:20 beside_{o}:6 by_{o}:8 near_{o}:5 close_to_{o}:1 right_next_to_{o}:1.5 to_the_side_of_{o}:0.5
        alongside_{o}:0.3 that_is_next_to_{o}:0.6 nearest_{o}:0.5 closest_to_{o}:0.8 besides_{o}:0.2 nextto_{o}:0.1
        nearby_{o}:0.1 adjacent_to_{o}:0.2 at_{o}:0.2 next_{o}:0.2
    """),
    "on": Choices.of("""
        on_{o}:20 on_top_of_{o}:5 that_is_on_{o}:0.7 ontop_of_{o}:0.2 atop_{o}:0.3 resting_on_{o}:0.1 upon_{o}:0.1
    """),
    "under": Choices.of("under_{o}:16 underneath_{o}:3 below_{o}:3 beneath_{o}:1.5 that_is_under_{o}:0.5"),
    "above": Choices.of("""
        above_{o}:16 over_{o}:3 on_top_of_{o}:1 right_above_{o}:1.5 directly_above_{o}:0.8 just_above_{o}:1
        higher_than_{o}:0.3
    """),
    "below": Choices.of("""
        below_{o}:14 under_{o}:6 underneath_{o}:1.5 beneath_{o}:1.5 right_below_{o}:1 just_below_{o}:1
        directly_below_{o}:0.5
    """),
    "behind": Choices.of("""
        behind_{o}:20 in_back_of_{o}:2.5 right_behind_{o}:1 just_behind_{o}:0.6 that_is_behind_{o}:0.6
        directly_behind_{o}:0.4 in_the_back_of_{o}:0.3
    """),
    "in front of": Choices.of("""
        in_front_of_{o}:20 infront_of_{o}:0.7 right_in_front_of_{o}:1.2 that_is_in_front_of_{o}:0.6 front_of_{o}:0.8
        directly_in_front_of_{o}:0.4 just_in_front_of_{o}:0.3
    """),
    "holding": Choices.of("""
        holding_{o}:20 with_{o}:8 w/_{o}:1 carrying_{o}:1.5 who_is_holding_{o}:1 that_is_holding_{o}:0.5 has_{o}:0.4
        with_{o}_in_hand:0.6 holding_on_to_{o}:0.3 who_has_{o}:0.4 holds_{o}:0.3 holding_up_{o}:0.1
    """),
    "held by": Choices.of("""
        held_by_{o}:6 {o}_is_holding:5 that_{o}_is_holding:2 in_{o's}_hand:4 in_{o's}_hands:1.5 being_held_by_{o}:1.5
        with_{o}:0.5 in_hand_of_{o}:0.5 in_the_hand_of_{o}:0.5 in_the_hands_of_{o}:0.3 {o}_holds:0.4 of_{o}:0.5
    """),
    "riding": Choices.of("""
        on_{o}:14 riding_{o}:14 who_is_riding_{o}:1 that_is_riding_{o}:0.4 on_top_of_{o}:0.5 with_{o}:0.5
        riding_on_{o}:1.5 who_is_on_{o}:0.4
    """),
    "ridden by": Choices.of("""
        ridden_by_{o}:5 {o}_is_riding:5 that_{o}_is_riding:2 under_{o}:3 with_{o}_on_it:2.5 {o}_is_on:3
        being_ridden_by_{o}:2 with_{o}:1 that_{o}_is_on:1 that_has_{o}_on_it:0.4 underneath_{o}:0.5
    """),
    "left of": Choices.of("""
        left_of_{o}:14 to_the_left_of_{o}:14 to_left_of_{o}:5 on_the_left_of_{o}:2.5 on_left_of_{o}:1.5
        just_left_of_{o}:1 on_the_left_side_of_{o}:1.2 left_side_of_{o}:0.8 directly_left_of_{o}:0.4
        to_the_left_side_of_{o}:0.3 just_to_the_left_of_{o}:0.6 left_from_{o}:0.2 that_is_to_the_left_of_{o}:0.3
    """),
    "right of": Choices.of("""
        right_of_{o}:14 to_the_right_of_{o}:14 to_right_of_{o}:5 on_the_right_of_{o}:2.5 on_right_of_{o}:1.5
        just_right_of_{o}:1 on_the_right_side_of_{o}:1.2 right_side_of_{o}:0.8 directly_right_of_{o}:0.4
        to_the_right_side_of_{o}:0.3 just_to_the_right_of_{o}:0.6 right_from_{o}:0.2 that_is_to_the_right_of_{o}:0.3
    """),
    "wearing": Choices.of("wearing_{o}:14 with_{o}:8 in_{o}:10 w/_{o}:1 who_is_wearing_{o}:1 that_wears_{o}:0.2"),
    "of": Choices.of("of_{o}:10"),
    "with": Choices.of("with_{o}:20 w/_{o}:1.5 that_has_{o}:0.7"),
    "between": Choices.of("""
        between_{o}:16 in_between_{o}:5 inbetween_{o}:0.3 in_the_middle_of_{o}:1 that_is_between_{o}:0.4 btwn_{o}:0.1
    """),
}

WEARING_FRAMES = Choices.of("""
    in_{g}:20 wearing_{g}:9 with_{g}:8 with_{g}_on:1 who_is_wearing_{g}:1.2 w/_{g}:1.2 dressed_in_{g}:0.5
    that_is_wearing_{g}:0.4 who_has_{g}:0.3 has_{g}:0.3 having_{g}:0.1 has_on_{g}:0.2 who_wears_{g}:0.2
    that's_wearing_{g}:0.1
""")
ACCESSORY_FRAMES = Choices.of("""
    with_{g}:20 wearing_{g}:12 in_{g}:5 w/_{g}:2.5 with_{g}_on:2 who_is_wearing_{g}:1 has_{g}:0.7 that_has_{g}:0.4
    who_has_{g}:0.3
""")
CARRYING_FRAMES = Choices.of("""
    with_{g}:16 holding_{g}:6 carrying_{g}:6 w/_{g}:1.5 who_is_carrying_{g}:0.6 who_has_{g}:0.4
""")
HAIR_FRAMES = Choices.of("with_{g}:20 w/_{g}:1.5 who_has_{g}:0.6 has_{g}:0.6 that_has_{g}:0.4")
CLOTHES_COLOUR_FRAMES = Choices.of("""
    in_{c}:24 wearing_{c}:6 in_the_{c}:2.5 dressed_in_{c}:1.5 who_is_wearing_{c}:0.7 with_{c}:0.8 with_{c}_on:0.7
    that_is_wearing_{c}:0.3 in_{c}_clothes:0.7 wearing_{c}_clothes:0.5 with_{c}_clothes:0.4 with_{c}_top:0.5
    in_{c}_top:1.2 who_is_in_{c}:0.4 has_{c}_on:0.3 in_{c}_outfit:0.3
""")

# Around a whole reference. {n}: noun phrase with "the", {a}: with "a", {x}: without an article.
REQUEST_FRAMES = Choices.of("""
    {n}:60 {a}:16 find_{n}:1.2 segment_{n}:1.2 i_want_{n}:0.7 select_{n}:0.8 show_me_{n}:0.6 click_{n}:0.3
    click_on_{n}:0.6 can_you_find_{n}:0.4 please_select_{n}:0.3 highlight_{n}:0.5 pick_{n}:0.3 where_is_{n}:0.3
    mark_{n}:0.3 choose_{n}:0.2 look_for_{n}:0.2 it_is_{n}:0.3 it's_{n}:0.2 this_is_{n}:0.2 cut_out_{n}:0.3
    i_mean_{n}:0.2 get_{n}:0.2 please_find_{n}:0.2 locate_{n}:0.3 outline_{n}:0.2 give_me_{n}:0.3
    i_am_looking_for_{n}:0.2 mask_{n}:0.2 find_me_{n}:0.1 could_you_segment_{n}:0.1 there_is_{a}:0.5 {x}:6
""")

# Words without a meaning of their own, before and after a reference.
LEADING_FILLERS = Choices.of("""
    just:4 only:2 just_the:2 that:3 the_whole:1 whole:1 all_of:0.3 this:1 only_the:1 ok:0.3 um:0.2 hey:0.1
""")
TRAILING_FILLERS = Choices.of("""
    in_pic:3 in_the_picture:3 only:2 please:1 here:0.5 lol:0.3 of_pic:1 in_photo:1 in_image:1 there:0.4 in_the_photo:1
""")

# {l}: the cue as an adjective, {p}: the cue as a phrase, {k}: the noun.
NEGATION_FRAMES = Choices.of("""
    not_the_{l}_one:6 not_the_{l}_{k}:4 not_{l}_{k}:2 the_{k}_not_{p}:5 {k}_not_{p}:5 the_{k}_that_is_not_{p}:2
    {k}_that_isn't_{p}:2 the_one_not_{p}:3 not_the_one_{p}:3 {k},_not_the_{l}_one:1.5
    the_other_{k},_not_the_{l}_one:1.5 other_{k}_not_{l}:1 one_not_{p}:1 the_{k}_that's_not_{p}:1 not_{l}:0.7
    any_but_the_{l}_{k}:0.2
""")

STANDING_PHRASES = Choices.of("""
    standing:6 who_is_standing:3 that_is_standing:2 that_is:5 who_is:3 which_is:1 located:0.6 positioned:0.2
""")
BEING_PHRASES = Choices.of("that_is:6 which_is:2 located:1 that's:1 placed:0.2")

# Before the plural of a group of two, and of more. {n}: nothing, {count}: the number.
PAIR_FRAMES = Choices.of("""
    {n}:6 both:8 {count}:4 the_{count}:5 both_of_the:2 the:5 both_the:0.7 a_pair_of:0.6 the_pair_of:0.6 all_the:0.5
""")
GROUP_FRAMES = Choices.of("""
    {n}:6 all:6 all_the:8 {count}:3 the_{count}:4 all_{count}:4 all_of_the:3 the:5 group_of:2.5 the_group_of:2
    every_one_of_the:0.2
""")

FRAMES: tuple[Choices, ...] = (
    *RELATION_FRAMES.values(),
    WEARING_FRAMES,
    ACCESSORY_FRAMES,
    CARRYING_FRAMES,
    HAIR_FRAMES,
    CLOTHES_COLOUR_FRAMES,
    REQUEST_FRAMES,
    LEADING_FILLERS,
    TRAILING_FILLERS,
    NEGATION_FRAMES,
    STANDING_PHRASES,
    BEING_PHRASES,
    PAIR_FRAMES,
    GROUP_FRAMES,
)
"""All of the above, for the vocabulary."""
