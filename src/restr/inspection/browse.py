"""A dataset served to a browser on this machine: the check's page, and the samples with their masks.

The server answers GET and HEAD only. Nothing that a client sends ever becomes a path: rows and pages have numbers.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import threading
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

from restr.data.dataset import IndexedSamples
from restr.data.entries.entry import Entry
from restr.errors import DataError, DatasetError
from restr.inspection.browse_page import View, error_page, list_page, sample_page
from restr.inspection.check_page import SIDE, jpeg
from restr.inspection.style import STYLE
from restr.web_security import hosts_of, is_host_allowed, security_headers

ON_A_PAGE = 48
_LARGE = 1400  # pixels of the longer side
_LONGEST = 200  # characters of a search
_HTML, _JPEG = "text/html; charset=utf-8", "image/jpeg"
_SIDES = {"": 2 * SIDE, "large": _LARGE, "bare": _LARGE}
_HEADERS = security_headers(
    "default-src 'none'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors "
    f"'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'"
) | {"cache-control": "no-store"}


@dataclass(frozen=True)
class _Answer:
    """The answer to one request."""

    status: HTTPStatus
    """The HTTP status."""
    kind: str
    """The content type."""
    content: bytes
    """The body."""


class Site:
    """The pages and pictures of a dataset by address, without the network."""

    def __init__(self, samples: IndexedSamples, title: str, check: str = "") -> None:
        """check: the page of ``restr data check``, if it was run."""
        self.samples, self.title = samples, title
        self.check = _with_link_back(check)
        self._one_at_a_time = threading.Lock()  # ``IndexedSamples`` keeps the last image, and is not thread-safe
        self.rows = lru_cache(16)(self._rows)
        self.picture = lru_cache(256)(self._picture)

    def answer(self, address: str) -> _Answer:
        """The answer to a GET of an address."""
        parts = urlsplit(address)
        match parts.path.split("/")[1:]:
            case [""]:
                return self._list(_view(parts.query))
            case ["check"] if self.check:
                return _Answer(HTTPStatus.OK, _HTML, self.check.encode())
            case ["sample", row] if self._is_row(row):
                return self._sample(int(row), _view(parts.query))
            case ["picture", row, *rest] if self._is_row(row) and len(rest) < 2 and "".join(rest) in _SIDES:
                try:
                    return _Answer(HTTPStatus.OK, _JPEG, self.picture(int(row), "".join(rest)))
                except DatasetError as error:
                    return self._error(HTTPStatus.NOT_FOUND, str(error))
        return self._error(HTTPStatus.NOT_FOUND, "There is no such page")

    def _list(self, view: View) -> _Answer:
        rows = self.rows(view.split, view.text)
        pages = max(1, -(-len(rows) // ON_A_PAGE))
        if view.page > pages:
            return self._error(HTTPStatus.NOT_FOUND, f"There are {pages:,} pages")
        start = (view.page - 1) * ON_A_PAGE
        shown = [(int(row), self.samples.entries.entry(row)) for row in rows[start : start + ON_A_PAGE]]
        splits = (
            self.samples.entries.splits() if self.samples.split is None else {self.samples.split: len(self.samples)}
        )
        return _html(list_page(self.title, view, splits, shown, len(rows), pages, bool(self.check)))

    def _sample(self, row: int, view: View) -> _Answer:
        entry = self.samples.entries.entry(row)
        rows = self.rows(view.split, view.text)
        place = int(np.searchsorted(rows, row))
        here = place < len(rows) and rows[place] == row
        before = int(rows[place - 1]) if here and place else None
        after = int(rows[place + 1]) if here and place + 1 < len(rows) else None
        # the link back leads to the page that lists this sample
        view = View(split=view.split, text=view.text, page=place // ON_A_PAGE + 1 if here else 1)
        return _html(sample_page(f"{entry.text} - {self.title}", view, row, entry, self._facts(entry), before, after))

    def _facts(self, entry: Entry) -> dict[str, str]:
        """The properties of a sample as text, by name."""
        facts = {"split": entry.split, "kind": entry.kind, "id": entry.id, "picture": entry.image}
        count = len(entry.regions)
        facts["means"] = {0: "nothing in the picture", 1: "one region"}.get(count, f"{count} regions")
        try:
            with self._one_at_a_time:
                mask = self.samples.sample(entry).mask
            facts["pixels"] = f"{mask.shape[1]} x {mask.shape[0]}"
            facts["share of the picture"] = f"{100 * mask.mean():.1f}%"
        except DatasetError as error:
            facts["problem"] = str(error)
        return {name: value for name, value in facts.items() if value}

    def _picture(self, row: int, how: str) -> bytes:
        """A sample's picture as JPEG, with its mask unless ``how`` is "bare". Raises ``DatasetError``."""
        with self._one_at_a_time:
            sample = self.samples.sample(self.samples.entries.entry(row))
        return jpeg(Image.fromarray(sample.image), None if how == "bare" else sample.mask, _SIDES[how])

    def _rows(self, split: str, text: str) -> np.ndarray:
        return self.samples.entries.rows_with(split or self.samples.split, text.split())

    def _is_row(self, text: str) -> bool:
        if not text.isascii() or not text.isdecimal() or len(text) > 12:
            return False
        place = int(np.searchsorted(self.samples.rows, int(text)))
        return place < len(self.samples.rows) and self.samples.rows[place] == int(text)

    def _error(self, status: HTTPStatus, text: str) -> _Answer:
        return _Answer(status, _HTML, error_page(self.title, text).encode())


