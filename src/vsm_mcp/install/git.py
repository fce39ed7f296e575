"""Source trees in git repositories (``git+URL[@REV][#subdirectory=FOLDER]``): the files of one commit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from vsm_mcp.errors import BadArgument, InstallFailed
from vsm_mcp.install.files import home_errors, remove_tree
from vsm_mcp.install.git_tool import COMMIT, Git
from vsm_mcp.install.installer import Archive, Bench, Built, Fetched, Options, Resolved
from vsm_mcp.install.transaction import Installations
from vsm_mcp.install.tree.building import Trees, manifest_of
from vsm_mcp.install.tree.copying import copy_tree
from vsm_mcp.model.loopback import on_loopback
from vsm_mcp.model.ref import Ref, RefKind

_FOLDER: Final = "subdirectory="
_PLAIN: Final = frozenset({"http", "git"})


class GitInstaller:
    """Installs a repository of git's. Its version is the commit."""

    kind: Final = RefKind.GIT

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._installations = Installations(bench.config.home)
        self._trees = Trees(bench)

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """Find the commit, fetch it and lock what its tree needs. See :class:`~vsm_mcp.install.installer.Installer`."""
        url, folder = _parts(ref)
        git = Git(self._bench, url)
        async with self._installations.scratch() as scratch:
            async with git.alone():  # locking what it needs may take its time, and needs the repository no more
                commit = await git.fetch(ref.version)
                root = await self._tree(git, commit, scratch, folder)
            locked = await self._trees.lock(root, _title(url, folder), options)
        archive = Archive(filename=_title(url, folder), url=url, digest=f"git:{commit}")
        return locked.resolved(ref.at(commit), commit, archive)

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """Copy the files of the commit; links, keys and what is made anew are left out as of any tree."""
        url, folder = _parts(resolved.ref)
        git, root, title = Git(self._bench, url), into / "package", _title(url, folder)
        async with git.alone(), self._installations.scratch() as scratch:
            await git.fetch(resolved.version)
            tree = await self._tree(git, resolved.version, scratch, folder)
            copied = await asyncio.to_thread(copy_tree, tree, root, self._trees.limits)
        manifest = manifest_of(root, title)
        return Fetched(root=root, manifest=manifest, archive_sha=copied.digest, members=copied.members)

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """See :class:`~vsm_mcp.install.installer.Installer`."""
        return await self._trees.build(resolved, fetched, into, options)

    async def _tree(self, git: Git, commit: str, scratch: Path, folder: str) -> Path:
        size, files = await git.size(commit)
        limits = self._trees.limits
        if size > limits.size or files > limits.files:
            raise InstallFailed(
                f"the repository holds {files} files of {size >> 20} MB, which is too much",
                "if you trust it, raise [install] max_unpacked_bytes or max_files",
            )
        root = scratch / "tree"
        with home_errors(root):
            await asyncio.to_thread(remove_tree, root)
            root.mkdir()
        await git.check_out(commit, root)
        found = (root / folder).resolve()
        if not found.is_relative_to(root.resolve()) or not found.is_dir():
            raise InstallFailed(f"the repository has no folder {folder!r}", "mend what follows #subdirectory=")
        return found


def _parts(ref: Ref) -> tuple[str, str]:
    """Return the address and the folder in it. Raises :class:`BadArgument` for what cannot or should not be fetched."""
    url, _, fragment = ref.name.partition("#")
    parts = urlsplit(url)
    if parts.scheme == "ssh":
        raise BadArgument(
            "git over ssh takes a key of yours, and git gets none here",
            "write git+https://…, or clone it yourself and add dir:PATH",
        )
    if parts.scheme in _PLAIN and not on_loopback(parts.hostname or "") and not COMMIT.match(ref.version):
        raise BadArgument(
            f"{parts.scheme}:// can be changed by anyone on the way",
            "write git+https://…, or name the whole commit, which nobody can forge: git+URL@COMMIT",
        )
    return url, unquote(fragment.removeprefix(_FOLDER))


def _title(url: str, folder: str) -> str:
    last = (folder or urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1]
    return last.removesuffix(".git") or "repository"
