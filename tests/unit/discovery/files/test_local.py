from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.discovery.files.test_bundles import write

from vsm_mcp.config import load
from vsm_mcp.discovery.engine import Options, discover
from vsm_mcp.discovery.files.local import build, look, programs
from vsm_mcp.discovery.files.places import Places
from vsm_mcp.discovery.files.projects import node_project, python_project
from vsm_mcp.discovery.source import Context, SourceState
from vsm_mcp.discovery.wiring import matcher

FOLDER = Path("/srv/weather")


@pytest.mark.parametrize(
    ("document", "is_one"),
    [
        ({"name": "weather-mcp", "mcpName": "io.github.me/weather"}, True),
        ({"name": "weather", "keywords": ["weather", "MCP-Server"]}, True),
        ({"name": "weather-mcp", "bin": "x.js", "dependencies": {"@modelcontextprotocol/sdk": "1"}}, True),
        ({"name": "weather-mcp", "dependencies": {"@modelcontextprotocol/sdk": "1"}}, False),
        ({"name": "weather-mcp", "bin": "x.js"}, False),
        ({"name": "weather", "bin": "x.js", "dependencies": {"@modelcontextprotocol/sdk": "1"}}, False),
        ({"name": "mcp-client", "bin": "x", "dependencies": {"@modelcontextprotocol/sdk": "1"}}, False),
        ({"name": 3, "keywords": "mcp-server", "dependencies": []}, False),
        ([], False),
    ],
)
def test_packages_that_declare_themselves_servers(document: Any, is_one: bool) -> None:
    found = node_project(document, FOLDER)
    assert (found is not None) is is_one
    assert found is None or str(found.ref) == "dir:/srv/weather"


@pytest.mark.parametrize(
    ("project", "is_one"),
    [
        ({"name": "weather", "keywords": ["mcp-server"]}, True),
        ({"name": "weather-mcp", "scripts": {"w": "w:main"}, "dependencies": ["httpx", "mcp[cli]>=1.2"]}, True),
        ({"name": "weather", "description": "An MCP server", "scripts": {"w": "x"}, "dependencies": ["fastmcp"]}, True),
        ({"name": "weather-mcp", "dependencies": ["mcp"]}, False),
        ({"name": "weather-mcp", "scripts": {"w": "x"}, "dependencies": ["mcpx", "!!"]}, False),
        ({"name": "weather", "scripts": {"w": "x"}, "dependencies": ["mcp"]}, False),
        ("x", False),
    ],
)
def test_projects_that_declare_themselves_servers(project: Any, is_one: bool) -> None:
    assert (python_project({"project": project}, FOLDER) is not None) is is_one


def test_what_a_project_says_of_itself() -> None:
    said = {"description": "Forecasts", "keywords": ["mcp-server", "rain"], "version": "1.0", "license": "MIT"}
    node = node_project({"name": "w", "homepage": "https://h", **said}, FOLDER)
    python = python_project({"project": {"name": "w", "requires-python": ">=3.12", **said}}, FOLDER)
    for found in (node, python):
        assert found is not None
        assert (found.name, found.description, found.terms) == ("w", "Forecasts", "mcp-server rain")
        assert (found.facts.version, found.facts.licence) == ("1.0", "MIT")
    assert python is not None
    assert python.facts.requires_python == ">=3.12"


def test_the_names_of_programs_and_nothing_else(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for name in (
        *("mcp-server-time", "weather-mcp", "notes_mcp_server", "mcp_files.exe", "Time-MCP"),
        *("mcp", "vsm-mcp", "mcp-client", "mcp-remote", "python3", "mcpx", "smcp", "mcp-$(id)", "mcp server"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch {trap}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "no-program-mcp").write_text("")
    (tmp_path / "folder-mcp").mkdir()
    os.mkfifo(tmp_path / "pipe-mcp")
    found = programs(os.pathsep.join(["", ".", "/nowhere", str(tmp_path), str(tmp_path)]))
    assert [str(each.ref) for each in found] == [
        "cmd:Time-MCP",
        "cmd:mcp-server-time",
        "cmd:mcp_files",
        "cmd:notes_mcp_server",
        "cmd:weather-mcp",
    ]
    assert not trap.exists()


def test_a_folder_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"one": {"command": "npx", "args": ["one"]}}}))
    servers = {name: {"command": "npx", "args": [name]} for name in ("two", "off")}
    (tmp_path / ".mcp.json").write_text(json.dumps({"mcpServers": servers}))
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text(json.dumps({"disabledMcpjsonServers": ["off"]}))
    write(tmp_path / "files.mcpb")
    (tmp_path / "broken.mcpb").write_bytes(b"PK")
    (tmp_path / "package.json").write_text(json.dumps({"name": "here", "mcpName": "x"}))
    for name in ("below", "node_modules", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyproject.toml").write_text(f'[project]\nname = "{name}"\nkeywords = ["mcp-server"]')
    (tmp_path / "below" / "package.json").write_text("{")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    finds = look([tmp_path, tmp_path / "nowhere"], {}, Places({}, "linux"))
    assert sorted(str(each.ref) for each in finds.candidates) == sorted(
        [*("npm:one", "npm:two", f"mcpb:{tmp_path}/files.mcpb", f"dir:{tmp_path}"), f"dir:{tmp_path}/below"]
    )
    assert sorted(trouble.removeprefix(f"{tmp_path}/").split(":")[0] for trouble in finds.troubles) == [
        "below/package.json",
        "broken.mcpb",
    ]


async def test_the_source_offers_programs_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weather-forecast-mcp").touch(0o755)
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path), "PATH": str(tmp_path)}
    source = build(Context(load(tmp_path / "home", environ), matcher()))
    found = await discover("weather forecast", [source], matcher(), Options(timeout=60))
    assert [str(each.ref) for each in found.candidates] == ["cmd:weather-forecast-mcp"]
    assert found.reports[0].state is SourceState.OK


async def test_the_folders_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "mcp-servers" / "w").mkdir(parents=True)
    (tmp_path / "mcp-servers" / "w" / "package.json").write_text(json.dumps({"name": "w", "mcpName": "x"}))
    source = build(Context(load(tmp_path / "home", {"HOME": str(tmp_path)}), matcher()))
    assert [str(each.ref) for each in await source.search("w", 9)] == [f"dir:{tmp_path}/mcp-servers/w"]
