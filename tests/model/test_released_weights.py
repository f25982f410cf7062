"""Checkpoints of the released program load, and the model computes with them what the equations say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from test_variants import images, released, words
from torch import Tensor

import reference
from released_layout import SMALL, Sizes
from restr.config import ModelConfig
from restr.errors import ConfigError, WeightsError
from restr.model.build import build_model
from restr.model.released_weights import convert_released, fit_config, load_released, rename_state
from restr.model.restr import ReSTR
from restr.model.weights import load_pretrained
from restr.nn.positions import sinusoidal_positions
from restr.text.tokenizer import Tokenizer


def original(config: ModelConfig) -> ReSTR:
    model = build_model(config, seed=0).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(parameter)))
        model.language.unknown.copy_(model.language.vectors.weight[config.language.unknown_row])
    return model


def theirs(model: ReSTR, *, layers: str = "timm") -> dict[str, Tensor]:
    """The state dict that the released program would hold, written name by name."""
    found: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        part, rest = name.split(".", 1)
        if part == "vision":
            found[f"encoder_v.{rest}"] = tensor
        elif name == "language.vectors.weight":
            found["encoder_l.embedding.weight"] = tensor
        elif rest.startswith("encoder.blocks."):
            inner = rest.removeprefix("encoder.")
            if layers == "torch":
                inner = inner.replace("attn.qkv.", "self_attn.in_proj_").replace("attn.proj.", "self_attn.out_proj.")
                inner = inner.replace("mlp.fc1", "linear1").replace("mlp.fc2", "linear2")
            found[f"encoder_l.{inner}"] = tensor
        elif rest.startswith("proj_out"):
            found[f"encoder_l.{rest.replace('proj_out', 'proj_lang')}"] = tensor
        elif part == "language" and rest.startswith("norm"):
            found[f"encoder_l.lang_{rest}"] = tensor
        elif part == "decoder":
            place = "4" if "head" in rest else str(int(rest.split(".")[1]))
            shaped = tensor[..., None, None] if tensor.ndim == 2 else tensor
            found[f"fusion_module.decoder.{place}.conv.{rest.rsplit('.', 1)[1]}"] = shaped
        elif name == "fusion.seed":
            found["fusion_module.seed_emb"] = tensor
        elif name == "classifier.proj_patch.weight":
            found["fusion_module.proj_patch"] = tensor.T
        elif name == "classifier.proj_seed.weight":
            found["fusion_module.proj_cls"] = tensor.T
        elif part == "fusion":
            for ours, other in (
                ("proj_vision", "proj_v"),
                ("proj_words", "proj_l"),
                ("visual_linguistic.blocks", "blocks_vl"),
                ("linguistic_seed.blocks", "blocks_ls"),
                ("linguistic_seed.norm", "norm"),
            ):
                if rest.startswith(ours):
                    found[f"fusion_module.{rest.replace(ours, other, 1)}"] = tensor
    return {name: tensor.contiguous().clone() for name, tensor in found.items()}


def shared() -> ModelConfig:
    config = released()
    return dataclasses.replace(config, fusion=dataclasses.replace(config.fusion, sharing="depth"))


@pytest.mark.parametrize("config", [released, shared])
@pytest.mark.parametrize("layers", ["timm", "torch"])
def test_the_outputs_are_the_originals(config, layers: str, tmp_path: Path) -> None:
    model = original(config())
    state = {f"module.{name}": tensor for name, tensor in theirs(model, layers=layers).items()}
    torch.save({"model": state, "epoch": 3}, tmp_path / "checkpoint.pth")
    # a table of another size is found in the file, and sharing too
    loaded = load_released(tmp_path / "checkpoint.pth", dataclasses.replace(released(), name="other"))
    assert loaded.config.fusion.sharing == config().fusion.sharing
    arguments = (images(), words(model))
    assert torch.equal(loaded(*arguments).logits, model(*arguments).logits)


def test_depths_and_word_table_come_from_the_file(tmp_path: Path) -> None:
    config = released()
    deeper = dataclasses.replace(
        config,
        fusion=dataclasses.replace(
            config.fusion, linguistic_seed=dataclasses.replace(config.fusion.linguistic_seed, depth=3)
        ),
    )
    deeper = dataclasses.replace(deeper, language=dataclasses.replace(deeper.language, vocab=11))
    save_file(theirs(original(deeper)), tmp_path / "checkpoint.safetensors")
    loaded = load_released(tmp_path / "checkpoint.safetensors", config)
    assert loaded.config.fusion.linguistic_seed.depth == 3 and loaded.config.language.vocab == 11


def test_differences_are_listed(tmp_path: Path) -> None:
    state = theirs(original(released()))
    state["fusion_module.extra.weight"] = torch.zeros(2)
    del state["fusion_module.proj_v.bias"]
    save_file(state, tmp_path / "checkpoint.safetensors")
    with pytest.raises(WeightsError, match=r"missing fusion.proj_vision.bias\n  unknown fusion_module.extra.weight"):
        load_released(tmp_path / "checkpoint.safetensors", released())
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="has no fusion_module"):
        load_released(tmp_path / "other.safetensors", released())


# The true layout, by the names and shapes of tests/support/released_layout.py.

SIZES = {
    "none": SMALL,
    "depth": dataclasses.replace(SMALL, stored=(1, 1)),
    "patch-8": dataclasses.replace(SMALL, patch=8, grid=4),
    "patch-32": dataclasses.replace(SMALL, patch=32, grid=2, rows=11),
    "no-decoder": dataclasses.replace(SMALL, decoder=False),
}


def write(state: reference.Weights, path: Path) -> Path:
    torch.save({name: torch.from_numpy(value) for name, value in state.items()}, path)
    return path


@pytest.mark.parametrize("name", SIZES)
def test_the_true_layout_computes_what_the_equations_say(name: str, tmp_path: Path) -> None:
    sizes = SIZES[name]
    state = sizes.checkpoint()
    pixels, ids = sizes.inputs()
    expected, patches = sizes.forward(state, pixels, ids)
    assert (expected.std(), patches.std()) == pytest.approx((1, 1), rel=1e-5), "an error of 1e-9 means something"
    model = load_released(write(state, tmp_path / "released.pth"), sizes.config()).double()
    # the model's own are these in float32, see test_reference.py
    exact = torch.from_numpy(reference.sinusoids(20, sizes.vectors))
    torch.testing.assert_close(model.language.positions, exact, rtol=0, atol=1e-6)
    model.language.positions = exact
    output = model(torch.from_numpy(pixels)[None], torch.from_numpy(ids)[None])
    np.testing.assert_allclose(output.patch_logits[0].detach(), patches, rtol=0, atol=1e-9)
    if sizes.decoder:
        np.testing.assert_allclose(output.logits[0, 0].detach(), expected, rtol=0, atol=1e-9)
    else:
        assert output.logits.shape[-2:] == pixels.shape[-2:]


def test_float32_is_near_enough(tmp_path: Path) -> None:
    state = SMALL.checkpoint()
    pixels, ids = SMALL.inputs()
    model = load_released(write(state, tmp_path / "released.pth"), SMALL.config())
    output = model(torch.from_numpy(pixels)[None].float(), torch.from_numpy(ids)[None])
    expected, _ = SMALL.forward(state, pixels, ids)
    assert np.abs(output.logits[0, 0].detach().numpy() - expected).max() < 1e-4 * expected.std()


@pytest.mark.parametrize(
    ("sizes", "tensors", "parameters"),
    [
        (Sizes(), 291, 129.0),
        (Sizes(stored=(1, 1)), 267, 114.8),
        (Sizes(patch=32, grid=15), 292, 130.2),
        (Sizes(patch=8, grid=60), 290, 130.6),
        (Sizes(decoder=False), 286, 127.4),
    ],
)
def test_the_full_layout_fits(sizes: Sizes, tensors: int, parameters: float) -> None:
    """The names and shapes of the whole program, without memory for them."""
    shapes = sizes.shapes()
    assert len(shapes) == tensors
    state = rename_state({name: torch.empty(shape, device="meta") for name, shape in shapes.items()})
    config = fit_config(sizes.config(), state)
    assert config.preprocess.size == 480 and config.vision.patch == sizes.patch
    assert (config.decoder.kind == "none") == (not sizes.decoder)
    with torch.device("meta"):
        model = build_model(config)
    own = {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert own.pop("language.unknown") == (300,)
    assert own == {name: tensor.shape for name, tensor in state.items()}
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == parameters


def test_what_is_odd_in_a_checkpoint_is_named(tmp_path: Path) -> None:
    state = SMALL.checkpoint()
    odd = {"encoder_v.fc_norm.weight": np.zeros(2), "fusion_module.blocks_xy.0.norm1.weight": np.zeros(2)}
    odd |= {"fusion_module.decoder.1.up.2.weight": np.zeros((2, 2)), "encoder_v.head.scale": np.zeros(2)}
    with pytest.raises(WeightsError) as caught:
        load_released(write(state | odd, tmp_path / "odd.pth"), SMALL.config())
    assert "in 4 places" in str(caught.value)
    for name in ("vision.fc_norm.weight", "vision.head.scale", *list(odd)[1:3]):
        assert f"unknown {name}" in str(caught.value)
    for name, says in (
        ("encoder_v.pos_embed", "no encoder_v.pos_embed"),
        ("encoder_l.embedding.weight", "no encoder_l"),
    ):
        with pytest.raises(WeightsError, match=says):
            load_released(write({n: v for n, v in state.items() if n != name}, tmp_path / "less.pth"), SMALL.config())
    half = {name: value for name, value in state.items() if ".blocks_vl." not in name}
    with pytest.raises(WeightsError, match="0 visual-linguistic and 2 linguistic-seed blocks"):
        load_released(write(half, tmp_path / "half.pth"), SMALL.config())
    state["encoder_v.pos_embed"] = state["encoder_v.pos_embed"][:, :-1]
    with pytest.raises(WeightsError, match="pos_embed has 9 places; expected a square and one"):
        load_released(write(state, tmp_path / "places.pth"), SMALL.config())


def test_a_shared_block_may_have_no_number(tmp_path: Path) -> None:
    sizes = SIZES["depth"]
    state = sizes.checkpoint()
    renamed = {n.replace("blocks_vl.0.", "block_vl.").replace("blocks_ls.0.", "ls_block."): v for n, v in state.items()}
    assert len(renamed.keys() - state.keys()) == 24
    one, two = (load_released(write(each, tmp_path / "a.pth"), sizes.config()) for each in (state, renamed))
    assert one.config.fusion.sharing == two.config.fusion.sharing == "depth"
    assert all(torch.equal(*pair) for pair in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_the_sinusoids_are_made_as_ever() -> None:
    assert torch.equal(load_tiny().language.positions, sinusoidal_positions(20, SMALL.vectors))


def load_tiny() -> ReSTR:
    return build_model(fit_config(SMALL.config(), rename_state(tensors())))


def tensors() -> dict[str, Tensor]:
    return {name: torch.from_numpy(value) for name, value in SMALL.checkpoint().items()}


# Lines as in the program's own file: marks first, an empty line, a word twice, one with a space.
LINES = ["<pad>", "<go>", "<eos>", "<unk>", "the", ".", "", "red", "' s", "cup", ".", ",", "man", " , ", "'"]


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    path = tmp_path / "vocabulary.txt"
    more = [f"word{number}" for number in range(SMALL.rows - len(LINES))]
    path.write_text("".join(f"{line}\n" for line in [*LINES, *more]))
    return path


def test_a_folder_reads_sentences_as_the_program(vocabulary: Path, tmp_path: Path) -> None:
    checkpoint = write(SMALL.checkpoint(), tmp_path / "released.pth")
    made = convert_released(checkpoint, tmp_path / "model", SMALL.config(), vocabulary=vocabulary)
    model, read = load_pretrained(tmp_path / "model")
    assert model.config == made.config
    assert len(read) == SMALL.rows and read.words[:4] == ("the", ".", "", "red")
    tokenizer = Tokenizer.of(read, model.config)
    ids = tokenizer(["The red cup.", "the man's reddish cup, red .", "cups word24.", "red . the"])
    assert ids.shape == (4, 20) and not ids[:, :11].any()
    rows = [row[row > 0].tolist() for row in ids]
    assert rows[0] == [4, 7, 9], "the final stop is dropped"
    # "," is the later of two equal lines, ", " is no line; no other form of a word is tried
    assert rows[1] == [4, 12, 14, 3, 3, 9, 3, 7, 3]
    assert rows[2] == [3, 39]
    assert rows[3] == [7, 3, 4], "pieces keep their spaces"
    image = torch.randn(1, 3, 48, 48)
    assert torch.equal(model(image, torch.from_numpy(ids[:1])).logits, made(image, torch.from_numpy(ids[:1])).logits)


def test_a_folder_needs_a_vocabulary_that_fits(vocabulary: Path, tmp_path: Path) -> None:
    checkpoint = write(SMALL.checkpoint(), tmp_path / "released.pth")
    out = tmp_path / "model"
    with pytest.raises(WeightsError, match="40 word vectors but no words; give the vocabulary file .* 40 lines"):
        convert_released(checkpoint, out, SMALL.config(), vocabulary=None)
    vocabulary.write_text(vocabulary.read_text() + "more\n")
    with pytest.raises(WeightsError, match="vocabulary.txt has 41 lines, the checkpoint's word table has 40 rows"):
        convert_released(checkpoint, out, SMALL.config(), vocabulary=vocabulary)
    with pytest.raises(WeightsError, match="cannot read the vocabulary"):
        convert_released(checkpoint, out, SMALL.config(), vocabulary=tmp_path / "none.txt")
    assert not out.exists(), "nothing half-written"
    out.mkdir()
    (out / "notes.txt").touch()
    with pytest.raises(ConfigError, match="model exists and is not empty; name a new folder"):
        convert_released(checkpoint, out, SMALL.config(), vocabulary=vocabulary)
