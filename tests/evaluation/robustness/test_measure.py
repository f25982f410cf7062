"""The robustness suite against segmenters whose abilities are known."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from oracles import Answer, Framed
from restr.data.sample import Sample, SampleList
from restr.errors import DataError
from restr.evaluation.protocol import PROTOCOLS
from restr.evaluation.robustness.measure import (
    SIDED,
    RobustnessResult,
    measure_robustness,
    passes,
    summarise_robustness,
)
from restr.evaluation.robustness.perturbations import CLEAN, PERTURBATIONS, sentences_of_others
from restr.evaluation.robustness.report import robustness_table, write_robustness
from restr.evaluation.robustness.store import Measured
from restr.evaluation.robustness.synonyms import named_categories

SIZE = (20, 30)
SENTENCES = [name for name, each in PERTURBATIONS.items() if each.family == "sentence"]


class Halves(Framed):
    """Marks the half that the sentence names; ignores the image, but counts the encodings."""

    def __init__(self, *, deaf: bool = False, faithful: bool = False) -> None:
        """deaf: it always marks the left half. faithful: it marks nothing for sentences without a side."""
        self.deaf, self.faithful, self.images, self.texts = deaf, faithful, 0, 0

    def __call__(self, image: np.ndarray, text: list[str], **limits: float | None) -> list[Answer]:
        self.images += 1
        self.texts += len(text)
        return [Answer(self.mask(image.shape[:2], each)) for each in text]

    def mask(self, size: tuple[int, ...], text: str) -> np.ndarray:
        mask = np.zeros(size, bool)
        words = text.lower().split()
        if "right" in words and not self.deaf:
            mask[:, size[1] // 2 :] = True
        elif "left" in words or self.deaf or not self.faithful:
            mask[:, : size[1] // 2] = True
        return mask


class Bright(Framed):
    """Marks the bright pixels, whatever the sentence."""

    def __call__(self, image: np.ndarray, text: list[str], **limits: float | None) -> list[Answer]:
        return [Answer(image.mean(-1) > 100)] * len(text)


def make_samples(images: int = 6) -> SampleList:
    """Two sentences an image, for its left half and its right half; the right half is bright."""
    found = SampleList()
    nouns = ("dog", "pizza", "train", "chair", "kite", "bottle")
    for number in range(images):
        image = np.full((*SIZE, 3), 30 + number, np.uint8)
        image[:, SIZE[1] // 2 :] = 200
        for side in ("left", "right"):
            mask = np.zeros(SIZE, bool)
            mask[:, : SIZE[1] // 2] = side == "left"
            mask[:, SIZE[1] // 2 :] = side == "right"
            text = f"the {nouns[number % len(nouns)]} on the {side}"
            found.append(Sample(id=f"{number}/{side}", image=image, text=text, mask=mask, image_id=f"image {number}"))
    return found


def run(segmenter: Any, samples: SampleList, names: list[str], *, seed: int = 0, **options: Any) -> dict[str, Any]:
    return measure_robustness(segmenter, samples, names, protocol=PROTOCOLS["own"], seed=seed, **options)


def result_of(segmenter: Any, samples: SampleList, names: list[str], **options: Any) -> RobustnessResult:
    return summarise_robustness(run(segmenter, samples, names, **options), "conditions", seed=0)


def retained(result: RobustnessResult) -> dict[str, float]:
    return {row.name: row.retained_oiou for row in result.retained}


def test_who_ignores_the_words_keeps_everything_whatever_they_are() -> None:
    result = result_of(Halves(deaf=True), make_samples(), SENTENCES)
    assert retained(result) == dict.fromkeys(SENTENCES, 1.0)
    assert all(row.n > 0 and row.retained_miou == 1.0 for row in result.retained)
    assert {row.retained_oiou_interval for row in result.retained} == {(1.0, 1.0)}


def test_who_knows_left_from_right_keeps_the_mirror_and_loses_the_swap() -> None:
    result = result_of(Halves(), make_samples(), ["mirror", "side-swap"])
    assert result.clean_oiou == 1.0
    assert retained(result) == {"mirror": 1.0, SIDED: 1.0, "side-swap": 0.0}


def test_who_ignores_the_words_keeps_the_swap() -> None:
    assert retained(result_of(Halves(deaf=True), make_samples(), ["side-swap"])) == {"side-swap": 1.0}


def test_losing_a_word_costs_him_who_needs_it() -> None:
    """Without its side word a sentence for the right half gets the left one: shortened sentences lose just these."""
    records = run(Halves(), make_samples(), ["word-drop"])
    lost = [record for record in records["word-drop"] if "left" not in record.text and "right" not in record.text]
    assert 0 < len(lost) < 12
    for record in records["word-drop"]:
        assert record.iou == float(not (record in lost and record.id.endswith("right")))


def test_only_sentences_that_change_are_compared() -> None:
    samples = make_samples(2)
    samples += [replace(samples[-1], id="alone", image_id="alone", text="dog")]
    result = result_of(Halves(), samples, ["word-shuffle", "side-swap"])
    assert result.n == 5
    assert [(row.name, row.n, row.images, row.clean_oiou) for row in result.retained] == [
        ("word-shuffle", 4, 2, 1.0),
        ("side-swap", 4, 2, 1.0),
    ]


def test_a_picture_in_the_dark_hides_what_is_bright() -> None:
    samples = SampleList(sample for sample in make_samples() if sample.id.endswith("right"))
    result = result_of(Bright(), samples, ["blur-1", "dark-1", "dark-3"])
    left = retained(result)
    assert left["blur-1"] > 0.9 and left["dark-1"] == left["dark-3"] == 0.0  # 200 -> 100, 20


def test_a_model_that_finds_nothing_has_nothing_to_lose() -> None:
    samples = SampleList(sample for sample in make_samples() if sample.id.endswith("right"))
    row = result_of(Halves(deaf=True), samples, ["typo"]).retained[0]
    assert row.clean_oiou == 0.0 and np.isnan(row.retained_oiou) and np.isnan(row.retained_oiou_interval).all()


def test_intervals_are_over_images_not_sentences() -> None:
    """Of two images one is lost with all its sentences: another draw of images would have kept all or nothing."""

    samples = SampleList()
    for noun in ("kites", "zebra"):
        first = replace(make_samples(1)[0], image_id=noun, text=f"the {noun} on the left")
        samples += [replace(first, id=f"{noun} {number}") for number in range(8)]
    records = run(Halves(), samples, ["typo"])
    lost = [replace(r, iou=0.0, intersection=0) if r.image_id == "kites" else r for r in records["typo"]]
    row = summarise_robustness(records | {"typo": lost}, "conditions", seed=0).retained[0]
    assert row.retained_oiou == row.retained_miou == 0.5
    assert row.retained_oiou_interval == row.retained_miou_interval == (0.0, 1.0)


# --- sentences for nothing -------------------------------------------------------------------------------------------


def test_sentences_for_nothing_are_judged_by_what_is_marked() -> None:
    half, none = (
        {row.name: row for row in result_of(segmenter, make_samples(), ["blank", "unrelated"]).nothing}
        for segmenter in (Halves(), Halves(faithful=True))
    )
    assert (half["blank"].n, half["blank"].empty, half["blank"].marked) == (6, 0.0, 0.5)
    assert (none["blank"].n, none["blank"].empty, none["blank"].marked) == (6, 1.0, 0.0)
    assert half["unrelated"].n == 12 and half["unrelated"].empty == 0.0
    assert half["unrelated"].clean_marked == 0.5 and half["unrelated"].score == pytest.approx(0.9)


def test_an_unrelated_sentence_names_what_no_sentence_of_the_image_does() -> None:
    samples = make_samples(12)  # two of each kind
    others = sentences_of_others(samples, 0)
    assert len(others) == 12
    for group in (samples[number : number + 2] for number in range(0, 24, 2)):
        changed = PERTURBATIONS["unrelated"](group, 0, others)
        assert len({sample.text for sample in changed}) == 2
        for sample in changed:
            assert not sample.mask.any() and named_categories(sample.text)
            assert not named_categories(sample.text) & named_categories(group[0].text)
    assert PERTURBATIONS["unrelated"](samples[:1], 0, [("image 0", "the zebra"), ("image 1", "a dog")]) == []


def test_a_thing_that_might_be_anywhere_makes_no_unrelated_sentence() -> None:
    texts = ["on the left", "the thing", "big one", "red"]
    mask = np.zeros(SIZE, bool)
    image = np.zeros((*SIZE, 3), np.uint8)
    samples = SampleList(Sample(id=text, image=image, text=text, mask=mask, image_id=text) for text in texts)
    assert sentences_of_others(samples, 0) == []
    assert named_categories("the lady") == named_categories("red skirt") == named_categories("a skater") == {"person"}
    assert named_categories("a sofa") < named_categories("furniture")


# --- running it ------------------------------------------------------------------------------------------------------


def changes(samples: SampleList, seed: int) -> dict[str, list[tuple[str, str, bytes]]]:
    others = sentences_of_others(samples, seed)
    found = {}
    for name, change in PERTURBATIONS.items():
        groups = [[samples[number] for number in group] for group in samples.image_groups()]
        changed = [sample for group in groups for sample in change(group, seed, others)]
        found[name] = [(sample.id, sample.text, sample.image.tobytes()) for sample in changed]
    return found


def test_the_seed_decides_and_nothing_else() -> None:
    samples = make_samples()
    first, again, other = changes(samples, 0), changes(samples, 0), changes(samples, 1)
    assert first == again
    assert {name for name in first if first[name] != other[name]} >= {"word-drop", "typo", "noise-1", "unrelated"}
    alone = changes(SampleList(samples[4:6]), 0)  # whatever came before, and however many
    assert alone["typo"] == first["typo"][4:6] and alone["noise-2"] == first["noise-2"][4:6]


def test_an_image_is_encoded_once_for_all_its_sentences() -> None:
    segmenter, seen = Halves(), []
    names = [*SENTENCES, "side-swap", "blank", "mirror", "blur-1"]
    records = run(segmenter, make_samples(), names, progress=seen.append)
    assert segmenter.images == len(seen) == 6 * 3  # as it is, mirrored, blurred
    assert segmenter.texts == sum(len(each) for each in records.values())
    assert passes(names) == [[CLEAN, *SENTENCES, "side-swap", "blank"], ["mirror"], ["blur-1"]]


def test_a_stopped_run_resumes_and_gives_the_same(tmp_path: Path) -> None:
    class Stopped(Halves):
        def __call__(
            self, image: np.ndarray, text: list[str], *, threshold: float | None = None, presence: float | None = None
        ) -> list[Answer]:
            if self.images == 15:
                raise KeyboardInterrupt
            return super().__call__(image, text, threshold=threshold, presence=presence)

    samples, names = make_samples(), [*SENTENCES, "mirror", "blur-1"]
    with pytest.raises(KeyboardInterrupt):
        run(Stopped(), samples, names, store=Measured(tmp_path, {"seed": 0}))
    store = Measured(tmp_path, {"seed": 0})
    assert store.names() == [*SENTENCES, "mirror"]
    second = Halves()
    assert run(second, samples, names, store=store) == run(Halves(), samples, names)
    assert second.images == 6  # the blurred ones alone


def test_measurements_of_other_facts_are_refused(tmp_path: Path) -> None:
    Measured(tmp_path, {"seed": 0, "data": "x"})
    with pytest.raises(DataError, match="seed 0, not 1; give the same settings"):
        Measured(tmp_path, {"seed": 1, "data": "x"})
    (tmp_path / "typo.json").write_text('{"records": [{"id": 1}]}')
    with pytest.raises(DataError, match="typo.json is damaged"):
        Measured(tmp_path, {"seed": 0, "data": "x"}).read("typo")


def test_sentences_of_a_region_may_be_joined() -> None:
    samples = make_samples(4)[::2]  # one region per image, so that its changed sentences follow the unchanged ones
    samples = SampleList(each for one in samples for each in (one, replace(one, id=one.id + "2")))
    joined = replace(PROTOCOLS["own"], joined=True)
    found = measure_robustness(Halves(), samples, ["typo"], protocol=joined)
    assert [len(records) for records in found.values()] == [4, 4]
    assert found[CLEAN][0].text == "the dog on the left. the dog on the left"


def test_the_report_holds_every_row(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    samples, names = make_samples(), list(PERTURBATIONS)
    records = run(Halves(), samples, names)
    result = summarise_robustness(records, "own: conditions", seed=0)
    paths = write_robustness(result, records, tmp_path, title="halves", samples=samples, command="restr robustness")
    assert sorted(paths) == ["examples.png", "robustness.json", "robustness.png", "table.md"]
    table = paths["table.md"].read_text()
    for part in (*names, SIDED, "own: conditions", "seed 0", "restr robustness"):
        assert part in table
    numbers = json.loads(paths["robustness.json"].read_text())
    assert [row["name"] for row in numbers["nothing"]] == ["blank", "unrelated"]
    assert len(numbers["retained"]) == len(names) - 1
    for name in ("robustness.png", "examples.png"):
        with Image.open(io.BytesIO(paths[name].read_bytes())) as picture:
            assert min(picture.size) > 400
    assert "names nothing here" not in robustness_table(replace(result, nothing=()), title="t")


def test_the_verb_measures_a_model_and_the_table_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from restr.cli.verbs.measuring.robustness import main
    from restr.data.generated import vocabulary
    from restr.model.build import build_model
    from restr.model.weights import save_pretrained
    from restr.presets import restr_tiny

    words = vocabulary()
    save_pretrained(build_model(restr_tiny(vocab=len(words)), seed=0), words, tmp_path / "model")
    arguments = ["--data", "generated", "--n", "8", "--model", str(tmp_path / "model"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--only", "typo", "blur-2"]) == 0
    printed = capsys.readouterr().out
    assert "| typo | " in printed and "| blur-2 | 8 |" in printed and "mirror" not in printed
    assert main([*arguments, "--only", "side-swap", "blank"]) == 0
    table = (tmp_path / "out" / "table.md").read_text()
    assert all(f"| {name} |" in table for name in ("typo", "side-swap", "blur-2", "blank"))
    with pytest.raises(DataError, match="seed 0, not 1"):
        main([*arguments, "--seed", "1"])
    with pytest.raises(SystemExit):
        main([*arguments[:2], "--n", "0", *arguments[4:]])
    assert "n is 0" in capsys.readouterr().err
