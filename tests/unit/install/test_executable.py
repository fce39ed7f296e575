from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.executable import choose, console_scripts, interpreter_of, npm_programs


@pytest.mark.parametrize(
    ("package", "names", "chosen"),
    [
        ("@eslint/mcp", ("mcp",), "mcp"),
        ("anything", ("only-one",), "only-one"),
        ("n8n-mcp", ("n8n-mcp", "n8n"), "n8n-mcp"),
        ("regex-ai-mcp", ("regex_ai_mcp", "other-mcp"), "regex_ai_mcp"),
        ("kglite", ("kglite", "kglite-mcp-server"), "kglite-mcp-server"),
        ("basic-memory", ("bm", "basic-memory"), "basic-memory"),
        ("@bytebase/dbhub", ("dbhub", "dbhub-admin"), "dbhub"),
        ("@playwright/mcp", ("playwright-mcp", "playwright"), "playwright-mcp"),
        ("mfa-servicenow-mcp", ("servicenow-mcp", "servicenow-mcp-skills"), "servicenow-mcp"),
        ("networkx-mcp-server", ("networkx-mcp", "networkx-mcp-full", "networkx-mcp-fortress"), "networkx-mcp"),
    ],
)
def test_the_server_among_the_programs(package: str, names: tuple[str, ...], chosen: str) -> None:
    assert choose(package, names) == chosen
    assert choose(package, tuple(reversed(names))) == chosen


def test_of_those_that_speak_of_mcp_the_one_that_is_a_server_is_taken() -> None:
    assert choose("pypi-x", ("web-mcp-bootstrap", "web-mcp-server"), "") == "web-mcp-server"
    with pytest.raises(InstallFailed, match="several programs"):
        choose("pypi-x", ("a-mcp-server", "b-mcp-server"), "")


def test_a_wanted_program_is_taken_or_refused() -> None:
    assert choose("p", ("a", "b"), "b") == "b"
    with pytest.raises(InstallFailed, match="has no program 'c'"):
        choose("p", ("a", "b"), "c")


def test_no_program_and_unclear_programs_are_refused() -> None:
    with pytest.raises(InstallFailed, match="p is no MCP server: it has no executable"):
        choose("p", ())
    with pytest.raises(InstallFailed) as caught:
        choose("p", ("one-mcp", "two-mcp"))
    assert "one-mcp, two-mcp" in caught.value.hint


def test_programs_of_a_package_json() -> None:
    assert npm_programs({"name": "@me/thing", "bin": "cli.js"}) == {"thing": "cli.js"}
    assert npm_programs({"name": "x", "bin": {"a": "a.js", "b": 3}}) == {"a": "a.js"}
    assert npm_programs({"name": "x"}) == npm_programs({"name": "x", "bin": ["a"]}) == {}


def test_console_scripts_keep_their_case() -> None:
    text = "[console_scripts]\nMy-MCP = pkg.mod:main\nb=pkg:x [extra]\n\n[gui_scripts]\ng = p:q\n"
    assert console_scripts(text) == {"My-MCP": "pkg.mod:main", "b": "pkg:x [extra]"}
    assert console_scripts("no ini [[") == {}


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"#!/usr/bin/env node\n", ("node",)),
        (b"#!/usr/bin/env -S node --no-warnings\nx", ("node", "--no-warnings")),
        (b"#!/usr/bin/env -S A=1 node\n", ("node",)),
        (b"#!/opt/venv/bin/python3\n", ("python3",)),
        (b"\x7fELF\x02", ("native",)),
        (b"console.log(1)\n", ()),
        (b"", ()),
        (b"#!\n", ()),
    ],
)
def test_interpreter_of_a_program(tmp_path: Path, head: bytes, words: tuple[str, ...]) -> None:
    (tmp_path / "p").write_bytes(head)
    assert interpreter_of(tmp_path / "p") == words
