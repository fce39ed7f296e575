"""Kits: servers that belong together, in one JSON file of the form that MAGG has. Pure.

A kit is known by the stem of its file, not by its ``name``. What we do not know in it is kept as it is; what MAGG does
not know of a server of ours is under ``x-vsm-mcp``, so that a kit of either serves the other::

    {"name": …, "description": …, "author": …, "version": …, "keywords": […], "links": {…},
     "servers": {NAME: {"source": …, "command": …, "args": […], "env": {…}, "cwd": …, "uri": …, "notes": …,
                        "transport": {"headers": {…}}, "enabled": …,
                        "x-vsm-mcp": {"ref": "npm:NAME@VERSION", "secrets": [NAME, …], "settings": {…}}}}}

A kit holds no secret: a variable or header that holds one is written as ``${NAME}``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.model.client_file import Unfit, Unusable, Wanted, each_asked, name_of, pairs, wanted_of
from vsm_mcp.model.client_shapes import entries_of
from vsm_mcp.model.launch import Settings, names_secret
from vsm_mcp.model.ref import RefKind, parse_ref
from vsm_mcp.model.server import Server

OWN: Final = "x-vsm-mcp"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# What of the settings goes with a kit. What holds for one machine only, or would open it, is given there by a person.
_PORTABLE: Final = (
    *("args", "hosts", "paths", "cwd", "stateful", "lazy", "idle_stop_seconds", "restart", "listens", "health"),
    *("pool_size", "max_overflow", "calls_at_once", "queue_limit", "queue_seconds", "after", "permissions"),
    *("replica_of", "weight", "priority", "keep_home", "program"),
)
_DEFAULTS: Final = msgspec.to_builtins(Settings())


class Kit(msgspec.Struct, frozen=True):
    """One kit: ``stem`` is what it is known by, ``document`` all that its file holds."""

    stem: str
    document: Mapping[str, Any]

    @property
    def servers(self) -> Mapping[str, Any]:
        """Its servers as they are written; empty where they are no object."""
        servers = self.document.get("servers")
        return servers if isinstance(servers, Mapping) else {}

    def text(self, field: str) -> str:
        """Return one of its texts (``name``, ``description``, ``author``, ``version``); empty where there is none."""
        value = self.document.get(field)
        return value if isinstance(value, str) else ""

    @property
    def keywords(self) -> tuple[str, ...]:
        """Its keywords."""
        words = self.document.get("keywords")
        return tuple(word for word in words if isinstance(word, str)) if isinstance(words, list) else ()


def kit_of(document: Any, stem: str) -> Kit:
    """Return the kit that a document is. Raises ``ValueError`` saying why it is none."""
    if not usable_stem(stem):
        raise ValueError("its name cannot be that of a kit: use letters, digits, '.', '_' and '-'")
    if not isinstance(document, Mapping) or not isinstance(document.get("servers"), Mapping):
        raise ValueError("it is no kit: it has no servers")
    return Kit(stem, document)


def usable_stem(stem: str) -> bool:
    """Return whether a kit can be known by this."""
    return _STEM.fullmatch(stem) is not None


def asked_by_kit(kit: Kit, environ: Mapping[str, str]) -> tuple[tuple[Wanted, ...], tuple[Unusable, ...]]:
    """Return what a kit asks for, and what of it cannot be used; servers that are not enabled are left out."""
    written = kit.servers
    entries: dict[str, Any] = entries_of({"servers": written}, (("servers",),))
    return each_asked(entries, lambda title, entry: _asked(title, entry, environ))


def _asked(title: str, entry: Any, environ: Mapping[str, str]) -> Wanted:
    own = entry.get(OWN) if isinstance(entry, Mapping) else None
    if not isinstance(own, Mapping) or not isinstance(own.get("ref"), str):
        return wanted_of(title, entry, environ)
    given = own.get("settings", {})
    try:
        settings = msgspec.convert({key: given[key] for key in _PORTABLE if key in given}, Settings)
    except (msgspec.ValidationError, TypeError) as error:
        raise Unfit(f"its {OWN}: {error}") from error
    kept = own.get("secrets")
    secret = frozenset(kept) if isinstance(kept, list) and all(isinstance(name, str) for name in kept) else frozenset()
    env, headers = (pairs(entry.get(key) or {}, key, environ) for key in ("env", "headers"))
    hidden = {name: value for name, value in env.items() if name in secret or names_secret(name)}
    settings = msgspec.structs.replace(
        settings, env={name: value for name, value in env.items() if name not in hidden}, secrets={**hidden, **headers}
    )
    return Wanted(name=name_of(title), title=title, ref=str(parse_ref(own["ref"])), settings=settings)


def entry_of(server: Server, secrets: Collection[str]) -> dict[str, Any]:
    """Return a server as an entry of a kit; of its ``secrets`` (names), and what may be one, only the names."""
    settings = server.settings
    remote = server.ref.kind is RefKind.REMOTE
    named = {*secrets, *(name for name in server.env if names_secret(name))}
    values = {**server.env, **{name: f"${{{variable_of(name)}}}" for name in sorted(named)}}
    entry: dict[str, Any] = {"source": server.ref.identity}
    if remote:
        entry |= {"uri": server.ref.name, **({"transport": {"headers": values}} if values else {})}
    else:
        command, *args = argv_of(server)
        entry |= {"command": command, "args": args, **({"env": values} if values else {})}
    if settings.cwd:
        entry["cwd"] = settings.cwd
    if server.description:
        entry["notes"] = server.description
    entry["enabled"] = server.enabled and not server.quarantined
    entry[OWN] = {"ref": _pinned(server), "secrets": sorted(named), "settings": _portable(server)}
    return entry


def variable_of(name: str) -> str:
    """Return the variable that stands for a secret, which may be the name of a header."""
    return (
        name if _VARIABLE.fullmatch(name) else re.sub(r"[^A-Za-z0-9_]", "_", f"_{name}").upper()[name[:1].isalpha() :]
    )


def argv_of(server: Server) -> list[str]:
    """Return the command line with which other programs start a server; of a package, the one that fetches it."""
    name, version, args = server.ref.name, server.version, server.args
    match server.ref.kind:
        case RefKind.NPM:
            return ["npx", "-y", f"{name}@{version}", *args]
        case RefKind.PYPI:
            program = server.installation.entry.argv[-1].rpartition("/")[2] if server.installation.entry.argv else name
            package = f"{name}=={version}"
            return ["uvx", *((package,) if program == name else ("--from", package, program)), *args]
        case RefKind.OCI:
            return ["docker", "run", "-i", "--rm", name, *args]
        case RefKind.CMD:
            return [*shlex.split(name), *args]
        case _:
            return [str(server.ref), *args]


def _pinned(server: Server) -> str:
    fixed = server.ref.kind in (RefKind.NPM, RefKind.PYPI)
    return str(server.ref.at(server.version) if fixed else server.ref)


def _portable(server: Server) -> dict[str, Any]:
    """Return what of the settings goes with a kit, less what is as it is anyway."""
    given: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(server.settings, args=server.args))
    return {key: given[key] for key in _PORTABLE if given[key] != _DEFAULTS[key]}


def client_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a kit in the ``mcpServers`` form."""
    if "uri" in entry:
        headers = entry.get("transport", {}).get("headers", {})
        return {"type": "http", "url": entry["uri"], **({"headers": headers} if headers else {})}
    return {key: entry[key] for key in ("command", "args", "env", "cwd") if key in entry}


def joined(kit: Kit | None, head: Mapping[str, Any], servers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the document of a kit with ``servers`` put in; what else the ``kit`` had before, and they had, is kept.

    ``head`` (name, description, …) takes the place of what was there.
    """
    before = dict(kit.document) if kit else {}
    had = kit.servers if kit else {}
    ours = ("command", "args", "env", "cwd", "uri", "transport", "enabled", OWN)
    entries = dict(had)
    for name, entry in servers.items():
        old = had.get(name)
        kept = {key: value for key, value in old.items() if key not in ours} if isinstance(old, Mapping) else {}
        entries[name] = {**entry, **kept}
    return {**before, **head, "servers": entries}
