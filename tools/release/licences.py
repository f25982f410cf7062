"""The licences of what ``pip install restr`` brings along: no copyleft, unless it is explained here.

``python tools/release/licences.py`` prints the table of the environment that runs it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from steps import ROOT, DistError

# Copyleft as expressions (SPDX), classifiers and texts write it -> the name of its family. The first match counts.
COPYLEFT = {
    "AGPL": r"\bAGPL|affero\s+general\s+public",
    "LGPL": r"\bLGPL|(?:lesser|library)\s+general\s+public",
    "GPL": r"\bGPL|\bgnu\s+general\s+public",
    "MPL": r"\bMPL|\bmozilla\s+public\s+licen[sc]e",
    "EPL": r"\bEPL-|\beclipse\s+public\s+licen[sc]e",
    "CDDL": r"\bCDDL|common\s+development\s+and\s+distribution\s+licen[sc]e",
    "EUPL": r"\bEUPL|european\s+union\s+public\s+licen[sc]e",
    "CeCILL": r"\bCeCILL",
    "OSL": r"\bOSL-|\bopen\s+software\s+licen[sc]e",
    "SSPL": r"\bSSPL|server\s+side\s+public\s+licen[sc]e",
    "CC BY-SA": r"\bCC[ -]BY(?:-NC)?-SA|attribution-share\s?alike",
}
# Libraries under copyleft that wheels pack -> their licence. "libgomp-24e2ab19.so.1" is gomp.
COPYLEFT_LIBRARIES = {
    **dict.fromkeys(("gomp", "gfortran", "gcc_s", "stdc++"), "GPL"),
    **dict.fromkeys(
        ("x264", "x265", "postproc", "jbig", "imagequant", "lzo2", "readline", "gsl", "fftw3", "rubberband"), "GPL"
    ),
    **dict.fromkeys(("avcodec", "avformat", "avutil", "avfilter", "avdevice", "swscale", "swresample"), "LGPL"),
    **dict.fromkeys(
        ("mp3lame", "sndfile", "fribidi", "cairo", "glib-2.0", "gobject-2.0", "heif", "de265", "quadmath"), "LGPL"
    ),
    **dict.fromkeys(("gmp", "mpfr", "nettle", "hogweed", "gnutls", "idn2", "unistring", "iconv", "vips"), "LGPL"),
}
# (package, family) -> why it may be there all the same. A package may be a pattern: nvidia-*.
EXPLAINED = {
    (
        "numpy",
        "GPL",
    ): "libgfortran, under GPL-3.0 with the GCC Runtime Library Exception: it asks nothing of what uses it",
    (
        "numpy",
        "LGPL",
    ): "libquadmath (LGPL-2.1), beside libgfortran: a library of its own file, which anybody may replace",
    ("numpy", "AGPL"): "named in the text of the GPL that libgfortran's licence is attached to",
    (
        "pillow",
        "GPL",
    ): "FreeType is under its own licence or the GPL, and Pillow takes the first; build scripts of liblzma",
    ("pillow", "LGPL"): "a function of liblzma's command line tool, which is not in the wheel",
    ("pygments", "CDDL"): "its authors thank for a lexer of a language of that name",
    (
        "torch",
        "GPL",
    ): "libgomp, under GPL-3.0 with the GCC Runtime Library Exception; tests of cpr, whose files are not in the "
    "wheel; the LLVM exception names the GPL",
    ("torch", "LGPL"): "named in the text of the GPL that the tests of cpr are under",
    ("torch", "AGPL"): "named in the text of the GPL that the tests of cpr are under",
    ("typing-extensions", "GPL"): "the history of Python says which of its versions the GPL goes with",
    (
        "nvidia-*",
        "GPL",
    ): "the list of all CUDA tools names cuda-gdb, which is not in these wheels; the LLVM exception names it",
    ("nvidia-*", "LGPL"): "the list of all CUDA tools names parts that are not in these wheels",
    ("nvidia-*", "EPL"): "the list of all CUDA tools names Nsight Eclipse, which is not in these wheels",
}
# Packages that state no licence -> what they are.
NOTHING_STATED = {"cuda-toolkit": "an empty package that names NVIDIA's others"}


@dataclass(frozen=True, order=True, kw_only=True)
class CopyleftFinding:
    """A place where a distribution names a copyleft licence."""

    package: str
    family: str
    """A key of :data:`COPYLEFT`."""
    where: str
    """``metadata``, the name of a licence file, or the name of a library."""


def core_distributions(path: Sequence[str] | None = None) -> dict[str, Distribution]:
    """Name -> distribution of everything that restr's own ``dependencies`` bring, directly or not, without extras.

    path: the folders that are searched, ``sys.path`` by default. Raises :class:`DistError` if one is not installed.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return closure(project["dependencies"], path)


