from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from vsm_mcp.config import load
from vsm_mcp.discovery.engine import Options, discover
from vsm_mcp.discovery.files.clients import CLIENTS, build, files_of, look
from vsm_mcp.discovery.files.places import Places, project_folders
from vsm_mcp.discovery.source import Context, SourceState
from vsm_mcp.discovery.wiring import matcher

SECRET = "5f4dcc3b5aa765d61d8327deb882cf99"
ENTRY = {"command": "npx", "args": ["-y", "one-mcp"], "env": {"ONE_KEY": SECRET}}
TOML = f"""
model = "x"
[mcp_servers.one]
command = "npx"
args = ["-y", "one-mcp"]
env = {{ ONE_KEY = "{SECRET}" }}
[mcp_servers.off]
command = "npx"
args = ["off-mcp"]
enabled = false
"""
YAML = f"""
GOOSE_PROVIDER: anthropic
extensions:
  developer: {{type: builtin, enabled: true, name: developer}}
  one: {{type: stdio, enabled: true, cmd: npx, args: [-y, one-mcp], envs: {{ONE_KEY: "{SECRET}"}}}}
  off: {{type: stdio, enabled: false, cmd: npx, args: [off-mcp]}}
"""


def mcp_servers(**beside: Any) -> str:
    off = {"command": "npx", "args": ["off-mcp"], "disabled": True}
    return json.dumps({"mcpServers": {"one": ENTRY, "off": off}, **beside})


ZED = f"""{{
  // settings of Zed
  "theme": "One",
  "context_servers": {{
    "one": {{"source": "custom", "command": "npx", "args": ["-y", "one-mcp"], "env": {{"ONE_KEY": "{SECRET}"}}}},
    "off": {{"enabled": false, "command": "npx", "args": ["off-mcp"]}},
    "there": {{"source": "extension", "settings": {{}}}},
  }},
}}"""
OPENCODE = json.dumps(
    {
        "mcp": {
            "one": {"type": "local", "command": ["npx", "-y", "one-mcp"], "environment": {"ONE_KEY": SECRET}},
            "off": {"type": "local", "command": ["npx", "off-mcp"], "enabled": False},
        }
    }
)
GEMINI = mcp_servers(mcp={"excluded": ["barred"]})


@pytest.mark.parametrize(
    ("platform", "path", "text"),
    [
        ("linux", ".config/Claude/claude_desktop_config.json", mcp_servers()),
        ("darwin", "Library/Application Support/Claude/claude_desktop_config.json", mcp_servers()),
        ("win32", "AppData/Claude/claude_desktop_config.json", mcp_servers()),
        ("linux", ".claude.json", mcp_servers(numStartups=3)),
        ("linux", ".config/Code/User/mcp.json", json.dumps({"servers": {"one": ENTRY}, "inputs": []})),
        ("darwin", "Library/Application Support/Code/User/mcp.json", json.dumps({"servers": {"one": ENTRY}})),
        ("win32", "AppData/Code/User/settings.json", json.dumps({"mcp": {"servers": {"one": ENTRY}}})),
        ("linux", "project/.vscode/mcp.json", json.dumps({"servers": {"one": {**ENTRY, "type": "stdio"}}})),
        ("linux", ".cursor/mcp.json", mcp_servers()),
        ("win32", ".cursor/mcp.json", mcp_servers()),
        ("linux", "project/.cursor/mcp.json", mcp_servers()),
        ("linux", ".codex/config.toml", TOML),
        ("linux", "project/.codex/config.toml", TOML),
        ("linux", ".gemini/settings.json", GEMINI),
        ("linux", ".codeium/windsurf/mcp_config.json", mcp_servers()),
        ("linux", ".config/zed/settings.json", ZED),
        ("darwin", ".config/zed/settings.json", ZED),
        ("win32", "AppData/Zed/settings.json", ZED),
        ("linux", ".config/opencode/opencode.json", OPENCODE),
        ("win32", ".config/opencode/opencode.jsonc", OPENCODE),
        ("linux", "project/.opencode/opencode.jsonc", OPENCODE),
        ("linux", ".config/goose/config.yaml", YAML),
        ("win32", "AppData/Block/goose/config/config.yaml", YAML),
        (
            "linux",
            ".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            mcp_servers(),
        ),
        ("linux", ".cline/data/settings/cline_mcp_settings.json", mcp_servers()),
        ("linux", ".kiro/settings/mcp.json", mcp_servers()),
        ("linux", "project/.kiro/settings/mcp.json", mcp_servers()),
        ("linux", "project/.mcp.json", mcp_servers()),
    ],
)
def test_the_settings_of_each_client_are_found_and_read(tmp_path: Path, platform: str, path: str, text: str) -> None:
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    finds = look(places(tmp_path, platform), [tmp_path / "project"])
    assert finds.troubles == []
    assert [(str(each.ref), each.name) for each in finds.candidates] == [("npm:one-mcp", "one")]
    assert SECRET.encode() not in msgspec.json.encode(finds.candidates)
    assert file.read_text("utf-8") == text


def places(home: Path, platform: str = "linux") -> Places:
    environ = {"HOME": str(home), "USERPROFILE": str(home), "APPDATA": str(home / "AppData")}
    return Places(environ, platform)


def test_all_clients_of_the_reference_are_there() -> None:
    named = "claude-code claude-desktop cline codex cursor gemini-cli goose kiro opencode vscode windsurf zed"
    assert " ".join(sorted(CLIENTS)) == named


