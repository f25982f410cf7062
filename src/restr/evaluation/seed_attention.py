"""Where the class seed of a trained model attends: patches, words or itself, over the samples of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from restr.data.sample import SampleSource
from restr.errors import ConfigError
from restr.evaluation.protocol import EvalProtocol
from restr.model.attention_maps import SOURCES, MeanSeedAttention, record_seed_attention
from restr.model.device import choose_device
from restr.model.folder import CONFIG, is_checkpoint
from restr.model.weights import load_pretrained
from restr.report.tables import markdown_table, percent
from restr.text.tokenizer import Tokenizer
from restr.text.vocabulary import PADDING

_LINES = {
    "direct": "direct",
    "direct_uniform": "direct, if all tokens were attended to alike",
    "effective": "effective (attention rollout)",
    "effective_uniform": "effective, if all tokens were attended to alike",
}


def refuse_export(folder: Path) -> None:
    """Raises ``ConfigError`` unless ``folder`` is a model folder or a checkpoint of a run."""
    if not is_checkpoint(folder) and not (folder / CONFIG).is_file():
        raise ConfigError(
            f"{folder} is no model folder; the seed's attention is recorded in the model itself, not in an export"
        )


@torch.inference_mode()
def measure_seed_attention(
    folder: Path,
    samples: SampleSource,
    protocol: EvalProtocol,
    *,
    device: str = "auto",
    progress: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """The means of ``MeanSeedAttention`` over all samples, in float32, each image encoded once; and "n", their number.

    folder: as ``load_pretrained`` takes it. progress: called after each image with its number of samples. Raises
    ``ConfigError`` if ``folder`` holds an export.
    """
    refuse_export(folder)
    model, words = load_pretrained(folder)
    on = choose_device(device)
    model.to(on)
    framing, tokenizer, mean = (
        protocol.framing(model.config.framing),
        Tokenizer.of(words, model.config),
        MeanSeedAttention(),
    )
    for numbers in samples.image_groups():
        group = [samples[number] for number in numbers]
        picture, _ = protocol.frame(group[0].image, [], framing)
        image = model.encode_image(torch.from_numpy(framing.prepare(picture))[None].to(on))
        ids = torch.from_numpy(tokenizer([sample.text for sample in group])).to(on)
        with record_seed_attention(model.fusion, ids == PADDING) as recorder:
            model.segment(image, ids)
        mean.update(recorder.shares())
        if progress:
            progress(len(group))
    return mean.compute() | {"n": float(mean.n)}


def seed_attention_lines(shares: Mapping[str, float]) -> str:
    """The shares as Markdown, in percent, with the direct ones of each block."""
    blocks = sum(name.startswith("seed_direct_block") for name in shares) // len(SOURCES)
    lines = _LINES | {f"direct_block{block}": f"direct, block {block}" for block in range(1, blocks + 1)}
    rows = [[text, *(percent(shares[f"seed_{name}_{source}"]) for source in SOURCES)] for name, text in lines.items()]
    return "\n".join(markdown_table([f"the seed's attention, n = {shares['n']:.0f}", *SOURCES], rows)) + "\n"
