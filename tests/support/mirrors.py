"""File servers on this machine, honest ones and others."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Mirror(ThreadingHTTPServer):
    """Serves files by address. ranges: whether it sends parts. breaks_after: bytes after which it hangs up, once."""

    def __init__(self, files: dict[str, bytes], *, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.files, self.ranges = files, ranges
        self.breaks_after: int | None = None
        self.kind = "application/octet-stream"
        self.asked: list[tuple[str, str | None]] = []  # address, range
        self.redirect = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/base"


class Answers(BaseHTTPRequestHandler):
    server: Mirror  # type: ignore[assignment]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        if self.server.redirect:
            self.send_response(302)
            self.send_header("Location", self.server.redirect)
            self.end_headers()
            return
        content = self.server.files.get(self.path.removeprefix("/base/"))
        if content is None:
            self.send_error(404)
            return
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.ranges else 0
        if self.headers.get("If-Range", tag) != tag:
            start = 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", self.server.kind)
        self.send_header("ETag", tag)
        self.end_headers()
        sent, self.server.breaks_after = self.server.breaks_after, None
        self.wfile.write(content[start:] if sent is None else content[start : start + sent])


def mirrors() -> Iterator[Callable[..., Mirror]]:
    """The body of a fixture: it yields a function that makes mirrors, which serve until the test ends."""
    running: list[tuple[Mirror, threading.Thread]] = []

    def make(files: dict[str, bytes], **more: bool) -> Mirror:
        server = Mirror(files, **more)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        running.append((server, thread))
        thread.start()
        return server

    yield make
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def archive(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, each in files.items():
            made.writestr(name, each)
    return content.getvalue()


def everything_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
