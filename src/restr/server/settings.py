"""The options of ``restr serve``; every default is safe on a machine that others can reach."""

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
    """The address to listen on; 0.0.0.0 stands for all addresses of this machine."""

    port: int = 8000
    """The port; 0 takes a free one."""

    models: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, arg(name="model", metavar="[NAME=]PATH")] = ()
    """A model folder or an export, and its name (by default the folder's). May be given several times; the first model answers
    requests that name none (default: the bundled model)."""

    device: str = "auto"
    """Where to compute; auto takes a GPU if there is one."""

    backend: Literal["auto", "own", "torch", "onnx", "openvino", "torch-export", "aoti"] = "auto"
    """The runtime: auto is the fastest that restr doctor shows for this processor, own is PyTorch for a model folder and an
    export's own."""

    precision: Literal["auto", "fp32", "int8", "bf16"] = "auto"
    """Number format of the models' matrix products; an export has its own."""

    workers: int = 1
    """Processes that answer, each with its own models, limits and rate. A dead one is replaced. All know the kept images."""

    threads: int = 0
    """Processor threads of each worker's models; 0 divides the processor among several workers, and lets the runtime of a
    single one choose."""

    reload_s: float = 0.0
    """Seconds between two looks for changed model files; 0 looks only on SIGHUP."""

    hosts: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, arg(name="allowed-host", metavar="NAME")] = ()
    """A name that the Host header of requests may hold; by default this machine's own names if only it can connect, else any
    name."""

    api_keys: Path | None = None
    """A file with SHA-256 hashes in hex, one per line, of the keys that open /v1 and /metrics (default: open to anybody).
    To make a hash: printf %s "$KEY" | sha256sum"""

    rate_limit: int = 0
    """Requests to /v1 per minute from one key, or from one address if there are no keys; 0 for no limit. Each worker counts
    for itself."""

    fetch: bool = False
    """Accept image_url, an address on the public internet, in place of an image. Every client can then reach what this
    server's network reaches at public addresses."""

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
    """Requests in progress or waiting; further ones are told to come back (429)."""

    work_pixels: int = 96_000_000
    """Pixels of all masks in progress or waiting, four bytes or more each; further requests are told to come back."""

    connections: int = 256
    """Requests that may be open at once, including those whose bodies are still arriving."""

    deadline_s: float = 30.0
    """Seconds from a request's arrival to its answer; after them its work is dropped."""

    body_s: float = 20.0
    """Seconds for a request's headers, and again for its body, to arrive."""

    batch_texts: int = 16
    """Expressions on one image that are computed together, even of different clients."""

    batch_images: int = 0
    """Waiting images that are encoded together; 0 takes 4 on a GPU, and 1 on a processor, where more gain nothing."""

    max_wait_ms: float = 4.0
    """How long an expression waits for others on its image, while other requests are open."""

    kept_bytes: int = 512 * 2**20
    """Bytes of memory for encoded images (/v1/images), all workers together; the least recently used is evicted first. Several
    workers also share a private temporary folder of the images' files, of at most as many bytes."""

    kept_s: float = 1800.0
    """Seconds that an encoded image is kept after its last use."""

    live: int = 0
    """Live streams that may be open at once, for the page /live; 0 for none."""

    log: Literal["text", "json", "off"] = "text"
    """A line on standard error for each request: method, route, status, duration; never its content."""

    def __post_init__(self) -> None:
        for name in ("threads", "rate_limit", "port", "batch_images", "live"):
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
        """Model name -> where the model is, the default first; None is the bundled model. Raises ``ConfigError``."""
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
