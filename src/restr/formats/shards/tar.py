"""WebDataset shards: tar files in which a sample's members follow each other under one key.

A sample is KEY.jpg (or another picture), KEY.json with ``text`` and ``mask`` in one of the forms of a JSONL line, and
perhaps KEY.mask.png instead of the mask. Nothing is ever unpacked to disk.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Any, cast

from restr.data.entries.entry import Entry, JsonRecord
from restr.errors import DatasetError
from restr.formats.readers.listed import region_of
from restr.formats.shards.address import split_of_shard
from restr.formats.shards.place import Place
from restr.formats.shards.storage import AHEAD, Shard, ShardFile

BLOCK = 1 << 19  # bytes of a request, unless a picture is larger
_MOST_JSON = 32 << 20  # bytes of a sample's JSON
PICTURES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff")
_MASK = "mask.png"
_PIECE = 1 << 20  # bytes of a picture that are read at a time

_Bytes = tuple[int, int]  # first byte, and the one after the last


@dataclass(slots=True)
class _Group:
    """A picture of a shard and its samples."""

    name: str
    """The name of the picture's member."""

    picture: _Bytes
    """Where its bytes are."""

    samples: list[tuple[str, JsonRecord]] = field(default_factory=list)
    """Key and record of each."""

    mask: _Bytes | None = None
    """Where the bytes of the mask's picture are, if it has one."""

    image_id: str | None = None
    """Replaces the claimed id if another picture has it too."""

    digest: bytes = b""
    """The picture's digest, once known."""

    @property
    def claimed(self) -> Any:
        """The ``image_id`` in its records."""
        return self.samples[0][1].values.get("image_id")

    @property
    def start(self) -> int:
        return min(self.picture[0], self.mask[0] if self.mask else self.picture[0])

    @property
    def stop(self) -> int:
        return max(self.picture[1], self.mask[1] if self.mask else 0)


def read_tar_shard(shard: Shard, number: int) -> Iterator[Entry]:
    """The entries of a shard. number: the shard's in the dataset. Raises ``DatasetError`` naming shard and sample."""
    with cast(IO[bytes], ShardFile(shard, AHEAD, _MOST_JSON)) as file:
        for block in _blocks(_merged(_samples(shard, file), file)):
            first, size = block[0].start, max(group.stop for group in block) - block[0].start
            for group in block:

                def place(found: _Bytes, name: str, first: int = first, size: int = size) -> str:
                    return str(
                        Place(number, first, size, found[0] - first, found[1] - found[0], f"{shard.name}/{name}")
                    )

                image = place(group.picture, group.name)
                mask = None if group.mask is None else place(group.mask, f"{group.samples[0][0]}.{_MASK}")
                for key, record in group.samples:
                    yield _entry(shard, key, record, image, mask, group.image_id)


def _entry(shard: Shard, key: str, record: JsonRecord, image: str, mask: str | None, image_id: str | None) -> Entry:
    if mask is not None:
        regions: tuple[dict, ...] = ({"file": mask},)
    elif record.values.get("mask") in ("none", []):
        regions = ()
    else:
        region = region_of(record)
        if "file" in region:
            raise record.wrong("mask", region["file"], f"run lengths, polygons, 'none', or a member {key}.{_MASK}")
        regions = (region,)
    return Entry(
        id=record.text("id", default=f"{shard.name.removesuffix('.tar')}/{key}"),
        image=image,
        text=record.text("text", "expression"),
        regions=regions,
        size=record.size(),
        split=record.text("split", default=split_of_shard(shard.name)),
        kind=record.text("kind", default="other"),
        image_id=image_id or record.text("image_id", default=key),
    )


def _blocks(groups: Iterable[_Group]) -> Iterator[list[_Group]]:
    """Adjacent pictures, as many as fit into a block."""
    block: list[_Group] = []
    for group in groups:
        if block and group.stop - block[0].start > BLOCK:
            yield block
            block = []
        block.append(group)
    if block:
        yield block


def _merged(groups: Iterable[_Group], file: IO[bytes]) -> Iterator[_Group]:
    """Merge the samples of one picture, which a shard holds once for each.

    Adjacent samples with the same ``image_id`` and the same bytes share a picture. Other bytes are another picture with
    another id.
    """
    last: _Group | None = None
    for group in groups:
        if last is not None and group.claimed and group.claimed == last.claimed:
            if not _same_picture(group, last, file):
                group.image_id = f"{group.claimed}@{group.samples[0][0]}"
            elif group.mask is None and last.mask is None:
                last.samples += group.samples
                continue
            else:
                group.image_id = last.image_id
        if last is not None:
            yield last
        last = group
    if last is not None:
        yield last


