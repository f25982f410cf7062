"""Who may ask, from where and how often, and the headers of every answer."""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from restr.errors import ConfigError
from restr.files import read_lines
from restr.server.problems import Problem, quoted
from restr.web_security import is_host_allowed, security_headers

HEADERS = security_headers(
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    camera=True,
)
_HASH = re.compile(r"[0-9a-f]{64}")
_REMEMBERED = 10_000  # clients; beyond, the oldest starts afresh


class ApiKeys:
    """The valid API keys, known only by their SHA-256."""

    def __init__(self, hashes: Sequence[str]) -> None:
        """hashes: in hex; without any, everybody may ask."""
        self._hashes = [bytes.fromhex(each) for each in hashes]

    @classmethod
    def from_file(cls, path: Path | None) -> ApiKeys:
        """A file with one hash per line; "#" begins a comment. Raises ``ConfigError``."""
        if path is None:
            return cls([])
        try:
            lines = [line.partition("#")[0].strip().lower() for line in read_lines(path)]
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"the API keys {path} cannot be read: {error}") from error
        hashes = [line.split()[0] for line in lines if line]
        for number, line in enumerate(hashes, 1):
            if not _HASH.fullmatch(line):
                raise ConfigError(
                    f'entry {number} of {path} is not a SHA-256 in hex; make one with: printf %s "$KEY" | sha256sum'
                )
        if not hashes:
            raise ConfigError(f"{path} holds no key, so nobody could ask; add one, or leave --api-keys out")
        return cls(hashes)

    def check(self, headers: dict[bytes, bytes]) -> str | None:
        """A name for the key in an ``Authorization: Bearer`` or ``X-API-Key`` header; None if none is needed.

        Every hash is compared, each in constant time. Raises ``Problem``.
        """
        if not self._hashes:
            return None
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        given = key.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        digest = hashlib.sha256(given).digest()
        good = False
        for known in self._hashes:
            good |= hmac.compare_digest(digest, known)
        if not good:
            raise Problem(
                "not-authorized",
                "the API key is missing or not known here; send it as 'Authorization: Bearer KEY'",
                headers={"WWW-Authenticate": 'Bearer realm="restr"'},
            )
        return digest.hex()[:16]


class RateLimit:
    """A token bucket per client: ``per_minute`` requests at once, then as many per minute, evenly spread."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """per_minute: 0 for no limit."""
        self.per_minute, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> tokens, when counted
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Count a client's request. Raises ``Problem`` if it is one too many."""
        if not self.per_minute:
            return
        now, rate = self._clock(), self.per_minute / 60
        with self._lock:
            tokens, then = self._buckets.pop(client, (float(self.per_minute), now))
            tokens = min(float(self.per_minute), tokens + (now - then) * rate)
            self._buckets[client] = (tokens - 1 if tokens >= 1 else tokens, now)
            if len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        if tokens < 1:
            wait = (1 - tokens) / rate
            raise Problem(
                "rate-limited",
                f"{self.per_minute} requests a minute are answered; wait {wait:.0f} seconds",
                retry_after=wait,
            )


def check_host(headers: dict[bytes, bytes], allowed: Sequence[str]) -> None:
    """Refuse requests for other names than the server's own; no names for any. Raises ``Problem``."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if not is_host_allowed(host, allowed):
        raise Problem(
            "wrong-host",
            f"the Host header is {quoted(host)}; this server answers to {', '.join(allowed)} (--allowed-host)",
        )


def check_origin(headers: dict[bytes, bytes]) -> None:
    """Refuse a websocket that another site's page opens: browsers let any page try. Raises ``Problem``.

    A program sends no Origin. A proxy has to pass on the Host header that the browser sent.
    """
    origin = headers.get(b"origin")
    if origin is not None and origin.partition(b"://")[2].lower() != headers.get(b"host", b"").lower():
        raise Problem(
            "cross-site",
            f"the page that asks comes from {quoted(origin.decode('latin-1'))}, not from this server; open this server's "
            "own page",
        )


def check_site(method: str, headers: dict[bytes, bytes]) -> None:
    """Refuse requests that another site's page makes a browser send. Raises ``Problem``."""
    if method not in ("GET", "HEAD", "OPTIONS") and headers.get(b"sec-fetch-site", b"") in (
        b"cross-site",
        b"same-site",
    ):
        raise Problem(
            "cross-site", "the request comes from another site's page; use the page of this server, or a program"
        )