def closure(requirements: Iterable[str], path: Sequence[str] | None = None) -> dict[str, Distribution]:
    """Name -> distribution of requirements, of what these ask for, and so on, for this interpreter."""
    installed: dict[str, Distribution] = {}
    for each in distributions(path=list(path or sys.path)):
        installed.setdefault(canonicalize_name(each.metadata["Name"]), each)  # the first one is imported
    found: dict[str, Distribution] = {}
    done: set[tuple[str, str]] = set()
    todo = [(Requirement(each), "") for each in requirements]
    while todo:
        requirement, extra = todo.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        if name not in installed:
            raise DistError(f"{requirement} is not installed in {', '.join(path or ['this environment'])}; install it")
        found[name] = installed[name]
        for of in {"", *requirement.extras}:
            if (name, of) not in done:
                done.add((name, of))
                todo += [(Requirement(each), of) for each in installed[name].requires or ()]
    return dict(sorted(found.items()))


def stated(distribution: Distribution) -> str:
    """The licence that a distribution's metadata states, in its words; empty if it states none."""
    if expression := _field(distribution, "License-Expression"):
        return expression
    if classifiers := [each.rpartition(" :: ")[2] for each in _licence_classifiers(distribution)]:
        return ", ".join(classifiers)
    return _field(distribution, "License").strip().partition("\n")[0][:80]


def copyleft(distribution: Distribution) -> list[CopyleftFinding]:
    """Every place where a distribution names copyleft: metadata, licence files, and libraries in its wheel.

    One that is only mentioned counts too, and so does one of several to choose from: a person reads it, once, and
    explains it in :data:`EXPLAINED`.
    """
    package = canonicalize_name(distribution.metadata["Name"])
    texts = {"metadata": _metadata_statements(distribution)}
    libraries: dict[str, str] = {}
    for file in distribution.files or ():
        if is_licence_file(file) and "dist-info" in file.parts[0]:
            inside = PurePosixPath(*file.parts[1:]).as_posix()
            texts[inside] = Path(str(file.locate())).read_text(encoding="utf-8", errors="replace")
        elif match := re.match(r"lib([\w+.-]+?)(?:-[0-9a-f]{6,})*\.(?:so|dylib|dll)\b", file.name):
            if family := COPYLEFT_LIBRARIES.get(match[1]):
                libraries[file.name] = family
    found = {(family, where) for where, text in texts.items() for family in families(text)}
    found |= {(family, where) for where, family in libraries.items()}
    return sorted(CopyleftFinding(package=package, family=family, where=where) for family, where in found)


def families(text: str) -> list[str]:
    """The families of copyleft that a text names."""
    return [name for name, pattern in COPYLEFT.items() if re.search(pattern, text, re.IGNORECASE)]


def is_licence_file(path: PurePosixPath) -> bool:
    return "licenses" in path.parts or bool(re.match(r"(licen[sc]e|copying|notice)", path.name, re.IGNORECASE))


def _metadata_statements(distribution: Distribution) -> str:
    fields = [_field(distribution, name) for name in ("License-Expression", "License")]
    return "\n".join([*fields, *_licence_classifiers(distribution)])


def _licence_classifiers(distribution: Distribution) -> list[str]:
    return [each for each in distribution.metadata.get_all("Classifier") or () if "License ::" in each]


def _field(distribution: Distribution, name: str) -> str:
    return (distribution.metadata.get_all(name) or [""])[0]


def check(found: Iterable[Distribution]) -> list[CopyleftFinding]:
    """The findings of copyleft, each of which is explained.

    Raises :class:`DistError` that names those that are not, and distributions whose licence nobody states.
    """
    findings, bad = [], []
    for distribution in found:
        package = canonicalize_name(distribution.metadata["Name"])
        own = copyleft(distribution)
        findings += own
        bad += [f"{package} names {each.family} in {each.where}" for each in own if not explanation(each)]
        if not stated(distribution) and package not in NOTHING_STATED:
            bad.append(f"{package} states no licence")
    if bad:
        raise DistError(
            f"{'; '.join(bad)}. Nothing under copyleft may come with restr itself: take another package, make it an extra, "
            "or, where it does not bind what uses it, say why in EXPLAINED of tools/release/licences.py"
        )
    return findings


def explanation(finding: CopyleftFinding) -> str:
    """Why a finding may stay; empty if nobody explained it."""
    named = {finding.package, f"{finding.package.partition('-')[0]}-*"}
    return next(
        (why for (package, family), why in EXPLAINED.items() if package in named and family == finding.family), ""
    )


def main() -> None:
    found = core_distributions()
    findings = check(found.values())
    for name, distribution in found.items():
        print(f"{name:20} {distribution.version:12} {stated(distribution)}")
    print(
        f"\ncopyleft that is named in {len({each.package for each in findings})} of {len(found)} packages, and why it may be:"
    )
    for package, family in sorted({(each.package, each.family) for each in findings}):
        why = explanation(CopyleftFinding(package=package, family=family, where=""))
        print(f"{package:20} {family:5} {why}")


if __name__ == "__main__":
    try:
        main()
    except DistError as error:
        sys.exit(f"failed: {error}")
