from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.gateway.challenge import WELL_KNOWN, Rejected, Resource, canonical, challenge

URL = "https://MCP.example.com/tools/mcp/"
RESOURCE = Resource(URL, "https://issuer.example", ("read", "call"))


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        (WELL_KNOWN, "https://mcp.example.com/tools/mcp"),
        (f"{WELL_KNOWN}/", "https://mcp.example.com/tools/mcp"),
        (f"{WELL_KNOWN}/mcp", "https://mcp.example.com/tools/mcp"),
        (f"{WELL_KNOWN}/tools/mcp", "https://mcp.example.com/tools/mcp"),
        (f"{WELL_KNOWN}/mcp/web", "https://mcp.example.com/tools/mcp/web"),
        (f"{WELL_KNOWN}/tools/mcp/web", "https://mcp.example.com/tools/mcp/web"),
    ],
)
def test_the_metadata_names_the_resource_that_was_asked_for(path: str, resource: str) -> None:
    document = json.loads(RESOURCE.document(path) or b"")
    assert document["resource"] == resource
    assert document["authorization_servers"] == ["https://issuer.example"]
    assert document["scopes_supported"] == ["read", "call"]
    assert document["bearer_methods_supported"] == ["header"]


@pytest.mark.parametrize(
    "path",
    [
        "/mcp",
        "/.well-known/other",
        f"{WELL_KNOWN}x",
        f"{WELL_KNOWN}/other",
        f"{WELL_KNOWN}/mcp/a/b",
        f"{WELL_KNOWN}/mcp/",
    ],
)
def test_there_is_no_metadata_anywhere_else(path: str) -> None:
    assert RESOURCE.document(path) is None


def test_the_challenge_leads_to_the_metadata_and_says_the_scopes() -> None:
    name, value = challenge(RESOURCE, "web", None)
    assert name == b"www-authenticate"
    where = "https://mcp.example.com/.well-known/oauth-protected-resource/tools/mcp/web"
    assert value.decode() == f'Bearer resource_metadata="{where}", scope="read call"'
    path = where.removeprefix("https://mcp.example.com")
    assert json.loads(RESOURCE.document(path) or b"")["resource"] == "https://mcp.example.com/tools/mcp/web"
    _, value = challenge(RESOURCE, "", Rejected("it is old"))
    assert b'error="invalid_token", error_description="it is old"' in value
    _, value = challenge(None, "", Rejected("no", "insufficient_scope"))
    assert value == b'Bearer realm="vsm-mcp", error="insufficient_scope", error_description="no"'


@given(st.text(max_size=40))
def test_no_path_gets_into_a_header(profile: str) -> None:
    _, value = challenge(RESOURCE, profile, None)
    assert value.count(b'"') == 4
    assert not set(value) & set(b"\r\n\0")


@given(st.text(max_size=60))
def test_no_text_fails_as_a_url(text: str) -> None:
    assert isinstance(canonical(text), str)
    RESOURCE.profiles([text])
    RESOURCE.document(f"{WELL_KNOWN}/{text}")
