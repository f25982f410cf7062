"""The server on more than one machine: an application for Ray Serve (extra ``ray``).

    serve run restr.server.processes.ray_app:app replicas=4 cpus=2 model=dogs=runs/dogs rate-limit=600

What is behind it is ``create_app``, in every replica; the machines share the files of kept images (``ray_images``).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import Any

import ray
import tyro
from fastapi import FastAPI
from ray import serve
from ray.serve import Application
from ray.serve.config import DeploymentActorConfig
from ray.serve.schema import LoggingConfig

from restr.errors import ConfigError
from restr.server.files.memory import MemoryStore
from restr.server.files.ray_copies import COPIES, RayStore
from restr.server.http.routes import create_app
from restr.server.processes.one import DRAIN_EXTRA, log_requests
from restr.server.processes.ray_routing import Evenly
from restr.server.settings import ServerSettings

NAME = "restr"  # of the deployment, for a Serve config file
# What Serve decides where `restr serve` does: option -> where to say it instead.
SERVES = {
    "host": "http_options.host of a Serve config file, or serve.start",
    "port": "http_options.port of a Serve config file, or serve.start",
    "workers": "replicas=N",
}


def app(args: Mapping[str, Any]) -> Application:
    """The application for ``serve run`` and ``serve.run``. Raises ``ConfigError``.

    args: the options of ``restr serve`` by name, a list for one that may be given several times; ``replicas``, how many
    there are; and ``cpus`` and ``gpus``, what each takes of its machine, fractions included. A Serve config file can
    override the deployment, autoscaling included. Models and keys are read on every machine, at the same path.
    """
    options = dict(args)
    replicas = _number(options, "replicas", 1)
    cpus, gpus = _number(options, "cpus", 1), _number(options, "gpus", 0)
    if replicas < 1 or replicas != int(replicas):
        raise ConfigError(f"replicas is {replicas:g}; it must be a whole number of at least 1: replicas=2")
    settings = settings_of(options)
    deployment = serve.deployment(
        name=NAME,
        num_replicas=int(replicas),
        ray_actor_options={"num_cpus": cpus, "num_gpus": gpus},
        # Ours refuses with an answer that says why and when to come back; Serve's own queue would be a second one.
        max_ongoing_requests=settings.connections,
        max_queued_requests=settings.connections,
        request_router_config={"request_router_class": Evenly},
        graceful_shutdown_timeout_s=settings.deadline_s + DRAIN_EXTRA,
        health_check_period_s=5,
        deployment_actors=[
            DeploymentActorConfig(
                name=name,
                actor_class=ray.remote(MemoryStore),
                init_kwargs={"most": settings.kept_bytes, "seconds": settings.kept_s},
                # The memory also makes Ray spread them: it places what takes nothing anywhere.
                actor_options={"num_cpus": 0, "memory": settings.kept_bytes, "scheduling_strategy": "SPREAD"},
            )
            for name in COPIES
        ],
        logging_config=LoggingConfig(enable_access_log=False),  # there is a line for each request already: --log
    )
    return deployment(serve.ingress()(Replica)).bind(settings)


class Replica:
    """One copy of the server."""

    def __init__(self, settings: ServerSettings) -> None:
        log_requests()
        self.served = create_app(settings)
        self.served.state.service.shelf = RayStore(serve.get_deployment_actor, seconds=settings.body_s)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self.served

    def check_health(self) -> None:
        """Raises what kept a model from loading: Serve starts another replica, and says why."""
        failure = self.served.state.service.failure
        if failure is not None:
            raise failure


def settings_of(options: Mapping[str, Any]) -> ServerSettings:
    """The options of ``restr serve``, by name, as it would read them. Raises ``ConfigError``."""
    words = []
    for name, value in options.items():
        option = name.replace("_", "-")
        if option in SERVES:
            raise ConfigError(f"{name} is {value!r}, but Ray Serve decides about it; say it there: {SERVES[option]}")
        for each in value if isinstance(value, list | tuple) else [value]:
            words.append(f"--{option}={each}")
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(said):
            settings = tyro.cli(ServerSettings, prog="restr serve", args=words)
    except SystemExit as end:
        raise ConfigError(
            f"{' '.join(words)} cannot be read as options of `restr serve`; its --help lists them:\n{said.getvalue()}"
        ) from end
    # Serve listens for every machine of the cluster, so a Host header can name any of them, unless --allowed-host says which.
    return replace(settings, host="0.0.0.0")


def _number(options: dict[str, Any], name: str, default: float) -> float:
    """An option of the application's own, taken out of the others."""
    value = options.pop(name, default)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} is {value!r}; it must be a number: {name}=2") from error
    if not 0 <= number < float("inf"):
        raise ConfigError(f"{name} is {value!r}; it must not be negative: {name}=2")
    return number
