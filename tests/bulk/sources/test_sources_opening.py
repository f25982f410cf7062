"""Every form of input, whole and damaged, here and behind an address: no row is lost, wherever it is cut."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from bulk_runs import csv_text, json_lines, parquet_table, png, read_records, web_tar
from restr.bulk.sources import base
from restr.bulk.sources.columns import BulkColumns
from restr.bulk.sources.opening import open_source
from restr.errors import DatasetError, TextError

SIZES = (1, 2, 3, 100)  # rows of a piece
Write = Callable[[str, bytes], str]


@pytest.fixture(params=["disk", "memory"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Writes a file, on the disk or in fsspec's memory; returns its path or address."""
    system = fsspec.filesystem("memory")

    def write(name: str, content: bytes) -> str:
        if request.param == "memory":
            system.pipe_file(f"/in/{name}", content)
            return f"memory://in/{name}"
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    system.store.clear()
    request.addfinalizer(system.store.clear)
    return write


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def test_pictures_of_a_folder_and_all_below_in_order(write: Write) -> None:
    names = ["b.png", "a.PNG", "deep/er/c.jpg", "notes.md"]
    paths = [write(name, png(0)) for name in names]
    source = open_source([folder_of(paths[0])], texts=["left", "right"])
    expected = [(name, text) for name in ("a.PNG", "b.png", "deep/er/c.jpg") for text in ("left", "right")]
    for rows in SIZES:
        found = read_records(source, rows)
        assert len(found) == 6 and not any(bad for *_, bad in found)
        for (image, text, *_), (name, asked) in zip(found, expected, strict=True):
            assert image.endswith(f"/{name}") and text == asked


def test_a_worker_does_not_get_the_list_of_all_pictures(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03d}-{'x' * 40}.png").touch()
    source = open_source([str(tmp_path)], texts=["left"])
    assert len(pickle.dumps(source)) < 1000
    assert len(pickle.dumps(next(iter(source.cut(10))))) < 2000


LINES = [
    {"image": "a.png", "text": "left", "id": 7},
    {"image": "a.png", "text": ["red", "blue"], "id": "x"},
    b"",
    b"{broken",
    b"[1, 2]",
    b'{"image": "a.png", "text": "caf\xe9"}',
    {"image": "b.png", "text": []},
    {"image": None, "text": "left"},
    {"text": "left"},
    {"image": "b.png", "text": 5},
    {"image": "\u6587.png", "text": "line\u2028end"},
]
JSON_ROWS = [
    ("a.png", "left", "7", False),
    ("a.png", "red", "x", False),
    ("a.png", "blue", "x", False),
    *[(None, None, None, True)] * 3,
    ("b.png", None, None, False),  # the text is refused when its turn comes
    (None, "left", None, True),
    (None, "left", None, True),
    ("b.png", 5, None, False),
    ("\u6587.png", "line\u2028end", None, False),
]


def test_json_lines(write: Write) -> None:
    source = open_source([write("rows.jsonl", b"\xef\xbb\xbf" + json_lines(LINES))])
    for rows in SIZES:
        assert read_records(source, rows) == JSON_ROWS


def test_texts_of_the_command_line_take_the_place_of_a_tables_own(write: Write) -> None:
    source = open_source([write("rows.jsonl", json_lines(LINES[:1] + LINES[3:4]))], texts=["red", "blue"])
    assert read_records(source, 1) == [
        *[("a.png", text, "7", False) for text in ("red", "blue")],
        *[(None, text, None, True) for text in ("red", "blue")],
    ]


def test_csv_with_line_ends_in_quotes_and_bad_lines(write: Write) -> None:
    content = csv_text([["path", "caption"], ["a.png", "left"], ["b.png", 'two\nlines, "quoted"']])
    content += b'c.png\n\nd.png,caf\xe9\ne.png,"x"y\nf.png,red\ng.png,"never closed\n'
    source = open_source([write("rows.csv", content)])
    for rows in SIZES:
        assert read_records(source, rows) == [
            ("a.png", "left", None, False),
            ("b.png", 'two\nlines, "quoted"', None, False),
            *[(None, None, None, True)] * 3,
            ("f.png", "red", None, False),
            (None, None, None, True),
        ]


