"""Small datasets in the layouts that are published: two pictures, a few regions, sentences, every split."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from restr.masks import polygons_of, rle_encode

SIZE = (40, 60)  # H W of both pictures
NAMES = ("COCO_train2014_000000000009.jpg", "COCO_train2014_000000000025.jpg")


def mask(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    found = np.zeros(SIZE, bool)
    found[y0:y1, x0:x1] = True
    return found


LEFT, RIGHT, MIDDLE = mask(5, 10, 20, 30), mask(40, 10, 55, 30), mask(25, 5, 35, 35)
REGIONS = {11: LEFT, 12: RIGHT, 13: MIDDLE}  # annotation id -> mask


def picture(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((*SIZE, 3), 40 * number, np.uint8)
    pixels[LEFT], pixels[RIGHT] = (200, 0, 0), (0, 0, 200)
    Image.fromarray(pixels).save(path, quality=95)


def pictures(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    for number, name in enumerate(names, start=1):
        picture(folder / name, number)


def instances() -> dict[str, Any]:
    """COCO's form: 11 as polygons, 12 as run lengths, 13 as a polygon twice (the summing bug's case)."""
    height, width = SIZE
    both = [polygons_of(MIDDLE)[0]] * 2
    forms = {11: polygons_of(LEFT), 12: rle_encode(RIGHT), 13: both}
    images = [
        {"id": number, "file_name": name, "height": height, "width": width}
        for number, name in zip((9, 25), NAMES, strict=True)
    ]
    annotations = [
        {"id": i, "image_id": 9 if i < 13 else 25, "segmentation": forms[i], "category_id": 1, "bbox": [0, 0, 1, 1]}
        for i in forms
    ]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}


def refs(*, several: bool = False) -> list[dict[str, Any]]:
    """Three regions in three splits; in gRefCOCO's form also one of two annotations and one of none."""
    found = [
        {"ref_id": 1, "ann_id": 11, "image_id": 9, "split": "train", "category_id": 1,
         "sentences": [{"sent_id": 101, "sent": "left one", "raw": "Left one"}, {"sent_id": 102, "sent": "red", "raw": "red"}]},
        {"ref_id": 2, "ann_id": 12, "image_id": 9, "split": "val", "category_id": 1,
         "sentences": [{"sent_id": 201, "sent": "right one", "raw": "right one"}]},
        {"ref_id": 3, "ann_id": 13, "image_id": 25, "split": "testA", "category_id": 1,
         "sentences": [{"sent_id": 301, "sent": "the middle", "raw": "the middle"}]},
    ]  # fmt: skip
    if several:
        for ref in found:
            ref["ann_id"] = [ref["ann_id"]]
        found.append(
            {
                "ref_id": 4,
                "ann_id": [11, 12],
                "image_id": 9,
                "split": "val",
                "sentences": [{"sent_id": 401, "sent": "both"}],
            }
        )
        found.append({"ref_id": 5, "ann_id": [-1], "image_id": 9, "split": "val", "no_target": True,
                      "sentences": [{"sent_id": 501, "sent": "the elephant"}]})  # fmt: skip
    return found


def make_refer(root: Path, name: str = "refcoco", splitter: str = "unc") -> None:
    pictures(root / "train2014")
    (root / name).mkdir(parents=True)
    (root / name / "instances.json").write_text(json.dumps(instances()))
    if name == "grefcoco":
        (root / name / f"grefs({splitter}).json").write_text(json.dumps(refs(several=True)))
    else:
        (root / name / f"refs({splitter}).p").write_bytes(pickle.dumps(refs(), protocol=2))


def make_refzom(root: Path) -> None:
    """Of both of COCO's folders; a ref that means nothing names an annotation all the same."""
    content, found = instances(), refs(several=True)
    content["images"][1]["file_name"] = NAMES[1].replace("train", "val")
    pictures(root / "train2014", NAMES[:1])
    picture(root / "val2014" / content["images"][1]["file_name"], 2)
    for ref in found:
        ref |= {
            "split": "test" if ref["split"] == "val" else "train",
            "source": "zero" if "no_target" in ref else "one",
        }
    found[-1]["ann_id"] = [11]
    (root / "refzom").mkdir()
    (root / "refzom" / "instances.json").write_text(json.dumps(content))
    (root / "refzom" / "refs(final).p").write_bytes(pickle.dumps(found, protocol=2))


def make_referit(root: Path) -> None:
    from scipy.io import savemat

    picture(root / "images" / "8756.jpg", 1)
    (root / "mask").mkdir()
    for name, region in (("8756_1", LEFT), ("8756_2", RIGHT)):
        savemat(root / "mask" / f"{name}.mat", {"segimg_t": np.where(region, 0, 1).astype(np.uint8)})
    (root / "referit_query_val.json").write_text(json.dumps({"8756_1": ["left thing", "red"]}))
    (root / "referit_query_test.json").write_text(json.dumps({"8756_2": ["right thing"]}))
    (root / "referit_bbox.json").write_text(json.dumps({"8756_1": [5, 10, 19, 29], "8756_2": [40, 10, 54, 29]}))


