"""A source tree, whichever kind of project it is: what it needs, what it says of itself, and how it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vsm_mcp.install.archive import Limits
from vsm_mcp.install.installer import Bench, Built, Fetched, Options, Resolved
from vsm_mcp.install.tree.locked import LockedTree
from vsm_mcp.install.tree.node import NodeTree
from vsm_mcp.install.tree.project import kind_of, package_json
from vsm_mcp.install.tree.python import PythonTree
from vsm_mcp.install.tree.python_project import read_python_project


class Trees:
    """Locks and builds source trees."""

    def __init__(self, bench: Bench) -> None:
        self._of: dict[str, NodeTree | PythonTree] = {"node": NodeTree(bench), "python": PythonTree(bench)}
        limits = bench.config.install
        self.limits = Limits(size=limits.max_unpacked_bytes, files=limits.max_files)

    async def lock(self, root: Path, name: str, options: Options) -> LockedTree:
        """Return what the tree at ``root`` needs, locked; ``name`` is what it is called in errors."""
        return await self._of[kind_of(root, name)].lock(root, name, options)

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """Install a fetched tree into ``into``, its final place."""
        assert fetched.root is not None  # noqa: S101 - trees are always unpacked
        return await self._of[kind_of(fetched.root, resolved.ref.name)].build(resolved, fetched, into, options)


def manifest_of(root: Path, name: str) -> dict[str, Any]:
    """Return what a tree says of itself: package.json, or Python's in the form of a wheel's metadata."""
    return package_json(root, name) if kind_of(root, name) == "node" else read_python_project(root, name).manifest
