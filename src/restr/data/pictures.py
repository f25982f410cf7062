"""The pictures of a dataset's entries, read by ``restr.pictures.reading`` like all others."""

from __future__ import annotations

import numpy as np

from restr.data.opener import Opener
from restr.errors import DatasetError, ImageError
from restr.pictures.reading import read_picture


def entry_picture(files: Opener, name: str, size: tuple[int, int] | None, where: str) -> np.ndarray:
    """An entry's picture as uint8 (H W 3). Raises ``DatasetError`` naming the entry and the file.

    size: (H, W) as the annotations say; see ``DecodedPicture.for_size``. where: the entry, for errors.
    """
    path = files.where(name)
    try:
        with files.open(name) as file:
            return read_picture(file, "it").for_size(size)
    except FileNotFoundError as error:
        raise DatasetError(f"{where}: there is no picture {path}; is the dataset complete?") from error
    except DatasetError as error:
        raise type(error)(f"{where}: {error}") from error
    except (ImageError, OSError) as error:
        raise DatasetError(f"{where}: the picture {path} cannot be read ({error}); fetch it again") from error
