"""An export gives the model's results, and runs without torch."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from restr import Segmenter
from restr.cli.main import main
from restr.errors import ConfigError, ImageError, WeightsError
from restr.export.graphs import graphs
from restr.export.onnx_target import LEAST_WEIGHTS, int8_weights, to_int8
from restr.export.parity import Parity
from restr.export.quiet import quiet
from restr.export.run import Plan, export
from restr.inference.backends.base import ExportedBackend
from restr.inference.exported import FACTS, ExportManifest
from restr.inference.locate import describe_model
from restr.model.weights import save_pretrained
from small_exports import WORDS, shallow_config, shallow_model, with_presence

IMAGE = np.random.default_rng(1).integers(0, 256, (70, 110, 3), dtype=np.uint8)
TEXTS = ["left", "the red circle on the left", "the blue zzqqxx"]


@pytest.fixture(scope="module")
def onnx_export(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Parity]:
    folder = tmp_path_factory.mktemp("export") / "onnx"
    said: list[str] = []
    report = export(shallow_model(with_presence(0.0)), WORDS, folder, Plan(), source={"hash": "abc"}, say=said.append)
    assert said == ["image_encoder to onnx", "expression to onnx", "comparing"]
    return folder, report


@pytest.fixture(scope="module")
def folder(onnx_export: tuple[Path, Parity]) -> Path:
    return onnx_export[0]


@pytest.fixture(scope="module")
def reference() -> Segmenter:
    return Segmenter(shallow_model(with_presence(0.0)), WORDS, device="cpu")


def test_parity_is_measured_and_holds(onnx_export: tuple[Path, Parity]) -> None:
    folder, report = onnx_export
    assert report.holds and report.difference <= 1e-4 and report.agreement >= 0.999
    assert {case.expressions for case in report.cases} == {1, 2, 5}
    assert {case.words for case in report.cases} == {1, 5, 16}
    assert len({case.image for case in report.cases}) == 2, "two sizes"
    assert any(0.05 < case.marked < 0.95 for case in report.cases), "agreement on empty masks would say nothing"
    assert json.loads((folder / "parity.json").read_text())["holds"]
    assert "it does" in (folder / "parity.md").read_text()
    assert not list(folder.glob(".partial*"))


def test_the_segmenter_runs_it_as_it_runs_the_model(folder: Path, reference: Segmenter) -> None:
    exported = Segmenter.from_pretrained(folder)
    assert (exported.backend.name, exported.backend.precision, exported.device) == ("onnx", "fp32", "cpu")
    for image in (IMAGE, IMAGE[:5], IMAGE.transpose(1, 0, 2)):  # other shapes, down to one patch
        for ours, theirs in zip(exported(image, TEXTS), reference(image, TEXTS), strict=True):
            np.testing.assert_allclose(ours.prob, theirs.prob, atol=1e-4)
    exported.set_image(IMAGE)
    assert exported.predict("left").mask.shape == (70, 110)


@pytest.mark.parametrize("name", [FACTS, "expression.onnx"])
def test_any_file_of_the_folder_stands_for_it(folder: Path, name: str) -> None:
    assert Segmenter.from_pretrained(folder / name).backend.name == "onnx"


def test_limits_of_an_export_are_reported(folder: Path, tmp_path: Path) -> None:
    exported = Segmenter.from_pretrained(folder)
    with pytest.raises(ConfigError, match="attention"):
        exported(IMAGE, "left", attention=True)
    with pytest.raises(ConfigError, match="no PyTorch model"):
        _ = exported.model
    with pytest.raises(ConfigError, match="onnx and openvino can run"):
        Segmenter.from_pretrained(folder, backend="aoti")
    with pytest.raises(ConfigError, match="exported in fp32"):
        Segmenter.from_pretrained(folder, precision="int8")
    with pytest.raises(ConfigError, match="toaster"):
        Segmenter.from_pretrained(folder, backend="toaster")
    with pytest.raises(WeightsError, match="not a graph"):
        Segmenter.from_pretrained(folder / "vocab.txt")
    ExportManifest.read(folder)
    (tmp_path / FACTS).write_text("{}")
    with pytest.raises(WeightsError, match=r"restr\.json"):
        Segmenter.from_pretrained(tmp_path)
    (tmp_path / FACTS).write_text((folder / FACTS).read_text())
    (tmp_path / "vocab.txt").write_text((folder / "vocab.txt").read_text())
    with pytest.raises(WeightsError, match=r"image_encoder\.onnx is missing"):
        Segmenter.from_pretrained(tmp_path)(IMAGE, "left")


def test_a_model_folder_is_no_export(tmp_path: Path) -> None:
    save_pretrained(shallow_model(), WORDS, tmp_path)
    with pytest.raises(ConfigError, match="export it first"):
        Segmenter.from_pretrained(tmp_path, backend="onnx")
    with pytest.raises(ConfigError, match="int8"):
        Segmenter.from_pretrained(tmp_path, precision="int8")
    with pytest.raises(ConfigError, match="is a model folder"):
        export(shallow_model(), WORDS, tmp_path, Plan())


def test_bf16_in_torch_is_near(reference: Segmenter) -> None:
    nearly = Segmenter(reference.model, WORDS, device="cpu", precision="bf16")
    difference = np.abs(nearly(IMAGE, "left").prob - reference(IMAGE, "left").prob).max()
    assert 0 < difference < 0.1


def test_every_file_says_what_a_caller_must_know(folder: Path) -> None:
    model = onnx.load(folder / "expression.onnx")
    facts = json.loads({each.key: each.value for each in model.metadata_props}["restr"])
    assert facts == json.loads((folder / FACTS).read_text())
    assert facts["source"] == {"hash": "abc"} and facts["size"] is None
    assert facts["config"]["preprocess"]["size"] == 64 and "unknown" in facts["inputs"]["ids"]
    shapes = {
        each.name: [dim.dim_param or dim.dim_value for dim in each.type.tensor_type.shape.dim]
        for each in [*model.graph.input, *model.graph.output]
    }
    assert shapes == {
        "patches": [1, 6, "h", "w", 64],
        "ids": ["t", "l"],
        "logits": ["t", 1, "4*h", "4*w"],
        "presence": ["t"],
    }


def test_the_recipe_for_triton_fits_the_files(folder: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
    types = {"TYPE_FP32": onnx.TensorProto.FLOAT, "TYPE_INT64": onnx.TensorProto.INT64}
    for block in re.findall(r"```protobuf\n(.*?)```", page, re.DOTALL):
        name = re.search(r'name: "(\w+)"', block)
        assert name
        graph = onnx.load(folder / f"{name[1]}.onnx").graph
        batched = "max_batch_size: 0" not in block  # Triton then leaves the first dimension out
        said = re.findall(r'name: "(\w+)" data_type: (\w+) dims: \[([-\d, ]+)\]', block)
        assert [each[0] for each in said] == [each.name for each in [*graph.input, *graph.output]]
        for (_, kind, dims), tensor in zip(said, [*graph.input, *graph.output], strict=True):
            shape = [dim.dim_value or -1 for dim in tensor.type.tensor_type.shape.dim]
            assert tensor.type.tensor_type.elem_type == types[kind]
            assert [int(dim) for dim in dims.replace("384", "64").split(",")] == shape[batched:]


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # an import of it fails
from restr import Segmenter
result = Segmenter.from_pretrained(sys.argv[1])(sys.argv[2], "the red circle")
print(result.mask.shape, [name for name in sys.modules if name.startswith("torch.")])
"""


