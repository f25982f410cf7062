"""The Host header: any port, only allowed names."""

from __future__ import annotations

import pytest

from restr.web_security import hosts_of, is_host_allowed


@pytest.mark.parametrize(
    ("header", "allowed"),
    [("localhost", True), ("LOCALHOST:80", True), ("127.0.0.1:8000", True), ("[::1]", True), ("[::1]:80", True),
     ("evil.example", False), ("localhost.evil.example:80", False), ("evil.example:localhost", False), ("", False)],
)  # fmt: skip
def test_a_local_server_answers_to_local_names_alone(header: str, allowed: bool) -> None:
    assert is_host_allowed(header, hosts_of("127.0.0.1")) == allowed
    assert is_host_allowed(header, hosts_of("0.0.0.0")), "a server for other machines may have any name"