def test_tsv_with_a_picture_in_base64(write: Write) -> None:
    import base64

    picture = base64.b64encode(png(1) * 30).decode()  # longer than the csv module reads of its own accord
    source = open_source([write("rows.tsv", f"img\ttext\n{picture}\tleft\n".encode())])
    (record,) = [record for piece in source.cut(9) for record in source.records(piece)]
    assert record.picture == picture and record.image is not None and len(record.image) < 70


@pytest.mark.parametrize(
    "texts", [["left", "red", "blue", "the", "right", "left"], [["left", "red"], [], ["blue"]] * 2]
)
def test_parquet_with_names_or_bytes(write: Write, texts: list) -> None:
    import pyarrow as arrow

    names = [f"{number}.png" for number in range(6)]
    flat = [
        (number, text)
        for number, each in enumerate(texts)
        for text in (each if isinstance(each, list) else [each]) or [None]
    ]
    named = open_source([write("names.parquet", parquet_table({"image": names, "text": texts, "id": range(6)}))])
    bytes_of = arrow.array([{"bytes": png(number), "path": name} for number, name in enumerate(names)])
    held = open_source([write("bytes.parquet", parquet_table({"image": bytes_of, "text": texts}))])
    for rows in SIZES:
        assert read_records(named, rows) == [(names[number], text, str(number), False) for number, text in flat]
        assert read_records(held, rows) == [(names[number], text, None, False) for number, text in flat]
    pictures = [record.picture for piece in held.cut(2) for record in held.records(piece)]
    assert pictures == [png(number) for number in range(6)]


def test_webdataset_shards(write: Write) -> None:
    samples = [
        ("README", {"": "about"}),
        ("0000", {"png": png(0), "json": {"text": ["left", "red"]}}),
        ("0001", {"png": png(1), "txt": "the left\n\nblue\n"}),
        ("deep/" * 30 + "0002", {"txt": "red", "png": png(2)}),  # a name that needs a second header
        ("0003", {"json": {"text": "no picture"}}),
        ("0004", {"png": png(4), "json": "not json"}),
        ("0005", {"png": png(5)}),
        ("0006", {"png": png(6), "json": {"width": 3}, "txt": "blue"}),
    ]
    source = open_source([write("s-000.tar", web_tar(samples)), write("s-001.tar", web_tar(samples[2:3]))])
    keys = [key for key, _ in samples]
    expected = [
        (f"s-000.tar/{key}.png", text, key, False) for key, text in zip([keys[1]] * 2, ("left", "red"), strict=True)
    ]
    expected += [(f"s-000.tar/{keys[2]}.png", text, keys[2], False) for text in ("the left", "blue")]
    expected += [
        (f"s-000.tar/{keys[3]}.png", "red", keys[3], False),
        (f"s-000.tar/{keys[4]}", "no picture", keys[4], True),
    ]
    # JSON's own text: '"not json"' is a JSON text without names, so nothing is asked of the picture
    expected += [(f"s-000.tar/{keys[5]}.png", None, keys[5], False), (f"s-000.tar/{keys[6]}.png", None, keys[6], False)]
    expected += [(f"s-000.tar/{keys[7]}.png", "blue", keys[7], False)]
    expected += [(f"s-001.tar/{keys[2]}.png", text, keys[2], False) for text in ("the left", "blue")]
    for rows in SIZES:
        found = read_records(source, rows)
        assert [each[:3] for each in found] == [each[:3] for each in expected]
        assert [each[3] for each in found] == [each[3] or "0004" in str(each[2]) for each in expected]
    pictures = {record.id: record.picture for piece in source.cut(2) for record in source.records(piece)}
    assert pictures["0001"] == png(1) and pictures["0006"] == png(6)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.tar", web_tar([(f"{n}", {"png": png(n), "txt": "left"}) for n in range(8)])[:9000]),
        ("cut.parquet", parquet_table({"image": ["a.png"], "text": ["left"]})[:-9]),
    ],
)
def test_what_is_lost_of_a_damaged_file_is_one_row_with_an_error(write: Write, name: str, content: bytes) -> None:
    ending = Path(name).suffix
    whole = {
        ".tar": web_tar([("k", {"png": png(0), "txt": "left"})]),
        ".parquet": parquet_table({"image": ["a.png"], "text": ["left"]}),
    }[ending]
    source = open_source([write(f"a{ending}", whole), write(name, content), write(f"z{ending}", whole)])
    for rows in SIZES:
        found = read_records(source, rows)
        assert [each[3] for each in found][0] is False and [each[3] for each in found][-1] is False
        assert sum(each[3] for each in found) == 1


