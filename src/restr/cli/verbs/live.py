"""``restr live``: what a sentence names in front of a camera, in a page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import arg

from restr.cli.options import DeviceOptions, ModelOptions, RuntimeOptions, ThreadOptions, parse_options
from restr.errors import ConfigError
from restr.fields import share
from restr.inference.tracking.smoothing import TrackSettings
from restr.server.settings import ServerSettings

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "httpcore", "websockets")
_BROWSER = "browser"


@dataclass(frozen=True, kw_only=True)
class LiveOptions(ThreadOptions, RuntimeOptions, DeviceOptions, ModelOptions):
    """Show what a sentence names in front of a camera, in a page of a browser.

    The newest picture is always the next; those that the model has no time for are dropped.

    Example: restr live "the dog on the left"
    """

    text: Annotated[str, tyro.conf.Positional] = ""
    """What to find; it can be changed on the page."""

    source: str = _BROWSER
    """Where the pictures come from: browser, the camera of whoever opens the page; webcam, this machine's first camera; a
    device (/dev/video2); a clip; or an address (rtsp:, http:). All but browser need the extra video."""

    loop: bool = False
    """Begin a clip again at its end."""

    threshold: float | None = None
    """Least probability of the mask's pixels (default: the model's own)."""

    presence: float | None = None
    """Least probability that the picture shows what is meant, below which nothing is marked (default: the model's own)."""

    smooth: float = 0.0
    """How much the pictures before count, from 0 (not at all) to below 1."""

    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 stands for all addresses of this machine. Give --api-keys with it. Browsers open
    their camera only at localhost or over https."""

    port: int = 8000
    """The port; 0 takes a free one."""

    hosts: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, arg(name="allowed-host", metavar="NAME")] = ()
    """A name that the Host header of requests may hold; by default this machine's own names if only it can connect, else any
    name."""

    api_keys: Path | None = None
    """A file with SHA-256 hashes of keys, as restr serve takes it."""

    streams: int = 4
    """Pages that may look at once."""

    open: bool = False
    """Also open the page in this machine's browser."""

    def __post_init__(self) -> None:
        if self.streams < 1:
            raise ConfigError(f"streams is {self.streams}; at least one page must be able to look: --streams 1")
        if self.threshold is not None:
            share("threshold", self.threshold)
        if self.presence is not None and not 0 <= self.presence <= 1:
            raise ConfigError(f"presence is {self.presence}; it must be from 0, which always draws a mask, to 1")
        TrackSettings(smooth=self.smooth)
        self.settings()

    def settings(self) -> ServerSettings:
        """The server's settings. Raises ``ConfigError``."""
        return ServerSettings(
            host=self.host,
            port=self.port,
            hosts=self.hosts,
            api_keys=self.api_keys,
            models=() if self.model is None else (str(self.model),),
            device=self.device,
            backend=self.backend,
            precision=self.precision,
            threads=self.threads,
            live=self.streams,
        )


def main(arguments: Sequence[str]) -> int:
    """Serve the page until SIGTERM or Ctrl-C; returns the exit status, 1 if the model does not load. Raises ``RestrError``."""
    options = parse_options(LiveOptions, "restr live", arguments)
    settings = options.settings()
    for name in (*_NEEDED, *(() if options.source == _BROWSER else ("av",))):
        if find_spec(name) is None:
            raise ConfigError(f"{name} is not installed; pip install 'restr[serve,video]'")
    from restr.cli.preparing import prepare_once

    prepare_once(options.model, device=options.device, backend=options.backend, precision=options.precision)
    from restr.inference.locate import describe_model, model_folder  # torch loads here
    from restr.server.live.camera import LiveStart
    from restr.server.processes.one import serve_one
    from restr.server.processes.several import listen

    describe_model(model_folder(options.model))  # a wrong path is refused at once
    with ExitStack() as stack:
        listening = stack.enter_context(listen(settings))
        camera = None
        if options.source != _BROWSER:
            from restr.video.camera import Camera

            camera = stack.enter_context(Camera(options.source, loop=options.loop))
        start = LiveStart(
            text=options.text,
            threshold=options.threshold,
            presence=options.presence,
            smooth=options.smooth,
            camera=camera,
        )
        address = _address(settings.host, listening.getsockname()[1])
        print(f"restr live: open {address} in a browser; Ctrl-C ends it", file=sys.stderr, flush=True)
        if options.open:
            import webbrowser

            webbrowser.open(address)
        return serve_one(settings, listening=listening, start=start)


def _address(host: str, port: int) -> str:
    """Where a browser on this machine finds the page."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name and not name.startswith('[') else name}:{port}/live"