def _same_picture(one: _Group, two: _Group, file: IO[bytes]) -> bool:
    """Whether two samples hold the same bytes."""
    if one.picture[1] - one.picture[0] != two.picture[1] - two.picture[0]:
        return False
    for group in (one, two):
        group.digest = group.digest or _digest(file, group.picture)
    return one.digest == two.digest


def _digest(file: IO[bytes], part: _Bytes) -> bytes:
    digest = hashlib.sha256()
    file.seek(part[0])
    for start in range(*part, _PIECE):
        digest.update(file.read(min(_PIECE, part[1] - start)))
    return digest.digest()


def _samples(shard: Shard, file: IO[bytes]) -> Iterator[_Group]:
    """The samples of a shard, in its order."""
    for key, members, _ in tar_samples(shard, file):
        yield from _group(shard, file, key, members)


def tar_samples(
    shard: Shard, file: IO[bytes], start: int = 0, stop: int | None = None
) -> Iterator[tuple[str, dict[str, tuple[int, int]], int]]:
    """Key, members and end of each sample. Members: ending (jpg, json) -> first byte, and the one after the last.

    start, stop: only the samples between these bytes, each 0 or the end of a sample. Raises ``DatasetError``.
    """
    key, members, end = "", {}, start
    try:
        file.seek(start)
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # else tarfile keeps all members in memory
                if stop is not None and member.offset >= stop:
                    break
                if not member.isfile() or member.issparse():
                    if member.isdir():
                        continue
                    raise DatasetError(
                        f"{shard.display_name}: the member {member.name[:200]!r} is a link or the like; expected plain files"
                    )
                path = _checked_path(member.name, shard)
                base, _, ending = path.name.partition(".")
                here = str(path.with_name(base)) if base else path.name
                if here != key:
                    if members:
                        yield key, members, member.offset
                    key, members = here, {}
                if ending.lower() in members:
                    raise DatasetError(f"{shard.display_name}: {key}.{ending} is there twice; keys must be unique")
                members[ending.lower()] = (member.offset_data, member.offset_data + member.size)
            end = archive.offset if stop is None else stop  # type: ignore[attr-defined]
            if members:
                yield key, members, end
        if stop is not None:
            return
        # tarfile takes a damaged header, or a file that stops between two members, for the end
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise DatasetError(
                f"{shard.display_name} has no end mark where its members end, at byte {end:,}; it is cut off or damaged: copy "
                "it again"
            )
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise DatasetError(
            f"{shard.display_name}, after {key or 'its beginning'}: no readable tar ({error}); it is cut off or damaged: copy "
            "it again"
        ) from error


def _group(shard: Shard, file: IO[bytes], key: str, members: dict[str, _Bytes]) -> Iterator[_Group]:
    """A sample's picture and record; nothing if the key has neither."""
    where = f"{shard.display_name}, sample {key}"
    pictures = [ending for ending in members if ending in PICTURES]
    if not pictures and "json" not in members:
        return
    if len(pictures) != 1 or "json" not in members:
        raise DatasetError(
            f"{where} has {', '.join(sorted(members))}; expected one picture ({', '.join(PICTURES)}) and a .json with "
            "text and mask"
        )
    start, stop = members["json"]
    if stop - start > _MOST_JSON:
        raise DatasetError(f"{where}: its JSON is of {stop - start:,} bytes; expected at most {_MOST_JSON:,}")
    file.seek(start)
    try:
        values = json.loads(file.read(stop - start))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where} has no readable JSON ({error}); write the shard again") from error
    name = f"{key}.{pictures[0]}"
    yield _Group(name, members[pictures[0]], [(key, JsonRecord(values, where))], members.get(_MASK))


def _checked_path(name: str, shard: Shard) -> PurePosixPath:
    """A member's path. Raises ``DatasetError`` for one that leads out of the shard, or is not text."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name or not name.isprintable() or "\\" in name:
        raise DatasetError(
            f"{shard.display_name}: a member is called {name[:200]!r}; expected the plain name of a file: the shard is not to "
            "be trusted"
        )
    return path
