"""Checks shapes and types in the signatures of ``restr.nn`` and ``restr.model`` in every call that a test makes."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from beartype import beartype
from jaxtyping import jaxtyped  # before restr.nn.shapes, which looks for it

MODULES = (
    *(f"restr.nn.{name}" for name in ("attention", "windowed", "patches", "positions", "transformer")),
    *(f"restr.model.{name}" for name in ("vision", "language", "fusion", "decoder", "presence", "restr")),
)


def install() -> None:
    """Check every function and method of ``MODULES`` whose signature names a shape."""
    for name in MODULES:
        module = importlib.import_module(name)
        owners = [module, *(each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == name)]
        for owner in owners:
            for attribute, function in list(vars(owner).items()):
                if inspect.isfunction(function) and function.__module__ == name and _names_a_shape(function):
                    setattr(owner, attribute, checked(function))


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which checks its arguments and its result unless PyTorch traces it for an export or a compiler."""
    strict = jaxtyped(function, typechecker=beartype)

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        return (function if torch.compiler.is_compiling() else strict)(*arguments, **options)

    return call


def _names_a_shape(function: Callable[..., Any]) -> bool:
    return any("[Tensor," in str(annotation) for annotation in function.__annotations__.values())
