from __future__ import annotations

import pytest

from vsm_mcp.model.secretive import address_holds_secret, holds_secret, masked

HEX = "9f86d081884c7d659a2feaa0c55ad015"


@pytest.mark.parametrize(
    "words",
    [
        ["server", "--api-key", "abc"],
        ["server", "--api-key=abc"],
        ["server", "-token", "x"],
        ["server", "--password=x"],
        ["server", "API_KEY=abc"],
        ["server", "--header", "Authorization: Bearer abc"],
        ["server", "sk-proj-1234567890"],
        ["server", "--with=ghp_abcdefghij12345"],
        ["server", "xoxb-1234567890-abc"],
        ["server", "eyJhbGciOiJIUzI1NiJ9.e30.x"],
        ["server", HEX],
        ["server", "--db=postgresql://me:secret@host/db"],
        ["server", "redis://:secret@host"],
        ["server", "https://h/mcp?api_key=abc"],
        ["server", f"https://h/s/{HEX}/mcp"],
        ["server", "Zx8Kq2Lm9Wv4Tn7Rb3Yc"],
    ],
)
def test_what_looks_secret(words: list[str]) -> None:
    assert holds_secret(words)
    assert masked(words) == [*words[:-1], "***"]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["python", "/home/me/servers/weather/server.py"],
        ["node", "/opt/a-very-long-folder-name/build/index.js", "--stdio", "--port", "8080"],
        ["npx", "-y", "@modelcontextprotocol/server-filesystem", "/Users/me/Documents/projects2026"],
        ["uvx", "mcp-server-time", "--local-timezone=Europe/Berlin"],
        ["server", "--keyboard"],
        ["server", "https://api.example.com/v1/mcp?mode=read"],
        ["server", "mcp_server_filesystem_extended_edition"],
        ["server", "com.example.mcp.server.filesystem-extended"],
        ["server", "--config=/etc/server/configuration.json"],
    ],
)
def test_what_does_not(words: list[str]) -> None:
    assert not holds_secret(words)
    assert masked(words) == words


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://h/mcp", False),
        ("https://docs.mcp.cloudflare.com/sse", False),
        ("https://api.githubcopilot.com/mcp/x/all/readonly", False),
        ("https://me:pw@h/mcp", True),
        ("https://h/mcp?token=x", True),
        ("https://[h/mcp", True),
        (f"https://mcp.example.com/api/mcp/s/{HEX}/mcp", True),
        ("https://mcp.example.com/a/7f1c2a9e-4b52-4c1e-9a55-0f6f4b2c9d11/mcp", True),
    ],
)
def test_addresses(url: str, said: bool) -> None:
    assert address_holds_secret(url) is said
