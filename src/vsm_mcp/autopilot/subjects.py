"""What the checks get to look at, from what the steps of an admission made."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from vsm_mcp.autopilot.outcome import Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.config import Config
from vsm_mcp.install import npm_lock, python_lock
from vsm_mcp.install.installer import Built, Fetched, Resolved
from vsm_mcp.model.granted import Granted
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.locked import Locked
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.server import Server
from vsm_mcp.model.trial import TrialReport
from vsm_mcp.registries.addresses import shown
from vsm_mcp.runtime.permissions import permitted, profile_of
from vsm_mcp.vetting.check import Subject

_WEB = ("http", "https")
_SOURCES = frozenset({RefKind.GIT, RefKind.DIR, RefKind.MCPB})
_OF_KIND = {RefKind.NPM: "npm", RefKind.PYPI: "PyPI"}
_OF_RUNTIME = {"node": "npm", "python": "PyPI"}
# in a lock it stands for the registry of this machine: npm puts that in its place, and nothing is asked there
_PUBLIC = f"https://{'.'.join(('registry', 'npmjs', 'org'))}"  # noqa: FLY002 - no address of one stands here


async def before_install(parts: Parts, request: Request, resolved: Resolved, fetched: Fetched) -> Subject:
    """Return what is there once a package was resolved and fetched."""
    tree = tree_of(resolved, fetched.manifest)
    served = [each for each in await parts.store.servers.all() if each.ref.identity == resolved.ref.identity]
    subject = Subject(
        ref=resolved.ref,
        version=resolved.version,
        root=fetched.root,
        members=fetched.members,
        manifest=fetched.manifest,
        runs_scripts=request.settings.allow_scripts,
        digest=fetched.archive_sha,
        archive_name=resolved.archive.filename if resolved.archive else "",
        tree=tree,
        before=served[0].installation.packages if served else {},
        registries=await parts.registries() if tree else None,
    )
    return msgspec.structs.replace(subject, facts=request.known.facts) if request.known else subject


def after_trial(parts: Parts, server: Server, report: TrialReport, built: Built, fetched: Fetched) -> Subject:
    """Return what is there once a server ran for the first time."""
    return Subject(
        ref=server.ref,
        version=server.version,
        root=fetched.root,
        members=fetched.members,
        manifest=fetched.manifest,
        scripts=built.scripts,
        offer=report.offer,
        fleet={name: tools for name, tools in parts.fleet().items() if name != server.name},
        granted=granted_to(server.settings, parts.config, remote=server.ref.kind is RefKind.REMOTE),
    )


def granted_to(settings: Settings, config: Config, *, remote: bool) -> Granted:
    """Return what a server is given; one that runs elsewhere is out already."""
    given = permitted(settings, profile_of(settings, config))
    return Granted(
        way_out=remote or bool(given.hosts) or given.network or given.whole_network,
        files=bool(given.paths) or bool(settings.project),
        secrets=bool(settings.secrets),
    )


def tree_of(resolved: Resolved, manifest: Mapping[str, object]) -> tuple[Locked, ...]:
    """Return everything a lock takes, the package itself first; nothing where there is no lock.

    What a folder, a repository or a bundle needs of the registries counts like the tree of a package of theirs.
    """
    kind, source = resolved.ref.kind, resolved.ref.kind in _SOURCES
    if kind is RefKind.NPM or (source and resolved.lock.lstrip().startswith("{")):
        return _npm_tree("" if source else resolved.ref.name, resolved.lock, manifest)
    if kind is RefKind.PYPI or (source and resolved.lock):
        hashed = python_lock.hashes(resolved.lock)
        direct = _names(manifest.get("requires_dist"))
        return tuple(
            Locked(ecosystem="PyPI", name=name, version=version, hashed=bool(hashed.get(name)), direct=name in direct)
            for name, version in python_lock.versions(resolved.lock).items()
        )
    return ()


def packages_of(server: Server) -> tuple[Locked, ...]:
    """Return what an installation was made of, by the names and versions that were kept of it."""
    source, installation = server.ref.kind in _SOURCES, server.installation
    ecosystem = _OF_RUNTIME.get(installation.entry.runtime) if source else _OF_KIND.get(server.ref.kind)
    if ecosystem is None:
        return ()
    kept = installation.packages or ({} if source else {server.ref.name: server.version})
    return tuple(
        Locked(ecosystem=ecosystem, name=path.rsplit("node_modules/", 1)[-1], version=version, path=path)
        for path, version in kept.items()
    )


def _npm_tree(package: str, lock: str, manifest: Mapping[str, object]) -> tuple[Locked, ...]:
    wanted = {name for part in ("dependencies", "optionalDependencies") for name in _names(manifest.get(part))}
    found = []
    for path, entry in npm_lock.entries(lock).items():
        if not package and entry.get("dev"):  # what only its developers need is not installed
            continue
        inside = path.removeprefix("node_modules/")
        found.append(
            Locked(
                ecosystem="npm",
                name=str(entry.get("name") or path.rsplit("node_modules/", 1)[-1]),
                version=str(entry.get("version", "")),
                path=inside,
                source=_source(str(entry.get("resolved", ""))).removeprefix("" if package else _PUBLIC),
                hashed=bool(entry.get("integrity")),
                bundled=bool(entry.get("inBundle")),
                scripted=bool(entry.get("hasInstallScript")),
                native=bool(entry.get("os") or entry.get("cpu")),
                direct=inside in wanted,
            )
        )
    return tuple(sorted(found, key=lambda each: (each.path != package, each.path)))


def _source(resolved: str) -> str:
    """Return where a file is without user, password and path; of what is no web address, its scheme alone."""
    parts = urlsplit(shown(resolved))
    return f"{parts.scheme}://{parts.netloc.lower()}" if parts.scheme in _WEB else resolved.partition(":")[0][:40]


def _names(requirements: object) -> frozenset[str]:
    if isinstance(requirements, Mapping):
        return frozenset(map(str, requirements))
    rows = requirements if isinstance(requirements, list) else []
    return frozenset(python_lock.name_of(str(row)) for row in rows if "extra ==" not in str(row))
