"""``restr completion SHELL``: the script by which a shell completes restr's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from restr.cli.options import parse_options

if TYPE_CHECKING:
    import tyro
else:
    from restr.cli.options import tyro


@dataclass(frozen=True, kw_only=True)
class Completion:
    """Print a script that completes verbs, options and their values in a shell.

    bash: restr completion bash > ~/.local/share/bash-completion/completions/restr
    zsh: restr completion zsh > DIR/_restr, where DIR is in $fpath
    fish: restr completion fish > ~/.config/fish/completions/restr.fish

    Write it again after an update of restr.
    """

    shell: Annotated[Literal["bash", "zsh", "fish"], tyro.conf.Positional]
    """The shell."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code. Raises ``RestrError``."""
    shell = parse_options(Completion, "restr completion", arguments).shell
    from restr.cli.completion.pages import read_pages
    from restr.cli.completion.scripts import SCRIPTS

    print(SCRIPTS[shell](list(read_pages())), end="")
    return 0
