"""The files of published datasets: where they go below a root, their sizes and hashes.

A SHA-256 is listed if two independent places give the same one; the sizes of the REFER archives come from one place. An
empty one was not found, and nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Published:
    """A file, an archive or a folder of a dataset."""

    name: str
    """Its path below the root, and below a mirror; with "/" at the end it is a folder, which is filled by hand."""

    also: tuple[str, ...] = ()
    """Other names under which it is found."""

    size: int | None = None
    """Bytes, if known."""

    sha256: str = ""
    """Hexadecimal, if known."""

    into: str = ""
    """Where an archive is unpacked, below the root."""

    elsewhere: tuple[str, ...] = ()
    """Other folders that may hold its files already."""

    holds: tuple[tuple[str, int], ...] = ()
    """The files in an archive or a folder that a reader needs: (pattern, how many)."""

    optional: bool = False
    """Whether a reader works without it."""

    note: str = ""
    """A remark for people."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """The files of a dataset."""

    files: tuple[Published, ...]
    """All of them."""

    source: str
    """Where its authors publish it."""

    example: str
    """A split, as ``restr eval --data`` takes it."""


_COCO_FOLDERS = ("images/mscoco/images/train2014", "images/mscoco/train2014", "images/train2014", "images", "")
TRAIN2014 = Published(
    name="train2014.zip",
    size=13_510_573_713,
    sha256="ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
    into="train2014",
    elsewhere=(*_COCO_FOLDERS, "trainval2014"),
    holds=(("COCO_train2014_*.jpg", 82_783),),
    note="COCO's pictures, cocodataset.org",
)
VAL2014 = Published(
    name="val2014.zip",
    size=6_645_013_297,
    sha256="fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
    into="val2014",
    elsewhere=("images/mscoco/images/val2014", "images/val2014", "trainval2014"),
    holds=(("COCO_val2014_*.jpg", 40_504),),
    note="COCO's pictures, cocodataset.org",
)
REFER = (
    "github.com/lichengunc/refer; its host is gone, the Internet Archive has copies of April 2022 "
    "(below bvisionweb1.cs.unc.edu/licheng/referit/data)"
)


def _refer(name: str, *refs: str, size: int | None = None, sha256: str = "") -> Published:
    """An archive of the REFER layout."""
    holds = tuple((file, 1) for file in ("instances.json", *refs))
    return Published(name=f"{name}.zip", size=size, sha256=sha256, into=name, holds=holds)


RELEASES: dict[str, Release] = {
    "refcoco": Release(
        files=(
            _refer(
                "refcoco",
                "refs(unc).p",
                size=53_993_993,
                sha256="7f924bb7ed8dc4568058e4ff626281918d56e5206f4c868c5a80f088f38c8bf0",
            ),
            TRAIN2014,
        ),
        source=REFER,
        example="refcoco:unc:val",
    ),
    "refcoco+": Release(
        files=(
            _refer(
                "refcoco+",
                "refs(unc).p",
                size=45_613_210,
                sha256="5f1238112d63199e68da54a28f201471909b21ded7ed79a57d51b4c1443c6b45",
            ),
            TRAIN2014,
        ),
        source=REFER,
        example="refcoco+:unc:val",
    ),
    "refcocog": Release(
        files=(
            _refer(
                "refcocog",
                "refs(umd).p",
                size=56_712_951,
                sha256="3d1f7e5b2ff2205940bf59de55f861f5f2cc1403fb980669933a7f9af1aa8211",
            ),
            TRAIN2014,
        ),
        source=REFER,
        example="refcocog:umd:val",
    ),
    "refclef": Release(
        files=(
            _refer("refclef", "refs(unc).p"),
            Published(
                name="images/saiapr_tc-12.zip",
                into="images/saiapr_tc-12",
                elsewhere=("saiapr_tc-12",),
                holds=(("*/images/*.jpg", 19_997),),
                note="the pictures of SAIAPR TC-12 that are asked about",
            ),
        ),
        source=REFER,
        example="refclef:unc:val",
    ),
    "grefcoco": Release(
        files=(
            Published(
                name="grefcoco/grefs(unc).json",
                sha256="cc37c5ff95373c78a6a3f98b4c7bc67fde387ea8514752a1392db64223eb3366",
            ),
            Published(
                name="grefcoco/instances.json",
                sha256="7f86adb7f4c39db19c7f02a3cc604d17f8016e4c4e8312652d0acc4eae3a2cbd",
                note="about 120 MB",
            ),
            TRAIN2014,
        ),
        source="github.com/henghuiding/gRefCOCO and its authors' copy huggingface.co/datasets/FudanCVL/gRefCOCO",
        example="grefcoco:unc:val",
    ),
    "refzom": Release(
        files=(
            Published(
                name="refzom/refs(final).p",
                also=("refzom/Ref-ZOM(final).p", "ref-zom/refs(final).p", "ref-zom/Ref-ZOM(final).p"),
                note="given out as Ref-ZOM(final).p",
            ),
            Published(name="refzom/instances.json", also=("ref-zom/instances.json",)),
            TRAIN2014,
            VAL2014,
        ),
        source="github.com/toggle1995/RIS-DMMI (Google Drive, Baidu)",
        example="refzom:test",
    ),
    "referit": Release(
        files=(
            Published(name="referit_query_trainval.json", optional=True),
            Published(name="referit_query_train.json", optional=True),
            Published(name="referit_query_val.json", optional=True),
            Published(name="referit_query_test.json"),
            Published(name="referit_bbox.json", optional=True, note="boxes, for want of masks"),
            Published(name="mask/", holds=(("*.mat", 1),)),
            Published(name="images/", holds=(("*.jpg", 1),)),
        ),
        source="the natural-language retrieval release (github.com/ronghanghu/text_objseg); "
        "its tar archives are unpacked by hand",
        example="referit:test",
    ),
    "phrasecut": Release(
        files=(
            Published(name="refer_train.json", optional=True, note="about 344.1 MB"),
            Published(name="refer_val.json", note="about 44.1 MB"),
            Published(name="refer_test.json", note="about 30.4 MB"),
            Published(name="refer_miniv.json", optional=True, note="about 2.2 MB"),
            Published(
                name="images/",
                holds=(("*.jpg", 77_262),),
                note="Visual Genome 1.2, images.zip and images2.zip without their folders, about 15 GB",
            ),
        ),
        source="github.com/ChenyunWu/PhraseCutDataset (Google Drive), visualgenome.org",
        example="phrasecut:val",
    ),
    "reasonseg": Release(
        files=(
            Published(name="train.zip", into="train", holds=(("*.json", 239), ("*.jpg", 239)), optional=True),
            Published(name="val.zip", into="val", holds=(("*.json", 200), ("*.jpg", 200))),
            Published(name="test.zip", into="test", holds=(("*.json", 779), ("*.jpg", 779)), optional=True),
        ),
        source="github.com/dvlab-research/LISA (Google Drive)",
        example="reasonseg:val",
    ),
}
