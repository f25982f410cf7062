"""One picture in files of every form, depth, transparency and turn, and files that only look like pictures."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 36
# A slope with a light square: not symmetrical under any turn, and smooth, so that lossy forms stay near.
PIXELS = np.add.outer(np.arange(HEIGHT) * 4, np.arange(WIDTH) * 3)[..., None] + np.array([0, 20, 50])
PIXELS[4:10, 5:12] = (230, 120, 60)
PIXELS = PIXELS.astype(np.uint8)
PICTURE = Image.fromarray(PIXELS)
GREY = PIXELS[..., 1]
CLEAR = np.zeros((HEIGHT, WIDTH), bool)
CLEAR[:, :9] = True
ON_WHITE = np.where(CLEAR[..., None], 255, PIXELS).astype(np.uint8)
TURNED = {1: PIXELS, 2: PIXELS[:, ::-1], 3: PIXELS[::-1, ::-1], 4: PIXELS[::-1], 5: PIXELS.transpose(1, 0, 2),
          6: np.rot90(PIXELS, -1), 7: PIXELS[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(PIXELS)}  # fmt: skip


def saved(picture: Image.Image = PICTURE, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes, *, wrong: bool = False) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body) ^ wrong)


def png(rows: np.ndarray, kind: int, *notes: bytes) -> bytes:
    """A PNG of 16 bits, which Pillow does not write in colour. kind: PNG's colour type."""
    head = struct.pack(">IIBBBBB", rows.shape[1], rows.shape[0], 16, kind, 0, 0, 0)
    body = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    parts = (chunk(b"IHDR", head), *notes, chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def with_note(name: bytes, body: bytes, *, wrong: bool = False) -> bytes:
    """The picture as PNG with one more chunk, before its pixels."""
    whole = saved()
    return whole[:33] + chunk(name, body, wrong=wrong) + whole[33:]


def bomb(width: int, height: int) -> bytes:
    """A PNG of some bytes that claims to be large."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def exact() -> dict[str, tuple[bytes, np.ndarray]]:
    """Files by name, with the pixels that they hold: of forms that lose nothing."""
    grey = np.repeat(GREY[..., None], 3, axis=2)
    palette, wide, grey16 = PICTURE.quantize(16), PIXELS.astype(np.uint16) * 257, GREY.astype(np.uint16) * 257
    colours, alpha = np.asarray(palette.convert("RGB")), np.where(CLEAR, 0, 255).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([PIXELS, alpha]))
    la = Image.fromarray(np.dstack([GREY, alpha]), "LA")
    bits = np.repeat(np.where(GREY > 100, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    later = {"save_all": True, "append_images": [PICTURE.rotate(180)]}
    found: dict[str, tuple[bytes, np.ndarray]] = {
        f"rgb.{kind}": (saved(kind=kind), PIXELS) for kind in ("png", "bmp", "tiff", "dds", "tga", "ppm")
    }
    found |= {
        "rgb.webp": (saved(kind="WEBP", lossless=True), PIXELS),
        "rgb.jp2": (saved(kind="JPEG2000", irreversible=False), PIXELS),
        "called.jpg": (saved(), PIXELS),  # a PNG
        "grey.png": (saved(Image.fromarray(GREY)), grey),
        "bits.png": (saved(Image.fromarray(GREY > 100)), bits),
        "bits.tif": (saved(Image.fromarray(GREY > 100), "TIFF", compression="group4"), bits),
        "bits.pbm": (saved(Image.fromarray(GREY > 100), "PPM"), bits),
        "palette.png": (saved(palette), colours),
        "palette.gif": (saved(palette, "GIF"), colours),
        "palette-one-clear.png": (saved(palette, transparency=3), _clear(colours, np.asarray(palette) == 3)),
        "palette-some-clear.png": (
            saved(palette, transparency=bytes([255] * 3 + [0] + [255] * 12)),
            _clear(colours, np.asarray(palette) == 3),
        ),
        "palette-clear.gif": (saved(palette, "GIF", transparency=3), _clear(colours, np.asarray(palette) == 3)),
        "la.png": (saved(la), _clear(grey, CLEAR)),
        "rgba.png": (saved(rgba), ON_WHITE),
        "rgba.tif": (saved(rgba, "TIFF"), ON_WHITE),
        "rgba.dds": (saved(rgba, "DDS"), ON_WHITE),
        "rgba.webp": (saved(rgba, "WEBP", lossless=True, exact=True), ON_WHITE),
        "colour-clear.png": (saved(transparency=(230, 120, 60)), _clear(PIXELS, (PIXELS == (230, 120, 60)).all(2))),
        "grey-clear.png": (saved(Image.fromarray(GREY), transparency=120), _clear(grey, GREY == 120)),
        "grey16.png": (saved(Image.fromarray(grey16)), grey),
        "grey16-clear.png": (png(grey16[..., None], 0, chunk(b"tRNS", struct.pack(">H", 120 * 257))), _clear(grey, GREY == 120)),
        "grey16.tif": (saved(Image.fromarray(grey16), "TIFF"), grey),
        "grey16-big-endian.tif": (saved(Image.fromarray(grey16.astype(">u2")), "TIFF"), grey),
        "grey16.pgm": (saved(Image.fromarray(grey16), "PPM"), grey),
        "la16.png": (png(np.dstack([grey16, alpha.astype(np.uint16) * 257]), 4), _clear(grey, CLEAR)),
        "rgb16.png": (png(wide, 2), PIXELS),
        "rgba16.png": (png(np.dstack([wide, alpha.astype(np.uint16) * 257]), 6), ON_WHITE),
        "float.tif": (saved(Image.fromarray((GREY / 255).astype(np.float32)), "TIFF"), grey),
        "first-of-two.gif": (saved(palette, "GIF", save_all=True, append_images=[palette.rotate(180)]), colours),
        "first-of-two.png": (saved(**later), PIXELS),
        "first-of-two.webp": (saved(kind="WEBP", lossless=True, **later), PIXELS),
        "first-of-two.tif": (saved(kind="TIFF", **later), PIXELS),
        "exif-cut-off.png": (saved(exif=turned(6).tobytes()[:18]), PIXELS),
        "exif-cut-off.webp": (saved(kind="WEBP", lossless=True, exif=turned(6).tobytes()[:18]), PIXELS),
        "exif-of-garbage.png": (saved(exif=b"garbage" * 3), PIXELS),
        "exif-in-text.png": (with_note(b"tEXt", b"Raw profile type exif\0\nexif\n 8\nno digits"), PIXELS),
        "exif-checksum.png": (with_note(b"eXIf", turned(6).tobytes()[6:], wrong=True), PIXELS),
        "text-checksum.png": (with_note(b"tEXt", b"Comment\0by hand", wrong=True), PIXELS),
        "long-text.png": (with_note(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000))), PIXELS),
        "profile-of-garbage.png": (saved(icc_profile=b"garbage" * 9), PIXELS),
        "profile-checksum.png": (with_note(b"iCCP", b"x\0\0" + zlib.compress(b"garbage"), wrong=True), PIXELS),
        "long-profile.png": (saved(icc_profile=bytes(3_000_000)), PIXELS),
        "profile-of-garbage.tif": (saved(kind="TIFF", icc_profile=b"garbage" * 9), PIXELS),
    }  # fmt: skip
    for orientation, expected in TURNED.items():
        found[f"turned-{orientation}.png"] = (saved(exif=turned(orientation)), expected)
        found[f"turned-{orientation}.tif"] = (saved(kind="TIFF", exif=turned(orientation)), expected)
    return found


def near() -> dict[str, tuple[bytes, np.ndarray]]:
    """Files by name, with the pixels that they hold to within a few grey levels."""
    cmyk = saved(PICTURE.convert("CMYK"), "JPEG", quality=100, subsampling=0)
    later = {"save_all": True, "append_images": [PICTURE.rotate(180)]}
    best: dict[str, Any] = {"quality": 100, "subsampling": 0}
    found = {
        "rgb.jpg": (saved(kind="JPEG", **best), PIXELS),
        "rgb.avif": (saved(kind="AVIF", quality=100, subsampling="4:4:4"), PIXELS),
        "cmyk.jpg": (cmyk, PIXELS),
        "cmyk.tif": (saved(PICTURE.convert("CMYK"), "TIFF"), PIXELS),
        "lab.tif": (saved(PICTURE.convert("LAB"), "TIFF"), PIXELS),
        "ycbcr.tif": (saved(PICTURE.convert("YCbCr"), "TIFF"), PIXELS),
        "first-of-two.mpo": (saved(kind="MPO", **best, **later), PIXELS),
        "exif-of-garbage.jpg": (saved(kind="JPEG", exif=b"Exif\0\0garbage", **best), PIXELS),
        "exif-cut-off.jpg": (saved(kind="JPEG", exif=turned(6).tobytes()[:20], **best), PIXELS),
        "profile-of-garbage.jpg": (saved(kind="JPEG", icc_profile=b"garbage" * 9, **best), PIXELS),
        "turned-6.avif": (saved(kind="AVIF", quality=100, subsampling="4:4:4", exif=turned(6)), TURNED[6]),
        "turned-6.mpo": (saved(kind="MPO", exif=turned(6), **best, **later), TURNED[6]),
    }
    for orientation, expected in TURNED.items():
        found[f"turned-{orientation}.jpg"] = (saved(kind="JPEG", exif=turned(orientation), **best), expected)
    return found


def ycck() -> bytes:
    """A JPEG in YCCK: one in CMYK whose Adobe marker calls its channels so. Its colours are others."""
    content = bytearray(saved(PICTURE.convert("CMYK"), "JPEG", quality=100, subsampling=0))
    content[content.index(b"Adobe") + 11] = 2
    return bytes(content)


def refused() -> dict[str, bytes]:
    """Files that must be refused, by name."""
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8))
    avif = bytearray(saved(large, "AVIF"))
    start = avif.index(b"mdat") + 8
    avif[start : start + 40] = b"\xff" * 40
    return {
        "empty.jpg": b"",
        "text.jpg": b"the cup is on the left\n" * 20,
        "page.png": b"<html>not found</html>",
        "float-to-255.tif": saved(Image.fromarray(GREY.astype(np.float32)), "TIFF"),
        "float-not-a-number.tif": saved(Image.fromarray(np.full((9, 9), np.nan, np.float32)), "TIFF"),
        "negative.tif": saved(Image.fromarray(np.full((9, 9), -1, np.int32)), "TIFF"),
        "bomb.png": bomb(20_000, 20_000),
        "larger-bomb.png": bomb(60_000, 60_000),
        "damaged.avif": bytes(avif),
        "damaged.dds": saved(kind="DDS")[:200],
        **{
            f"cut-off.{kind}": saved(large, kind)[:1500]
            for kind in ("png", "jpeg", "gif", "tiff", "webp", "avif", "bmp")
        },
    }


def _clear(pixels: np.ndarray, where: np.ndarray) -> np.ndarray:
    return np.where(where[..., None], 255, pixels).astype(np.uint8)
