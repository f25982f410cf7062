"""HTTP/1.1 as uvicorn speaks it, with a time limit for a request's headers."""

from __future__ import annotations

import asyncio
import sys

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from restr.server.http.security import HEADERS
from restr.server.problems import Problem


class HeaderTimeoutProtocol(H11Protocol):
    """Closes a connection if the next request's headers take longer than ``seconds``; refuses bad HTTP as a problem."""

    seconds = 20.0
    _timer: asyncio.TimerHandle | None = None

    @staticmethod
    def within(limit: float) -> type[HeaderTimeoutProtocol]:
        """The protocol with another limit in seconds; a class, as uvicorn makes the instances itself."""

        class Limited(HeaderTimeoutProtocol):
            seconds = limit

        return Limited

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._wait()  # first: super() may find the next request's headers already here, and stop the timer
        super().on_response_complete()

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._stop_waiting()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
            self._refuse(Problem("headers-too-large", "the request's headers are too large; send fewer or shorter"))
        else:
            self._refuse(Problem("malformed-http", "what was sent is not an HTTP/1.1 request"))

    def _wait(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(self.seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if not self.conn.trailing_data[0]:  # silent, not slow: no request has begun that could be answered
            self.transport.close()
            return
        self._refuse(Problem("too-slow", f"the request's headers did not come within {self.seconds:g} seconds"))

    def _refuse(self, problem: Problem) -> None:
        """Answer, unless an answer has begun already, and close the connection."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [*problem.raw_headers(), *((name.encode(), value.encode()) for name, value in HEADERS.items())]
            lines = [b"%s: %s\r\n" % header for header in [*headers, (b"connection", b"close")]]
            self.transport.write(b"HTTP/1.1 %d Refused\r\n%s\r\n%s" % (problem.status, b"".join(lines), problem.body()))
        self.transport.close()
