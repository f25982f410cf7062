"""Which device to compute on."""

from __future__ import annotations

import torch

from restr.errors import ConfigError


def choose_device(device: str | torch.device) -> torch.device:
    """The device of that name; "auto" takes a GPU where there is one. Raises ``ConfigError`` where there is none such."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"device is {device!r}; choose 'auto', 'cpu', 'cuda' or 'cuda:1'") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device is {str(device)!r}, but torch sees {torch.cuda.device_count()} GPUs; use 'auto' or 'cpu'"
        )
    return chosen
