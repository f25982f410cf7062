"""A dataset's pictures as arrays."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps

from restr.data.opener import Opener
from restr.errors import DatasetError

ORIENTATION = 0x0112  # EXIF


def read_picture(files: Opener, name: str, size: tuple[int, int] | None, where: str) -> np.ndarray:
    """A picture as uint8 (H W 3). Raises ``DatasetError`` naming the entry and the file.

    size: (H, W) as the annotations say. A picture that its EXIF data turns is turned, unless only the picture as it is stored
    has that size: COCO's annotations are of stored pixels, people's own are of what they saw.
    """
    path = files.where(name)
    try:
        with files.open(name) as file, Image.open(file) as picture:
            stored = (picture.height, picture.width)
            if picture.getexif().get(ORIENTATION, 1) != 1:
                upright = ImageOps.exif_transpose(picture)
                if size is None or (upright.height, upright.width) == size or stored != size:
                    return np.asarray(upright.convert("RGB"))
            pixels = np.asarray(picture.convert("RGB"))
    except FileNotFoundError as error:
        raise DatasetError(f"{where}: there is no picture {path}; is the dataset complete?") from error
    except DatasetError as error:
        raise type(error)(f"{where}: {error}") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{where}: the picture {path} cannot be read ({error}); fetch it again") from error
    if size is not None and pixels.shape[:2] != size:
        raise DatasetError(
            f"{where}: the picture {path} is {pixels.shape[0]} x {pixels.shape[1]}, its annotations are of {size[0]} x {size[1]}; "
            "was it resized?"
        )
    return pixels
