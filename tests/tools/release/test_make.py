"""``make dist``: what is built is the commit, and a build that comes out otherwise the second time is refused."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

import make
import restr
from steps import ROOT, DistError

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, with a file that git does not have and a change that is not committed."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "a.py").write_text("committed\n")
    for command in (["init", "-q"], ["add", "a.py"], ["commit", "-qm", "one"]):
        identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    (folder / "a.py").write_text("changed\n")
    (folder / "untracked.py").write_text("")
    monkeypatch.setattr(make, "ROOT", folder)
    return folder


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == restr.__version__
    heading = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heading and heading[1].startswith(restr.__version__.partition(".dev")[0])
    if "dev" not in restr.__version__:
        assert heading[1] == f"{restr.__version__} ({citation['date-released']})"


def test_the_commit_is_built_not_the_folder(repository: Path, tmp_path: Path) -> None:
    make.export("HEAD", tmp_path / "one", umask=0o022, shift=0)
    make.export("HEAD", tmp_path / "two", umask=0o077, shift=3600)
    one, two = tmp_path / "one" / "a.py", tmp_path / "two" / "a.py"
    assert one.read_text() == two.read_text() == "committed\n"
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["a.py"]
    assert stat.S_IMODE(one.stat().st_mode) == 0o644 and stat.S_IMODE(two.stat().st_mode) == 0o600
    assert two.stat().st_mtime - one.stat().st_mtime == 3600


def test_a_build_that_depends_on_time_or_permissions_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(source: Path, out: Path, epoch: str) -> list[Path]:
        out.mkdir(parents=True)
        info = (source / "a.py").stat()
        (out / "a.whl").write_text(epoch if steady else f"{info.st_mtime} {info.st_mode}")
        return [out / "a.whl"]

    monkeypatch.setattr(make, "build", build)
    steady = True
    assert [path.name for path in make.build_twice("HEAD", tmp_path / "steady", "1")] == ["a.whl"]
    steady = False
    with pytest.raises(DistError, match="a.whl is not reproducible"):
        make.build_twice("HEAD", tmp_path / "moving", "1")
