"""The answer to a batch: a line for each of its lines, sent as soon as it is ready."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from restr.server.http.bodies import NDJSON, NO_STORE, json_line, read_line
from restr.server.jobs.deadline import Deadline
from restr.server.jobs.service import Service
from restr.server.problems import Problem

_RETRY_S = 0.05  # seconds between two tries to find room in the queue


class BatchResponse(Response):
    """Answers a batch line by line, in order; a line that fails is answered by its problem."""

    media_type = NDJSON

    def __init__(self, service: Service, lines: list[bytes]) -> None:
        super().__init__(headers=NO_STORE)
        self.service, self.lines = service, lines
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application that sends the answer."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with Deadline(receive, self.service.settings.deadline_s) as deadline:
            for line in self.lines:
                try:
                    answer: Any = await self._answer(deadline, line)
                except Problem as problem:
                    if problem.name == "client-gone":
                        return
                    answer = problem.with_traceback(None).document()  # as in the gate
                await send({"type": "http.response.body", "body": json_line(answer), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _answer(self, deadline: Deadline, line: bytes) -> dict[str, Any]:
        data, question = await read_line(line, self.service.fetcher)
        deadline.restart()  # each line has the whole time for its work
        while True:
            try:
                outcome = await self.service.ask_once(deadline, data, question.model, question)
                return await self.service.document(deadline, outcome)
            except Problem as problem:
                if problem.name != "queue-full":  # a batch was accepted as a whole, and waits for its turn
                    raise
            await deadline.pause(_RETRY_S)
