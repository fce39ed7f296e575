"""Reads and writes the lock of a Python installation: a requirements file with hashes, as uv compiles it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.model.moments import stamp
from vsm_mcp.model.ref import normalise_pypi
from vsm_mcp.registries.addresses import Addresses

_PINNED: Final = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_NAMED: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_HASH: Final = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def name_of(requirement: str) -> str:
    """Return the normalised name at the beginning of a requirement (PEP 508), or ``""``."""
    found = _NAMED.match(requirement)
    return normalise_pypi(found.group(1)) if found else ""


def versions(lock: str) -> dict[str, str]:
    """Return ``{package: version}``."""
    return {normalise_pypi(name): version for name, version in _PINNED.findall(lock)}


def hashes(lock: str) -> dict[str, frozenset[str]]:
    """Return ``{package: {"sha256:hex", …}}``."""
    return {normalise_pypi(name): frozenset(_HASH.findall(block)) for name, block in _blocks(lock)}


def pinned_to_file(lock: str, package: str, archive: Path, digest: str, built: tuple[Path, str] | None = None) -> str:
    """Return the lock with ``package`` (``name==version``) taken from ``archive`` alone, which was fetched and vetted.

    Of a source distribution, what was ``built`` of it is taken: the file and its digest.
    Raises :class:`InstallFailed` when the lock does not hold it, or not with that hash.
    """
    own = normalise_pypi(package.split("==", 1)[0])
    if digest not in hashes(lock).get(own, frozenset()):
        raise InstallFailed(f"{archive.name} is not the file that was locked for {package}", "resolve it again")
    kept = [block for name, block in _blocks(lock) if normalise_pypi(name) != own]
    file, hashed = built or (archive, digest)
    return "".join([f"{own} @ {file.as_uri()} --hash={hashed}\n", *kept])


def newer_than(until: datetime.datetime | None, others: Mapping[str, datetime.datetime | None]) -> tuple[str, ...]:
    """Return uv's options for a cool-down: nothing published after ``until``.

    ``others`` are packages for which another moment counts, or none at all.
    """
    if until is None:
        return ()
    own = (f"{name}={stamp(at) if at else 'false'}" for name, at in others.items())
    return ("--exclude-newer", stamp(until), *(word for each in own for word in ("--exclude-newer-package", each)))


def uv_environ(addresses: Addresses) -> dict[str, str]:
    """Return uv's settings for the indexes of this machine; in the environment, for addresses may hold passwords.

    pip takes the best version over all its indexes, so uv is told to do the same where pip's settings are used.
    """
    python = addresses.python
    settings = {"UV_PYTHON_DOWNLOADS": "never"}
    patience = {"UV_HTTP_RETRIES": "1", "UV_HTTP_TIMEOUT": "30"}
    settings |= {name: value for name, value in patience.items() if name not in addresses.environ}
    if addresses.ca_file and "SSL_CERT_FILE" not in addresses.environ:
        settings["SSL_CERT_FILE"] = addresses.ca_file
    if python.proxy and "https" in addresses.proxies:
        settings |= {"HTTPS_PROXY": addresses.proxies["https"]}
    if python.origin != "pip":
        return settings
    pairs = {
        "UV_DEFAULT_INDEX": python.index,
        "UV_INDEX": " ".join(python.extra),
        "UV_FIND_LINKS": ",".join(python.find_links),
        "UV_NO_INDEX": "1" if python.no_index else "",
        "UV_INSECURE_HOST": " ".join(python.trusted_hosts),
        "UV_INDEX_STRATEGY": addresses.environ.get("UV_INDEX_STRATEGY", "unsafe-best-match"),
    }
    return settings | {name: value for name, value in pairs.items() if value}


def _blocks(lock: str) -> list[tuple[str, str]]:
    """Return ``(name, its lines)`` of each requirement; lines that begin with a space or a dash belong to it."""
    blocks: list[tuple[str, str]] = []
    for line in lock.splitlines(keepends=True):
        start = _PINNED.match(line)
        if start is not None:
            blocks.append((start.group(1), line))
        elif blocks and line[:1] in {" ", "\t"}:
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + line)
    return blocks
