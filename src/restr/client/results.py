"""The answers of a server: what it found, or why it refused."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from restr import masks
from restr.errors import RestrError


class ServerError(RestrError):
    """The server refused a request.

    type: the problem's name, such as "queue-full". status: HTTP's. document: the whole answer.
    """

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status, self.document = status, document
        self.type = str(document.get("type", "")).rpartition(":")[2]
        super().__init__(f"{status} {self.type}: {document.get('detail', 'the answer is not a problem document')}")


@dataclass(frozen=True, kw_only=True, eq=False)
class RemoteResult:
    """The part of an answer about one expression. document: the answer itself, with every form that was asked for."""

    document: dict[str, Any]

    @property
    def text(self) -> str:
        """The expression."""
        return self.document["text"]

    @property
    def found(self) -> bool:
        """Whether there is a mask."""
        return self.document["found"]

    @property
    def presence(self) -> float | None:
        """The probability that the image shows anything that the expression names; None from a model that does not say."""
        return self.document["presence"]

    @property
    def score(self) -> float:
        """The probability that the mask is right; 0 for an empty one."""
        return self.document["score"]

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """(x0, y0, x1, y1), the last two exclusive; None for an empty mask."""
        box = self.document["box"]
        return None if box is None else (box[0], box[1], box[2], box[3])

    @cached_property
    def mask(self) -> np.ndarray:
        """bool (H W); needs the form "rle", which is the default."""
        return masks.rle_decode(self.document["rle"])

    @property
    def instances(self) -> list[RemoteResult]:
        """The mask's separate regions, the largest first, with score, box and mask; needs the form "instances"."""
        shared = {name: self.document[name] for name in ("text", "found", "presence")}
        return [RemoteResult(document=shared | each) for each in self.document["instances"]]

    def picture(self, form: str) -> bytes:
        """The PNG file of a picture form that was asked for, such as "mask" or "overlay"."""
        return base64.b64decode(self.document[form])
