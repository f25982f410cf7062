"""A dataset in shards as samples: indexed once, then read a block at a time."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from restr.data.dataset import IndexedSamples
from restr.data.entries.entry import Entry
from restr.data.entries.index import FORMAT, cache_folder, index_paths, open_index
from restr.data.order import BlockOrder
from restr.errors import DatasetError
from restr.formats.shards.address import is_remote, pattern_and_split, redact
from restr.formats.shards.parquet import open_parquet, read_group, read_parquet_shard
from restr.formats.shards.place import Place, place_numbers
from restr.formats.shards.storage import Shard, read_range, shards_of
from restr.formats.shards.tar import BLOCK, read_tar_shard

_logger = logging.getLogger("restr")

CACHE_MIB = 32  # of blocks, per process
_FETCHED_AT_ONCE = 8  # blocks
_FOOTERS = 16  # of parquet files, kept per process
_INDEXED_AT_ONCE = 8  # shards


def open_shards(text: str, root: Path, *, summed: bool = False, cache_mib: int = CACHE_MIB) -> ShardSamples:
    """The samples of ``PATTERN[:SPLIT]``: a path (relative to ``root``) or an address, with globs and brace ranges.

    cache_mib: how much each process caches, at least one block. Raises ``DatasetError``.
    """
    pattern, split = pattern_and_split(text)
    shards = shards_of(pattern, root)
    # A digest instead of the address, which may hold a password
    key = json.dumps([FORMAT, BLOCK, [(_digest(each.url), each.size, each.tag) for each in shards]])
    name = f"shards-{_digest(pattern)[:16]}"
    places = (
        [cache_folder() / f"{name}.sqlite"] if is_remote(pattern) else index_paths(Path(shards[0].url).parent, name)
    )

    def entries() -> Iterable[Entry]:
        _logger.info("indexing %d shards of %s, once", len(shards), redact(pattern))
        return _entries(shards)

    index = open_index(places, key, entries)
    return ShardSamples(root, index, split, summed=summed, files=ShardFiles(shards, cache_mib))


class ShardSamples(IndexedSamples):
    """Samples that are read from shards."""

    def order(self, seed: int) -> BlockOrder:
        """Random, block by block, see ``BlockOrder``."""
        numbers = place_numbers(self.entries.column("image", self.split))
        return BlockOrder(numbers[:, 0], numbers[:, 1], numbers[:, 2], seed=seed)

    def fetch(self, numbers: Sequence[int]) -> None:
        """Fetch the blocks of these samples, several at a time."""
        if isinstance(self.files, ShardFiles):
            self.files.fetch(self.entry(number).image for number in numbers)


class ShardFiles:
    """The pictures in shards, by the names of ``Place``. Caches the blocks that were read last.

    Each process has its own cache, of at most ``cache_mib`` or one larger block. Parts of a local tar are read separately,
    as the operating system caches them.
    """

    def __init__(self, shards: list[Shard], cache_mib: int = CACHE_MIB) -> None:
        if cache_mib < 1:
            raise DatasetError(f"cache_mib is {cache_mib}; expected at least 1")
        self.shards, self.cache_mib = shards, cache_mib
        self.kept: OrderedDict[tuple[int, int], tuple[Any, int]] = OrderedDict()  # (shard, block) -> content, bytes
        self.parquet: OrderedDict[int, Any] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {"shards": self.shards, "cache_mib": self.cache_mib}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def open(self, name: str, /) -> BinaryIO:
        place = Place.parse(name)
        shard = self._shard(place)
        try:
            if shard.name.endswith(".parquet"):
                content = self._block(place, shard)[place.start]
                if content is None:
                    raise DatasetError("the row holds no picture; write the shard again")
            elif is_remote(shard.url):
                content = self._block(place, shard)[place.start : place.start + place.length]
            else:
                first = place.block + place.start
                content = read_range(shard, first, first + place.length)
        except DatasetError as error:
            raise type(error)(f"{place.file}: {error}") from error
        return io.BytesIO(content)

    def fetch(self, names: Iterable[str]) -> None:
        """Fetch the blocks of these pictures, as many as fit into the cache, several at a time.

        Failures are left to ``open``, which knows the picture's name. Row groups of parquet files are large enough to
        be fetched one by one.
        """
        wanted: dict[tuple[int, int], Place] = {}
        for place in map(Place.parse, names):
            shard = self._shard(place)
            if is_remote(shard.url) and not shard.name.endswith(".parquet"):
                wanted.setdefault((place.shard, place.block), place)
        missing, room = [], self.cache_mib << 20
        for key, place in wanted.items():
            room -= place.size
            if room < 0:
                break
            if key in self.kept:
                self.kept.move_to_end(key)
            else:
                missing.append(place)
        if len(missing) > 1:
            # not kept for the next call: threads cannot be sent to another process
            with ThreadPoolExecutor(min(len(missing), _FETCHED_AT_ONCE)) as pool:
                for place, content in zip(missing, pool.map(self._read, missing), strict=True):
                    if content is not None:
                        self._keep(place, content)

    def where(self, name: str, /) -> str:
        place = Place.parse(name)
        return f"{self._shard(place).display_name}: {place.file.partition('/')[2]}"

    def _shard(self, place: Place) -> Shard:
        if place.shard >= len(self.shards):
            raise DatasetError(f"{place.file} is in shard {place.shard}, of {len(self.shards)}; delete the index")
        return self.shards[place.shard]

    def _block(self, place: Place, shard: Shard) -> Any:
        """A block's content: bytes of a tar, or the pictures of a row group."""
        key = (place.shard, place.block)
        if key not in self.kept:
            if shard.name.endswith(".parquet"):
                self._keep(place, read_group(self._parquet_file(place.shard), shard, place.block))
            else:
                self._keep(place, read_range(shard, place.block, place.block + place.size))
        self.kept.move_to_end(key)
        return self.kept[key][0]

    def _keep(self, place: Place, content: Any) -> None:
        """Cache a block; evicts the least recently used ones."""
        used = sum(size for _, size in self.kept.values())
        while self.kept and used + place.size > self.cache_mib << 20:
            used -= self.kept.popitem(last=False)[1][1]
        self.kept[place.shard, place.block] = (content, place.size)

    def _read(self, place: Place) -> bytes | None:
        try:
            return read_range(self.shards[place.shard], place.block, place.block + place.size)
        except DatasetError:
            return None

    def _parquet_file(self, number: int) -> Any:
        if number not in self.parquet:
            while len(self.parquet) >= _FOOTERS:
                self.parquet.popitem(last=False)
            self.parquet[number] = open_parquet(self.shards[number])
        self.parquet.move_to_end(number)
        return self.parquet[number]


def _entries(shards: list[Shard]) -> Iterator[Entry]:
    """The entries of all shards in order; reads several shards at a time."""

    def read(number: int) -> list[Entry]:
        reader = read_parquet_shard if shards[number].name.endswith(".parquet") else read_tar_shard
        return list(reader(shards[number], number))

    with ThreadPoolExecutor(_INDEXED_AT_ONCE) as pool:
        for first in range(0, len(shards), _INDEXED_AT_ONCE):
            for found in pool.map(read, range(first, min(first + _INDEXED_AT_ONCE, len(shards)))):
                yield from found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