def make_phrasecut(root: Path) -> None:
    picture(root / "images" / "2317.jpg", 1)

    def points(region: np.ndarray) -> list[list[list[float]]]:
        return [np.reshape(polygon, (-1, 2)).tolist() for polygon in polygons_of(region)]

    rows = [
        {
            "task_id": "2317__1",
            "image_id": 2317,
            "phrase": "red thing",
            "Polygons": [points(LEFT)],
            "instance_boxes": [[5, 10, 15, 20]],
        },
        {
            "task_id": "2317__2",
            "image_id": 2317,
            "phrase": "things",
            "Polygons": [points(LEFT), points(RIGHT)],
            "instance_boxes": [],
        },
    ]
    (root / "refer_val.json").write_text(json.dumps(rows))


def make_reasonseg(root: Path) -> None:
    picture(root / "val" / "7_abc.jpg", 1)
    points = np.reshape(polygons_of(LEFT)[0], (-1, 2)).tolist()
    content = {"text": ["what is red?"], "is_sentence": True, "shapes": [
        {"label": "target", "points": points}, {"label": "ignore", "points": [[0, 0], [3, 0], [3, 3]]}]}  # fmt: skip
    (root / "val" / "7_abc.json").write_text(json.dumps(content))


def make_lists(root: Path) -> None:
    pictures(root / "images" / "train2014")
    (root / "masks").mkdir()
    Image.fromarray(LEFT.astype(np.uint8) * 255).save(root / "masks" / "77.png")
    (root / "anns").mkdir()
    rows = [
        {"img_name": NAMES[0], "segment_id": 77, "bbox": [5, 10, 15, 20], "sents": ["left one", "red"]},
        {"img_id": 25, "segmentation": polygons_of(MIDDLE), "sents": [{"sent": "the middle"}]},
    ]
    (root / "anns" / "val.json").write_text(json.dumps(rows))


def make_grouped(root: Path) -> None:
    pictures(root / "images" / "train2014")
    rows = [
        {
            "image_id": 9,
            "height": 40,
            "width": 60,
            "expressions": ["right one"],
            "bbox": [40, 10, 15, 20],
            "mask": rle_encode(RIGHT),
        }
    ]
    (root / "instances.json").write_text(json.dumps({"val": rows, "testA": rows}))


def make_parquet(root: Path) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    pictures(root / "train2014")
    (root / "data").mkdir()
    image = json.dumps({"file_name": NAMES[0], "height": 40, "width": 60})
    row = {"ref_id": 1, "image_id": 9, "split": "val", "sentences": [{"raw": "Left one", "sent": "left one", "sent_id": 1}],
           "raw_anns": json.dumps({"segmentation": polygons_of(LEFT)}), "raw_image_info": image}  # fmt: skip
    parquet.write_table(arrow.Table.from_pylist([row]), root / "data" / "val-00000-of-00001.parquet")


def make_parquet_with_images(root: Path) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    pictures(root / "elsewhere")
    content = (root / "elsewhere" / NAMES[0]).read_bytes()
    row = {"question_id": "12", "image": {"bytes": content, "path": None}, "question": "?", "answer": ["left one", "red"],
           "segmentation": polygons_of(LEFT)[0], "bbox": [5.0, 10.0, 15.0, 20.0], "iscrowd": 0, "file_name": NAMES[0]}  # fmt: skip
    (root / "data").mkdir()
    parquet.write_table(arrow.Table.from_pylist([row]), root / "data" / "testA-00000-of-00001.parquet")


