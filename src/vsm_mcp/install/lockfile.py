"""``vsm-mcp.lock``: everything that is served, exactly, in one document that travels. Pure.

JSON with sorted names and one value a line, so that a difference shows what changed. It holds no secret and no
address: which registry a file comes from is a matter of the machine, which file it is, is not (its hash). Paths below
a person's home begin with ``${HOME}``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.errors import ConfigError
from vsm_mcp.model.unreadable import UNREADABLE

NAME: Final = "vsm-mcp.lock"
SCHEMA: Final = 1
MAX_BYTES: Final = 64 * 1024 * 1024
MASK: Final = "***"
_HOME: Final = "${HOME}"
_ABSENT: Final = "not there"


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """The hash over all installed files of a version on one ``platform``; native parts differ between platforms."""

    platform: str = ""
    sha256: str = ""


class Vetted(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks amounted to: ``findings`` are ``rule where`` of those that want a look."""

    judgement: str = ""
    findings: tuple[str, ...] = ()
    digest: str = ""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What the trial found that does not hang on the machine."""

    era: str = ""
    protocol: str = ""
    transport: str = ""
    digest: str = ""


class LockedServer(msgspec.Struct, frozen=True, kw_only=True):
    """One server.

    ``tree`` is the tool's own lock: npm's as an object (without addresses), uv's as its lines. ``integrity`` is
    ``algorithm:hex`` of the top-level archive. ``provenance`` are the answers of the checks that look at signatures
    and attestations. ``entry`` is the server as a kit has it: arguments, variables, names of secrets, permissions,
    hosts. ``licences`` is what the server (under the empty name) and its Python packages say of theirs, in SPDX where
    it can be read; npm's lock says those of npm's packages. ``builders`` is uv's lock of what built it, as lines; what
    builds a project of npm's is in ``tree``. ``scripts`` and ``network`` say that install scripts, or the whole
    network, were allowed.
    """

    ref: str
    version: str
    integrity: str = ""
    constraints: tuple[str, ...] = ()
    tree: dict[str, Any] | list[str] | None = None
    files: Files = Files()
    provenance: dict[str, str] = {}
    pins: dict[str, str] = {}
    vetting: Vetted = Vetted()
    trial: Tried = Tried()
    entry: dict[str, Any] = {}
    licences: dict[str, str] = {}
    builders: list[str] = []
    scripts: bool = False
    network: bool = False


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """The document: its ``schema``, and every server by name."""

    schema: int = SCHEMA
    servers: dict[str, LockedServer] = {}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as it was locked."""

    server: str
    item: str
    locked: str
    found: str


def dumps(lock: Lock) -> bytes:
    """Return the document as bytes; the same lock gives the same bytes."""
    return (json.dumps(msgspec.to_builtins(lock), indent=2, sort_keys=True, ensure_ascii=True) + "\n").encode()


def loads(data: bytes) -> Lock:
    """Read a document. Raises :class:`ConfigError`."""
    if len(data) > MAX_BYTES:
        raise ConfigError(f"the lock is larger than {MAX_BYTES >> 20} MB", "it is none of ours")
    try:
        lock = msgspec.json.decode(data, type=Lock)
    except UNREADABLE as error:
        raise ConfigError(f"the lock cannot be read: {error}", "write it again: vsm-mcp lock") from error
    if lock.schema != SCHEMA:
        raise ConfigError(f"the lock has the schema {lock.schema}, and this version knows {SCHEMA}", "update vsm-mcp")
    trees = {name: tree_of(text_of(each.tree)) for name, each in lock.servers.items()}
    servers = {name: msgspec.structs.replace(each, tree=trees[name]) for name, each in lock.servers.items()}
    return msgspec.structs.replace(lock, servers=servers)


def digest(value: Any) -> str:
    """Return ``sha256:hex`` over a value as JSON with sorted names."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def tree_of(text: str) -> dict[str, Any] | list[str] | None:
    """Return a tool's lock as the document has it: npm's without addresses. Raises ``ValueError`` for broken JSON."""
    if not text.strip():
        return None
    if not text.lstrip().startswith("{"):
        return [line.rstrip() for line in text.splitlines() if line.strip()]
    lock: dict[str, Any] = json.loads(text)
    if isinstance(packages := lock.get("packages"), dict):
        lock["packages"] = {path: _without_address(entry) for path, entry in packages.items()}
    return lock


def _without_address(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {key: value for key, value in entry.items() if key not in ("resolved", "funding")}


def text_of(tree: dict[str, Any] | list[str] | None) -> str:
    """Return the tool's lock that a tree stands for."""
    if tree is None:
        return ""
    return "\n".join(tree) + "\n" if isinstance(tree, list) else json.dumps(tree, indent=2) + "\n"


def portable(value: Any, home: str) -> Any:
    """Return a value in which every path below ``home`` begins with ``${HOME}``."""
    return _mapped(value, lambda text: _HOME + text[len(home) :] if _below(text, home) else text)


def expanded(value: Any, home: str) -> Any:
    """Return a value in which paths that begin with ``${HOME}`` are below ``home``."""
    return _mapped(value, lambda text: home + text[len(_HOME) :] if _below(text, _HOME) else text)


def _below(text: str, folder: str) -> bool:
    return len(folder) > 1 and (text == folder or text.startswith(f"{folder}/"))


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _mapped(each, change) for key, each in value.items()}
    return [_mapped(each, change) for each in value] if isinstance(value, (list, tuple)) else value


def differences(locked: Lock, found: Lock) -> tuple[Difference, ...]:
    """Return what is not as it was locked, by server; servers that are only on one side, too."""
    rows: list[Difference] = []
    for name in sorted(locked.servers.keys() | found.servers.keys()):
        one, other = locked.servers.get(name), found.servers.get(name)
        if one is None or other is None:
            words = (_ABSENT, "there") if one is None else ("there", _ABSENT)
            rows.append(Difference(server=name, item="server", locked=words[0], found=words[1]))
        else:
            rows += [Difference(server=name, item=item, locked=a, found=b) for item, a, b in unlike(one, other)]
    return tuple(rows)


def unlike(locked: LockedServer, found: LockedServer) -> Iterator[tuple[str, str, str]]:
    """Yield what of one server differs: ``(item, locked, found)``; files only where both are of one platform."""
    one, other = _facts(locked), _facts(found)
    if locked.files.platform != found.files.platform:
        other["files"] = one["files"]
    if not locked.builders:  # nothing built it, or the lock is older than that this is written down
        other["builders"] = one["builders"]
    for item in dict.fromkeys([*one, *other]):
        if one.get(item) != other.get(item):
            yield item, one.get(item, _ABSENT), other.get(item, _ABSENT)


def _facts(locked: LockedServer) -> dict[str, str]:
    """Return what counts of a server, each as a short text by name."""
    return {
        **{item: getattr(locked, item) for item in ("ref", "version", "integrity")},
        "dependencies": digest(locked.tree),
        "builders": digest(locked.builders),
        "files": locked.files.sha256,
        **{f"pin {key}": value for key, value in sorted(locked.pins.items())},
        "vetting": locked.vetting.digest,
        "trial": locked.trial.digest,
        "settings": digest(locked.entry),
        **{item: digest(getattr(locked, item)) for item in ("constraints", "provenance", "scripts", "network")},
    }
