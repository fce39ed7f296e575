from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.model.client_file import asked_by, variables
from vsm_mcp.model.client_shapes import entries_of, off

ENVIRON = {"TOKEN": "t0k", "KEY": "k3y"}
NPX = {"command": "npx", "args": ["-y", "pkg", "/data"], "env": {"KEY": "${KEY}"}}


@pytest.mark.parametrize(
    "document",
    [
        {"mcpServers": {"one": NPX}},
        {"servers": {"one": {**NPX, "type": "stdio"}}, "inputs": []},
        {"editor.fontSize": 12, "mcp": {"servers": {"one": NPX}}},
        {"model": "gpt", "mcp_servers": {"one": {**NPX, "startup_timeout_sec": 20, "enabled": True}}},
        {"mcp_servers": {"one": {"command": "npx", "args": NPX["args"], "env_vars": ["KEY"]}}},
        {"context_servers": {"one": {"source": "custom", **NPX}}},
        {"context_servers": {"one": {"command": {"path": "npx", "args": NPX["args"], "env": NPX["env"]}}}},
        {
            "mcp": {
                "one": {
                    "type": "local",
                    "command": ["npx", "-y", "pkg", "/data"],
                    "environment": {"KEY": "{env:KEY}"},
                    "enabled": True,
                }
            }
        },
        {"mcp": {"servers": {"one": {"type": "local", "command": ["npx", "-y", "pkg", "/data"], "env": NPX["env"]}}}},
        {
            "GOOSE_MODEL": "x",
            "extensions": {
                "developer": {"type": "builtin", "name": "developer", "enabled": True},
                "one": {"type": "stdio", "cmd": "npx", "args": NPX["args"], "envs": {}, "env_keys": ["KEY"]},
            },
        },
        {"extensions": {"one": {"enabled": True, "config": {"type": "stdio", "cmd": "npx", **NPX}}}},
        {"name": "kit", "servers": {"one": {"source": "https://x", "prefix": "one", "notes": "…", **NPX}}},
        {"one": NPX},
    ],
)
def test_every_shape_asks_for_the_same(document: dict[str, Any]) -> None:
    (wanted,), unusable = asked_by(document, ENVIRON, "f")
    assert unusable == ()
    assert (wanted.name, wanted.ref, wanted.settings.args) == ("one", "npm:pkg", ("/data",))
    assert (wanted.settings.env, wanted.settings.secrets) == ({}, {"KEY": "k3y"})


@pytest.mark.parametrize(
    ("entry", "headers"),
    [
        ({"url": "https://h/mcp"}, {}),
        ({"type": "http", "url": "https://h/mcp", "headers": {"A": "b"}}, {"A": "b"}),
        ({"url": "https://h/mcp", "bearer_token_env_var": "TOKEN"}, {"Authorization": "Bearer t0k"}),
        (
            {"url": "https://h/mcp", "http_headers": {"A": "b"}, "env_http_headers": {"C": "KEY"}},
            {"A": "b", "C": "k3y"},
        ),
        ({"type": "remote", "url": "https://h/mcp", "headers": {"X": "Bearer {env:TOKEN}"}}, {"X": "Bearer t0k"}),
        ({"type": "streamable_http", "uri": "https://h/mcp", "headers": {}}, {}),
        ({"source": "s", "uri": "https://h/mcp", "transport": {"headers": {"A": "b"}}}, {"A": "b"}),
        ({"serverUrl": "https://h/mcp"}, {}),
        ({"httpUrl": "https://h/mcp", "url": None}, {}),
    ],
)
def test_servers_elsewhere(entry: dict[str, Any], headers: dict[str, str]) -> None:
    (wanted,), _ = asked_by({"mcpServers": {"far": entry}}, ENVIRON, "f")
    assert (wanted.ref, wanted.settings.secrets) == ("https://h/mcp", headers)


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "builtin", "name": "developer"},
        {"type": "platform", "enabled": True},
        {"source": "extension", "settings": {"key": "x"}},
    ],
)
def test_what_a_client_has_inside_is_no_server(entry: dict[str, Any]) -> None:
    assert entries_of({"mcpServers": {"x": entry}}) == {}


@pytest.mark.parametrize(
    ("entry", "said"),
    [({"disabled": True}, True), ({"enabled": False}, True), ({"disabled": "yes"}, False), ({}, False), ("x", False)],
)
def test_off(entry: Any, said: bool) -> None:
    assert off(entry) is said


def test_a_server_may_be_called_like_a_root() -> None:
    assert set(entries_of({"mcp": {"command": "x"}, "b": {"url": "https://h"}})) == {"mcp", "b"}


@pytest.mark.parametrize("document", [[], None, "x", {"mcpServers": []}, {"servers": 3}])
def test_what_is_no_map_stays_what_it_is(document: Any) -> None:
    assert not isinstance(entries_of(document), dict)


def test_the_variables_that_must_be_there() -> None:
    document = {"a": ["${X}", {"b": "y${Y:-1}${Z}", "c": 3}], "d": "${input:no}", "e": "${env:W}", "f": "$" * 100_000}
    assert variables(document) == {"X", "Z", "W"}
