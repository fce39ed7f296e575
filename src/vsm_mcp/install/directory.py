"""Source trees in a folder of this machine (``dir:PATH``): copied, never used in their place."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from vsm_mcp.errors import BadArgument, InstallFailed
from vsm_mcp.install.installer import Archive, Bench, Built, Fetched, Options, Resolved
from vsm_mcp.install.tree.building import Trees, manifest_of
from vsm_mcp.install.tree.copying import copy_tree, measure_tree
from vsm_mcp.model.ref import Ref, RefKind

_VERSION: Final = 16


class DirInstaller:
    """Installs ``dir:PATH``. Its version is the beginning of the digest of its files."""

    kind: Final = RefKind.DIR

    def __init__(self, bench: Bench) -> None:
        self._home = bench.config.home
        self._user = bench.registries.addresses.environ.get("HOME", "")
        self._trees = Trees(bench)

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        root = self._folder(ref)
        measured = await asyncio.to_thread(measure_tree, root, self._trees.limits)
        locked = await self._trees.lock(root, root.name, options)
        version = measured.digest.partition(":")[2][:_VERSION]
        archive = Archive(filename=root.name, url=root.as_uri(), digest=measured.digest)
        return locked.resolved(ref.at(version), version, archive)

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """Copy the tree; it must be what was resolved."""
        source, root = self._folder(resolved.ref), into / "package"
        copied = await asyncio.to_thread(copy_tree, source, root, self._trees.limits)
        if resolved.archive is None or copied.digest != resolved.archive.digest:
            raise InstallFailed(f"{source} changed while it was being installed", "add it again")
        manifest = manifest_of(root, source.name)
        return Fetched(root=root, manifest=manifest, archive_sha=copied.digest, members=copied.members)

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        return await self._trees.build(resolved, fetched, into, options)

    def _folder(self, ref: Ref) -> Path:
        path = Path(self._user + ref.name[1:] if ref.name.startswith("~/") else ref.name)
        if not path.is_dir():
            what = "is no folder" if path.exists() else "is not there"
            raise BadArgument(f"{path} {what}", "name a folder with a package.json or a pyproject.toml: dir:PATH")
        path = path.resolve()
        if self._home.is_relative_to(path) or path.is_relative_to(self._home):
            raise BadArgument(f"{path} holds this program's own home, or lies in it", "name the folder of the server")
        return path
