"""What an operator decides about the server; every default is safe on a machine that others can reach."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import arg

from restr.errors import ConfigError
from restr.fields import at_least
from restr.web_security import hosts_of

_HIGHEST_PORT = 65_535
_BUNDLED = "restr_small"  # the name of the model that is served when none is given
IMAGES_FOLDER, METRICS_FOLDER = "images", "metrics"  # in the temporary folder that several workers share
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Serve models over HTTP, with a page at / for people.

    Only programs on this machine can connect until --host says otherwise; give --api-keys with it.

    Example: restr serve --model runs/mine --port 8080
    """

    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 is every one of this machine."""

    port: int = 8000
    """The port; 0 takes a free one."""

    models: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, arg(name="model", metavar="[NAME=]PATH")] = ()
    """A model folder or an export, under a name of your choice (the folder's by default); several times for several, the
    first answers where a request names none (default: the bundled model)."""

    device: str = "auto"
    """Where to compute; auto takes a GPU where there is one."""

    workers: int = 1
    """Processes that answer, each with models, limits and a rate of its own; one that dies is replaced. Kept images are known
    to all."""

    threads: int = 0
    """Threads of the processor a model may use in each worker; 0 divides the processor among several workers, and leaves
    the choice to the runtime of a single one."""

    reload_s: float = 0.0
    """Look for changed model files every so many seconds; 0 looks on SIGHUP alone."""

    hosts: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, arg(name="allowed-host", metavar="NAME")] = ()
    """A name that requests may ask for in their Host header; by default this machine's own where it is all that can connect,
    else any."""

    api_keys: Path | None = None
    """A file of SHA-256 hashes in hex, one a line, of the keys that /v1 and /metrics answer to (default: to anybody).
    A hash: printf %s "$KEY" | sha256sum"""

    rate_limit: int = 0
    """Requests to /v1 a minute from one key, or one address where there are no keys; 0 for no limit. Each worker counts
    for itself."""

    fetch: bool = False
    """Take image_url, an address on the public internet, in the place of an image. Needs a network that may be reached by
    whoever may ask."""

    fetch_s: float = 10.0
    """Seconds for fetching an image."""

    image_bytes: int = 16 * 2**20
    """Bytes of an image's file."""

    image_pixels: int = 24_000_000
    """Width x height of an image."""

    expressions: int = 32
    """Expressions of one request."""

    expression_words: int = 60
    """Words of one expression; the model itself may read fewer."""

    batch_lines: int = 256
    """Lines of one request to /v1/batch."""

    batch_bytes: int = 64 * 2**20
    """Bytes of one request to /v1/batch."""

    queue: int = 64
    """Requests that are worked on or wait; one more is told to come back (429)."""

    work_pixels: int = 96_000_000
    """Pixels of all masks that are worked on or wait, each with four bytes or more; beyond, requests are told to come back."""

    connections: int = 256
    """Requests that may be open at once, their bodies still arriving included."""

    deadline_s: float = 30.0
    """Seconds from a request's arrival to its answer; later, the work is dropped."""

    body_s: float = 20.0
    """Seconds for a request's headers, and again for its body, to arrive."""

    batch_texts: int = 16
    """Expressions on one image that are computed together, whoever asked."""

    batch_images: int = 0
    """Images that wait and are encoded together; 0 takes 4 on a GPU and 1 on the processor, where it gains nothing."""

    max_wait_ms: float = 4.0
    """How long an expression waits for others on its image, while other requests are open."""

    kept_bytes: int = 512 * 2**20
    """Memory for encoded images (/v1/images), all workers together; the least recently used goes first. Several workers also
    share a private temporary folder of the images' files, of at most as many bytes."""

    kept_s: float = 1800.0
    """Seconds that an encoded image is kept after its last use."""

    log: Literal["text", "json", "off"] = "text"
    """A line on standard error for each request: method, route, status, duration; never what it holds."""

    def __post_init__(self) -> None:
        for name in ("threads", "rate_limit", "port", "batch_images"):
            at_least(self, name, 0)
        if self.port > _HIGHEST_PORT:
            raise ConfigError(f"port is {self.port}; choose one from 1 to {_HIGHEST_PORT}, or 0 for a free one")
        for name in ("image_bytes", "image_pixels", "expressions", "expression_words", "batch_lines", "batch_bytes",
                     "workers", "queue", "work_pixels", "connections", "batch_texts", "kept_bytes"):  # fmt: skip
            at_least(self, name, 1)
        for name, least in (
            ("deadline_s", 0.001),
            ("body_s", 0.001),
            ("fetch_s", 0.001),
            ("kept_s", 0.001),
            ("max_wait_ms", 0),
            ("reload_s", 0),
        ):
            value = getattr(self, name)
            if not value >= least:
                raise ConfigError(f"ServerSettings.{name} is {value!r}; it must be at least {least}")
        if self.work_pixels < self.image_pixels:
            raise ConfigError(
                f"work_pixels is {self.work_pixels:,}, less than the {self.image_pixels:,} of one image; raise it, or "
                "lower image_pixels"
            )
        self.places()

    def places(self) -> dict[str, str | None]:
        """Model names and where each model is, the default first; None is the bundled one. Raises ``ConfigError``."""
        found: dict[str, str | None] = {}
        for given in self.models:
            name, equals, path = given.partition("=")
            if not equals:
                name, path = (
                    Path(given).resolve().name if not given.startswith("hf:") else given.rpartition("/")[2],
                    given,
                )
            if not _NAME.fullmatch(name) or not path:
                raise ConfigError(
                    f"the model {given!r} needs a name of letters, digits, '.', '_' and '-'; give one: --model NAME=PATH"
                )
            if name in found:
                raise ConfigError(f"two models are called {name!r}; give each its own name: --model NAME=PATH")
            found[name] = path
        return found or {_BUNDLED: None}

    def allowed_hosts(self) -> tuple[str, ...]:
        """Names that a Host header may hold; empty for any."""
        return self.hosts or hosts_of(self.host)
