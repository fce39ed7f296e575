from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.autopilot.naming import MAX_LENGTH, check_name, server_name
from vsm_mcp.errors import BadArgument, BadReference
from vsm_mcp.model.ref import parse_ref


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("npm:@modelcontextprotocol/server-everything@2026.8.31", "everything"),
        ("npm:@playwright/mcp", "playwright"),
        ("npm:mcp-server-sqlite-npx", "sqlite-npx"),
        ("pypi:mcp-server-time", "time"),
        ("pypi:mcp", "mcp"),
        ("https://mcp.deepwiki.com/mcp", "deepwiki"),
        ("oci:registry/mcp/time:1.0", "time"),
        ("cmd:/usr/bin/my-server --stdio", "my"),
        ("git+https://host/owner/thing-mcp.git", "thing"),
    ],
)
def test_the_name_says_what_the_server_is_about(ref: str, name: str) -> None:
    assert server_name(parse_ref(ref), ()) == name


def test_a_taken_name_gets_a_number() -> None:
    assert server_name(parse_ref("pypi:mcp-server-time"), {"time", "time-2"}) == "time-3"


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-._~/@", min_size=1, max_size=80))
def test_every_derived_name_could_be_given_by_a_person(text: str) -> None:
    try:
        ref = parse_ref(f"npm:{text}")
    except BadReference:
        return
    name = server_name(ref, {"x"})
    assert len(name) <= MAX_LENGTH
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "a--b", "-a", "a-", "a_b", "a/b", "..", "a" * 33, "a b"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(BadArgument):
        check_name(name)
