"""Keeps a browser from being used against its user: headers for every answer, and a check of the Host header."""

from __future__ import annotations

from collections.abc import Sequence

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


def security_headers(policy: str, *, camera: bool = False) -> dict[str, str]:
    """Headers of every answer. policy: a Content-Security-Policy. camera: whether the page may ask for the camera."""
    return {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": f"camera=({'self' if camera else ''}), microphone=(), geolocation=()",
    }


def hosts_of(address: str) -> tuple[str, ...]:
    """The names that a Host header may hold if a server listens at ``address``; empty for any."""
    return LOOPBACK if address in LOOPBACK else ()


def is_host_allowed(header: str, allowed: Sequence[str]) -> bool:
    """Whether a Host header names an allowed host, at any port; true if none is listed.

    Refusing other names keeps web sites from pointing a name of their own at this machine, and reading the answers.
    """
    host = header.lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] if ":" in host else host
    return not allowed or name in {each.lower() for each in allowed}
