"""Flicker, interpolation and speed of the masks of a video, in one pass over a clip whose every frame is computed.

    python benchmarks/video.py clip.mp4 "the dog on the left"             # two tables, about a third of a second a frame
    python benchmarks/video.py clip.mp4 "the dog" --frames 300 --sheet sheet.png
    python benchmarks/video.py clip.mp4 --cuts                            # only the differences between neighbouring frames
    python benchmarks/video.py clip.mp4 "the dog" --memory 3000 --every 20   # restr predict's memory, the clip looped

Flicker: the share of the mask that changes from one frame to the next, |A xor B| / mean area, beside the picture's own change,
the mean absolute difference of its pixels in percent of white. "calm" takes the quarter of the neighbours whose pictures
differ least: there a mask has the least reason to change. "unsmoothed" is the mean IoU with the mask of the frame alone: what
the smoothing costs, as it lags. The second table compares the masks of frames that were not computed with those that
would have been. Scene cuts are left out of both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from restr import Result, Segmenter
from restr.inference.tracking.between import Interpolation
from restr.inference.tracking.smoothing import CUT, CutDetector, Smoother, TrackSettings, blend
from restr.report.tables import markdown_table
from restr.video.clip import describe_clip, read_frames
from restr.video.predict import predict_clip
from restr.video.request import ClipRequest
from restr.video.writer import Mp4Writer

SMOOTH = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
EVERY = (2, 3, 5, 10)


class Flicker:
    """The change of the masks under one smoothing."""

    def __init__(self, smooth: float) -> None:
        self.smoother, self.changes, self.likeness = Smoother(smooth), [], []
        self._last: np.ndarray | None = None

    def add(self, result: Result, new_scene: bool) -> None:
        """The next frame."""
        mask = self.smoother.add([result], new_scene=new_scene)[0].mask
        if self._last is not None and not new_scene:
            self.changes.append(changed_share(self._last, mask))
        self.likeness.append(iou(mask, result.mask))
        self._last = mask


class Carried:
    """Masks of frames between every n-th one, made in three ways, against the computed ones."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.likeness: dict[str, list[float]] = {
            "last mask stays": [],
            "blended in place": [],
            "shifted and blended": [],
        }
        self._span: list[Result] = []

    def add(self, result: Result, new_scene: bool) -> None:
        """The next frame."""
        self._span = [result] if new_scene else [*self._span, result]
        if len(self._span) <= self.every:
            return
        first, *between, last = self._span
        steps = Interpolation([first], [last])
        for place, truth in enumerate(between, 1):
            share = place / self.every
            ways = (first.mask, blend(first, last, share).mask, steps.at(share)[0].mask)
            for found, mask in zip(self.likeness.values(), ways, strict=True):
                found.append(iou(mask, truth.mask))
        self._span = [last]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Of two masks; 1 if both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def changed_share(one: np.ndarray, other: np.ndarray) -> float:
    """The pixels that change sides, in mean areas of the masks: 0 to 2."""
    area = (np.count_nonzero(one) + np.count_nonzero(other)) / 2
    return np.count_nonzero(one ^ other) / area if area else 0.0


