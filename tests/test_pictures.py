"""Prediction, the server, datasets and photographs with masks see the same pixels of a file, and refuse the same files."""

from __future__ import annotations

import base64
import io
import json
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import picture_files
from restr import presets
from restr.cli.main import main
from restr.data.opener import Folder
from restr.data.photos import load_photos
from restr.data.pictures import entry_picture
from restr.errors import DataError, DatasetError, ImageError, ImageTooLargeError
from restr.formats import catalog
from restr.inference.segmenter import Segmenter
from restr.inference.sources import read_image
from restr.inspection.check import check
from restr.inspection.check_page import thumbnail
from restr.masks import rle_encode
from restr.model.build import build_model
from restr.model.weights import save_pretrained
from restr.pictures import reading
from restr.server.intake import decode
from restr.text.vocabulary import Vocabulary

EXACT, NEAR, REFUSED = picture_files.exact(), picture_files.near(), picture_files.refused()
TAKEN = {name: content for name, (content, _) in (EXACT | NEAR).items()} | {"ycck.jpg": picture_files.ycck()}
COFFEE = Path(__file__).parents[1] / "examples" / "coffee.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Every file, and a dataset that names each."""
    root = tmp_path_factory.mktemp("files")
    for name, content in (TAKEN | REFUSED).items():
        (root / name).write_bytes(content)
    rows = [{"image": name, "text": "the square", "bbox": [1, 1, 8, 8]} for name in TAKEN | REFUSED]
    (root / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """The folder of a tiny model, whose masks mean nothing but depend on every pixel."""
    vocabulary = Vocabulary(("the", "cup", "square"))
    path = tmp_path_factory.mktemp("model")
    save_pretrained(build_model(presets.restr_tiny(vocab=len(vocabulary)), seed=0), vocabulary, path)
    return str(path)


def dataset(folder: Path, name: str = "all.jsonl"):
    return catalog.open_dataset(f"jsonl:{name}", folder)


def test_there_are_enough_of_them():
    assert len(TAKEN) > 60 and len(REFUSED) > 15


@pytest.mark.parametrize("name", EXACT)
def test_the_pixels_are_what_the_file_holds(folder, name):
    np.testing.assert_array_equal(read_image(folder / name), EXACT[name][1])


@pytest.mark.parametrize("name", NEAR)
def test_the_pixels_of_a_lossy_file_are_near(folder, name):
    read, expected = read_image(folder / name).astype(int), NEAR[name][1]
    assert read.shape == expected.shape
    assert abs(read - expected).mean() < 4, "another turn or colour would be tens of levels away"


def test_a_dataset_shows_what_prediction_sees(folder):
    samples = dataset(folder)
    seen = 0
    for number in range(len(samples)):
        name = samples.entry(number).image
        if name in TAKEN:
            np.testing.assert_array_equal(samples[number].image, read_image(folder / name), err_msg=name)
            seen += 1
        else:
            with pytest.raises(DatasetError, match=name):
                samples[number]
    assert seen == len(TAKEN)


def test_the_server_sees_what_prediction_sees(folder):
    seen = 0
    for name, content in TAKEN.items():
        if decode.kind_of(content) is None or name == "turned-6.mpo":
            continue
        head = decode.header(content, most_bytes=2**24, most_pixels=2**24)
        np.testing.assert_array_equal(decode.decode(content, head), read_image(folder / name), err_msg=name)
        seen += 1
    assert seen > 40


def test_photographs_with_masks_show_the_same(folder, tmp_path):
    (tmp_path / "images").symlink_to(folder)
    images = [{"id": number, "file_name": name} for number, name in enumerate(TAKEN)]
    (tmp_path / "instances.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    photos = load_photos(tmp_path)
    for number, name in enumerate(TAKEN):
        np.testing.assert_array_equal(photos[number].image, read_image(folder / name), err_msg=name)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_with_its_name_by_all(folder, tmp_path, name):
    with pytest.raises(ImageError, match=name):
        read_image(folder / name)
    with pytest.raises(DatasetError, match=f"train 7: the picture .*{name} cannot be read \\(it "):
        entry_picture(Folder(folder), name, None, "train 7")
    assert thumbnail(Folder(folder), name, None) is None
    (tmp_path / "images").symlink_to(folder)
    listed = {"images": [{"id": 1, "file_name": name}], "annotations": [], "categories": []}
    (tmp_path / "instances.json").write_text(json.dumps(listed))
    with pytest.raises(DataError, match=name):
        load_photos(tmp_path)[0]


def test_data_check_lists_what_is_refused_and_nothing_else(folder):
    report = check(dataset(folder), Vocabulary(("the", "square")))
    assert {each.image for each in report.problems if each.kind == "unreadable"} == set(REFUSED)
    turned = {each.image for each in report.problems if each.kind == "turned"}
    assert turned >= {f"turned-{orientation}.jpg" for orientation in range(2, 9)}
    assert not turned & {"turned-1.jpg", "exif-of-garbage.jpg", "exif-checksum.png"}


def test_a_mask_that_is_a_bomb_is_a_problem_of_its_entry(folder, tmp_path):
    (folder / "bomb.jsonl").write_text('{"image": "rgb.png", "text": "the square", "mask": "bomb.png"}\n')
    with pytest.raises(DatasetError, match=r"bomb\.png.*too large"):
        dataset(folder, "bomb.jsonl")[0]
    report = check(dataset(folder, "bomb.jsonl"), Vocabulary(("the", "square")))
    assert report.counts() == {"unreadable": 1}


def test_what_predict_finds_is_the_truth_of_eval(tmp_path, monkeypatch, model):
    """As anybody would use them: masks from ``restr predict`` make a dataset on which ``restr eval`` finds no error."""
    monkeypatch.chdir(tmp_path)
    cup = np.asarray(Image.open(COFFEE).convert("RGB").resize((150, 100)))
    alpha = np.where(cup.mean(2) > 90, 255, 0).astype(np.uint8)
    grey = cup[..., 1]
    files = {
        "grey16.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "float.tif": Image.fromarray((grey / 255).astype(np.float32)),
        "cutout.png": Image.fromarray(np.dstack([cup, alpha])),
        "turned.jpg": Image.fromarray(cup),
    }
    files["turned.jpg"].getexif()[0x0112] = 6
    for name, picture in files.items():
        picture.save(name, exif=picture.getexif())
    segmenter = Segmenter.from_pretrained(model)
    rows = []
    for name in files:
        mask = segmenter(name, "the cup").mask
        with Image.open(name) as picture:
            other = segmenter(np.asarray(picture.convert("RGB")), "the cup").mask
        assert other.shape != mask.shape or (other != mask).any(), "this file would not tell two readers apart"
        rows.append({"id": name, "image": name, "text": "the cup", "mask": rle_encode(mask)})
    Path("found.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["eval", "--model", model, "--data", "jsonl:found.jsonl", "--out", "out"]) == 0
    records = [json.loads(line) for line in Path("out/records.jsonl").read_text().splitlines()]
    assert {record["id"]: record["iou"] for record in records} == dict.fromkeys(files, 1.0)


def test_annotations_decide_whether_a_turned_picture_is_shown_as_it_is_stored(folder):
    files, (height, width) = Folder(folder), picture_files.PIXELS.shape[:2]
    for size, expected in (
        (None, (width, height)),
        ((width, height), (width, height)),
        ((height, width), (height, width)),
        ((5, 5), (width, height)),
    ):
        assert entry_picture(files, "turned-6.jpg", size, "train 1").shape[:2] == expected
    # Of a square picture both have the size; then it is upright, as people see it.
    square = picture_files.saved(Image.fromarray(picture_files.PIXELS[:, :24]), exif=picture_files.turned(3))
    np.testing.assert_array_equal(
        reading.read_picture(square, "a").for_size((24, 24)), picture_files.PIXELS[::-1, :24][:, ::-1]
    )


def test_the_limit_is_ours_and_the_warning_is_nobodys(monkeypatch):
    """Pillow warns from 89 million pixels on and refuses from 179 million on; pytest makes an error of its warning."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    assert read_image(picture_files.saved()).shape == picture_files.PIXELS.shape  # 864 pixels: Pillow would warn
    monkeypatch.undo()
    monkeypatch.setattr(reading, "MOST_PIXELS", 800)
    for source in (picture_files.saved(), picture_files.PICTURE):
        with pytest.raises(ImageTooLargeError, match="36 x 24 = 864 pixels, at most 800 are read; make it smaller"):
            read_image(source)
    monkeypatch.undo()
    with pytest.raises(ImageTooLargeError, match="has 3,600,000,000 pixels, at most 178,956,970"):
        read_image(REFUSED["larger-bomb.png"])


def test_filters_of_warnings_are_left_as_they_were(folder):
    def work() -> None:
        for _ in range(20):
            read_image(folder / "exif-cut-off.jpg")

    before = list(warnings.filters)
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
    with pytest.raises(UserWarning), Image.open(folder / "palette-some-clear.png") as picture:
        warnings.warn("still an error here", stacklevel=1)
        picture.load()


def test_a_bug_of_ours_and_a_ctrl_c_are_not_called_damage():
    with pytest.raises(KeyboardInterrupt), reading.open_picture(picture_files.saved(), "a.png"):
        raise KeyboardInterrupt
    with pytest.raises(DatasetError, match="the store is gone"), reading.open_picture(picture_files.saved(), "a.png"):
        raise DatasetError("the store is gone")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_pipes_are_read_to_their_end(tmp_path, folder):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(TAKEN["rgb.png"],))
    writer.start()
    np.testing.assert_array_equal(read_image(pipe), picture_files.PIXELS)
    writer.join()
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(TAKEN["rgb.png"])
    np.testing.assert_array_equal(read_image(f"/dev/fd/{reading}"), picture_files.PIXELS)
    os.close(reading)
    with pytest.raises(DatasetError, match=r"pipe\.png.*more than once"):
        entry_picture(Folder(tmp_path), "pipe.png", None, "train 1")


def test_a_pipe_without_an_end_is_given_up(monkeypatch):
    monkeypatch.setattr(reading, "MOST_BYTES", 10_000)
    with pytest.raises(ImageTooLargeError, match="/dev/zero gives more than 10,000 bytes"):
        reading.read_picture(Endless(), "/dev/zero")  # type: ignore[arg-type]


class Endless(io.RawIOBase):
    """A device that never ends."""

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        assert size > 0, "would never come to an end"
        return bytes(size)


def test_folders_and_missing_files_are_named(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path / "folder.jpg")
    with pytest.raises(DatasetError, match=r"folder\.jpg.*is a folder"):
        entry_picture(Folder(tmp_path), "folder.jpg", None, "train 1")
    with pytest.raises(DatasetError, match="there is no picture"):
        entry_picture(Folder(tmp_path), "none.jpg", None, "train 1")


def test_a_data_uri_is_a_picture_to_predict_and_in_a_dataset(tmp_path, monkeypatch, capsys, model):
    uri = "data:image/png;base64," + base64.b64encode(picture_files.saved()).decode()
    np.testing.assert_array_equal(entry_picture(Folder(tmp_path), uri, None, "train 1"), picture_files.PIXELS)
    with pytest.raises(DatasetError, match="train 1: .*is not base64"):
        entry_picture(Folder(tmp_path), uri[:-2], None, "train 1")
    monkeypatch.chdir(tmp_path)
    Path("jobs.jsonl").write_text(json.dumps({"image": uri, "text": "the square"}) + "\n")
    assert (
        main(["predict", uri, "jobs.jsonl", "the square", "--json", "--out", "o", "--save", "mask", "--model", model])
        == 0
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["image"] for line in lines] == [uri[:60] + "..."] * 2
    assert all(Path(line["files"]["mask"]).is_file() for line in lines)
