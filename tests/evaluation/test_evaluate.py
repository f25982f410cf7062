"""Evaluation against segmenters whose right score is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

import layouts
from oracles import Oracle, make_samples, run
from restr import masks
from restr.errors import DataError, DatasetError
from restr.evaluation import datasets
from restr.evaluation.datasets import PhotoExpressions, choose_expressions, drawn_scenes
from restr.evaluation.grouping import other_targets
from restr.evaluation.reports.report import evaluation_table
from restr.grammar.meaning.description import Description, Reference
from restr.grammar.scene import Instance, Scene


def test_a_perfect_segmenter_scores_one_and_its_control_collapses():
    samples = make_samples()
    oracle = Oracle(samples)
    result = run(samples, oracle)
    assert result.overall["oiou"] == result.overall["miou"] == result.overall["pr@0.9"] == 1.0
    assert (result.overall["n"], result.images, oracle.images) == (12, 4, 4)  # each image encoded once
    assert result.control and result.control_paired
    assert result.control["n"] == result.control_paired["n"] == 12
    assert result.control["oiou"] == 0.0 and result.control_paired["oiou"] == 1.0


def test_a_segmenter_that_ignores_the_sentence_is_found_out_by_the_control():
    samples = [sample for sample in make_samples() if sample.kind == "position"]
    result = run(samples, Oracle(samples, deaf=True))
    assert result.control and result.control["oiou"] == result.overall["oiou"] == pytest.approx(1 / 3)


def test_control_names_another_target_and_never_one_that_overlaps():
    left, right, part = make_samples(1)
    for seed in range(5):
        assert other_targets([left, right, part], np.random.default_rng(seed))[2] == 1
        assert other_targets([left, part], np.random.default_rng(seed)) == [None, None]


def test_kinds_lengths_and_records_add_up():
    samples = make_samples()
    result = run(samples, Oracle(samples, deaf=True))
    assert {kind: values["n"] for kind, values in result.by_kind.items()} == {"position": 8, "part": 4}
    assert list(result.by_kind) == ["position", "part"]
    overall = {name: value for name, value in result.overall.items() if name not in ("boundary_iou", "ece")}
    assert result.by_length == {"1-2 words": overall}
    assert sum(record.intersection for record in result.records) / sum(
        record.union for record in result.records
    ) == pytest.approx(result.overall["oiou"])
    first = result.records[0]
    assert (masks.rle_decode(first.prediction) == samples[0].mask).all()
    assert "0.5" in result.protocol and "original size" in result.protocol and "IoU >= X" in result.protocol


def test_the_same_seed_gives_the_same_records():
    samples = make_samples()
    assert run(samples, Oracle(samples), seed=3).records == run(samples, Oracle(samples), seed=3).records


def test_nothing_but_one_target_an_image_has_no_control_row():
    samples = make_samples()[::3]
    result = run(samples, Oracle(samples))
    assert result.control is None
    assert "control" not in evaluation_table(result, title="t")


# --- datasets ------------------------------------------------------------------------------------------------------


def candidates(images=30):
    """Each image offers many sentences of a frequent kind and one of a rare one, for two targets."""
    pool = []
    for image in range(images):
        for number in range(8):
            kind = "category" if number else "relation"
            reference = Reference(
                text=f"{kind} {number}", description=Description(category="dog"), targets=(number % 2,), kind=kind
            )
            pool.append(datasets._Candidate(image, reference))
    return pool


def test_choice_is_balanced_over_kinds_images_and_targets():
    chosen = choose_expressions(candidates(), 60, np.random.default_rng(0))
    kinds = [each.reference.kind for each in chosen]
    assert 60 * datasets.SHARES["relation"] <= kinds.count("relation") <= 30  # its share, and of what others lack
    per_image = np.bincount([each.image for each in chosen], minlength=30)
    assert per_image.min() >= 1 and per_image.max() <= 3
    assert len({(each.image, each.reference.targets) for each in chosen}) >= 50


def test_choice_takes_more_of_an_image_only_when_it_must_and_never_twice_the_same():
    chosen = choose_expressions(candidates(images=5), 1000, np.random.default_rng(0))
    assert len(chosen) == 40
    assert len({(each.image, each.reference.text) for each in chosen}) == 40


def make_scene(number):
    """Two red squares, left and right, and a bench below."""
    rng = np.random.default_rng(number)
    image = rng.integers(60, 90, (120, 160, 3), dtype=np.uint8)
    boxes = {"left": (20, 60, 10, 55), "right": (20, 60, 100, 145), "below": (80, 110, 30, 130)}
    instances = []
    for name, (top, bottom, left, right) in boxes.items():
        mask = np.zeros((120, 160), bool)
        mask[top:bottom, left:right] = True
        image[mask] = (200, 30, 30) if name == "left" else (30, 60, 200)
        instances.append(Instance(mask=mask, category="bench" if name == "below" else "dog"))
    return Scene(id=f"scene {number}", image=image, instances=tuple(instances), complete=True)


def test_photo_expressions_are_seeded_fair_and_image_by_image():
    scenes = [make_scene(number) for number in range(6)]
    first, second = PhotoExpressions(scenes, 24, seed=1), PhotoExpressions(scenes, 24, seed=1)
    told = [(sample.id, sample.text, sample.kind) for sample in first]
    assert told == [(sample.id, sample.text, sample.kind) for sample in second]
    assert len(told) == len({id for id, _, _ in told}) == len(first) == 24
    assert first.texts() == [text for _, text, _ in told]
    assert told != [(sample.id, sample.text, sample.kind) for sample in PhotoExpressions(scenes, 24, seed=2)]
    images = [sample.image_id for sample in first]
    assert images == sorted(images)
    dogs = scenes[0].instances[0].mask | scenes[0].instances[1].mask
    for sample in first:
        if sample.kind == "position":  # the only bench is never asked for by its place
            assert (sample.mask & dogs).any()


def test_too_few_sentences_are_said_not_hidden():
    with pytest.raises(DataError, match="ask for n <="):
        PhotoExpressions([make_scene(0)], 10_000)


def test_drawn_scenes_are_unseen_by_training_seeds():
    from restr.data.generated import GeneratedScenes

    samples = drawn_scenes(9, seed=0)
    assert len(samples) == 9
    assert (samples[0].image != GeneratedScenes(3, 0)[0].image).any()


# --- the verb ------------------------------------------------------------------------------------------------------


def test_eval_verb_measures_a_model_folder(tmp_path, capsys):
    from restr.cli.verbs.measuring.eval import main
    from restr.data.generated import vocabulary
    from restr.model.build import build_model
    from restr.model.weights import save_pretrained
    from restr.presets import restr_tiny

    words = vocabulary()
    save_pretrained(build_model(restr_tiny(vocab=len(words)), seed=0), words, tmp_path / "model")
    arguments = ["--data", "generated", "--n", "12", "--model", str(tmp_path / "model"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "generated scenes" in printed and "oIoU" in printed and "IoU at the original size" in printed
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["overall"]["n"] == 12


def test_eval_verb_reads_a_published_layout(tmp_path, capsys):
    from restr.cli.verbs.measuring.eval import main
    from restr.data.generated import vocabulary
    from restr.model.build import build_model
    from restr.model.weights import save_pretrained
    from restr.presets import restr_tiny

    words = vocabulary()
    save_pretrained(build_model(restr_tiny(vocab=len(words)), seed=0), words, tmp_path / "model")
    layouts.make_refer(tmp_path)
    arguments = ["--data", "refcoco:unc:train", "--root", str(tmp_path), "--model", str(tmp_path / "model")]
    assert main([*arguments, "--protocol", "lavt"]) == 0
    printed = capsys.readouterr().out
    assert (
        "refcoco:unc:train" in printed and "lavt: input 480 (stretched to a square), IoU at the model's size" in printed
    )
    assert main([*arguments, "--threshold", "0.4", "--empty-iou", "0"]) == 0
    assert "own, changed: input 64 (longest side)" in capsys.readouterr().out


@pytest.mark.parametrize("data", ["photos:", "coco", "jsonl", "refcocoo:val"])
def test_eval_verb_names_the_choices(data):
    from restr.cli.options import DataOptions

    with pytest.raises(DatasetError, match="expected NAME:SPLIT"):
        DataOptions(data=data).open()
