"""The frames around the words: how people say that somebody wears, holds, rides or stands beside something.

``{o}`` is the other object's noun phrase, ``{o's}`` its possessive, ``{g}`` clothes with their colour.
"""

from __future__ import annotations

RELATIONS: dict[str, str] = {
    "next to": """\
      next_to_{o}:20 beside_{o}:6 by_{o}:8 near_{o}:5 close_to_{o}:1 right_next_to_{o}:1.5 to_the_side_of_{o}:0.5
      alongside_{o}:0.3 that_is_next_to_{o}:0.6 nearest_{o}:0.5 closest_to_{o}:0.8 besides_{o}:0.2 nextto_{o}:0.1
      nearby_{o}:0.1 adjacent_to_{o}:0.2 at_{o}:0.2 next_{o}:0.2""",
    "on": """\
      on_{o}:20 on_top_of_{o}:5 that_is_on_{o}:0.7 ontop_of_{o}:0.2 atop_{o}:0.3 resting_on_{o}:0.1 upon_{o}:0.1""",
    "under": """\
      under_{o}:16 underneath_{o}:3 below_{o}:3 beneath_{o}:1.5 that_is_under_{o}:0.5""",
    "above": """\
      above_{o}:16 over_{o}:3 on_top_of_{o}:1 right_above_{o}:1.5 directly_above_{o}:0.8 just_above_{o}:1
      higher_than_{o}:0.3""",
    "below": """\
      below_{o}:14 under_{o}:6 underneath_{o}:1.5 beneath_{o}:1.5 right_below_{o}:1 just_below_{o}:1
      directly_below_{o}:0.5""",
    "behind": """\
      behind_{o}:20 in_back_of_{o}:2.5 right_behind_{o}:1 just_behind_{o}:0.6 that_is_behind_{o}:0.6
      directly_behind_{o}:0.4 in_the_back_of_{o}:0.3""",
    "in front of": """\
      in_front_of_{o}:20 infront_of_{o}:0.7 right_in_front_of_{o}:1.2 that_is_in_front_of_{o}:0.6 front_of_{o}:0.8
      directly_in_front_of_{o}:0.4 just_in_front_of_{o}:0.3""",
    "holding": """\
      holding_{o}:20 with_{o}:8 w/_{o}:1 carrying_{o}:1.5 who_is_holding_{o}:1 that_is_holding_{o}:0.5 has_{o}:0.4
      with_{o}_in_hand:0.6 holding_on_to_{o}:0.3 who_has_{o}:0.4 holds_{o}:0.3 holding_up_{o}:0.1""",
    "held by": """\
      held_by_{o}:6 {o}_is_holding:5 that_{o}_is_holding:2 in_{o's}_hand:4 in_{o's}_hands:1.5 being_held_by_{o}:1.5
      with_{o}:0.5 in_hand_of_{o}:0.5 in_the_hand_of_{o}:0.5 in_the_hands_of_{o}:0.3 {o}_holds:0.4 of_{o}:0.5""",
    "riding": """\
      on_{o}:14 riding_{o}:14 who_is_riding_{o}:1 that_is_riding_{o}:0.4 on_top_of_{o}:0.5 with_{o}:0.5
      riding_on_{o}:1.5 who_is_on_{o}:0.4""",
    "ridden by": """\
      ridden_by_{o}:5 {o}_is_riding:5 that_{o}_is_riding:2 under_{o}:3 with_{o}_on_it:2.5 {o}_is_on:3
      being_ridden_by_{o}:2 with_{o}:1 that_{o}_is_on:1 that_has_{o}_on_it:0.4 underneath_{o}:0.5""",
    "left of": """\
      left_of_{o}:14 to_the_left_of_{o}:14 to_left_of_{o}:5 on_the_left_of_{o}:2.5 on_left_of_{o}:1.5
      just_left_of_{o}:1 on_the_left_side_of_{o}:1.2 left_side_of_{o}:0.8 directly_left_of_{o}:0.4
      to_the_left_side_of_{o}:0.3 just_to_the_left_of_{o}:0.6 left_from_{o}:0.2 that_is_to_the_left_of_{o}:0.3""",
    "right of": """\
      right_of_{o}:14 to_the_right_of_{o}:14 to_right_of_{o}:5 on_the_right_of_{o}:2.5 on_right_of_{o}:1.5
      just_right_of_{o}:1 on_the_right_side_of_{o}:1.2 right_side_of_{o}:0.8 directly_right_of_{o}:0.4
      to_the_right_side_of_{o}:0.3 just_to_the_right_of_{o}:0.6 right_from_{o}:0.2 that_is_to_the_right_of_{o}:0.3""",
    "wearing": """\
      wearing_{o}:14 with_{o}:8 in_{o}:10 w/_{o}:1 who_is_wearing_{o}:1 that_wears_{o}:0.2""",
    "of": """\
      of_{o}:10""",
    "with": """\
      with_{o}:20 w/_{o}:1.5 that_has_{o}:0.7""",
    "between": """\
      between_{o}:16 in_between_{o}:5 inbetween_{o}:0.3 in_the_middle_of_{o}:1 that_is_between_{o}:0.4 btwn_{o}:0.1""",
}

