"""``make dist``: builds sdist and wheel of the last commit, checks them, and tries the wheel where no repository is.

Writes ``dist/``: the wheel, the sdist, an SBOM of what the wheel brings along (CycloneDX), and the licence texts of that.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

import restr
from contents import check_sdist, check_wheel, read_sdist, read_wheel
from licences import check, core_distributions
from outside import CleanEnvironment, clean_environment, try_wheel
from steps import ROOT, DistError, run, say, size, step

DIST = ROOT / "dist"
WEIGHTS = ROOT / "src" / "restr" / "assets" / "restr_small" / "model.safetensors"


def git(*arguments: str) -> str:
    return run(["git", *arguments], cwd=ROOT).strip()


def export(commit: str, folder: Path, *, umask: int, shift: int) -> None:
    """The files of a commit in a new folder, with other permissions and ``shift`` seconds later than the commit."""
    folder.mkdir(parents=True)
    archive = folder.with_suffix(".tar")
    git("archive", "--output", str(archive), commit)
    run(["sh", "-c", f"umask {umask:03o} && tar --no-same-permissions -xf '{archive}' -C '{folder}'"])
    for path in folder.rglob("*"):
        moment = path.stat().st_mtime + shift
        os.utime(path, (moment, moment))


def build(source: Path, out: Path, epoch: str) -> list[Path]:
    """The wheel and the sdist of a folder, by the standard front end in an environment of its own."""
    run([sys.executable, "-m", "build", "--outdir", out, source], env={"SOURCE_DATE_EPOCH": epoch})
    return sorted(out.iterdir())


def build_twice(commit: str, work: Path, epoch: str) -> list[Path]:
    """The files of ``dist/``; the second build, in another folder with other permissions and times, has the same bytes."""
    first, second = work / "first", work / "elsewhere" / "second"
    export(commit, first, umask=0o022, shift=0)
    export(commit, second, umask=0o077, shift=86_400)
    made = build(first, work / "dist", epoch)
    again = build(second, work / "again", epoch)
    for one, other in zip(made, again, strict=True):
        if one.name != other.name or sha256(one) != sha256(other):
            raise DistError(
                f"{one.name} is not reproducible: {sha256(one)} and then {sha256(other)}; diffoscope shows why"
            )
    return made


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bill_of_materials(environment: CleanEnvironment, out: Path, version: str, epoch: str) -> None:
    """Writes the SBOM: restr, its weights, and what the clean environment holds for it.

    Raises :class:`DistError` if that is not just what the requirements lead to.
    """
    drawn = environment.folder / "sbom.json"
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", ROOT / "pyproject.toml"]
    command += ["--mc-type", "library", "--output-reproducible", "--of", "JSON", "-o", drawn, environment.python]
    run(command, env={"SOURCE_DATE_EPOCH": epoch})
    bill: dict[str, Any] = json.loads(drawn.read_text(encoding="utf-8"))
    bill["metadata"]["component"] |= {"version": version, "purl": f"pkg:pypi/restr@{version}"}
    # pip stands in every environment; restr does not ask for it.
    bill["components"] = [each for each in bill["components"] if each["name"] != "pip"]
    bill["dependencies"] = [each for each in bill["dependencies"] if not each["ref"].startswith("pip==")]
    listed = {canonicalize_name(each["name"]) for each in bill["components"]}
    asked = set(core_distributions([str(site_packages(environment))]))
    if listed != asked:
        raise DistError(f"the SBOM and the requirements differ: {sorted(listed ^ asked)}")
    bill["components"].append(
        {
            "type": "machine-learning-model",
            "bom-ref": "restr_small",
            "name": "restr_small",
            "version": version,
            "description": "The weights in the wheel; its model card and NOTICE say what they derive from.",
            "hashes": [{"alg": "SHA-256", "content": sha256(WEIGHTS)}],
            "licenses": [{"license": {"id": "Apache-2.0"}}],
        }
    )
    out.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    say(f"{out.name}: {len(listed)} packages, and the weights")


def site_packages(environment: CleanEnvironment) -> Path:
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(run([environment.python, "-I", "-c", asked]).strip())


def licence_texts(environment: CleanEnvironment, out: Path) -> None:
    """Writes the licence texts of what the clean environment holds."""
    command = [sys.executable, "-m", "piplicenses", "--python", environment.python, "--with-license-file"]
    command += ["--no-license-path", "--ignore-packages", "restr", "--format", "plain-vertical"]
    out.write_text(run(command), encoding="utf-8")
    say(f"{out.name}: {size(out.stat().st_size)}")


def make(torch: str) -> None:
    commit, epoch = git("rev-parse", "HEAD"), git("log", "-1", "--format=%ct")
    tracked = git("ls-tree", "-r", "--name-only", "-z", "HEAD").strip("\0").split("\0")
    with tempfile.TemporaryDirectory(prefix="restr-build-") as name:
        work = Path(name)
        step(f"sdist and wheel of commit {commit[:10]}, built twice")
        if changed := git("status", "--porcelain"):
            say(f"not in them: {len(changed.splitlines())} files with changes that are not committed")
        sdist, wheel = sorted(build_twice(commit, work, epoch), key=lambda path: path.suffix)
        version = wheel.name.split("-")[1]
        for path in (sdist, wheel):
            say(f"{path.name}: {size(path.stat().st_size)}, SHA-256 {sha256(path)}, both times")

        step("metadata and contents")
        run([sys.executable, "-m", "twine", "check", "--strict", sdist, wheel])
        say("twine check --strict passes")
        files = read_wheel(wheel)
        check_wheel(files, tracked, version)
        say(f"the wheel is the {len(files)} files that it should be: src/ as git has it, licences and metadata")
        check_sdist(read_sdist(sdist), tracked)
        say(f"the sdist is the {len(tracked)} tracked files and PKG-INFO")
        if version != restr.__version__:
            raise DistError(f"the wheel is version {version}, and src/ has {restr.__version__}; commit the change")

        step("the wheel in a clean environment, in another folder, without a network")
        with clean_environment(wheel, sys.executable, torch) as environment:
            try_wheel(environment)
            step("what comes with it: bill of materials and licences")
            bill_of_materials(environment, work / "dist" / f"restr-{version}.cdx.json", version, epoch)
            licence_texts(environment, work / "dist" / f"restr-{version}-third-party-licences.txt")
            found = core_distributions([str(site_packages(environment))])
            findings = check(found.values())
        say(
            f"no copyleft in {len(found)} packages; {len(findings)} places that name one are explained in tools/release/licences.py"
        )

        shutil.rmtree(DIST, ignore_errors=True)
        shutil.copytree(work / "dist", DIST)
    step(f"done: {DIST.name}/ is ready")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--torch", default="torch==2.13.0", help="the requirement that the clean environment gets first"
    )
    options = parser.parse_args()
    try:
        make(options.torch)
    except (DistError, subprocess.SubprocessError) as error:
        sys.exit(f"\nfailed: {error}")


if __name__ == "__main__":
    main()
