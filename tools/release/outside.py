"""A wheel in a clean environment, where no repository and no network is: does it do what the repository does?

``python tools/release/outside.py dist/restr-*.whl [--python python3.13] [--torch torch==2.13.0]``
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from probe import TEXTS
from steps import ROOT, DistError, run, say, step

PICTURES = ("astronaut.jpg", "coffee.jpg", "chelsea.jpg")
# Another build of torch adds in another order. Masks may then differ at their borders, by this share of the pixels.
OTHER_BUILD_PROBABILITY, OTHER_BUILD_MASK = 1e-3, 1e-3
_NOWHERE = "http://127.0.0.1:9"  # the port that discards: a proxy that answers nobody


@dataclass(frozen=True, kw_only=True)
class CleanEnvironment:
    """A virtual environment with a wheel, in a folder of its own with a few example pictures."""

    folder: Path
    """Where its commands run; nothing of the repository is in it but ``examples/``."""
    python: Path
    """Its interpreter."""


@contextmanager
def clean_environment(wheel: Path, python: str, torch: str) -> Iterator[CleanEnvironment]:
    """A new environment with PyTorch, the wheel and what the wheel asks for. It is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="restr-dist-") as name:
        folder = Path(name)
        run([python, "-m", "venv", folder / "venv"])
        made = CleanEnvironment(folder=folder, python=folder / "venv" / "bin" / "python")
        pip = [made.python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-qq", "--no-compile"]
        run([*pip, torch], cwd=folder, timeout=1800)
        run([*pip, wheel.resolve()], cwd=folder, timeout=1800)
        run([made.python, "-m", "pip", "check"], cwd=folder)
        (folder / "examples").mkdir()
        for picture in PICTURES:
            shutil.copy(ROOT / "examples" / picture, folder / "examples")
        shutil.copy(Path(__file__).with_name("probe.py"), folder)
        yield made


def without_network() -> tuple[list[str], str]:
    """What to put before a command so that it reaches nobody, and in words what that is."""
    for command in (["unshare", "-n"], ["unshare", "-rn"]):
        try:
            if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
                return command, f"in a network namespace of its own ({' '.join(command)})"
        except FileNotFoundError:
            break
    return [], "with proxies that answer nobody, because no network namespace can be made here"


def offline(environment: CleanEnvironment, command: Sequence[str | Path]) -> str:
    """The output of a command of the environment that runs in its folder, without network and without caches."""
    return run([*without_network()[0], *command], cwd=environment.folder, env=_settings(environment.folder))


def _settings(folder: Path) -> dict[str, str]:
    proxies = {f"{name}_proxy": _NOWHERE for name in ("http", "https", "all")}
    proxies |= {name.upper(): value for name, value in proxies.items()}
    # Caches of its own: a runtime that was prepared on this machine would answer instead of PyTorch.
    own = {"RESTR_CACHE": str(folder / "cache"), "HOME": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return {**proxies, **own}


def try_wheel(environment: CleanEnvironment) -> None:
    """Runs the wheel's commands and snippets offline and compares its results with the repository's.

    Raises :class:`DistError` if something fails or differs. The repository runs in the Python of this process.
    """
    folder, python = environment.folder, environment.python
    arguments = ["probe.py", "examples"]
    offline(environment, [python, "-I", *arguments, "outside.npz"])
    found = dict(np.load(folder / "outside.npz"))
    about = json.loads(str(found.pop("about")))
    _check_about(about, folder)
    say(f"Python {about['python']}, torch {about['torch']}, NumPy {about['numpy']}; {without_network()[1]}")

    restr = python.with_name("restr")
    if (said := offline(environment, [restr, "--version"]).split()[-1]) != about["restr"]:
        raise DistError(f"restr --version says {said}, and restr.__version__ is {about['restr']}")
    asked = ["predict", *(f"examples/{name}" for name in PICTURES), *(f"--text={text}" for text in TEXTS[:2]), "--json"]
    printed = _results(offline(environment, [restr, *asked]))
    offline(environment, [restr, "predict", f"examples/{PICTURES[0]}", TEXTS[0], "--out", "predicted"])
    if len(list((folder / "predicted").glob("*.png"))) != 2:
        raise DistError("restr predict wrote no overlay and mask")
    for block in readme_snippets():
        offline(environment, [python, "-I", "-c", block])
    say(f"restr --version, restr predict and {len(readme_snippets())} snippet(s) of README.md run")

    here = {**_settings(folder), "PYTHONPATH": str(ROOT / "src")}
    run([sys.executable, *arguments, "repository.npz"], cwd=folder, env=here)
    expected = dict(np.load(folder / "repository.npz"))
    own = json.loads(str(expected.pop("about")))
    if not Path(own["from"]).is_relative_to(ROOT):
        raise DistError(f"the repository's side ran {own['from']}, which is not below {ROOT}")
    same_build = own["torch"] == about["torch"] and own["numpy"].split(".")[0] == about["numpy"].split(".")[0]
    say(compare(found, expected, exact=same_build))
    if same_build:
        theirs = _results(run([sys.executable, "-m", "restr", *asked], cwd=folder, env=here))
        if printed != theirs:
            raise DistError("restr predict --json prints something else than in the repository")
        say(f"restr predict --json: {len(printed)} lines, the same as in the repository")


def _check_about(about: dict[str, Any], folder: Path) -> None:
    if not Path(about["from"]).is_relative_to(folder):
        raise DistError(f"the trial ran {about['from']}, not the wheel in {folder}")
    if not about["import is light"]:
        raise DistError("import restr loads torch; it must not")
    if without_network()[0] and about["networks"] != ["lo"]:
        raise DistError(f"the trial had the networks {about['networks']}; expected the loopback alone")


def readme_snippets() -> list[str]:
    """The Python blocks of README.md, in their order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise DistError("README.md has no block of Python to try")
    return found


def compare(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], *, exact: bool) -> str:
    """A sentence on how two sets of arrays agree: bit by bit if ``exact``, else within what another build may change.

    Raises :class:`DistError` if they do not.
    """
    if found.keys() != expected.keys():
        raise DistError(f"results of {sorted(found.keys() ^ expected.keys())} are on one side only")
    different = [name for name in found if not _same_bits(found[name], expected[name])]
    if not different:
        return f"{len(found)} arrays of probabilities, masks and scores: the same as the repository's, bit by bit"
    if exact:
        raise DistError(f"with the same torch, {len(different)} of {len(found)} arrays differ: {different[0]}, ...")
    farthest = {"mask": 0.0, "probabilities": 0.0}
    for name in different:
        if found[name].shape != expected[name].shape:
            raise DistError(f"{name}: {found[name].shape} and {expected[name].shape}")
        apart = np.abs(found[name].astype(float) - expected[name].astype(float))
        kind = "mask" if name.endswith(": mask") else "probabilities"
        farthest[kind] = max(farthest[kind], float(apart.mean() if kind == "mask" else apart.max()))
    said = (
        f"another build of torch: probabilities and scores are at most {farthest['probabilities']:.1e} apart, "
        f"masks in at most {farthest['mask']:.4%} of their pixels"
    )
    if farthest["probabilities"] > OTHER_BUILD_PROBABILITY or farthest["mask"] > OTHER_BUILD_MASK:
        raise DistError(f"{said}; allowed are {OTHER_BUILD_PROBABILITY} and {OTHER_BUILD_MASK:.4%}")
    return said


def _same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _results(printed: str) -> list[dict[str, Any]]:
    """The lines of ``--json``: score, box and mask, without what was written where."""
    return [{k: v for k, v in json.loads(line).items() if k != "files"} for line in printed.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path, help="the wheel that make dist built")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the clean environment")
    parser.add_argument("--torch", default="torch==2.13.0", help="the requirement that is installed first")
    options = parser.parse_args()
    step(f"{options.wheel.name} with {options.python}, in a clean environment without the repository")
    try:
        with clean_environment(options.wheel, options.python, options.torch) as environment:
            try_wheel(environment)
    except DistError as error:
        sys.exit(f"failed: {error}")


if __name__ == "__main__":
    main()
