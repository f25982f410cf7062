"""The files of the page: only those in ``page/``, for any path in a request."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import FileResponse

from restr.server.problems import Problem

_FOLDER = Path(__file__).parents[1] / "page"
INDEX = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


def page_file(name: str, folder: Path = _FOLDER) -> FileResponse:
    """A file of the page. name: its path in the folder; it is compared with those that exist, never opened. Raises ``Problem``."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.suffix in TYPES}
    path = files.get(name)
    if path is None or not path.is_file():
        raise Problem(
            "not-found", "the page has no such file" if files else "this server was installed without its page"
        )
    return FileResponse(path, media_type=TYPES[path.suffix], headers={"Cache-Control": "no-cache"})
