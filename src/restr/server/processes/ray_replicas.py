"""Replicas of the server under Ray Serve, and the actors with the files that they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from ray.serve import Application
from ray.serve.config import DeploymentActorConfig
from ray.serve.schema import LoggingConfig

from restr.server.app import create_app
from restr.server.files.memory import MemoryStore
from restr.server.files.ray_store import ACTORS, RayStore
from restr.server.processes.one import DRAIN_EXTRA, log_requests
from restr.server.processes.ray_options import read_options
from restr.server.processes.ray_routing import LessBusyOfTwo
from restr.server.settings import ServerSettings

DEPLOYMENT = "restr"  # the deployment's name, for a Serve config file


def app(args: Mapping[str, Any]) -> Application:
    """The application for ``serve run`` and ``serve.run``. Raises ``ConfigError``.

    args: the options of ``restr serve`` by name, a list for one that may be given several times; ``replicas``, how many
    there are; ``cpus`` and ``gpus``, the resources that each reserves on its machine, fractions included. A Serve config
    file can override the deployment, autoscaling included. Models and keys are read on every machine, at the same path.
    """
    replicas, cpus, gpus, settings = read_options(args)
    deployment = serve.deployment(
        name=DEPLOYMENT,
        num_replicas=replicas,
        ray_actor_options={"num_cpus": cpus, "num_gpus": gpus},
        # Our own refusal says why, and when to come back. Serve's queue would only be a second one before it.
        max_ongoing_requests=settings.connections,
        max_queued_requests=settings.connections,
        request_router_config={"request_router_class": LessBusyOfTwo},
        graceful_shutdown_timeout_s=settings.deadline_s + DRAIN_EXTRA,
        health_check_period_s=5,
        deployment_actors=[
            DeploymentActorConfig(
                name=name,
                actor_class=ray.remote(MemoryStore),
                init_kwargs={"most": settings.kept_bytes, "seconds": settings.kept_s},
                # Ray spreads only actors that reserve something: here, their memory.
                actor_options={"num_cpus": 0, "memory": settings.kept_bytes, "scheduling_strategy": "SPREAD"},
            )
            for name in ACTORS
        ],
        logging_config=LoggingConfig(enable_access_log=False),  # the server logs each request itself: --log
    )
    return deployment(serve.ingress()(Replica)).bind(settings)


class Replica:
    """One copy of the server."""

    def __init__(self, settings: ServerSettings) -> None:
        log_requests()
        files = RayStore(serve.get_deployment_actor, seconds=settings.body_s)
        self.served = create_app(settings, files=files)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self.served

    def check_health(self) -> None:
        """Raises the error of a model that did not load: Serve logs it, and starts another replica."""
        failure = self.served.state.service.failure
        if failure is not None:
            raise failure
