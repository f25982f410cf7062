"""An ordinary ``restr predict`` is read without tyro, with the same meaning, and starts without heavy packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from restr.cli.options import parse_options
from restr.cli.predicting.options import PredictOptions, plain_options
from restr.model.weights import save_pretrained
from small_exports import WORDS, shallow_model
from small_graphs import keep_small_export

# What an ordinary call has no use for; most of them are imported by packages that it does use.
HEAVY = ("torch", "onnx", "onnxruntime", "tyro._cli", "typeguard", "rich", "unittest", "asyncio", "email.parser",
         "importlib.metadata", "http.client", "openvino.tools.ovc", "openvino_telemetry", "restr.model.restr")  # fmt: skip

START = """
import json, os, sys
from restr.cli.main import main
code = main(sys.argv[1:])
maps = open("/proc/self/maps").read() if os.path.exists("/proc/self/maps") else ""
print(json.dumps([code, sorted(sys.modules), "libtorch" in maps]))
"""


@pytest.mark.parametrize(
    "line",
    [
        "a.jpg,the left dog",
        "a.jpg,b c.jpg,the left dog,--out,x,--model,m/n,--save,mask",
        "a.jpg,the dog,--json",
        "a.jpg,the people,--each,--json,--save,mask",
        "a.jpg,the dog,--json,--out,some folder",
        "a.jpg,the dog,--model,hf:me/mine",
        "a.jpg",
        "a.jpg,,--out,",
        "a=b.jpg,é 写",
    ],
)
def test_both_readers_agree(line: str) -> None:
    words = line.split(",")
    plain = plain_options(words)
    assert plain is not None and plain == parse_options(PredictOptions, "restr predict", words)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-,the dog",
        "--help",
        "a.jpg,the dog,--out",
        "a.jpg,the dog,--out,--json",
        "a.jpg,the dog,--out=x",
        "a.jpg,the dog,--out,x,--out,y",
        "a.jpg,the dog,--json,--json",
        "a.jpg,--out,x,the dog",
        "--out,x,a.jpg,the dog",
        "a.jpg,the dog,--threshold,0.3",
        "a.jpg,the dog,--no-json",
        "a.jpg,--text,the dog",
        "a.jpg,the dog,--",
    ],
)
def test_all_else_is_left_to_tyro(line: str) -> None:
    assert plain_options(line.split(",") if line else []) is None


def test_with_a_kept_export_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    """Neither for the first mask, which compiles the graphs, nor for the next, which finds them compiled."""
    pytest.importorskip("openvino")
    save_pretrained(shallow_model(), WORDS, tmp_path / "model")
    environment = os.environ | {"RESTR_CACHE": str(tmp_path / "cache")}
    environment.pop("RESTR_BACKEND")
    keep_small_export(tmp_path / "cache", tmp_path / "model")
    for _ in range(2):
        words = [
            "examples/coffee.jpg",
            "the red circle",
            "--model",
            str(tmp_path / "model"),
            "--out",
            str(tmp_path / "out"),
        ]
        done = subprocess.run(
            [sys.executable, "-c", START, "predict", *words],
            capture_output=True, text=True, timeout=120, env=environment,
        )  # fmt: skip
        assert done.returncode == 0 and done.stderr == "", done.stderr
        code, loaded, mapped = json.loads(done.stdout.splitlines()[-1])
        assert code == 0 and not mapped
        assert "openvino" in loaded and [name for name in HEAVY if name in loaded] == []
    assert len(list((tmp_path / "out").glob("*.mask.png"))) == 1, "both wrote the same mask"
    assert len(list((tmp_path / "cache" / "compiled").glob("*.blob"))) == 2
