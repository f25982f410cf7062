"""Words that the model has never met get rows of their own in its word table.

Without one, "zindle" is read as "kindle" and "quorl" as the one vector of all unknown words, so that two things with
new names cannot be told apart. The rest of the table stays as it is: its words are needed for everything else.
"""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from restr.model.restr import ReSTR
from restr.text.vocabulary import RESERVED, Vocabulary
from restr.text.words import find_words, normal

SEEN = 3  # sentences that a word has to occur in: rarer ones are slips, or too rare to be learnt
FASTER = 30.0  # learning rate of the new rows, beside the rest, in standard deviations of the table
_WORD = re.compile(r"[^\W\d_]{3,}")


class LearntRows(nn.Module):
    """The table's rows from ``first`` on, moved by what training finds (a parametrisation of ``nn.Embedding.weight``).

    Adam's steps are as large as the learning rate whatever the gradient, so the change is trained in units of the table's
    standard deviation, times ``FASTER``.
    """

    def __init__(self, weight: Tensor, first: int) -> None:
        super().__init__()
        self.first = first
        self.unit = FASTER * float(weight[RESERVED:first].std())
        self.change = nn.Parameter(torch.zeros_like(weight[first:]))

    def forward(self, weight: Tensor) -> Tensor:
        return torch.cat([weight[: self.first], weight[self.first :] + self.unit * self.change])


def new_words(texts: Iterable[str], vocabulary: Vocabulary) -> list[str]:
    """The words of at least ``SEEN`` texts that ``vocabulary`` lacks, in any form, the most frequent first.

    A word that it only takes for another one's misspelling is new too; of "zindle" and "zindles" only one is.
    """
    counts = Counter(word for text in texts for word in set(find_words(_WORD, normal(text))))
    found: list[str] = []
    for word in sorted(counts, key=lambda word: (-counts[word], len(word), word)):
        if counts[word] >= SEEN and not Vocabulary([*vocabulary.words, *found]).has_form_of(word):
            found.append(word)
    return found


@torch.no_grad()
def add_words(model: ReSTR, vocabulary: Vocabulary, words: Sequence[str]) -> Vocabulary:
    """Give ``words`` trainable rows at the end of the model's table; returns the vocabulary that has them.

    A row begins as the word that the vocabulary took it for, if it did: most often a misspelling, and then what it
    means is known. Else it begins at random, as long as other rows (drawn by the word, so that a resumed run begins
    with the same).
    """
    if not words:
        return vocabulary
    old = model.language.vectors
    scale = old.weight[RESERVED:].std()
    rows = []
    for word in words:
        parts = vocabulary.parts(word)
        if parts:
            rows.append(torch.stack([old.weight[vocabulary.row(part)] for part in parts]).mean(0))
        else:
            generator = torch.Generator().manual_seed(zlib.crc32(word.encode()))
            rows.append(torch.randn(old.embedding_dim, generator=generator).to(old.weight) * scale)
    table = nn.Embedding.from_pretrained(
        torch.cat([old.weight, torch.stack(rows)]), freeze=not old.weight.requires_grad, padding_idx=old.padding_idx
    )
    parametrize.register_parametrization(table, "weight", LearntRows(table.weight, len(old.weight)))
    grown = Vocabulary([*vocabulary.words, *words])
    model.language.vectors = table
    _resize(model, len(grown))
    return grown


def settle(model: ReSTR) -> None:
    """Make what was learnt part of the table itself: the model is then like any other, and can be saved."""
    if parametrize.is_parametrized(model.language.vectors):
        parametrize.remove_parametrizations(model.language.vectors, "weight", leave_parametrized=True)
        model.language.vectors.weight.requires_grad_(model.config.language.train_vectors)


def _resize(model: ReSTR, rows: int) -> None:
    """Have the config say how many rows the word table has."""
    language = dataclasses.replace(model.config.language, vocab=rows)
    model.config = dataclasses.replace(model.config, language=language)
    model.language.config = language
