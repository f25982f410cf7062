"""Every kind of image comes out as the same upright RGB pixels, and a bad one as an ImageError that says why."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from urllib.parse import quote_from_bytes

import numpy as np
import pytest
from PIL import Image

from restr.errors import ImageError
from restr.inference.sources import image_name, read_image
from restr.pictures.embedded import abbreviate

PIXELS = np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS)
GREY = np.asarray(PICTURE.convert("L"))


def encoded(picture: Image.Image = PICTURE, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def test_path_bytes_file_pil_and_array_agree(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded())
    for source in (path, str(path), encoded(), bytearray(encoded()), io.BytesIO(encoded()), PICTURE, PIXELS):
        read = read_image(source)
        np.testing.assert_array_equal(read, PIXELS)
        assert read.dtype == np.uint8 and read.flags.c_contiguous


@pytest.mark.parametrize("array", [GREY, GREY[:, :, None], GREY / 255, GREY.astype(np.uint16) * 257], ids=str)
def test_grey_float_and_16_bit_arrays(array):
    np.testing.assert_array_equal(read_image(array), np.repeat(GREY[:, :, None], 3, axis=2))


def test_transparent_pixels_are_laid_on_white():
    alpha = np.full((20, 30, 1), 255, np.uint8)
    alpha[:, :10] = 0
    expected = PIXELS.copy()
    expected[:, :10] = 255
    rgba = np.concatenate([PIXELS, alpha], axis=2)
    for source in (rgba, Image.fromarray(rgba), encoded(Image.fromarray(rgba))):
        np.testing.assert_array_equal(read_image(source), expected)
    la = Image.fromarray(np.dstack([GREY, alpha[..., 0]]), "LA")
    np.testing.assert_array_equal(read_image(encoded(la))[..., 0], np.where(alpha[..., 0] == 0, 255, GREY))


def test_palette_images():
    palette = PICTURE.quantize(8)
    np.testing.assert_array_equal(read_image(encoded(palette)), np.asarray(palette.convert("RGB")))
    read = read_image(encoded(palette, transparency=0))
    assert (read[np.asarray(palette) == 0] == 255).all()


def test_16_bit_float_cmyk_and_bilevel_files():
    sixteen = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert sixteen.mode == "I;16"
    np.testing.assert_array_equal(read_image(encoded(sixteen))[..., 0], GREY)
    np.testing.assert_array_equal(read_image(sixteen.convert("I"))[..., 0], GREY)
    floating = Image.fromarray((GREY / 255).astype(np.float32))
    np.testing.assert_array_equal(read_image(encoded(floating, "TIFF"))[..., 1], GREY)
    cmyk = PICTURE.convert("CMYK")
    assert abs(read_image(encoded(cmyk, "TIFF")).astype(int) - PIXELS).max() <= 1
    assert set(np.unique(read_image(PICTURE.convert("1")))) == {0, 255}


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert tuple(read_image(data)[0, 0]) == (255, 0, 0)
    with Image.open(io.BytesIO(data)) as playing:
        playing.seek(2)
        assert tuple(read_image(playing)[0, 0]) == (255, 0, 0)
        assert playing.tell() == 2, "the caller's image stays where it was"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = read_image(encoded(exif=exif))
    undo = {1: PIXELS, 2: PIXELS[:, ::-1], 3: PIXELS[::-1, ::-1], 4: PIXELS[::-1], 6: np.rot90(PIXELS, -1),
            8: np.rot90(PIXELS), 5: PIXELS.transpose(1, 0, 2), 7: PIXELS[::-1, ::-1].transpose(1, 0, 2)}  # fmt: skip
    np.testing.assert_array_equal(read, undo[orientation])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_files(kind, share):
    big = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8))
    data = encoded(big, kind)
    with pytest.raises(ImageError):
        read_image(data[: int(len(data) * share)])


@pytest.mark.filterwarnings("ignore")  # PIL warns about odd metadata as it goes
def test_damaged_bytes_never_raise_anything_else():
    rng = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP"):
        data = encoded(kind=kind)
        for _ in range(40):
            broken = bytearray(data)
            for position in rng.integers(0, len(data), 6):
                broken[position] = rng.integers(0, 256)
            try:
                read_image(bytes(broken))
            except ImageError as error:
                assert str(error)


def bomb(side: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_is_opened():
    with pytest.raises(ImageError, match="too large"):
        read_image(bomb(60_000))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"", "0 bytes"),
        (b"<html>not found</html>", "not an image"),
        ("no/such/file.jpg", "no file"),
        ("https://example.org/a.jpg", "download"),
        (".", "folder"),
        (Image.new("RGB", (0, 5)), "0 x 5"),
        (np.zeros((0, 5, 3), np.uint8), "no pixels"),
        (np.zeros((3, 20, 30), np.uint8), "transpose"),
        (np.zeros((2, 3, 20, 30), np.uint8), "shape"),
        (np.full((4, 4), 200.0), "divide by 255"),
        (np.full((4, 4), np.nan), "in \\[0, 1\\]"),
        (np.full((4, 4), -0.1), "in \\[0, 1\\]"),
        (np.zeros((4, 4), np.int64), "int64"),
        (np.zeros((4, 4), object), "object"),
        (np.full((4, 4), np.inf), "in \\[0, 1\\]"),
        (np.zeros((4, 4), complex), "complex128"),
        (io.StringIO("text"), "open as text; an image is bytes: open\\(path, 'rb'\\)"),
        (io.BytesIO(b""), "0 bytes; is it empty, or read already"),
        ("x" * 5000, "x{60}\\.\\.\\. cannot be opened: File name too long"),
        ("a\0b.jpg", "cannot be opened"),
        ("data:image/png;base64,@@@@", "is not base64"),
        ("data:,", "0 bytes"),
        (None, "NoneType"),
        (42, "int"),
    ],
)
def test_other_things_than_images_are_refused_with_a_reason(source, says):
    with pytest.raises(ImageError, match=says):
        read_image(source)


@pytest.mark.parametrize(
    "write",
    [
        lambda text: f"data:image/png;base64,{text}",
        lambda text: f"DATA:;base64,{text[:40]}%0A{text[40:]}",
        lambda text: text,
        lambda text: "\n".join(text[start : start + 76] for start in range(0, len(text), 76)),
    ],
    ids=["uri", "broken into lines", "base64", "base64 in lines"],
)
def test_text_that_holds_the_image(write):
    source = write(base64.b64encode(encoded()).decode())
    np.testing.assert_array_equal(read_image(source), PIXELS)
    assert image_name(source) == "image"
    assert len(abbreviate(source)) < 70


def test_a_uri_may_be_written_without_base64():
    np.testing.assert_array_equal(read_image("data:image/png," + quote_from_bytes(encoded())), PIXELS)


def test_a_path_that_could_be_base64_is_a_path(tmp_path, monkeypatch):
    """The text of a JPEG in base64 begins with /9j/, which could be a folder."""
    monkeypatch.chdir(tmp_path)
    name = base64.b64encode(b"\xff\xd8\xff" * 20).decode().replace("/", "9")
    path = tmp_path / (name[:60] + "9j9a")
    path.write_bytes(encoded())
    np.testing.assert_array_equal(read_image(path.name), PIXELS)
    with pytest.raises(ImageError, match="there is no file aaaa"):
        read_image("a" * 100)


def test_files_that_cannot_be_read_any_more(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded())
    with path.open("rb") as file:
        pass
    with pytest.raises(ImageError, match="the open file cannot be read: .*closed"):
        read_image(file)
    with path.open("r", encoding="utf-8") as file, pytest.raises(ImageError, match=r"a\.png is open as text"):
        read_image(file)  # type: ignore[arg-type]
    picture = Image.open(path)
    picture.close()
    with pytest.raises(ImageError, match="the PIL image is damaged or truncated: Operation on closed image"):
        read_image(picture)


@pytest.mark.parametrize("dtype", [">u2", "<u2", ">f4", "<f8", "<f2"])
def test_arrays_of_either_byte_order(dtype):
    values = GREY.astype(np.uint16) * 257 if "u" in dtype else GREY / 255
    read = read_image(values.astype(dtype))
    np.testing.assert_array_equal(read[..., 0], GREY)
    assert read.dtype == np.dtype("uint8")


def test_premultiplied_alpha_is_laid_on_white():
    for mode in ("La", "RGBa"):
        full = PICTURE.convert("LA" if mode == "La" else "RGBA")
        np.testing.assert_array_equal(read_image(full.convert(mode)), read_image(full))


def test_an_empty_file_is_named(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(ImageError, match=r"empty\.jpg is empty"):
        read_image(path)


def test_image_names(tmp_path):
    assert image_name("a/b/dog.v2.jpg") == "dog.v2"
    assert image_name(b"...") == image_name(PIXELS) == image_name(PICTURE) == "image"
    path = tmp_path / "cat.png"
    path.write_bytes(encoded())
    with Image.open(path) as opened:
        assert image_name(opened) == "cat"
