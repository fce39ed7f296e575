from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import ConfigError
from vsm_mcp.model.client_file import Wanted, read
from vsm_mcp.model.launch import Settings

ENVIRON = {"HOME": "/home/me", "GH": "ghp_1", "EMPTY": ""}


def one(entry: Any, title: str = "one") -> Wanted:
    wanted, unusable = read(json.dumps({"mcpServers": {title: entry}}), ENVIRON, "f")
    assert unusable == ()
    return wanted[0]


def why_not(entry: Any, title: str = "one") -> str:
    wanted, unusable = read(json.dumps({"mcpServers": {title: entry}}), ENVIRON, "f")
    assert wanted == ()
    return unusable[0].reason


@pytest.mark.parametrize(
    ("entry", "ref", "settings"),
    [
        (
            {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/data"]},
            "npm:@modelcontextprotocol/server-filesystem",
            Settings(args=("/data",)),
        ),
        (
            {"command": "/usr/bin/npx", "args": ["-y", "pkg@1.2.3", "--root", "${HOME}/x"]},
            "npm:pkg@1.2.3",
            Settings(args=("--root", "/home/me/x")),
        ),
        ({"command": "uvx", "args": ["mcp-server-time==2026.10.19"]}, "pypi:mcp-server-time==2026.10.19", Settings()),
        ({"command": "uvx", "args": ["--from", "pkg", "prog", "-v"]}, "pypi:pkg", Settings(args=("-v",))),
        (
            {
                "command": "docker",
                "args": ["run", "-i", "--rm", "-e", "API_TOKEN", "-e", "MODE=x", "mcp/fetch:1", "--all"],
                "env": {"API_TOKEN": "${GH}"},
            },
            "oci:mcp/fetch:1",
            Settings(args=("--all",), env={"MODE": "x"}, secrets={"API_TOKEN": "ghp_1"}),
        ),
        (
            {"command": "/opt/my server", "args": ["-x", "a b"], "cwd": "/data", "type": "stdio"},
            "cmd:'/opt/my server' -x 'a b'",
            Settings(cwd="/data"),
        ),
        ({"command": ["python3", "s.py"], "args": ["-q"]}, "cmd:python3 s.py -q", Settings()),
        (
            {"type": "http", "url": "https://h/mcp", "headers": {"Authorization": "Bearer ${env:GH}"}},
            "https://h/mcp",
            Settings(secrets={"Authorization": "Bearer ghp_1"}),
        ),
        ({"serverUrl": "https://h/${PATHS:-mcp}"}, "https://h/mcp", Settings()),
        ({"httpUrl": "https://h/mcp"}, "https://h/mcp", Settings()),
        (
            {"command": "prog", "env": {"PORT": 80, "DEBUG": True, "API_KEY": "k"}, "autoApprove": ["x"], "timeout": 5},
            "cmd:prog",
            Settings(env={"PORT": "80", "DEBUG": "true"}, secrets={"API_KEY": "k"}),
        ),
    ],
)
def test_what_an_entry_asks_for(entry: Any, ref: str, settings: Settings) -> None:
    found = one(entry)
    assert (found.ref, found.settings.args, found.settings.env) == (ref, settings.args, settings.env)
    assert found.settings == settings


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("npx", "no object"),
        ({}, "neither a command nor a url"),
        ({"command": ""}, "neither a command nor a url"),
        ({"command": "x", "args": "a"}, "args are no list"),
        ({"command": "x", "args": [None]}, "no text"),
        ({"command": "x", "env": ["A=1"]}, "env is no object"),
        ({"command": "x", "env": {"A": {}}}, "env holds something that is no text"),
        ({"command": "x", "args": ["${NOWHERE}"]}, "no variable NOWHERE"),
        ({"command": "x", "args": ["${EMPTY}"]}, "no variable EMPTY"),
        ({"command": "x", "args": ["${workspaceFolder}/a-b", "${input:key}"]}, "no variable workspaceFolder"),
        ({"command": "x", "args": ["${input:key}"]}, "${input:key}, which only the client knows"),
        ({"command": "npx"}, "does not say which package"),
        ({"command": "docker", "args": ["run", "-v", "/:/host", "x"]}, "mounts folders"),
        ({"command": "docker", "args": ["run", "-i"]}, "no image"),
        ({"command": "/usr/bin/vsm-mcp", "args": ["serve", "--stdio"]}, "gateway itself"),
        ({"url": "gopher:x"}, "is not a reference"),
    ],
)
def test_what_cannot_be_used_is_named(entry: Any, reason: str) -> None:
    assert reason in why_not(entry)


@pytest.mark.parametrize(
    ("title", "name"),
    [("GitHub", "github"), ("my_server.v2", "my-server-v2"), ("--x--", "x"), ("a" * 50, "a" * 32), ("Ä b", "b")],
)
def test_names(title: str, name: str) -> None:
    assert one({"command": "x"}, title).name == name


def test_two_entries_with_one_name_and_one_without() -> None:
    text = json.dumps({"mcpServers": {"A": {"command": "x"}, "a": {"command": "y"}, "!!": {"command": "z"}}})
    wanted, unusable = read(text, {}, "f")
    assert [each.title for each in wanted] == ["A"]
    assert {each.title: each.reason.split(":")[0] for each in unusable} == {
        "a": "'A' would have the same name here",
        "!!": "its name has no letter and no digit",
    }


def test_disabled_entries_are_as_if_they_were_not_there() -> None:
    text = json.dumps(
        {"mcpServers": {"a": {"command": "x", "disabled": True}, "b": {"command": "x", "enabled": False}}}
    )
    assert read(text, {}, "f") == ((), ())


@pytest.mark.parametrize("text", ["", "  \n", "{}", '{"mcpServers": {}}', '{"servers": {}}'])
def test_nothing_is_asked_for(text: str) -> None:
    assert read(text, {}, "f") == ((), ())


def test_comments_and_last_commas() -> None:
    text = """{
      // mine
      "mcpServers": {
        "a": {"command": "x", "args": ["//no", "/*comment*/", ",]"], /* really, */ }, // last
      },
    }"""
    wanted, _ = read(text, {}, "f")
    assert wanted[0].ref == "cmd:x //no '/*comment*/' ',]'"


def test_a_bare_map_of_servers() -> None:
    assert [each.name for each in read('{"a": {"command": "x"}}', {}, "f")[0]] == ["a"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{\n "mcpServers": {\n', "line 3"),
        ('// c\n/* d\n */ {"a": nope}', "line 3, column 11"),
        ("[]", "no object"),
        ('{"mcpServers": []}', "mcpServers is no object"),
        ("[" * 100_000, ""),
    ],
)
def test_what_is_no_such_file_says_where(text: str, where: str) -> None:
    with pytest.raises(ConfigError, match=r"^mcp\.json: ") as caught:
        read(text, {}, "mcp.json")
    assert where in caught.value.message


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["command", "args", "env", "url", "headers", "disabled", "x", ""]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_any_file_is_read_or_refused(servers: dict[str, Any]) -> None:
    """Every entry is wanted, unusable or disabled, once."""
    wanted, unusable = read(json.dumps({"mcpServers": servers}), ENVIRON, "f")
    titles = [each.title for each in wanted] + [each.title for each in unusable]
    assert len(titles) == len(set(titles))
    assert set(titles) <= set(servers)
