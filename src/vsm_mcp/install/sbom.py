"""The lock as a software bill of materials: CycloneDX 1.6, JSON. Pure.

Every server is an application with its own packages inside; npm's as they lie, Python's as uv locked them. The same
lock gives the same document, so it carries no time, and its serial number is made from what it holds.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from vsm_mcp import __version__
from vsm_mcp.install import python_lock
from vsm_mcp.install.licences import choices
from vsm_mcp.install.lockfile import Lock, LockedServer, digest, text_of
from vsm_mcp.model.ref import RefKind, parse_ref

_ALGORITHMS: Final = {"sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}
OWN: Final = ""
"""What the server itself is called among the ``licences`` of a lock."""
_TREE: Final = "node_modules/"


def cyclonedx(lock: Lock) -> dict[str, Any]:
    """Return the document."""
    servers = [_server(name, locked) for name, locked in sorted(lock.servers.items())]
    serial = uuid.uuid5(uuid.NAMESPACE_OID, digest(servers))
    tool = {"type": "application", "name": "vsm-mcp", "version": __version__}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "tools": {"components": [tool]},
            "component": {"type": "application", "bom-ref": "fleet", "name": "mcp-servers"},
        },
        "components": servers,
        "dependencies": [{"ref": "fleet", "dependsOn": [server["bom-ref"] for server in servers]}] if servers else [],
        "compositions": [
            {"aggregate": "complete" if server.get("components") else "unknown", "assemblies": [server["bom-ref"]]}
            for server in servers
        ],
    }


def _server(name: str, locked: LockedServer) -> dict[str, Any]:
    ref = parse_ref(locked.ref)
    purl = _purl(ref.kind.value, ref.name, locked.version)
    properties = {"vsm-mcp:server": name, "vsm-mcp:ref": locked.ref}
    component: dict[str, Any] = {
        "type": "application",
        "bom-ref": f"server:{name}",
        "name": ref.name,
        "version": locked.version,
        **({"purl": purl} if purl else {}),
        **_hashes([locked.integrity]),
        **_licences(locked.licences.get(OWN, "")),
        "properties": [{"name": key, "value": value} for key, value in properties.items()],
    }
    inside = [each for each in _packages(locked, name) if each["purl"] != purl]
    return {**component, **({"components": inside} if inside else {})}


def _packages(locked: LockedServer, server: str) -> Iterator[dict[str, Any]]:
    if isinstance(locked.tree, dict):
        for path, entry in sorted(locked.tree.get("packages", {}).items()):
            if path and isinstance(entry, dict):
                name = str(entry.get("name") or path.rsplit(_TREE, 1)[-1])
                found = _package("npm", name, str(entry.get("version", "")), path, _sri(entry.get("integrity")), server)
                said = entry.get("license")
                yield {**found, **_licences(said if isinstance(said, str) else "")}
    elif isinstance(locked.tree, list):
        text = text_of(locked.tree)
        hashes = python_lock.hashes(text)
        for name, version in sorted(python_lock.versions(text).items()):
            # the lock holds every file of a version; a component has the hash of one, so it has none where several are
            known = sorted(hashes.get(name, ()))
            found = _package("pypi", name, version, name, known if len(known) == 1 else [], server)
            yield {**found, **_licences(locked.licences.get(name, ""))}


def _package(kind: str, name: str, version: str, path: str, hashes: list[str], server: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": f"server:{server}/{path}",
        "name": name,
        "version": version,
        "purl": _purl(kind, name, version),
        **_hashes(hashes),
    }


def _licences(said: str) -> dict[str, Any]:
    found = list(choices(said))
    return {"licenses": found} if found else {}


def _purl(kind: str, name: str, version: str) -> str:
    """Return a package URL (purl-spec); empty for what is no package."""
    if kind not in (RefKind.NPM.value, RefKind.PYPI.value):
        return ""
    steps = "/".join(quote(step, safe="") for step in name.split("/"))
    steps = steps.lower().replace("_", "-") if kind == RefKind.PYPI.value else steps
    return f"pkg:{kind}/{steps}@{quote(version, safe='')}"


def _sri(integrity: Any) -> list[str]:
    """Return the hashes of a Subresource Integrity text as ``algorithm:hex``."""
    found = []
    for word in str(integrity or "").split():
        algorithm, _, encoded = word.partition("-")
        try:
            found.append(f"{algorithm}:{base64.b64decode(encoded.split('?', 1)[0], validate=True).hex()}")
        except (binascii.Error, ValueError):
            continue
    return found


def _hashes(found: list[str]) -> dict[str, Any]:
    pairs = [each.partition(":") for each in found]
    known = [{"alg": _ALGORITHMS[name], "content": value} for name, _, value in pairs if name in _ALGORITHMS]
    return {"hashes": known} if known else {}