def make_jsonl(root: Path) -> None:
    pictures(root)
    Image.fromarray(MIDDLE.astype(np.uint8) * 255).save(root / "middle.png")
    rows = [
        {"image": NAMES[0], "text": "left one", "mask": rle_encode(LEFT), "split": "val", "kind": "position"},
        {"image": NAMES[0], "expression": "right one", "bbox": [40, 10, 15, 20], "split": "val"},
        {"image": NAMES[1], "text": "the middle", "mask": "middle.png", "split": "test"},
        {"image": NAMES[1], "text": "the elephant", "mask": "none", "split": "test"},
    ]
    (root / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def make_csv(root: Path) -> None:
    pictures(root)
    Image.fromarray(MIDDLE.astype(np.uint8) * 255).save(root / "middle.png")
    rle = json.dumps(rle_encode(LEFT)).replace('"', '""')
    (root / "mine.csv").write_text(
        f'image,text,mask,x,y,width,height\n{NAMES[0]},"left one, red","{rle}",,,,\n{NAMES[0]},right one,,40,10,15,20\n'
        f"{NAMES[1]},the middle,middle.png,,,,\n"
    )


def make_coco(root: Path) -> None:
    pictures(root / "images")
    content = instances()
    content["annotations"][0]["expressions"] = ["left one", "red"]
    content["annotations"][2]["expressions"] = ["the middle"]
    (root / "instances.json").write_text(json.dumps(content))


def make_label_studio(root: Path) -> None:
    picture(root / "photos" / "a.jpg", 1)
    common = {"original_width": 60, "original_height": 40, "image_rotation": 0}
    percent = [[x / 60 * 100, y / 40 * 100] for x, y in np.reshape(polygons_of(LEFT)[0], (-1, 2)).tolist()]
    results = [
        {**common, "id": "r1", "type": "polygonlabels", "value": {"points": percent, "polygonlabels": ["thing"]}},
        {**common, "id": "r1", "type": "textarea", "value": {"text": ["left one"]}},
        {**common, "id": "r2", "type": "rectanglelabels",
         "value": {"x": 40 / 0.6, "y": 25, "width": 25, "height": 50, "rotation": 0, "rectanglelabels": ["right one"]}},
    ]  # fmt: skip
    task = {"id": 3, "data": {"image": "/data/local-files/?d=photos/a.jpg"}, "annotations": [{"result": results}]}
    (root / "export.json").write_text(json.dumps([task]))


def make_cvat(root: Path) -> None:
    picture(root / "images" / "a.jpg", 1)
    points = ";".join(f"{x},{y}" for x, y in np.reshape(polygons_of(LEFT)[0], (-1, 2)).tolist())
    (root / "annotations.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?><annotations><image id="0" name="a.jpg" width="60" height="40" subset="val">'
        f'<polygon label="thing" points="{points}"><attribute name="expression">left one</attribute></polygon>'
        '<box label="right one" xtl="40" ytl="10" xbr="55" ybr="30"/></image></annotations>'
    )


# spec -> maker, and what it must give: (text, mask) in order
LAYOUTS: dict[str, tuple[Callable[[Path], None], list[tuple[str, np.ndarray]]]] = {
    "refcoco:unc:train": (make_refer, [("left one", LEFT), ("red", LEFT)]),
    "refcoco:val": (make_refer, [("right one", RIGHT)]),
    "refcoco:unc:testA": (make_refer, [("the middle", MIDDLE)]),
    "refcoco+:val": (lambda root: make_refer(root, "refcoco+"), [("right one", RIGHT)]),
    "refcocog:umd:val": (lambda root: make_refer(root, "refcocog", "umd"), [("right one", RIGHT)]),
    "refcocog:google:val": (lambda root: make_refer(root, "refcocog", "google"), [("right one", RIGHT)]),
    "refclef:berkeley:val": (lambda root: make_refer(root, "refclef", "berkeley"), [("right one", RIGHT)]),
    "grefcoco:val": (
        lambda root: make_refer(root, "grefcoco"),
        [("right one", RIGHT), ("both", LEFT | RIGHT), ("the elephant", np.zeros(SIZE, bool))],
    ),
    "refzom:train": (make_refzom, [("left one", LEFT), ("red", LEFT), ("the middle", MIDDLE)]),
    "refzom:test": (
        make_refzom,
        [("right one", RIGHT), ("both", LEFT | RIGHT), ("the elephant", np.zeros(SIZE, bool))],
    ),
    "referit:val": (make_referit, [("left thing", LEFT), ("red", LEFT)]),
    "referit:test": (make_referit, [("right thing", RIGHT)]),
    "phrasecut:val": (make_phrasecut, [("red thing", LEFT), ("things", LEFT | RIGHT)]),
    "reasonseg:val": (make_reasonseg, [("what is red?", LEFT)]),
    "refer:refcoco/refs(unc).p:val": (make_refer, [("right one", RIGHT)]),
    "lists:anns:val": (make_lists, [("left one", LEFT), ("red", LEFT), ("the middle", MIDDLE)]),
    "grouped:instances.json:testA": (make_grouped, [("right one", RIGHT)]),
    "parquet:data:val": (make_parquet, [("left one", LEFT)]),
    "parquet:data:testA": (make_parquet_with_images, [("left one", LEFT), ("red", LEFT)]),
    "jsonl:mine.jsonl:val": (make_jsonl, [("left one", LEFT), ("right one", RIGHT)]),
    "jsonl:mine.jsonl:test": (make_jsonl, [("the middle", MIDDLE), ("the elephant", np.zeros(SIZE, bool))]),
    "csv:mine.csv": (make_csv, [("left one, red", LEFT), ("right one", RIGHT), ("the middle", MIDDLE)]),
    "coco:instances.json": (make_coco, [("left one", LEFT), ("red", LEFT), ("the middle", MIDDLE)]),
    "labelstudio:export.json": (make_label_studio, [("left one", LEFT), ("right one", RIGHT)]),
    "cvat:annotations.xml:val": (make_cvat, [("left one", LEFT), ("right one", RIGHT)]),
}