def test_folders_that_the_environment_names(tmp_path: Path) -> None:
    (tmp_path / "codex").mkdir()
    (tmp_path / "codex" / "config.toml").write_text(TOML)
    (tmp_path / "xdg" / "zed").mkdir(parents=True)
    (tmp_path / "xdg" / "zed" / "settings.json").write_text(ZED)
    environ = {"HOME": str(tmp_path), "CODEX_HOME": str(tmp_path / "codex"), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert len(look(Places(environ, "linux"), []).candidates) == 2


def test_without_a_home_nothing_is_read() -> None:
    assert [files_of(client, Places({}, "linux"), []) for client in CLIENTS.values()] == [[]] * len(CLIENTS)
    assert files_of(CLIENTS["cursor"], Places({"HOME": "relative"}, "linux"), []) == []


def test_what_claude_code_keeps_for_projects_and_has_switched_off(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".claude").mkdir(parents=True)
    servers = {name: {"command": "npx", "args": [f"{name}-mcp"]} for name in ("a", "b", "c", "d")}
    (project / ".mcp.json").write_text(json.dumps({"mcpServers": servers}))
    (project / ".claude" / "settings.local.json").write_text(json.dumps({"disabledMcpjsonServers": ["a"]}))
    kept = {"mcpServers": {"own": ENTRY, "gone": ENTRY}, "disabledMcpServers": ["b", "gone"]}
    (tmp_path / ".claude.json").write_text(json.dumps({"projects": {str(project): kept, "/x": None}}))
    finds = look(places(tmp_path), [project])
    assert sorted(each.name for each in finds.candidates) == ["c", "d", "own"]


@pytest.mark.parametrize(
    ("lists", "names"),
    [
        ({}, {"one", "two"}),
        ({"mcp": {"excluded": ["one"]}}, {"two"}),
        ({"mcp": {"allowed": ["one"]}}, {"one"}),
        ({"excludeMCPServers": ["two"]}, {"one"}),
        ({"allowMCPServers": []}, set()),
        ({"mcp": "x"}, {"one", "two"}),
    ],
)
def test_the_lists_of_gemini_cli(tmp_path: Path, lists: dict[str, Any], names: set[str]) -> None:
    (tmp_path / ".gemini").mkdir()
    two = {"httpUrl": "https://h/mcp"}
    (tmp_path / ".gemini" / "settings.json").write_text(json.dumps({"mcpServers": {"one": ENTRY, "two": two}, **lists}))
    assert {each.name for each in look(places(tmp_path), []).candidates} == names


async def test_a_file_that_cannot_be_used_costs_the_others_nothing(tmp_path: Path) -> None:
    for name in (".cursor", ".gemini", ".kiro/settings", ".codeium/windsurf", ".codex"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".cursor" / "mcp.json").write_text(mcp_servers())
    (tmp_path / ".gemini" / "settings.json").write_text(f'{{"mcpServers": {{"x": "{SECRET}"')
    os.mkfifo(tmp_path / ".kiro" / "settings" / "mcp.json")
    (tmp_path / ".codeium" / "windsurf" / "mcp_config.json").write_text('{"mcpServers": [1]}')
    (tmp_path / ".codex" / "config.toml").mkdir()
    context = Context(load(tmp_path / "home", {"HOME": str(tmp_path)}), matcher())
    source = build(context)
    found = await discover("one", [source], matcher(), Options(timeout=60, threshold=0.0))
    assert [str(each.ref) for each in found.candidates] == ["npm:one-mcp"]
    assert found.reports[0].state is SourceState.OK
    assert source.detail.count("; ") == 2
    assert source.detail.endswith("(and 1 more)")
    assert SECRET not in source.detail


async def test_where_nothing_can_be_read_the_source_says_so(tmp_path: Path) -> None:
    (tmp_path / ".cursor" / "mcp.json").mkdir(parents=True)
    source = build(Context(load(tmp_path / "home", {"HOME": str(tmp_path)}), matcher()))
    found = await discover("one", [source], matcher(), Options(timeout=60))
    assert found.reports[0].state is SourceState.UNAVAILABLE
    assert "no regular file" in found.reports[0].detail


async def test_of_many_servers_those_that_fit_are_offered(tmp_path: Path) -> None:
    servers: dict[str, Any] = {f"s{n}": {"command": "npx", "args": [f"zzz{n}"]} for n in range(200)}
    servers["postgres"] = {"command": "npx", "args": ["mcp-postgres"], "description": "Query a PostgreSQL database"}
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    source = build(Context(load(tmp_path / "home", {"HOME": str(tmp_path)}), matcher()))
    found = await source.search("query a postgresql database", 5)
    assert len(found) == 5
    assert str(found[0].ref) == "npm:mcp-postgres"


def test_the_project_is_where_we_are_and_the_repository_around_it(tmp_path: Path) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    deep = tmp_path / "repository" / "a" / "b"
    deep.mkdir(parents=True)
    home = places(tmp_path)
    assert project_folders(home, deep) == [deep, tmp_path / "repository"]
    assert project_folders(home, tmp_path / "repository") == [tmp_path / "repository"]
    assert project_folders(home, tmp_path) == []
    assert project_folders(home, Path("/")) == []
    assert project_folders(home, tmp_path / "elsewhere") == [tmp_path / "elsewhere"]


def test_the_documentation_names_every_file() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "sources.md").read_text("utf-8")
    for client in CLIENTS.values():
        for text in (*client.files, *client.project, *client.windows):
            assert Path(text).name.strip("{}") in page, text
