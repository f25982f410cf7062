"""Images from the web, where the operator allows it (--fetch): only from public addresses, within bounds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpcore

from restr import __version__
from restr.server.intake.addresses import is_public
from restr.server.intake.decode import too_large
from restr.server.problems import Problem

Resolve = Callable[[str, int], Awaitable[list[str]]]

PORTS = {"http": 80, "https": 443}
REDIRECTS = 3
UNQUOTED = "/%:@!$&'()*+,;=~?[]"  # characters of a path or a query that are not quoted
_AT_ONCE = 8  # fetches; further ones wait, within their time limit
_HEADERS: dict[str | bytes, str | bytes] = {
    "User-Agent": f"restr/{__version__}",
    "Accept": "image/*",
    "Accept-Encoding": "identity",
}


async def system_resolver(host: str, port: int) -> list[str]:
    """The addresses that this machine's resolver finds for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


class Fetcher:
    """Gets files of at most ``most`` bytes within ``seconds``, redirects included.

    on: whether fetching is allowed. resolve: turns names into addresses. network: opens connections. Tests replace both.
    """

    def __init__(
        self,
        *,
        on: bool,
        most: int,
        seconds: float,
        resolve: Resolve = system_resolver,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self.on, self.most, self.seconds = on, most, seconds
        own: Any = httpcore.AnyIOBackend()  # Any: without anyio, type checkers see a stand-in class
        self._network = PublicNetwork(resolve, network or own)
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def get(self, url: str) -> bytes:
        """The content at an address. Raises ``Problem``."""
        if not self.on:
            raise Problem(
                "fetching-off", "image_url: this server fetches no addresses; send the image itself as 'image' (base64)"
            )
        try:
            async with asyncio.timeout(self.seconds), self._places:
                async with httpcore.AsyncConnectionPool(network_backend=self._network) as pool:
                    for _ in range(1 + REDIRECTS):
                        content, url = await self._once(pool, url)
                        if content is not None:
                            return content
        except TimeoutError as error:
            raise _failed(f"it did not come within {self.seconds:g} seconds") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise _failed("the connection failed or was not understood") from error
        raise _failed(f"it was redirected more than {REDIRECTS} times")

    async def _once(self, pool: httpcore.AsyncConnectionPool, url: str) -> tuple[bytes | None, str]:
        """(content, ""), or (None, the address of a redirect)."""
        async with pool.stream("GET", fetchable_url(url), headers=_HEADERS) as response:
            headers = {name.lower(): value for name, value in response.headers}
            if response.status in (301, 302, 303, 307, 308) and b"location" in headers:
                return None, _joined(url, headers[b"location"].decode("latin-1"))
            if response.status != 200:
                raise _failed(f"the answer's status is {response.status}")
            length = headers.get(b"content-length", b"")
            if length.isdigit() and int(length[:20]) > self.most:
                raise too_large(int(length[:20]), self.most)
            content = bytearray()
            async for part in response.aiter_stream():
                content += part
                if len(content) > self.most:
                    raise too_large(len(content), self.most)
            return bytes(content), ""


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Connects only to public addresses, and to the very address that was checked: resolving again might give another."""

    def __init__(self, resolve: Resolve, network: httpcore.AsyncNetworkBackend) -> None:
        self._resolve, self._network = resolve, network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """As httpcore's own. Raises ``Problem`` unless all addresses of the host are public."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses or not all(is_public(each) for each in addresses):
            # One answer for both cases, so that nobody learns which names exist in this network.
            raise _refused("its host is not one that is found on the public internet")
        return await self._network.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        """As httpcore's own."""
        await self._network.sleep(seconds)


def fetchable_url(url: str) -> httpcore.URL:
    """A web address, checked except for its host's addresses. Raises ``Problem``."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        name = host.encode("ascii") if ":" in host else host.encode("idna")
    except (ValueError, UnicodeError) as error:
        raise _refused("it is not a web address") from error
    if scheme not in PORTS or not name:
        raise _refused("it is not a web address; expected http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise _refused("it holds a user name or a password")
    if port not in (None, *PORTS.values()):
        raise _refused(f"its port is {port}; only {' and '.join(map(str, PORTS.values()))} are asked")
    target = quote(parts.path or "/", safe=UNQUOTED)
    if parts.query:
        target += "?" + quote(parts.query, safe=UNQUOTED)
    return httpcore.URL(scheme=scheme, host=name, port=port, target=target)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise _refused("it was redirected to what is not a web address") from error


def _refused(why: str) -> Problem:
    return Problem(
        "address-refused", f"image_url: {why}; send the image itself", errors=[{"field": "image_url", "message": why}]
    )


def _failed(why: str) -> Problem:
    return Problem(
        "fetch-failed", f"image_url: {why}; try later, or send the image itself",
        errors=[{"field": "image_url", "message": why}],
    )  # fmt: skip