def test_it_runs_where_there_is_no_torch(folder: Path) -> None:
    photograph = Path(__file__).parents[2] / "examples" / "coffee.jpg"
    command = [sys.executable, "-c", WITHOUT_TORCH, str(folder / "expression.onnx"), str(photograph)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(400, 600) []\n"


def test_without_torch_a_model_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_pretrained(shallow_model(), WORDS, tmp_path)
    monkeypatch.delitem(sys.modules, "restr.model.weights")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match="torch is not installed"):
        Segmenter.from_pretrained(tmp_path)


def test_int8_is_smaller_and_near(folder: Path, reference: Segmenter, tmp_path: Path) -> None:
    facts = ExportManifest.read(folder)
    with quiet():
        for graph in ("image_encoder", "expression"):
            to_int8(facts.path(graph), tmp_path / facts.files[graph])
            assert (tmp_path / facts.files[graph]).stat().st_size < 0.6 * facts.path(graph).stat().st_size
    for name in (FACTS, "vocab.txt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    ours, theirs = (each(IMAGE, "the red circle").prob for each in (Segmenter.from_pretrained(tmp_path), reference))
    assert 0 < np.abs(ours - theirs).max() < 0.2


def test_int8_weights_are_whole_numbers_of_a_step_for_each_output_channel(folder: Path) -> None:
    model = onnx.load(ExportManifest.read(folder).path("expression"))
    before = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    int8_weights(model)
    onnx.checker.check_model(model)
    after = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    large = {node.input[1] for node in onnx.load(ExportManifest.read(folder).path("expression")).graph.node
             if node.op_type in ("MatMul", "Gemm") and before.get(node.input[1], np.empty(0)).size >= LEAST_WEIGHTS}  # fmt: skip
    assert len(large) > 10
    axes = {node.input[0]: node.attribute[0].i for node in model.graph.node if node.op_type == "DequantizeLinear"}
    for name in large:
        numbers, steps = after[f"{name}.int8"], after[f"{name}.scales"]
        steps = steps[:, None] if axes[f"{name}.int8"] == 0 else steps[None]
        assert name not in after and numbers.dtype == np.int8
        assert (np.abs(numbers * steps - before[name]) <= steps / 2 + 1e-7).all()
    assert {name for name in before if name not in after} == large, "nothing else is changed"


def test_it_is_measured_as_the_model_is(folder: Path, tmp_path: Path) -> None:
    save_pretrained(shallow_model(with_presence(0.0)), WORDS, tmp_path / "model")
    found = {}
    for name, model in (("export", folder), ("model", tmp_path / "model")):
        asked = ["eval", "--data", "generated", "--n", "8", "--model", str(model), "--out", str(tmp_path / name)]
        assert main([*asked, "--threads", "1"]) == 0
        found[name] = json.loads((tmp_path / name / "metrics.json").read_text())
    assert found["export"]["overall"] == pytest.approx(found["model"]["overall"], abs=1e-3)
    assert describe_model(folder).precision == "fp32" and describe_model(tmp_path / "model").precision is None
    before = describe_model(folder).hash
    assert before == ExportManifest.read(folder).hash() != describe_model(tmp_path / "model").hash


@pytest.mark.parametrize(
    ("target", "precision"), [("onnx", "bf16"), ("aoti", "int8"), ("torch-export", "int8"), ("coreml", "fp32")]
)
def test_plans_that_cannot_be(target: str, precision: str) -> None:
    with pytest.raises(ConfigError, match="choose"):
        Plan(target=target, precision=precision)  # type: ignore[arg-type]


def test_windows_need_one_size() -> None:
    config = shallow_config()
    blocks = replace(config.vision.blocks, attention="windowed", window=4, cells=2)
    model = shallow_model(replace(config, vision=replace(config.vision, blocks=blocks)))
    with pytest.raises(ConfigError, match="--fixed-size"):
        graphs(model, dynamic=True, whole=False)
    graphs(model, dynamic=False, whole=False)


def test_one_size_alone(folder: Path) -> None:
    class Sized(ExportedBackend):
        def run(self, graph: str, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [inputs["image"]]

    sized = Sized(replace(ExportManifest.read(folder), size=(64, 64)))
    assert sized.encode_image(np.zeros((1, 3, 64, 64), np.float32)).shape == (1, 3, 64, 64)
    with pytest.raises(ImageError, match="takes only 64 x 64"):
        sized.encode_image(np.zeros((1, 3, 64, 60), np.float32))


def test_a_copy_opens_the_export_again(folder: Path) -> None:
    exported = Segmenter.from_pretrained(folder, device="cpu", threads=1)
    before = exported(IMAGE, "the red circle").prob
    for copied in (pickle.loads(pickle.dumps(exported)), deepcopy(exported)):
        assert isinstance(copied.backend, ExportedBackend) and copied.backend.threads == 1
        np.testing.assert_array_equal(copied(IMAGE, "the red circle").prob, before)


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["export", "--int8", "--bf16"]) == 1
    assert "choose one" in capsys.readouterr().err
    assert main(["export", "--to", "aoti", "--int8", "--out", str(tmp_path)]) == 1
    assert "choose onnx or openvino" in capsys.readouterr().err
