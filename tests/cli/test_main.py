"""The command line: its output, its files, and its messages about bad files and words."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from restr import Segmenter, __version__, build_model, presets
from restr.cli.jobs import list_jobs, split_arguments
from restr.cli.main import main
from restr.errors import UsageError
from restr.masks import rle_decode
from restr.model.weights import save_pretrained
from restr.text.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    vocabulary = Vocabulary(("the", "left", "right", "dog", "cat"))
    path = tmp_path_factory.mktemp("model")
    save_pretrained(build_model(presets.restr_tiny(vocab=len(vocabulary)), seed=0), vocabulary, path)
    return str(path)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A current folder with two images, a damaged one and a text file."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a.png", (40, 60, 3)), ("b.jpg", (50, 30, 3))):
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


def damage(photos):
    (photos / "broken.jpg").write_bytes((photos / "b.jpg").read_bytes()[:300])


def test_help_and_version_load_nothing_heavy():
    code = (
        "import sys, restr, restr.cli.main as m; assert m.main(['--help']) == 0 and m.main(['--version']) == 0;"
        "heavy = {'torch', 'numpy', 'PIL', 'tyro', 'rich'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert "predict" in done.stdout and f"restr {__version__}" in done.stdout and done.stderr == ""


def test_the_package_offers_what_it_names():
    import restr

    for name in restr.__all__:
        assert getattr(restr, name) is not None
    assert restr.Segmenter is Segmenter
    with pytest.raises(AttributeError, match="segmenter"):
        restr.segmenter  # noqa: B018


def test_predict_writes_and_names_its_files(photos, model, capsys):
    assert main(["predict", "photos/a.png", "the left dog", "--model", model]) == 0
    printed = capsys.readouterr().out
    assert "'the left dog'" in printed and "out/a-the-left-dog.overlay.png" in printed
    assert sorted(os.listdir("out")) == ["a-the-left-dog.mask.png", "a-the-left-dog.overlay.png"]
    mask = np.asarray(Image.open("out/a-the-left-dog.mask.png")) > 0
    np.testing.assert_array_equal(mask, Segmenter.from_pretrained(model)("photos/a.png", "the left dog").mask)


def test_json_is_all_that_standard_output_gets(photos, model, capsys):
    assert main(["predict", "photos", "--text", "left", "--text", "right", "--json", "--model", model]) == 0
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [(line["image"], line["text"]) for line in lines] == [
        (f"photos{os.sep}{name}", text) for name in ("a.png", "b.jpg") for text in ("left", "right")
    ]
    assert rle_decode(lines[0]["rle"]).shape == (40, 60) and not os.path.exists("out")


def test_a_bad_file_is_reported_and_stops_nothing(photos, model, capsys):
    damage(photos)
    images = ["photos/broken.jpg", "photos/missing.png", "photos/notes.txt", "photos/a.png", "none*.jpg"]
    assert main(["predict", *images, "left", "--json", "--model", model]) == 1
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert [("error" in line) for line in lines] == [True, True, True, False, True]
    assert "4 of 5 failed" in captured.err and "broken.jpg" in captured.err and "none*.jpg" in captured.err


def test_a_bad_text_is_reported_like_a_bad_file(photos, model, capsys):
    assert main(["predict", "photos/a.png", "?!", "--model", model]) == 1
    assert "?!" in capsys.readouterr().err


def test_jsonl_brings_its_own_texts_and_paths_are_beside_it(photos, model, capsys):
    lines = [
        {"image": "a.png", "text": "left"},
        {"image": "b.jpg", "text": ["left", "right"]},
        {"image": "c.jpg", "text": "left"},
        {"picture": "a.png"},
    ]
    (photos / "tasks.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\nnot json\n\n")
    assert main(["predict", "photos/tasks.jsonl", "--json", "--model", model]) == 1
    captured = capsys.readouterr()
    results = [json.loads(line) for line in captured.out.splitlines()]
    assert [result.get("text") for result in results] == ["left", "left", "right", None, None, None]
    assert "tasks.jsonl:4" in captured.err and "tasks.jsonl:5" in captured.err


def test_stdin(photos, model, capsys, monkeypatch):
    class Piped(io.TextIOWrapper):
        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Piped(io.BytesIO((photos / "a.png").read_bytes())))
    assert main(["predict", "-", "left", "--save", "mask,rle", "--model", model]) == 0
    assert sorted(os.listdir("out")) == ["stdin-left.mask.png", "stdin-left.rle.json"]


def test_equal_names_do_not_overwrite_each_other(photos, model):
    other = photos / "more"
    other.mkdir()
    Image.new("RGB", (25, 25), "red").save(other / "a.png")
    assert main(["predict", "photos/a.png", "photos/more/a.png", "left", "--save", "mask", "--model", model]) == 0
    assert sorted(os.listdir("out")) == ["a-left-2.mask.png", "a-left.mask.png"]


def test_coco_is_one_file_for_all(photos, model):
    assert main(["predict", "photos/*.*g", "left", "--save", "coco", "--out", "there", "--model", model]) == 0
    assert os.listdir("there") == ["results.coco.json"]
    with open("there/results.coco.json") as file:
        document = json.load(file)
    assert len(document["images"]) == len(document["annotations"]) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "the image and the text are missing"),
        (["photos/a.png"], "the text is missing"),
        (["left dog"], "the image is missing"),
        (["photos/a.png", "photos/b.jpg"], "the last word"),
        (["photos/a.png", "left", "dog"], '"left dog"'),
    ],
)
def test_a_forgotten_word_is_explained(photos, capsys, words, says):
    assert main(["predict", *words]) == 2
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error


def test_splitting_the_positional_words(photos):
    assert split_arguments(["photos", "left dog"], []) == (["photos"], ["left dog"])
    assert split_arguments(["photos/a.png", "photos/b.jpg"], ["dog"]) == (["photos/a.png", "photos/b.jpg"], ["dog"])
    assert split_arguments(["tasks.jsonl"], []) == (["tasks.jsonl"], [])
    assert split_arguments(["tasks.jsonl", "dog"], []) == (["tasks.jsonl"], ["dog"])
    with pytest.raises(UsageError):
        split_arguments(["-"], [])
    assert split_arguments(["-", "w/ hat"], []) == (["-"], ["w/ hat"])
    assert [job.image for job in list_jobs(["photos"], ["dog"])] == ["photos/a.png", "photos/b.jpg"]


def test_wrong_options_and_models_are_errors_not_tracebacks(photos, model, capsys):
    assert main(["predict", "photos/a.png", "left", "--save", "video", "--model", model]) == 1
    assert "video" in capsys.readouterr().err
    assert main(["predict", "photos/a.png", "left", "--model", "nowhere"]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert main(["predikt"]) == 2
    assert "did you mean 'predict'" in capsys.readouterr().err
    assert main(["data", "chekc"]) == 2
    assert "restr data: there is no verb 'chekc'" in (said := capsys.readouterr().err) and "'check'" in said
    assert main([]) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("serve --port 99999", "port"),
        ("serve --port -1", "port is -1; it must be a whole number of at least 0"),
        ("serve --workers 2 --port 65536", "port"),
        ("serve --workers 0", "workers is 0"),
        ("serve --deadline-s nan", "deadline_s is nan"),
        ("serve --host no.such.host.invalid --port 0", "cannot listen on no.such.host.invalid"),
        ("serve --host a..b --port 0", "cannot listen on a..b"),
        ("serve --host 999.1.1.1 --port 0 --workers 2", "cannot listen on 999.1.1.1"),
        ("eval --data generated --seed -1", "seed is -1"),
        ("eval --data generated --n 0", "n is 0"),
        ("robustness --data generated --threads -2 --out o", "threads is -2"),
        ("train --data generated --seed -3 --out o", "seed is -3"),
        ("eval --data generated --n 1 --out a.png/below", "a.png"),
    ],
)
def test_values_that_cannot_be_are_one_line(photos, monkeypatch, capsys, words, says):
    monkeypatch.chdir(photos)
    try:
        code = main(words.split())
    except SystemExit as error:
        code = error.code
    said = capsys.readouterr()
    assert code in (1, 2) and said.out == ""
    assert says in said.err and said.err.count("\n") == 1 and said.err.startswith(f"restr {words.split()[0]}: ")


def test_unknown_options_are_explained(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", "abc"])
    said = capsys.readouterr().err
    assert ended.value.code == 2 and "--port" in said and "Traceback" not in said


def test_lists_of_jobs_survive_any_line_and_folder(tmp_path, monkeypatch):
    path = tmp_path / "jobs.jsonl"
    path.write_text(
        "[" * 100_000 + '\n5\n"a"\n{"image": 5}\n{"image": "a.png", "text": []}\n{"image": "a.png", "text": "x"}\n'
    )
    jobs = list(list_jobs([str(path)], []))
    assert [job.error is None for job in jobs] == [False] * 5 + [True]

    def denied(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", denied)
    (job,) = list_jobs([str(tmp_path)], ["x"])
    assert "Permission denied" in str(job.error)
