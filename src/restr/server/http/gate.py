"""ASGI middleware around all routes: every request passes it on the way in, and every answer on the way out."""

from __future__ import annotations

import json
import logging
import time
from http import HTTPMethod
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from restr.server.http.security import HEADERS, ApiKeys, RateLimit, check_host, check_origin, check_site
from restr.server.metrics import Metrics
from restr.server.problems import Problem
from restr.server.settings import ServerSettings

_logger = logging.getLogger("restr.server")
_requests_logger = logging.getLogger("restr.server.requests")

HEADER_BYTES = 2**14  # of all headers together; uvicorn only bounds headers that arrive in pieces
_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class RequestGate:
    """Checks each request, answers errors as problems, and adds security headers, metrics and a log line."""

    def __init__(self, settings: ServerSettings, metrics: Metrics) -> None:
        """Raises ``ConfigError`` for API keys that cannot be read."""
        self.settings, self.metrics = settings, metrics
        self.keys = ApiKeys.from_file(settings.api_keys)
        self.rate = RateLimit(settings.rate_limit)
        self.hosts = settings.allowed_hosts()
        self.open = 0

    def before(self, app: ASGIApp) -> RequestGate:
        """This gate around an application. Stands in for the middleware class that Starlette expects."""
        self.app = app
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        streamed = scope["type"] == "websocket"
        started, status = time.monotonic(), 0

        async def out(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        self.open += 1
        self.metrics.open.set(self.open)
        problem: Problem | None = None
        try:
            self._check(scope)
            await self.app(scope, receive, out)
        except Problem as found:
            # a traceback would keep the body alive until the garbage collector runs
            problem = found.with_traceback(None)
        except Exception:
            _logger.exception("%s %s failed", _method(scope), _route(scope))
            problem = Problem("internal-error", "something went wrong here, not in your request; the log says more")
        finally:
            self.open -= 1
            self.metrics.open.set(self.open)
        if problem is not None:
            self.metrics.problems.labels(problem.name).inc()
            if not status and streamed:
                status = problem.status
                await _refuse_upgrade(send, problem)
            elif not status:
                await answer(out, problem)
        self._record(scope, status, time.monotonic() - started)

    def _check(self, scope: Scope) -> None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
            raise Problem(
                "headers-too-large", f"the headers have more than {HEADER_BYTES:,} bytes; send fewer or shorter"
            )
        headers = {name.lower(): value for name, value in scope["headers"]}
        check_host(headers, self.hosts)
        if scope["type"] == "websocket":
            check_origin(headers)
        else:
            check_site(scope["method"], headers)
        path = scope["path"]
        if path.startswith("/health/"):
            return
        if self.open > self.settings.connections:
            raise Problem("overloaded", f"{self.open} requests are open; ask again in a second", retry_after=1)
        if scope["type"] == "websocket":
            return  # a browser cannot send a key with it: the stream's first message has it
        if path.startswith("/v1/") or path == "/metrics":
            key = self.keys.check(headers)
            if path != "/metrics":
                self.rate.take(key or (scope.get("client") or ("", 0))[0])

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        method = _method(scope)
        self.metrics.requests.labels(route, method, str(status)).inc()
        if scope["type"] == "http":  # a live stream takes as long as somebody looks
            self.metrics.seconds.labels(route).observe(seconds)
        if self.settings.log == "off" or not _requests_logger.isEnabledFor(logging.INFO):
            return
        fields: dict[str, Any] = {"method": method, "route": route, "status": status, "ms": round(1000 * seconds, 1)}
        line = json.dumps(fields) if self.settings.log == "json" else " ".join(str(value) for value in fields.values())
        _requests_logger.info("%s", line)


async def _refuse_upgrade(send: Send, problem: Problem) -> None:
    """Answer the request for a websocket by a problem."""
    headers = [*problem.raw_headers(), *_HEADERS]
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": problem.body()})


def _method(scope: Scope) -> str:
    """A label of metrics."""
    if scope["type"] == "websocket":
        return "WEBSOCKET"
    return scope["method"] if scope["method"] in HTTPMethod.__members__ else "OTHER"


async def answer(send: Send, problem: Problem) -> None:
    """Send a problem as the answer."""
    await send({"type": "http.response.start", "status": problem.status, "headers": problem.raw_headers()})
    await send({"type": "http.response.body", "body": problem.body()})


def _route(scope: Scope) -> str:
    """The pattern of the path. Never the path itself: an image's id is a secret, and labels of metrics must be few."""
    route = scope.get("route")
    return getattr(route, "path_format", None) or getattr(route, "path", None) or "other"
