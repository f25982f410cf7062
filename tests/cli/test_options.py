"""The choices of options are those of the tables that they stand for, and groups of options look alike in every verb."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from restr.cli.data.convert import Convert
from restr.cli.options import (
    BackendName,
    DataOptions,
    DeviceOptions,
    ModelOptions,
    ProtocolName,
    ThreadOptions,
    parse_options,
)
from restr.cli.verbs.measuring.eval import Eval
from restr.cli.verbs.measuring.robustness import Robustness
from restr.evaluation.protocol import PROTOCOLS
from restr.formats.writers import WRITERS
from restr.inference.backends.opening import BACKENDS


def test_choices_are_those_of_the_tables() -> None:
    assert get_args(ProtocolName) == tuple(PROTOCOLS)
    assert get_args(BackendName) == BACKENDS
    assert {"jsonl", "csv", "coco", "refer", "webdataset", "parquet"} == set(WRITERS)
    for name in WRITERS:
        assert parse_options(Convert, "restr data convert", ["jsonl:a", "--out", "b", "--to", name]).to == name


@pytest.mark.parametrize("verb", [Eval, Robustness])
def test_groups_keep_their_defaults(verb: type) -> None:
    fields = {field.name: field.default for field in dataclasses.fields(verb)}
    for group in (DataOptions, ModelOptions, DeviceOptions, ThreadOptions):
        assert {field.name: field.default for field in dataclasses.fields(group)}.items() <= fields.items()
