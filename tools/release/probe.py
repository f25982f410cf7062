"""Runs in the environment under trial: what restr, wherever it is installed, finds in the pictures of a folder.

``python probe.py PICTURES OUT``, where OUT is an ``.npz`` file: probabilities and masks of each picture and sentence, and a line
of JSON about the environment.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

TEXTS = ("the woman in the orange suit", "the coffee cup", "the cat", "the thing on the left")


def main() -> None:
    folder, out = map(Path, sys.argv[1:])
    import restr

    light = "torch" not in sys.modules
    segmenter = restr.Segmenter.from_pretrained()
    import numpy as np
    import torch

    arrays: dict[str, np.ndarray] = {}
    for picture in sorted(folder.glob("*.jpg")):
        for text, result in zip(TEXTS, segmenter(picture, list(TEXTS)), strict=True):
            name = f"{picture.stem}, {text}"
            arrays[f"{name}: probabilities"] = result.prob
            arrays[f"{name}: mask"] = result.mask
            arrays[f"{name}: score and presence"] = np.array([result.score, result.presence])
    about = {
        "restr": restr.__version__,
        "from": restr.__file__,
        "import is light": light,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": sys.version.split()[0],
        "networks": [name for _, name in socket.if_nameindex()],
    }
    arrays["about"] = np.array(json.dumps(about))
    np.savez_compressed(out, **arrays)  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    main()