def test_records_of_one_picture_stay_in_one_piece(write: Write) -> None:
    lines = [{"image": f"{number // 3}.png", "text": "left"} for number in range(30)]
    source = open_source([write("rows.jsonl", json_lines(lines))])
    for piece in source.cut(4):
        images = [record.image for record in source.records(piece)]
        assert len(images) == len(set(images)) * 3
    endless = [{"image": "a.png", "text": "left"}] * 30
    assert max(piece.rows for piece in open_source([write("b.jsonl", json_lines(endless))]).cut(4)) == 8


@pytest.mark.parametrize(
    ("files", "options", "error", "message"),
    [
        ({"a.png": b"", "b.jsonl": b""}, {"texts": ["left"]}, DatasetError, "expected one kind"),
        ({"a.png": b""}, {}, TextError, "add --text"),
        ({"a.png": b""}, {"texts": ["left", " "]}, TextError, "a text is empty"),
        ({"a.tar.gz": b""}, {}, DatasetError, "holds no file|unpack it"),
        ({"a.jsonl": json_lines([{"picture": "a"}])}, {}, DatasetError, "it has picture: .* --image-column"),
        ({"a.csv": b"image,what\n"}, {}, DatasetError, "--text-column"),
        ({"a.csv": b"image,text,text\n"}, {}, DatasetError, "two columns called 'text'"),
        ({"a.jsonl": "{}".encode("utf-16")}, {}, DatasetError, "UTF-16"),
        ({"a.csv": b"image,text\n"}, {"columns": BulkColumns(image="img")}, DatasetError, "no column 'img'"),
    ],
)
def test_what_cannot_work_is_said(write: Write, files: dict, options: dict, error: type, message: str) -> None:
    place = [folder_of(write(f"x/{name}", content)) for name, content in files.items()][0]
    with pytest.raises(error, match=message):
        open_source([place], **options)


def test_a_missing_input_is_said() -> None:
    with pytest.raises(DatasetError, match="there is no file nowhere"):
        open_source(["nowhere"], texts=["left"])
    with pytest.raises(DatasetError, match="memory://nowhere holds no file"):
        open_source(["memory://nowhere"], texts=["left"])


def test_globs_and_ranges(write: Write) -> None:
    paths = [
        write(f"part-{number:02d}.jsonl", json_lines([{"image": f"{number}", "text": "left"}])) for number in range(4)
    ]
    place = folder_of(paths[0])
    for pattern in (f"{place}/part-*.jsonl", f"{place}/part-{{00..03}}.jsonl"):
        assert [image for image, *_ in read_records(open_source([pattern]), 9)] == list("0123")


def test_facts_change_with_the_content(write: Write) -> None:
    path = write("a.jsonl", json_lines(LINES))
    before = open_source([path]).facts()
    assert open_source([path]).facts() == before
    write("a.jsonl", json_lines(LINES[:3]))
    assert open_source([path]).facts() != before
    assert open_source([path], texts=["left"]).facts() != open_source([path]).facts()


def test_an_unreachable_storage_stops_the_plan(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are not lost, so they must not be counted as one row with an error."""
    from restr.errors import UnreachableError

    def count(self, number):
        raise UnreachableError("no network")
        yield

    source = open_source([write("a.jsonl", json_lines(LINES))])
    monkeypatch.setattr(type(source), "count", count)
    assert issubclass(UnreachableError, DatasetError) and base.FileSource.cut
    with pytest.raises(UnreachableError):
        list(source.cut(2))
