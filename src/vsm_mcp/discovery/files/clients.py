"""The servers that the clients of this machine are set up with (entry point ``vsm_mcp.sources: clients``).

Their settings are read where each client's documentation says they are, and never written. What a client has switched
off is left out, as far as it says so in a file: Cursor and VS Code keep some of their switches in databases of their
own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from vsm_mcp.discovery.files.file_source import FileSource, Finds
from vsm_mcp.discovery.files.places import Places, project_folders
from vsm_mcp.discovery.source import Context
from vsm_mcp.model.client_shapes import Root, entries_of, rooted

_MCP_SERVERS: Final[Root] = ("mcpServers",)
_CODE: Final = ("{data}/Code/User", "{data}/Code - Insiders/User")
_CLINE: Final = "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"


class Client(NamedTuple):
    """Where a client has its settings: of the user (``files``), of a project (``project``), of Windows (``windows``).

    ``roots`` lead to the servers in them.
    """

    files: tuple[str, ...]
    project: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    roots: tuple[Root, ...] = (_MCP_SERVERS,)


CLIENTS: Final = {
    "claude-desktop": Client(("{data}/Claude/claude_desktop_config.json",)),
    "claude-code": Client(("~/.claude.json",), (".mcp.json",)),
    "vscode": Client(
        tuple(f"{folder}/{name}" for folder in _CODE for name in ("mcp.json", "settings.json")),
        (".vscode/mcp.json", ".vscode/settings.json"),
        roots=(("servers",), ("mcp", "servers")),
    ),
    "cursor": Client(("~/.cursor/mcp.json",), (".cursor/mcp.json",)),
    "codex": Client(
        ("{CODEX_HOME}/config.toml", "~/.codex/config.toml"), (".codex/config.toml",), roots=(("mcp_servers",),)
    ),
    "gemini-cli": Client(("~/.gemini/settings.json",), (".gemini/settings.json",)),
    "windsurf": Client(("~/.codeium/windsurf/mcp_config.json",)),
    "zed": Client(
        ("{config}/zed/settings.json",),
        (".zed/settings.json",),
        ("{config}/Zed/settings.json",),
        (("context_servers",),),
    ),
    "opencode": Client(
        ("{OPENCODE_CONFIG}", "{config}/opencode/opencode.json", "{config}/opencode/opencode.jsonc"),
        ("opencode.json", "opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc"),
        ("{OPENCODE_CONFIG}", "~/.config/opencode/opencode.json", "~/.config/opencode/opencode.jsonc"),
        (("mcp", "servers"), ("mcp",)),
    ),
    "goose": Client(
        ("~/.config/goose/config.yaml",),
        (),
        ("{config}/Block/goose/config/config.yaml",),
        (("extensions",),),
    ),
    "cline": Client(
        (*(f"{folder}/{_CLINE}" for folder in _CODE), "~/.cline/data/settings/cline_mcp_settings.json"),
    ),
    "kiro": Client(("~/.kiro/settings/mcp.json",), (".kiro/settings/mcp.json",)),
}
"""The clients whose settings are read."""


def files_of(client: Client, places: Places, projects: Sequence[Path]) -> list[tuple[Path, Path | None]]:
    """Return the files of a client, each with the project it is of (``None``: the user's)."""
    texts = client.windows if client.windows and places.platform == "win32" else client.files
    own: list[tuple[Path, Path | None]] = [(path, None) for path in map(places.path, texts) if path is not None]
    return [*own, *((folder / name, folder) for folder in projects for name in client.project)]


def look(places: Places, projects: Sequence[Path]) -> Finds:
    """Read the settings of all clients."""
    finds = Finds()
    claude = ClaudeCode(places, finds)
    claude.take_projects()
    for name, client in CLIENTS.items():
        for path, project in files_of(client, places, projects):
            document = finds.document(path)
            found = rooted(document, client.roots)
            if found is None:
                continue
            theirs = name == "claude-code" and project is not None
            without = claude.off(project) if theirs and project else _excluded(document, found)
            finds.take(path, entries_of(document, client.roots), without, project)
    return finds


class ClaudeCode:
    """What Claude Code has beside the plain form: servers of single projects, and which it is not to use."""

    def __init__(self, places: Places, finds: Finds) -> None:
        self._finds = finds
        self._path = places.path("~/.claude.json")
        self._settings = places.path("~/.claude/settings.json")

    @functools.cached_property
    def _projects(self) -> Mapping[str, Any]:
        document = self._finds.document(self._path) if self._path else None
        projects = document.get("projects") if isinstance(document, Mapping) else None
        return projects if isinstance(projects, Mapping) else {}

    def take_projects(self) -> None:
        """Take in the servers of single projects."""
        for folder, project in self._projects.items():
            if self._path and isinstance(project, Mapping) and isinstance(project.get("mcpServers"), Mapping):
                without = _texts(project.get("disabledMcpServers"))
                self._finds.take(self._path, entries_of(project, (_MCP_SERVERS,)), without, Path(folder))

    def off(self, project: Path) -> list[str]:
        """Return the servers of a project's ``.mcp.json`` that are switched off."""
        local = (project / ".claude" / name for name in ("settings.json", "settings.local.json"))
        documents = [self._finds.document(path) for path in (self._settings, *local) if path is not None]
        documents.append(self._projects.get(str(project)))
        keys = ("disabledMcpjsonServers", "disabledMcpServers")
        return [
            name for each in documents if isinstance(each, Mapping) for key in keys for name in _texts(each.get(key))
        ]


def _excluded(document: Mapping[str, Any], entries: object) -> Iterable[str]:
    """Return the servers that Gemini CLI's lists leave out (older versions had them at the top)."""
    lists = document.get("mcp")
    lists = lists if isinstance(lists, Mapping) else {}
    excluded = {*_texts(lists.get("excluded")), *_texts(document.get("excludeMCPServers"))}
    allowed = lists.get("allowed", document.get("allowMCPServers"))
    if isinstance(allowed, list) and isinstance(entries, Mapping):
        excluded |= set(entries) - set(_texts(allowed))
    return excluded


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def build(context: Context) -> FileSource:
    """Build the source."""
    places = Places(context.config.environ)
    return FileSource("clients", functools.partial(_look, places), context.matcher)


def _look(places: Places) -> Finds:
    return look(places, project_folders(places))