def measure(clip: Path, text: str, frames: int | None, sheet: Path | None) -> None:
    """Print the tables of a clip."""
    segmenter = Segmenter.from_pretrained()
    images: deque[np.ndarray] = deque()

    def read() -> Iterator[np.ndarray]:
        for frame in islice(read_frames(clip), frames):
            images.append(frame.image)
            yield frame.image

    flickers, carried = [Flicker(smooth) for smooth in SMOOTH], [Carried(every) for every in EVERY]
    cuts, picture_changes, tiles, last = CutDetector(), [], [], None
    began, count = time.perf_counter(), 0
    spent = 0.0  # in measuring
    for (result,) in segmenter.track(read(), text):
        before = time.perf_counter()
        image = images.popleft().astype(np.int16)
        new_scene = cuts.begins_scene(result.image)
        if last is not None and not new_scene:
            picture_changes.append(float(np.abs(image - last).mean()) / 255)
        for each in (*flickers, *carried):
            each.add(result, new_scene)
        if sheet is not None and count % 12 == 0:
            tiles.append(result.overlay(caption=False).resize((240, 240 * image.shape[0] // image.shape[1])))
        last, count = image, count + 1
        spent += time.perf_counter() - before
    rate = count / (time.perf_counter() - began - spent)
    print(f"{clip.name}, {text!r}: {count} frames, {rate:.2f} a second in {segmenter.backend.name}\n")
    calm = np.array(picture_changes) <= np.quantile(picture_changes, 0.25)
    rows = [
        [f"{each.smoother.smooth:g}", f"{np.mean(each.changes):.1%}", f"{np.mean(np.array(each.changes)[calm]):.1%}",
         f"{np.mean(each.likeness):.3f}"]
        for each in flickers
    ]  # fmt: skip
    print("\n".join(markdown_table(["smooth", "mask changes", "calm", "IoU with unsmoothed"], rows)))
    print(
        f"\nThe picture changes by {np.mean(picture_changes):.2%}, calm {np.mean(np.array(picture_changes)[calm]):.2%}.\n"
    )
    ways = list(carried[0].likeness)
    table = [[f"{each.every}", *(f"{np.mean(each.likeness[way]):.3f}" for way in ways)] for each in carried]
    print("\n".join(markdown_table(["every", *ways], table)))
    if sheet is not None:
        save_sheet(tiles, sheet)


def save_sheet(tiles: list[Image.Image], path: Path) -> None:
    """Pictures side by side, eight in a row."""
    width, height = tiles[0].size
    canvas = Image.new("RGB", (8 * width, -(-len(tiles) // 8) * height))
    for number, tile in enumerate(tiles):
        canvas.paste(tile, (number % 8 * width, number // 8 * height))
    canvas.save(path)


def print_cuts(clip: Path) -> None:
    """The largest differences between neighbouring frames, beside the limit."""
    cuts = CutDetector()
    differences = []
    for frame in read_frames(clip):
        cuts.begins_scene(frame.image)
        differences.append(cuts.difference)
    found = sorted(differences[1:], reverse=True)
    above = sum(value > CUT for value in found)
    print(
        f"{clip.name}: {above} cuts in {len(differences)} frames; largest differences {np.round(found[:8], 3).tolist()}"
    )


def print_memory(clip: Path, text: str, frames: int, every: int) -> None:
    """The memory of ``restr predict`` on a clip of so many frames: the given one, again and again."""
    segmenter = Segmenter.from_pretrained()
    with tempfile.TemporaryDirectory() as folder:
        long = Path(folder) / "long.mp4"
        info = describe_clip(clip)
        with Mp4Writer(long, info) as writer:
            for number, image in enumerate(islice(again_and_again(clip), frames)):
                height, width = (side // 2 * 2 for side in image.shape[:2])
                writer.write(np.ascontiguousarray(image[:height, :width]), number / info.rate)
        request = ClipRequest(clip=long, texts=(text,), settings=TrackSettings(every=every))
        samples: list[tuple[str, int, float]] = []

        def sample(step: str, done: int, total: int) -> None:
            if done % (frames // 10) == 0:
                samples.append((step, done, resident()))
                print(f"{step}: {done} of {total} frames, {samples[-1][2]:.0f} MB", flush=True)

        predict_clip(segmenter, request, Path(folder), sample)
    for step in ("segmenting", "drawing"):
        held = [megabytes for name, _, megabytes in samples if name == step]
        print(f"{step}: {held[1]:.0f} MB after a fifth, {held[-1]:.0f} MB at the end")


def again_and_again(clip: Path) -> Iterator[np.ndarray]:
    """The frames of a clip without end."""
    while True:
        yield from (frame.image for frame in read_frames(clip))


def resident() -> float:
    """The process's memory in MB (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("text", nargs="?", default="the person on the left")
    parser.add_argument("--frames", type=int, help="only the first so many")
    parser.add_argument("--sheet", type=Path, help="write a picture with every 12th frame")
    parser.add_argument("--cuts", action="store_true", help="only look for scene cuts")
    parser.add_argument("--memory", type=int, metavar="FRAMES", help="only measure memory over so many frames")
    parser.add_argument("--every", type=int, default=10, help="with --memory: compute every n-th frame")
    options = parser.parse_args()
    if options.cuts:
        print_cuts(options.clip)
    elif options.memory:
        print_memory(options.clip, options.text, options.memory, options.every)
    else:
        measure(options.clip, options.text, options.frames, options.sheet)


if __name__ == "__main__":
    sys.exit(main())
