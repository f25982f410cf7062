"""A camera that sways over a photograph, as JPEG pictures and as a clip that plays Chromium's camera."""

from __future__ import annotations

import io
import math
from pathlib import Path

from PIL import Image

COFFEE = Path(__file__).parents[2] / "examples" / "coffee.jpg"
RATE = 30  # pictures a second, as Chromium plays a .mjpeg
_SIZE, _SWAY = (640, 480), 40  # pixels


def camera_pictures(count: int = 90, photograph: Path = COFFEE) -> list[bytes]:
    """JPEG files; the last leads over to the first."""
    wide = Image.open(photograph).convert("RGB").resize((_SIZE[0] + 2 * _SWAY, _SIZE[1]))
    found = []
    for number in range(count):
        left = round(_SWAY * (1 + math.sin(2 * math.pi * number / count)))
        buffer = io.BytesIO()
        wide.crop((left, 0, left + _SIZE[0], _SIZE[1])).save(buffer, "JPEG", quality=85)
        found.append(buffer.getvalue())
    return found


def write_camera_clip(path: Path, count: int = 90) -> Path:
    """A .mjpeg file: the pictures one after the other."""
    path.write_bytes(b"".join(camera_pictures(count)))
    return path
