"""The names of shards: paths and addresses with globs and brace ranges, and their spelling without secrets."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from restr.errors import DatasetError

ENDINGS = (".tar", ".parquet")
_MOST = 100_000  # shards of one pattern

_SPLIT = re.compile(r"(.+\.(?:tar|parquet)(?:\?[^:]*)?):([^:/?]*)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def is_remote(url: str) -> bool:
    """Whether fsspec has to open it."""
    return "://" in url or "::" in url


def pattern_and_split(text: str) -> tuple[str, str | None]:
    """``PATTERN[:SPLIT]``, where the pattern may hold colons of its own (an address with a port)."""
    found = _SPLIT.fullmatch(text)
    if found:
        return found[1], found[2] or None
    if is_remote(text):
        return text, None
    pattern, colon, split = text.rpartition(":")
    if not colon or is_drive(pattern):
        return text, None
    return pattern, split or None


def is_drive(text: str) -> bool:
    """Whether the text before a colon is a drive letter (C:\\data)."""
    return len(text) == 1 and text.isascii() and text.isalpha()


def expand_braces(pattern: str) -> list[str]:
    """All names of a pattern's brace ranges ({000..012}, zeros kept) and lists ({train,val}). Raises
    ``DatasetError``."""
    choices = [_choices(part, pattern) if i % 2 else [part] for i, part in enumerate(_BRACES.split(pattern))]
    count = 1
    for each in choices:
        count *= len(each)
    if count > _MOST:
        raise DatasetError(
            f"{redact(pattern)} means {count:,} shards; expected at most {_MOST:,}: is a range too long?"
        )
    return ["".join(parts) for parts in itertools.product(*choices)]


def redact(url: str) -> str:
    """An address without possible secrets: a signature after "?", a password before "@"."""
    if not is_remote(url):
        return url
    url = re.sub(r"\?.*", "?...", url, flags=re.S)
    return re.sub(r"//[^/@]*@", "//...@", url)


def file_name_of(url: str) -> str:
    """The last part of a path or address."""
    return re.sub(r"\?.*", "", url, flags=re.S).rpartition("/")[2] if is_remote(url) else Path(url).name


def split_of_shard(name: str) -> str:
    """The split in a shard's name: ``train`` of train-000012.tar and of train-00003-of-00010.parquet."""
    return re.sub(r"-\d+(-of-\d+)?$", "", name.rpartition(".")[0])


def _choices(text: str, pattern: str) -> list[str]:
    found = _RANGE.fullmatch(text)
    if found is None:
        if "," in text:
            return text.split(",")
        raise DatasetError(f"{redact(pattern)}: {{{text}}} is neither a range, {{000..012}}, nor a list, {{train,val}}")
    first, last = int(found[1]), int(found[2])
    if last < first:
        raise DatasetError(f"{redact(pattern)}: the range {{{text}}} goes backwards; write the lower number first")
    if last - first >= _MOST:
        raise DatasetError(
            f"{redact(pattern)} means {last - first + 1:,} shards; expected at most {_MOST:,}: is the range too long?"
        )
    width = len(found[1])
    return [f"{number:0{width}}" for number in range(first, last + 1)]
