"""What people type must reach the word table: shorthand, typing slips, other forms, words run together."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restr.config import LanguageConfig
from restr.errors import ConfigError, TextError, WeightsError
from restr.presets import preset, restr_released, restr_tiny
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import PADDING, RESERVED, UNKNOWN, Vocabulary

Form = Literal["NFC", "NFD"]
WORDS = (
    "the left right man woman guy in on of and with shirt red dog cat skateboard picture bottom top middle second from "
    "front an umbrella sandwich zebra people t-shirt not do hand wear stripe baby most which sand hold sunglasses "
    "blue car "
    "legging glass one"
).split()
VOCABULARY = Vocabulary(WORDS)
TOKENIZER = Tokenizer(VOCABULARY, max_words=6)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cat", "cat"), ("Cat", "cat"), ("catt", "cat"), ("cats", "cat"), ("guyyy", "guy"),
        ("skateboarder", "skateboard"),
        ("skateboarders", "skateboard"), ("umbrela", "umbrella"), ("umberlla", "umbrella"), ("sandwhich", "sandwich"),
        ("wearing", "wear"), ("striped", "stripe"), ("stripey", "stripe"), ("babies", "baby"), ("holding", "hold"),
        ("lfet", "left"), ("rigth", "right"), ("shrit", "shirt"), ("dogg", "dog"), ("man's", "man"),
        ("glasses", "glass"),
        ("leggings", "legging"), ("tshirt", "t-shirt"), ("pic", "picture"), ("lft", "left"), ("rt", "right"),
    ],
)  # fmt: skip
def test_unknown_words_find_the_word_they_mean(typed: str, meant: str) -> None:
    row = VOCABULARY.row(typed) if typed != "man's" else VOCABULARY.row(TOKENIZER.words(typed)[0])
    assert row >= RESERVED
    assert VOCABULARY.words[row - RESERVED] == meant


@pytest.mark.parametrize("typed", ["xqzzk", "q", "aeiou", "", "7", "ctx" * 30])
def test_nonsense_is_the_unknown_word(typed: str) -> None:
    assert VOCABULARY.row(typed) == UNKNOWN


def test_the_earlier_word_wins_between_equal_slips() -> None:
    assert Vocabulary(["left", "lent"]).row("let") == UNKNOWN  # three letters: too short to guess
    assert Vocabulary(["bread", "broad"]).row("brad") == 2
    assert Vocabulary(["broad", "bread"]).row("brad") == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Left guy!", ["left", "guy"]),
        ("the man's t-shirt, w/ umbrella.", ["the", "man", "t-shirt", "with", "umbrella"]),
        ("2nd from lft", ["second", "from", "left"]),
        ("left-hand man", ["left", "hand", "man"]),
        ("leftmost guy infront", ["left", "most", "guy", "in", "front"]),
        ("DON’T", ["do", "not"]),
        ("redshirt", ["red", "shirt"]),
        ("bluecar", ["blue", "car"]),
        ("a dog", ["an", "dog"]),
        ("red & blue", ["red", "and", "blue"]),
        ("qqxv dog", ["qqxv", "dog"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert TOKENIZER.words(text) == words


def test_ids_are_padded_on_the_right_and_cut() -> None:
    ids = TOKENIZER(["left dog", "the red dog on the left of the man"])
    assert ids.dtype == np.int64
    assert ids.shape == (2, 6)
    assert (ids == PADDING).tolist() == [[False, False, True, True, True, True], [False] * 6]
    assert ids[0, :2].tolist() == [VOCABULARY.row("left"), VOCABULARY.row("dog")]


@pytest.mark.parametrize("text", ["", "   ", "?!", "'", "🙂", None, 3, b"dog"])
def test_no_words_is_a_text_error(text: object) -> None:
    with pytest.raises(TextError):
        TOKENIZER([text])  # type: ignore[list-item]


def test_a_single_string_is_refused() -> None:
    with pytest.raises(TextError, match="list"):
        TOKENIZER("left dog")


def test_no_sentences_give_an_empty_batch() -> None:
    assert TOKENIZER([]).shape == (0, 0)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_any_text_gives_rows_or_a_text_error(text: str) -> None:
    try:
        ids = TOKENIZER([text])
    except TextError:
        return
    assert 1 <= ids.shape[1] <= 6
    assert not (ids == PADDING).any()
    assert ((ids >= UNKNOWN) & (ids < len(VOCABULARY))).all()


def test_vocabulary_survives_a_file(tmp_path) -> None:
    path = tmp_path / "vocab.txt"
    VOCABULARY.save(path)
    again = Vocabulary.from_file(path)
    assert again.words == VOCABULARY.words
    assert len(again) == len(WORDS) + RESERVED
    assert path.read_text(encoding="utf-8").split("\n")[0] == WORDS[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["vocab.txt"]


def test_vocabulary_refuses_duplicates_blanks_and_missing_files(tmp_path) -> None:
    with pytest.raises(WeightsError, match="'dog' twice"):
        Vocabulary(["dog", "cat", "dog"])
    with pytest.raises(WeightsError, match="white space"):
        Vocabulary(["dog", ""])
    with pytest.raises(WeightsError, match="nothing.txt"):
        Vocabulary.from_file(tmp_path / "nothing.txt")


@pytest.mark.parametrize("word", ["façade", "Ångström", "naïve", "Việt", "한국"])
@pytest.mark.parametrize("listed", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_a_word_is_the_same_however_its_accents_are_written(word: str, listed: Form, typed: Form) -> None:
    vocabulary = Vocabulary(["the", unicodedata.normalize(listed, word.lower())])
    tokenizer = Tokenizer(vocabulary)
    text = unicodedata.normalize(typed, f"the {word}")
    assert tokenizer.words(text) == ["the", word.lower()]
    assert tokenizer([text]).tolist() == [[2, 3]]
    assert unicodedata.normalize(typed, word.lower()) in vocabulary


@pytest.mark.parametrize("word", ["किताब", "מִלָּה", "हिन्दी", "q̃uen"])
def test_marks_without_a_letter_of_their_own_do_not_cut_words(word: str) -> None:
    assert Tokenizer(Vocabulary([word])).words(f"{word}, {word}") == [unicodedata.normalize("NFC", word)] * 2


def test_soft_hyphens_and_joiners_are_no_letters() -> None:
    vocabulary = Vocabulary(["skateboard"])
    assert Tokenizer(vocabulary).words("skate\u00adboard \u2060skate\u200dboard") == ["skateboard"] * 2


def test_of_two_spellings_in_a_vocabulary_the_earlier_counts(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes("\ufeffcafe\u0301\r\nleft\r\ncaf\u00e9\r\n".encode())
    vocabulary = Vocabulary.from_file(path)
    assert len(vocabulary) == RESERVED + 3, "rows stay as the word table has them"
    assert [vocabulary.row(word) for word in ("caf\u00e9", "cafe\u0301", "left")] == [2, 2, 3]


LISTED = ["the", ".", "", "man", "' s", ",", "café", ".", "cup"]


@pytest.fixture
def literal() -> Vocabulary:
    return Vocabulary(LISTED, unknown_row=3, literal=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The man.", ["the", "man"]),
        ("  Man's cup \n", ["man", "'", "s", "cup"]),
        ("left-hand cup, the 2nd..", ["left", "-", "hand", "cup", ", ", "the", "2nd", ".."]),
        ("the cup .", ["the", "cup", " ."]),
        ("lft_man CAFE\u0301", ["lft_man", "cafe", "\u0301"]),
    ],
)
def test_a_literal_vocabulary_is_read_literally(literal: Vocabulary, text: str, words: list[str]) -> None:
    assert Tokenizer(literal).words(text) == words


def test_rows_of_a_literal_vocabulary_never_shift(literal: Vocabulary, tmp_path: Path) -> None:
    literal.save(tmp_path / "vocab.txt")
    language = restr_released().language
    again = Vocabulary.from_file(tmp_path / "vocab.txt", language)
    assert again.words == literal.words and len(again) == 13 and again.fits(language)
    # of equal words the later counts; no form, spelling or accent of a word is tried
    for word, row in (("the", 4), ("man", 7), (".", 11), ("cup", 12), ("café", 10), ("cups", 3), ("cafe", 3), ("", 3)):
        assert again.row(word) == row, word
    assert again.extended(["cups"]).row("cups") == 13 and not again.has_form_of("cups")
    with pytest.raises(WeightsError, match="'.' twice"):
        Vocabulary.from_file(tmp_path / "vocab.txt")


def test_a_literal_sentence_is_padded_on_the_left(literal: Vocabulary) -> None:
    tokenizer = Tokenizer.of(literal, restr_released())
    assert tokenizer(["the red man."]).tolist() == [[0] * 17 + [4, 3, 7]]
    assert tokenizer(["the man " * 11]).tolist() == [[4, 7] * 10]
    for empty in ("", ".", " ?!", "..."):
        with pytest.raises(TextError, match="holds no word"):
            tokenizer([empty])


def test_words_in_other_rows_than_the_models_are_refused(literal: Vocabulary) -> None:
    with pytest.raises(
        ConfigError, match="is literal with the unknown word in row 3, the model's is forgiving .* row 1"
    ):
        Tokenizer.of(literal, restr_tiny())
    with pytest.raises(ConfigError, match="take vocabulary.of"):
        Tokenizer.of(VOCABULARY, restr_released())
    moved = VOCABULARY.of(restr_released().language)
    assert moved.row("left") == VOCABULARY.row("left") + 2 and moved.row("lfet") == 3
    assert VOCABULARY.of(restr_tiny().language) is VOCABULARY


def test_a_forgiving_vocabulary_may_have_other_rows() -> None:
    moved = Vocabulary(WORDS, unknown_row=4)
    assert moved.row("lfet") == VOCABULARY.row("left") + 3 and moved.row("xqzzk") == 4
    with pytest.raises(ConfigError, match="vocab is 5; it must be a whole number of at least 6"):
        LanguageConfig(vocab=5, vectors=4, unknown_row=4, blocks=preset("restr_tiny").language.blocks)
