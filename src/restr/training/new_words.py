"""Words that are new to a model get rows in its word table.

Without a row of its own, "zindle" is read as "kindle" and "quorl" as the one vector of all unknown words, so two things
with new names cannot be told apart. The other rows do not change: everything else that the model knows depends on them.
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

from restr.model.build import build_model
from restr.model.restr import ReSTR
from restr.text.vocabulary import RESERVED, Vocabulary
from restr.text.words import find_words, normal

_MIN_TEXTS = 3  # rarer words are slips, or too rare to be learnt
_LR_SCALE = 30.0  # learning rate of the new rows relative to the rest, in standard deviations of the table
_WORD = re.compile(r"[^\W\d_]{3,}")


class LearntRows(nn.Module):
    """Makes only the rows from ``first`` on trainable (a parametrisation of ``nn.Embedding.weight``).

    Adam's steps have the size of the learning rate whatever the gradient, so the change of the rows is trained in units
    of the table's standard deviation, times ``_LR_SCALE``.
    """

    def __init__(self, weight: Tensor, first: int) -> None:
        super().__init__()
        self.first = first
        self.unit = _LR_SCALE * float(weight[RESERVED:first].std())
        self.change = nn.Parameter(torch.zeros_like(weight[first:]))

    def forward(self, weight: Tensor) -> Tensor:
        """The table with the learnt rows."""
        return torch.cat([weight[: self.first], weight[self.first :] + self.unit * self.change])


def new_words(texts: Iterable[str], vocabulary: Vocabulary) -> list[str]:
    """The words in at least three texts that ``vocabulary`` has in no form, the most frequent first.

    A word that the vocabulary reads as a misspelling of another one is new too; "zindle" and "zindles" count as one.
    """
    counts = Counter(word for text in texts for word in set(find_words(_WORD, normal(text))))
    found: list[str] = []
    for word in sorted(counts, key=lambda word: (-counts[word], len(word), word)):
        if counts[word] >= _MIN_TEXTS and not vocabulary.extended(found).has_form_of(word):
            found.append(word)
    return found


@torch.no_grad()
def add_words(model: ReSTR, vocabulary: Vocabulary, words: Sequence[str]) -> tuple[ReSTR, Vocabulary]:
    """A copy of the model with trainable rows for ``words`` at the end of its word table, and the vocabulary with them.

    A row starts as the word that the vocabulary read it as, if there is one: most often the new word is a misspelling
    of it. Else it starts as a random vector of usual length, drawn from the word itself, so that a resumed run starts
    with the same one. Without ``words`` the model itself is returned.
    """
    if not words:
        return model, vocabulary
    old = model.language.vectors
    scale = old.weight[vocabulary.first_row :].std()
    rows = []
    for word in words:
        parts = vocabulary.parts(word)
        if parts:
            rows.append(torch.stack([old.weight[vocabulary.row(part)] for part in parts]).mean(0))
        else:
            generator = torch.Generator().manual_seed(zlib.crc32(word.encode()))
            rows.append(torch.randn(old.embedding_dim, generator=generator).to(old.weight) * scale)
    grown, vocabulary = grow_table(model, vocabulary, words, torch.stack(rows))
    table = grown.language.vectors
    parametrize.register_parametrization(table, "weight", LearntRows(table.weight, len(old.weight)))
    return grown, vocabulary


@torch.no_grad()
def grow_table(model: ReSTR, vocabulary: Vocabulary, words: Sequence[str], rows: Tensor) -> tuple[ReSTR, Vocabulary]:
    """A copy of the model with ``rows`` (words, width) at the end of its word table, and the vocabulary with ``words``.

    Without ``words`` the model itself is returned.
    """
    if not words:
        return model, vocabulary
    old = model.language.vectors
    table = nn.Embedding.from_pretrained(
        torch.cat([old.weight, rows.to(old.weight)]),
        freeze=not old.weight.requires_grad,
        padding_idx=old.padding_idx,
    )
    grown = vocabulary.extended(words)
    return _with_table(model, table, rows=len(grown)), grown


def merge_learnt_rows(model: ReSTR) -> None:
    """Write the learnt rows into the table itself, so that the model can be saved like any other."""
    if parametrize.is_parametrized(model.language.vectors):
        parametrize.remove_parametrizations(model.language.vectors, "weight", leave_parametrized=True)
        model.language.vectors.weight.requires_grad_(model.config.language.train_vectors)


def _with_table(model: ReSTR, table: nn.Embedding, *, rows: int) -> ReSTR:
    """A copy of the model with another word table, whose size its config has."""
    language = dataclasses.replace(model.config.language, vocab=rows)
    copy = build_model(dataclasses.replace(model.config, language=language)).to(table.weight.device)
    copy.language.vectors = table
    others = {name: value for name, value in model.state_dict().items() if not name.startswith("language.vectors.")}
    copy.load_state_dict(others, strict=False)
    for name, parameter in model.named_parameters():
        if name in others:
            copy.get_parameter(name).requires_grad_(parameter.requires_grad)
    return copy.train(model.training)
