"""Word vectors read from every form give the same table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from restr.errors import WeightsError
from restr.text.vectors import WordVectors, read_word_vectors
from restr.text.vocabulary import RESERVED

WORDS = ["the", "dog", "Cat", "unusual word", "zebra"]
NUMBERS = np.arange(20, dtype=np.float32).reshape(5, 4) / 8


@pytest.fixture(params=["glove", "word2vec", "array"])
def found(request: pytest.FixtureRequest, tmp_path: Path) -> WordVectors:
    lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(WORDS, NUMBERS.tolist(), strict=True)]
    if request.param == "array":
        np.save(tmp_path / "v.npy", NUMBERS)
        (tmp_path / "words.txt").write_text("\n".join(WORDS) + "\n")
        return read_word_vectors(tmp_path / "v.npy", words=tmp_path / "words.txt")
    head = "5 4\n" if request.param == "word2vec" else ""
    (tmp_path / "v.txt").write_text(head + "".join(lines))
    return read_word_vectors(tmp_path / "v.txt")


def test_every_form_gives_the_same_table(found: WordVectors) -> None:
    assert found.vocabulary.words == ("the", "dog", "cat", "zebra")
    assert np.array_equal(found.table[RESERVED:], NUMBERS[[0, 1, 2, 4]]) and not found.table[:RESERVED].any()


def test_unit_variance(found: WordVectors) -> None:
    table = found.at_unit_variance().table
    np.testing.assert_allclose(table[RESERVED:].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(table[RESERVED:].std(0), 1, atol=1e-6)
    assert not table[:RESERVED].any()


def test_the_most_frequent_and_the_wanted_are_kept(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("the 1 2\nof 3 4\nThe 9 9\nzebra 5 6\n")
    found = read_word_vectors(tmp_path / "v.txt", most=1, wanted=frozenset({"zebra", "gnu"}))
    assert found.vocabulary.words == ("the", "zebra")
    assert found.table[RESERVED:].tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("the 1 2\ndog 3\n", "line 2: 'dog 3' is not a word and 2 numbers"),
        ("the 1 2\ndog 3 x\n", "line 2"),
        ("hello\n", "line 1"),
        ("", "holds no words"),
    ],
)
def test_other_files_are_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(text)
    with pytest.raises(WeightsError, match=says):
        read_word_vectors(tmp_path / "v.txt")


def test_arrays_need_as_many_words(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", NUMBERS)
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    with pytest.raises(WeightsError, match="name the file of its words"):
        read_word_vectors(tmp_path / "v.npy")
    with pytest.raises(WeightsError, match=r"is \(5, 4\), .* has 2 lines"):
        read_word_vectors(tmp_path / "v.npy", words=tmp_path / "words.txt")
    with pytest.raises(WeightsError, match="there is no file"):
        read_word_vectors(tmp_path / "none.txt")
