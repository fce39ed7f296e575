"""What the record of contacts adds to the guess at why a server failed."""

from __future__ import annotations

import pytest

from vsm_mcp.model.contact import Contact
from vsm_mcp.runtime.cause import explain
from vsm_mcp.sandbox.confinement import Exit

NAME = Contact(host="api.example.com", port=0, allowed=False, reason="not allowed", grant="api.example.com")
PORT = Contact(
    host="db.example.com", port=5432, allowed=False, reason="this port is not allowed", grant="db.example.com:5432"
)
QUIC = Contact(host="api.example.com", port=443, allowed=False, reason="UDP is not passed on")
DOWN = Contact(host="db.example.com", port=5432, allowed=True, reason="could not be reached: Connection refused")
FINE = Contact(host="www.example.com", port=443, allowed=True)
UNKNOWN = "getaddrinfo ENOTFOUND somewhere.example"


@pytest.mark.parametrize(
    ("lines", "contacts", "grants"),
    [
        (["Error: fetch failed"], [FINE, NAME], ["api.example.com"]),
        ([f"Error: {UNKNOWN}"], [NAME, PORT], ["api.example.com", "db.example.com:5432"]),
        (["Error: connect ECONNREFUSED api.example.com:8443"], [NAME], ["api.example.com:8443"]),
        (["ZeroDivisionError: division by zero"], [PORT], ["db.example.com:5432"]),
        ([], [NAME], ["api.example.com"]),
    ],
)
def test_what_was_refused_is_named_exactly(lines: list[str], contacts: list[Contact], grants: list[str]) -> None:
    cause = explain(Exit(code=1), lines, contacts=contacts)
    assert cause.code == "network_refused"
    assert cause.inputs == tuple(grants)
    assert cause.hint == "if it may: " + " ".join(f"--allow-host {grant}" for grant in grants)
    assert contacts[-1].host in cause.message


def test_a_server_that_hangs_had_perhaps_been_refused() -> None:
    cause = explain(None, [], timeout=30, contacts=[PORT])
    assert cause.message == (
        "the server did not answer within 30 s (start); it printed nothing; before that, the server was not allowed to"
        " reach db.example.com port 5432 (this port is not allowed)"
    )


def test_what_is_allowed_and_down_needs_no_leave() -> None:
    cause = explain(Exit(code=1), ["Error: connect ECONNREFUSED 198.18.0.1:5432"], contacts=[FINE, DOWN])
    assert cause.code == "host_unreachable"
    assert cause.message == (
        "the server may reach db.example.com port 5432, but it could not be reached: Connection refused"
    )
    assert "--allow-host" not in cause.hint


@pytest.mark.parametrize("contacts", [[], [FINE], [QUIC]])
def test_without_a_refusal_the_guess_stays(contacts: list[Contact]) -> None:
    assert explain(Exit(code=1), [f"Error: {UNKNOWN}"], contacts=contacts) == explain(
        Exit(code=1), [f"Error: {UNKNOWN}"]
    )


def test_a_reason_that_was_found_is_not_replaced() -> None:
    lines = ["KeyError: 'API_TOKEN'"]
    assert explain(Exit(code=1), lines, contacts=[NAME]) == explain(Exit(code=1), lines)
