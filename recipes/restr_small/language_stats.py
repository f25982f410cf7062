"""How the generated sentences compare with sentences that people typed: lengths, words, patterns.

    python recipes/restr_small/language_stats.py generated.jsonl referit_train.txt --vocabulary vocab.txt

Both files hold one sentence a line; a line that is a JSON object gives its "text" (or "expression"). The vocabulary,
one word per line, is measured on both: exactly, with shorthand written out, and with every fallback. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from restr.errors import DataError
from restr.files import write_atomically
from restr.text.vocabulary import SHORTHAND, UNKNOWN, Vocabulary

ARTICLES = frozenset({"a", "an", "the"})
LONGEST = 12
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


@dataclass(frozen=True)
class Language:
    """A set of sentences, counted."""

    name: str
    sentences: list[str]
    words: Counter[str]
    lengths: list[int]

    @classmethod
    def of(cls, name: str, sentences: Iterable[str]) -> Language:
        kept = [sentence for sentence in sentences if _WORD.search(sentence)]
        split = [_WORD.findall(sentence.lower()) for sentence in kept]
        return cls(name, kept, Counter(word for words in split for word in words), [len(words) for words in split])

    def share(self, condition: Iterable[bool]) -> str:
        return f"{100 * sum(condition) / max(len(self.sentences), 1):.1f}%"


def read_sentences(path: Path) -> list[str]:
    """One sentence per line, plain or in a JSON object. Raises DataError."""
    sentences: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.startswith("{"):
            sentences.append(line)
            continue
        try:
            record = json.loads(line)
            sentences.append(str(record.get("text", record.get("expression"))))
        except (json.JSONDecodeError, AttributeError) as error:
            raise DataError(
                f"{path} line {number} is neither text nor a JSON object with a text: {line[:60]!r}"
            ) from error
    return sentences


def covered(words: Counter[str], vocabulary: Vocabulary) -> tuple[float, float, float]:
    """Shares by count of words known exactly, with shorthand written out, and with the whole fallback chain."""
    total = max(sum(words.values()), 1)
    exact = sum(count for word, count in words.items() if word in vocabulary)
    short = sum(count for word, count in words.items() if word in vocabulary or _pieces_known(word, vocabulary))
    found = sum(
        count for word, count in words.items() if _pieces_known(word, vocabulary) or vocabulary.row(word) != UNKNOWN
    )
    return exact / total, short / total, found / total


def _pieces_known(word: str, vocabulary: Vocabulary) -> bool:
    """Whether all of "man's", "left-hand", "2nd" is known once split and written out, as the tokeniser does."""
    pieces = [piece for piece in re.split(r"-|'s$|'", word) if piece]
    return all(
        piece in vocabulary or all(part in vocabulary for part in SHORTHAND.get(piece, ("",))) for piece in pieces
    )


def _no_article(sentence: str) -> bool:
    return not ARTICLES & set(_WORD.findall(sentence.lower()))


def _capitalised(sentence: str) -> bool:
    return sentence[:1].isupper() and not sentence.isupper()


def compare(languages: Sequence[Language], vocabulary: Vocabulary | None, top: int) -> str:
    """The comparison as Markdown, one column per language."""
    rows: list[tuple[str, list[str]]] = [
        ("sentences", [str(len(one.sentences)) for one in languages]),
        ("different sentences", [one.share([True] * len({s.lower() for s in one.sentences})) for one in languages]),
        ("median length (words)", [f"{statistics.median(one.lengths):g}" for one in languages]),
        ("mean length (words)", [f"{statistics.mean(one.lengths):.2f}" for one in languages]),
        ("without article", [one.share(_no_article(s) for s in one.sentences) for one in languages]),
        ("with a comma", [one.share("," in s for s in one.sentences) for one in languages]),
        ("all capitals", [one.share(s.isupper() for s in one.sentences) for one in languages]),
        ("first letter capital", [one.share(_capitalised(s) for s in one.sentences) for one in languages]),
        ("different words", [str(len(one.words)) for one in languages]),
    ]  # fmt: skip
    for length in range(1, LONGEST + 1):
        rows.append((f"{length} words", [one.share(n == length for n in one.lengths) for one in languages]))
    rows.append((f"more than {LONGEST}", [one.share(n > LONGEST for n in one.lengths) for one in languages]))
    if vocabulary is not None:
        shares = [covered(one.words, vocabulary) for one in languages]
        for i, name in enumerate(("words known exactly", "with shorthand", "with fallback")):
            rows.append((name, [f"{100 * share[i]:.2f}%" for share in shares]))
    lines = ["| | " + " | ".join(one.name for one in languages) + " |", "|---" * (len(languages) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(values) + " |" for name, values in rows]
    for size in (1, 2, 3):
        for one in languages:
            lines += ["", f"**{one.name}**, {size}-word patterns: " + ", ".join(_patterns(one, size, top))]
    if len(languages) == 2:
        lines += [
            "",
            f"**Words of {languages[1].name} missing in {languages[0].name}**: "
            + ", ".join(_missing(languages[0], languages[1], top)),
        ]
    return "\n".join(lines)


def _patterns(language: Language, size: int, top: int) -> list[str]:
    counts: Counter[str] = Counter()
    for sentence in language.sentences:
        words = _WORD.findall(sentence.lower())
        counts.update(" ".join(words[i : i + size]) for i in range(len(words) - size + 1))
    return [f"{pattern} {1000 * count / len(language.sentences):.0f}" for pattern, count in counts.most_common(top)]


def _missing(ours: Language, theirs: Language, top: int) -> list[str]:
    scale = sum(ours.words.values()) / max(sum(theirs.words.values()), 1)
    lost = {
        word: count * scale - ours.words[word]
        for word, count in theirs.words.items()
        if ours.words[word] < 0.2 * scale * count
    }
    return [f"{word} ({theirs.words[word]})" for word, _ in sorted(lost.items(), key=lambda item: -item[1])[: 2 * top]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generated", type=Path, help="sentences of the grammar: text or JSONL")
    parser.add_argument("typed", type=Path, help="sentences that people typed, one per line")
    parser.add_argument("--vocabulary", type=Path, help="words of the model, one per line")
    parser.add_argument("--top", type=int, default=60, help="how many patterns to list")
    parser.add_argument("--out", type=Path, help="Markdown file to write as well")
    given = parser.parse_args()
    vocabulary = Vocabulary.from_file(given.vocabulary) if given.vocabulary else None
    languages = [
        Language.of("generated", read_sentences(given.generated)),
        Language.of("typed", read_sentences(given.typed)),
    ]
    table = compare(languages, vocabulary, given.top)
    print(table)
    if given.out:
        write_atomically(given.out, table + "\n")


if __name__ == "__main__":
    main()
