"""The meter: speed, waiting, memory, MFU; and that measuring changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from clock import Clock
from restr.data.batch import collate
from restr.export.rewriting import matmul_attention
from restr.model.build import build_model
from restr.nn.attention import Attention
from restr.text.tokenizer import Tokenizer
from restr.training.loop.forward import forward_batch
from restr.training.run.meter import Meter, meta_copy, peak_flops, peak_memory, training_flops, weight_norm
from small_runs import WORDS, samples, small_config

TOKENIZER = Tokenizer(WORDS, 16)


def test_the_meter_measures_since_its_last_values() -> None:
    clock = Clock()
    meter = Meter(torch.device("cpu"), flops_per_row=30.0, peak=100.0, processes=2, clock=clock)
    for _ in range(2):
        with meter.waiting():
            clock.now += 1.0
        clock.now += 3.0
        meter.step(4)
    with meter.paused():
        clock.now += 100.0
    values = meter.values()
    assert values.pop("memory_gb") > 0
    assert values == pytest.approx({"samples_per_s": 2 * 1.0, "data_wait": 0.25, "mfu": 0.3})
    clock.now += 4.0
    meter.step(2)
    assert meter.values() | {"memory_gb": 0} == {"samples_per_s": 1.0, "data_wait": 0.0, "mfu": 0.15, "memory_gb": 0}
    assert "mfu" not in Meter(torch.device("cpu")).values()


@pytest.mark.parametrize("frozen", [False, True])
def test_flops_are_those_of_attention_written_out(frozen: bool) -> None:
    """On a CPU the counter overlooks attention unless it is written as matrix products; on values-free copies it does
    not."""
    config = small_config(frozen=frozen)
    model = build_model(config, seed=0).train()
    batch = collate(samples()[:4], TOKENIZER, config)
    found = training_flops(meta_copy(model), batch)
    for module in model.modules():
        if isinstance(module, Attention):
            module.sdpa = matmul_attention
    with FlopCounterMode(display=False) as counter:
        output = forward_batch(model, batch)
        (output.logits.sum() + output.patch_logits.sum()).backward()
    assert found == counter.get_total_flops() > 0


def test_counting_changes_nothing_that_is_trained() -> None:
    config = small_config()
    model = build_model(config, seed=0).train()
    batch = collate(samples()[:4], TOKENIZER, config)
    before, random = {n: v.clone() for n, v in model.state_dict().items()}, torch.get_rng_state()
    meter = Meter(torch.device("cpu"), model)
    assert [len(each) for each in meter.measure(iter([batch, batch]))] == [4, 4]
    values = meter.values()
    assert torch.equal(random, torch.get_rng_state())
    assert all(parameter.grad is None and parameter.device.type == "cpu" for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert meter.flops_per_row == training_flops(meta_copy(model), batch) / 4
    assert meter.peak and meter.peak > 1e7
    assert values["samples_per_s"] > 0 and values["mfu"] > 0


def test_a_model_that_cannot_be_counted_has_no_mfu() -> None:
    config = small_config()

    def curious(model, batch):
        output = forward_batch(model, batch)
        assert output.logits.sum().item() is not None  # a copy without values has none to give
        return output

    meter = Meter(torch.device("cpu"), build_model(config), forward=curious)
    assert len(list(meter.measure(iter([collate(samples()[:2], TOKENIZER, config)])))) == 1
    assert "mfu" not in meter.values()


def test_norm_memory_and_peak_are_plausible() -> None:
    model = build_model(small_config(frozen=True), seed=0)
    trained = [
        parameter.detach().double().square().sum() for parameter in model.parameters() if parameter.requires_grad
    ]
    assert weight_norm(model) == pytest.approx(float(sum(trained)) ** 0.5, rel=1e-5)
    device, held = torch.device("cpu"), torch.ones(30_000_000)
    memory = peak_memory(device)
    assert memory is None or held.nbytes < memory < 1 << 40
    assert peak_flops(device, torch.bfloat16, threads=1) > 1e7
    assert peak_flops(device, torch.bfloat16, threads=1) == peak_flops(device, torch.bfloat16, threads=1)
