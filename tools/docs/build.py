"""Builds the documentation site into ``site/``: gathers the pages, writes the reference, runs zensical, checks links.

python tools/docs/build.py            # what make docs does
python tools/docs/build.py --serve    # and shows it at http://127.0.0.1:8000
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import link_check
import reference_pages
import staging

HERE = Path(__file__).parent
SETTINGS = HERE / "site.toml"
WORK = staging.ROOT / "build" / "docs"
SITE = staging.ROOT / "site"
GENERATED = "generated/"


def main() -> int:
    """Build, check, and only then replace ``site/``; returns the exit code."""
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("--serve", action="store_true", help="show the built site at http://127.0.0.1:8000")
    serve = parser.parse_args().serve
    start = time.monotonic()
    try:
        built, count = build()
    except (staging.SiteError, subprocess.CalledProcessError) as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    problems = list(link_check.broken(built))
    for problem in problems:
        print(f"docs: {problem}", file=sys.stderr)
    if problems:
        print(f"docs: {len(problems)} links are broken; {SITE.name}/ is left as it was", file=sys.stderr)
        return 1
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(built, SITE)
    print(f"{SITE.name}/index.html: {count} pages, all links lead somewhere ({time.monotonic() - start:.0f} s)")
    if serve:
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(SITE))
        with contextlib.suppress(KeyboardInterrupt):
            http.server.ThreadingHTTPServer(("127.0.0.1", 8000), handler).serve_forever()
    return 0


def build() -> tuple[Path, int]:
    """The folder of the built site, and its number of pages. A warning of zensical's ends it."""
    settings = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))
    shutil.rmtree(WORK, ignore_errors=True)
    project = settings["project"]
    missing = {page for page in settings["site"]["planned"] if not (staging.ROOT / page).is_file()}
    project["nav"] = staging.without(project["nav"], missing)
    stage = staging.Stage(WORK / "pages", sources(project["nav"]))
    stage.write()
    made = write_reference(stage)
    for name, source in (
        ("site.css", HERE / "site.css"),
        ("icon.svg", staging.ROOT / "src/restr/server/page/icon.svg"),
    ):
        shutil.copyfile(source, stage.folder / name)
    config = configured(project, stage, made)
    # JSON, which is YAML too: zensical reads both that and TOML, and Python writes no TOML.
    (WORK / "mkdocs.yml").write_text(json.dumps(config, indent=1), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(WORK / "mkdocs.yml")]
    subprocess.run(command, check=True, cwd=WORK)
    return WORK / "site", len(list((WORK / "site").rglob("*.html")))


def sources(nav: list[Any]) -> list[str]:
    """The pages of the repository that a nav lists."""
    named = [source for source in staging.listed(nav) if not source.startswith(GENERATED)]
    if missing := [source for source in named if not (staging.ROOT / source).is_file()]:
        raise staging.SiteError(f"{SETTINGS.name} lists {', '.join(missing)}, which does not exist")
    return named


def write_reference(stage: staging.Stage) -> dict[str, list[str]]:
    """Write the pages that the source tells; returns folder -> its pages, for the nav."""
    import restr
    from restr.cli.main import main as run

    public = (staging.ROOT / "docs/python.md").read_text(encoding="utf-8").partition("## What is public")[2]
    texts = {**reference_pages.python_pages(restr, public), **reference_pages.cli_pages(run, "restr")}
    for path, text in texts.items():
        stage.put(f"reference/{path}", text)
    return {folder: [f"reference/{path}" for path in texts if path.startswith(folder)] for folder in ("python", "cli")}


def configured(project: dict[str, Any], stage: staging.Stage, made: dict[str, list[str]]) -> dict[str, Any]:
    """Zensical's settings: the pages by their place on the site, and paths from the folder of work."""

    def nav(entries: list[Any]) -> list[Any]:
        return [{title: placed(target) for title, target in entry.items()} for entry in entries]

    def placed(target: Any) -> Any:
        if isinstance(target, list):
            return nav(target)
        return made[target.removeprefix(GENERATED)] if target.startswith(GENERATED) else stage.places[target]

    config = {**project, "nav": nav(project["nav"]), "docs_dir": "pages", "site_dir": "site"}
    python = config["plugins"]["mkdocstrings"]["handlers"]["python"]
    python["paths"] = [str(staging.ROOT / path) for path in python["paths"]]
    return config


if __name__ == "__main__":
    sys.exit(main())
