"""``restr VERB ...``: the verbs, and the messages and exit codes of their errors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from restr import __version__
from restr.cli.dispatch import FAILED, INTERRUPTED, OK, USAGE, help_lines, run_verb
from restr.errors import RestrError

VERBS = {
    "predict": ("restr.cli.verbs.predict", "segment what a sentence names in photographs"),
    "bulk": ("restr.cli.verbs.bulk", "segment what sentences name in millions of pictures"),
    "train": ("restr.cli.verbs.train", "train a model"),
    "finetune": ("restr.cli.verbs.finetune", "train a model further on your own data"),
    "eval": ("restr.cli.verbs.measuring.eval", "measure a model on a dataset"),
    "score": ("restr.cli.verbs.measuring.score", "measure masks predicted by any program"),
    "compare": ("restr.cli.verbs.measuring.compare", "compare two evaluations, sentence by sentence"),
    "robustness": ("restr.cli.verbs.measuring.robustness", "measure a model on changed sentences and pictures"),
    "data": ("restr.cli.data.main", "prepare, check, browse or convert a dataset"),
    "runs": ("restr.cli.verbs.runs", "list and compare training runs"),
    "ablate": ("restr.cli.verbs.measuring.ablate", "compare variants of the model"),
    "export": ("restr.cli.verbs.export", "write a model for runtimes without PyTorch"),
    "doctor": ("restr.cli.verbs.doctor", "show, prepare or clear the fastest runtime of this processor"),
    "convert-checkpoint": (
        "restr.cli.verbs.convert_checkpoint",
        "make a model folder of a checkpoint of the released program",
    ),
    "serve": ("restr.cli.verbs.serve", "serve models over HTTP, with a page for people"),
    "live": ("restr.cli.verbs.live", "show what a sentence names in front of a camera"),
    "completion": ("restr.cli.verbs.completion", "print a script that completes these words in a shell"),
}
_CONFIG_HELP = "--config FILE takes options from a JSON, TOML or YAML file; options on the command line override it."
_HINT = 'to segment a photograph: restr predict photo.jpg "the left dog"'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0 (all done), 1 (something failed), 2 (wrong use) or 130 (Ctrl-C)."""
    from restr.cli.streams import discard_output, make_safe

    make_safe()
    words = list(sys.argv[1:] if arguments is None else arguments)
    called = " ".join(["restr", *words[:1]])
    try:
        code = _run(words)
        sys.stdout.flush()  # here, a closed pipe can still be caught; at Python's end it cannot
        return code
    except RestrError as error:
        print(f"{called}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"{called}: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        discard_output()  # nobody reads any more: restr ... | head
        return FAILED
    except OSError as error:  # no permission, a full disk, a folder where a file was expected
        print(f"{called}: {error}", file=sys.stderr)
        with suppress(OSError):
            sys.stdout.flush()
            return FAILED
        discard_output()
        return FAILED


def _run(words: list[str]) -> int:
    """Do what the words say; returns the exit code."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(_usage())
        return OK if words else USAGE
    if words[0] in ("-V", "--version", "version"):
        print(f"restr {__version__}")
        return OK
    arguments = words[1:]
    if words[0] in VERBS and any(word.partition("=")[0] == "--config" for word in arguments):
        from restr.cli.config_file import with_config

        arguments = with_config(arguments)
    try:
        return run_verb("restr", VERBS, [words[0], *arguments], hint=_HINT)
    except SystemExit:
        if {"-h", "--help"} & set(words):
            print(f"{_CONFIG_HELP}\n", flush=True)
        raise


def _usage() -> str:
    """The help of the command itself."""
    return (
        "restr: name something in a photograph, get its pixels\n\n"
        f"usage: restr VERB ...\n\n{help_lines(VERBS)}\n\n"
        '  restr predict photo.jpg "the dog on the left"\n'
        "  restr VERB --help            all options of a verb\n"
        "  restr VERB --config FILE     options from a JSON, TOML or YAML file\n"
        "  restr --version"
    )


if __name__ == "__main__":
    sys.exit(main())
