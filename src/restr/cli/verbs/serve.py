"""``restr serve``: models over HTTP, and a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from restr.cli.options import parse_options
from restr.errors import ConfigError
from restr.server.settings import ServerSettings

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "httpcore")


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit status, 1 if a model does not load. Raises ``RestrError``."""
    settings = parse_options(ServerSettings, "restr serve", arguments)
    for name in (*_NEEDED, *(("websockets",) if settings.live else ())):
        if find_spec(name) is None:
            raise ConfigError(f"{name} is not installed; pip install 'restr[serve]'")
    from restr.cli.preparing import prepare_once
    from restr.server.processes.several import listen, supervise

    for place in settings.places().values():  # before it listens; elsewhere than at a terminal, restr doctor --prepare
        prepare_once(place, device=settings.device, backend=settings.backend, precision=settings.precision)
    if settings.workers > 1:
        return supervise(settings)
    listen(settings).close()  # a wrong address is refused before models are loaded
    from restr.inference.locate import describe_model, model_folder  # torch loads here
    from restr.server.processes.one import serve_one

    for place in settings.places().values():
        # A wrong path is refused at once, instead of by a server that never becomes ready.
        describe_model(model_folder(place))
    return serve_one(settings)
