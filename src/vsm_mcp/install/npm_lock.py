"""Reads npm's lock file (``package-lock.json``, lockfileVersion 3) and the install scripts beside it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.installer import Script

_HOOKS: Final = ("preinstall", "install", "postinstall")
_TREE: Final = "node_modules/"


def entries(lock: str) -> dict[str, dict[str, Any]]:
    """Return ``{path: entry}`` of all installed packages; the path starts with ``node_modules/``."""
    packages: dict[str, dict[str, Any]] = msgspec.json.decode(lock).get("packages", {})
    return {path: entry for path, entry in packages.items() if path}


def versions(lock: str, *, dev: bool = True) -> dict[str, str]:
    """Return ``{package: version}``; a package that another one brings along is ``outer/node_modules/inner``.

    Without ``dev``, what only those who develop a project need is left out.
    """
    found = {path: entry for path, entry in entries(lock).items() if dev or not entry.get("dev")}
    return {path.removeprefix(_TREE): str(entry.get("version", "")) for path, entry in found.items()}


def addresses(path: Path) -> tuple[str, ...]:
    """Return where the files of a lock are, each server once; nothing where there is no lock yet."""
    try:
        found = [str(entry.get("resolved", "")) for entry in entries(path.read_text("utf-8")).values()]
    except (OSError, msgspec.DecodeError):
        return ()
    return tuple({"/".join(url.split("/", 3)[:3]): None for url in found if url.startswith("http")})


def with_address(lock: str, name: str, published: dict[str, Any]) -> str:
    """Return a lock without addresses with the one of its top-level package, as this machine's registry has it."""
    document = msgspec.json.decode(lock)
    entry, url = document.get("packages", {}).get(f"{_TREE}{name}"), (published.get("dist") or {}).get("tarball")
    if isinstance(entry, dict) and isinstance(url, str):
        entry.setdefault("resolved", url)
    return msgspec.json.encode(document).decode()


def check(package: str, lock: str, *, dev: bool = True) -> None:
    """Refuse a tree that is not wholly made of hashed files from a registry. Raises :class:`InstallFailed`.

    Without ``dev``, what only those who develop a project need may be anything: it is not installed.
    """
    for path, entry in entries(lock).items():
        if entry.get("dev") and not dev:
            continue
        name = path.rsplit(_TREE, 1)[-1]
        if not path.startswith(_TREE) or ".." in path.split("/"):
            raise InstallFailed(f"{package} wants files outside its own directory: {path!r}", _UNSAFE)
        if entry.get("link"):
            raise InstallFailed(f"{package} depends on {name} by a link to this machine", _UNSAFE)
        if entry.get("inBundle"):
            continue  # its bytes are part of the archive that holds it
        resolved = str(entry.get("resolved", "https://"))
        if not resolved.startswith(("https://", "http://")):
            raise InstallFailed(
                f"{package} depends on {name} from {resolved.split(':', 1)[0]}, not a registry", _UNSAFE
            )
        if not entry.get("integrity"):
            raise InstallFailed(f"{package} depends on {name}, for which the registry gives no hash", _UNSAFE)


_UNSAFE: Final = "its dependencies cannot be pinned and verified; choose another version or package"


def strangers(lock: str, other: str) -> frozenset[str]:
    """Return the packages of another lock whose place or hash is not in ``lock``."""
    known = {(path, entry.get("integrity")) for path, entry in entries(lock).items()}
    found = {(path, entry.get("integrity")) for path, entry in entries(other).items()}
    return frozenset(path for path, _ in found - known)


def hex_digest(integrity: str) -> str:
    """Return ``algorithm:hex`` of the strongest hash of a Subresource Integrity text, or ``""``."""
    found: dict[str, str] = {}
    for word in integrity.split():
        algorithm, dash, encoded = word.partition("-")
        if dash and algorithm in {"sha512", "sha384", "sha256", "sha1"}:
            found[algorithm] = base64.b64decode(encoded.split("?", 1)[0]).hex()
    best = next((name for name in ("sha512", "sha384", "sha256", "sha1") if name in found), "")
    return f"{best}:{found[best]}" if best else ""


def scripts_of(root: Path, lock: str) -> tuple[Script, ...]:
    """Return the install scripts of all packages below ``root``, read from their own package.json.

    The lock's ``hasInstallScript`` comes from the registry, and some mirrors strip it.
    """
    return tuple(script for path in entries(lock) for script in _hooks(root / path, path.removeprefix(_TREE)))


def _hooks(folder: Path, package: str) -> Iterator[Script]:
    try:
        manifest = msgspec.json.decode((folder / "package.json").read_bytes())
    except (OSError, msgspec.DecodeError):
        return  # not installed: for another platform
    hooks = manifest.get("scripts") if isinstance(manifest, dict) else None
    hooks = hooks if isinstance(hooks, dict) else {}
    found = [name for name in _HOOKS if isinstance(hooks.get(name), str) and hooks[name].strip()]
    for name in found:
        yield Script(package=package, name=name, command=str(hooks[name])[:500], ran=False)
    # npm's own rule: binding.gyp without install and preinstall means `node-gyp rebuild`
    gyp = manifest.get("gypfile", True) is not False and (folder / "binding.gyp").is_file()
    if gyp and not {"install", "preinstall"} & set(found):
        yield Script(package=package, name="install", command="node-gyp rebuild", ran=False)