class Server(ThreadingHTTPServer):
    """Serves a site over HTTP."""

    daemon_threads = True

    def __init__(self, site: Site, host: str = "127.0.0.1", port: int = 0) -> None:
        """host: by default reachable only from this machine. port: 0 for a free one. Raises ``DataError`` if it is taken."""
        self.site, self.host = site, host
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError, UnicodeError) as error:
            raise DataError(f"{host}:{port} cannot be listened on ({error}); --port 0 takes a free port") from error

    def handle_error(self, request: object, client_address: object) -> None:
        """Report errors, except a browser that closes the connection, as it does when its user leaves a page."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def address(self) -> str:
        """The address for a browser."""
        return f"http://{self.host}:{self.server_port}/"

    def is_meant(self, host: str) -> bool:
        """Whether a request's Host header is this server's: another site's name, bound to this address, must not read it."""
        return is_host_allowed(host, hosts_of(self.host))


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    server: Server  # type: ignore[assignment]
    server_version, sys_version, protocol_version = "restr", "", "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Answer with the content."""
        self._send(with_content=True)

    def do_HEAD(self) -> None:
        """Answer without it."""
        self._send(with_content=False)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _send(self, *, with_content: bool) -> None:
        if self.server.is_meant(self.headers.get("Host", "")):
            answer = self.server.site.answer(self.path)
        else:
            answer = _Answer(HTTPStatus.MISDIRECTED_REQUEST, _HTML, b"this is another host\n")
        self.send_response(answer.status)
        for name, value in _HEADERS.items():
            self.send_header(name.title(), value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        if with_content:
            self.wfile.write(answer.content)


def _html(page: str) -> _Answer:
    return _Answer(HTTPStatus.OK, _HTML, page.encode())


def _with_link_back(check: str) -> str:
    """The check's page with a link to the samples, and with today's style: ``_HEADERS`` forbid an older page's own."""
    head, _, rest = check.partition("<style>")
    rest = rest.partition("</style>")[2]
    before, tag, body = rest.rpartition("<body>\n")
    link = "<nav class='toolbar'><a href='/'>All samples</a></nav>"
    return f"{head}<style>{STYLE}</style>{before}{tag}{link}{body}" if body else ""


def _view(query: str) -> View:
    """The view that a query string asks for; fields that make no sense are ignored."""
    try:
        values = {name: found[-1] for name, found in parse_qs(query, max_num_fields=8).items()}
    except ValueError:
        return View()
    page = values.get("page", "")
    return View(
        split=values.get("split", ""),
        text=values.get("text", "")[:_LONGEST].strip(),
        page=max(1, int(page)) if page.isascii() and page.isdecimal() and len(page) < 10 else 1,
    )