WEARING = """\
  in_{g}:20 wearing_{g}:9 with_{g}:8 with_{g}_on:1 who_is_wearing_{g}:1.2 w/_{g}:1.2 dressed_in_{g}:0.5
  that_is_wearing_{g}:0.4 who_has_{g}:0.3 has_{g}:0.3 having_{g}:0.1 has_on_{g}:0.2 who_wears_{g}:0.2
  that's_wearing_{g}:0.1"""
ADORNED = """\
  with_{g}:20 wearing_{g}:12 in_{g}:5 w/_{g}:2.5 with_{g}_on:2 who_is_wearing_{g}:1 has_{g}:0.7 that_has_{g}:0.4
  who_has_{g}:0.3"""
CARRYING = """\
  with_{g}:16 holding_{g}:6 carrying_{g}:6 w/_{g}:1.5 who_is_carrying_{g}:0.6 who_has_{g}:0.4"""
HAVING = """\
  with_{g}:20 w/_{g}:1.5 who_has_{g}:0.6 has_{g}:0.6 that_has_{g}:0.4"""
COLOURED_CLOTHES = """\
  in_{c}:24 wearing_{c}:6 in_the_{c}:2.5 dressed_in_{c}:1.5 who_is_wearing_{c}:0.7 with_{c}:0.8 with_{c}_on:0.7
  that_is_wearing_{c}:0.3 in_{c}_clothes:0.7 wearing_{c}_clothes:0.5 with_{c}_clothes:0.4 with_{c}_top:0.5
  in_{c}_top:1.2 who_is_in_{c}:0.4 has_{c}_on:0.3 in_{c}_outfit:0.3"""

# What people put around a whole reference. {n}: noun phrase with "the", {a}: with "a", {x}: bare.
OPENERS = """\
  {n}:60 {a}:16 find_{n}:1.2 segment_{n}:1.2 i_want_{n}:0.7 select_{n}:0.8 show_me_{n}:0.6 click_{n}:0.3
  click_on_{n}:0.6 can_you_find_{n}:0.4 please_select_{n}:0.3 highlight_{n}:0.5 pick_{n}:0.3 where_is_{n}:0.3
  mark_{n}:0.3 choose_{n}:0.2 look_for_{n}:0.2 it_is_{n}:0.3 it's_{n}:0.2 this_is_{n}:0.2 cut_out_{n}:0.3
  i_mean_{n}:0.2 get_{n}:0.2 please_find_{n}:0.2 locate_{n}:0.3 outline_{n}:0.2 give_me_{n}:0.3
  i_am_looking_for_{n}:0.2 mask_{n}:0.2 find_me_{n}:0.1 could_you_segment_{n}:0.1 there_is_{a}:0.5 {x}:6"""

# Words that add nothing, before and after a reference.
ASIDES = """\
  just:4 only:2 just_the:2 that:3 the_whole:1 whole:1 all_of:0.3 this:1 only_the:1 ok:0.3 um:0.2 hey:0.1"""
TAILS = """\
  in_pic:3 in_the_picture:3 only:2 please:1 here:0.5 lol:0.3 of_pic:1 in_photo:1 in_image:1 there:0.4 in_the_photo:1"""

# {l}: adjective form of the cue, {p}: its phrase, {k}: the noun.
NEGATIONS = """\
  not_the_{l}_one:6 not_the_{l}_{k}:4 not_{l}_{k}:2 the_{k}_not_{p}:5 {k}_not_{p}:5 the_{k}_that_is_not_{p}:2
  {k}_that_isn't_{p}:2 the_one_not_{p}:3 not_the_one_{p}:3 {k},_not_the_{l}_one:1.5
  the_other_{k},_not_the_{l}_one:1.5 other_{k}_not_{l}:1 one_not_{p}:1 the_{k}_that's_not_{p}:1 not_{l}:0.7
  any_but_the_{l}_{k}:0.2"""

LOOSE_SIDE_STANDING = """\
  standing:6 who_is_standing:3 that_is_standing:2 that_is:5 who_is:3 which_is:1 located:0.6 positioned:0.2"""
LOOSE_SIDE_BEING = """\
  that_is:6 which_is:2 located:1 that's:1 placed:0.2"""

# Before the plural of a group of two and of more: {n} is nothing, {count} the number.
BOTH = """\
  {n}:6 both:8 {count}:4 the_{count}:5 both_of_the:2 the:5 both_the:0.7 a_pair_of:0.6 the_pair_of:0.6 all_the:0.5"""
ALL = """\
  {n}:6 all:6 all_the:8 {count}:3 the_{count}:4 all_{count}:4 all_of_the:3 the:5 group_of:2.5 the_group_of:2
  every_one_of_the:0.2"""
