"""A server of the catalogue as a lock has it: from the store, from its evidence, and from its files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.autopilot.expected import pinned, tried, vetted
from vsm_mcp.errors import StoreError
from vsm_mcp.install.archive import digest_of
from vsm_mcp.install.file_digest import files_digest, platform_of
from vsm_mcp.install.licences import statements
from vsm_mcp.install.lockfile import MASK, Files, LockedServer, Tried, Vetted, digest, portable, tree_of
from vsm_mcp.install.sbom import OWN as ITSELF
from vsm_mcp.model.finding import CheckStatus, VetReport
from vsm_mcp.model.kit import OWN, entry_of, variable_of
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.secretive import address_holds_secret, holds_secret, masked
from vsm_mcp.model.server import Server
from vsm_mcp.store import Store
from vsm_mcp.vetting.licence import expression_of

_LOCKS: Final = ("package-lock.json", "requirements.lock")
_PROVENANCE: Final = ("signatures", "provenance", "attestations")


async def locked_of(store: Store, server: Server, home: str, *, rehash: bool, keep: bool) -> LockedServer:
    """Return what a lock holds of a server.

    Its files are hashed once and the hash is kept with its evidence (where ``keep`` lets it), or again with
    ``rehash``. Raises :class:`StoreError` when they cannot be read.
    """
    bodies = {row["kind"]: row["body"] for row in await store.evidence.of(server.acquisition)}
    kept = bodies.get("files")
    if rehash or kept is None:
        files = await asyncio.to_thread(_files, server)
        if kept is None and keep:
            await store.evidence.add(server.acquisition, "files", files)
    else:
        files = msgspec.convert(kept, Files)
    licences: dict[str, str] = bodies.get("licences") or {}
    if "licences" not in bodies:
        licences = await asyncio.to_thread(_licences, server)
        if keep:
            await store.evidence.add(server.acquisition, "licences", licences)
    verdict = msgspec.convert(bodies["judged"], VetReport) if "judged" in bodies else None
    settings = server.settings
    return LockedServer(
        ref=_ref(server),
        version=server.version,
        integrity=server.installation.integrity,
        constraints=server.installation.constraints,
        tree=await asyncio.to_thread(_tree, server),
        files=files,
        provenance=_provenance(verdict),
        pins=pinned(await store.servers.pins(server.name)),
        vetting=vetted(verdict) if verdict is not None else Vetted(),
        trial=_tried(bodies.get("trial")),
        entry=portable(clean(entry_of(server, sorted(store.secrets.of(server.acquisition)))), home),
        licences=licences,
        builders=bodies.get("resolved", {}).get("builders", []),
        scripts=settings.allow_scripts,
        network=settings.network,
    )


def _ref(server: Server) -> str:
    ref = server.ref
    if ref.kind is RefKind.REMOTE and address_holds_secret(ref.name):
        return MASK
    if ref.kind is RefKind.CMD and holds_secret(ref.name.split()):
        return f"cmd:{' '.join(masked(ref.name.split()))}"
    return str(ref)


def _files(server: Server) -> Files:
    root, entry = Path(server.installation.path), server.installation.entry
    try:
        if server.ref.kind is RefKind.CMD and entry.argv:
            return Files(platform=platform_of(root), sha256=digest(_programs(entry.argv)))
        if not root.is_dir() or entry.remote:
            return Files()
        return Files(platform=platform_of(root), sha256=files_digest(root))
    except OSError as error:
        raise StoreError(f"the files of {server.name} cannot be read: {error.strerror}", "install it again") from error


def _licences(server: Server) -> dict[str, str]:
    """Return what the server and its Python packages say of their licences, in SPDX where it can be read."""
    try:
        found = statements(Path(server.installation.path))
    except OSError as error:
        raise StoreError(f"the files of {server.name} cannot be read: {error.strerror}", "install it again") from error
    found = {ITSELF: (server.installation.licence,), **found}
    said = {name: next(filter(None, map(expression_of, words)), "".join(words[:1])) for name, words in found.items()}
    return {name: word for name, word in said.items() if word}


def _programs(argv: Sequence[str]) -> list[str]:
    """Return the hashes of the files that a command line names: the program, and its scripts."""
    named = [Path(word) for word in argv if word.startswith("/")]
    return [digest_of(path.resolve(), "sha256") for path in named if path.is_file()]


def _tree(server: Server) -> dict[str, Any] | list[str] | None:
    for name in _LOCKS:
        try:
            return tree_of((Path(server.installation.path) / name).read_text("utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise StoreError(f"{name} of {server.name} cannot be read", "install it again") from error
    return None


def _provenance(verdict: VetReport | None) -> dict[str, str]:
    checks = verdict.checks if verdict is not None else ()
    asked = [check for check in checks if check.check in _PROVENANCE]
    looked = [check for check in asked if check.looked_at or check.status is not CheckStatus.PASS]
    return {check.check: f"{check.status.value}: {check.detail}".removesuffix(": ") for check in looked}


def _tried(body: Any) -> Tried:
    report = body.get("report", {}) if isinstance(body, dict) else {}
    if not report:
        return Tried()
    return tried(bool(report["passed"]), report["era"], report["protocol"], report["transport"])


def clean(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry without what looks like a secret: arguments masked, of variables only the names. Pure."""
    own = {**entry[OWN], "settings": dict(entry[OWN]["settings"])}
    if "args" in own["settings"]:
        own["settings"]["args"] = masked(list(own["settings"]["args"]))
    found = {**entry, OWN: own}
    if "args" in entry:
        found["args"] = masked(list(entry["args"]))
    if "env" in entry:
        hidden = sorted(name for name, value in entry["env"].items() if _hides(name, value, own["secrets"]))
        found["env"] = {**entry["env"], **{name: f"${{{variable_of(name)}}}" for name in hidden}}
        own["secrets"] = sorted({*own["secrets"], *hidden})
    if "uri" in entry and address_holds_secret(entry["uri"]):
        found |= {"uri": MASK, "source": MASK}
        own["ref"] = MASK
    return found


def _hides(name: str, value: str, known: list[str]) -> bool:
    return name not in known and holds_secret([f"{name}={value}"])
