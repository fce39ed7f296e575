"""What a source tree says it is: a project of npm's or of Python's, and which of the two holds the server."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.executable import npm_programs

_MOST: Final = 4 * 1024 * 1024
_SPEAKS: Final = re.compile(r"(?:@modelcontextprotocol/sdk|@modelcontextprotocol/server|fastmcp|mcp)\b")
_PYTHON: Final = ("pyproject.toml", "setup.py", "requirements.txt")
_OTHERS: Final = {
    "Dockerfile": "build its image, then add that: oci:IMAGE",
    "go.mod": "build it as its README says, then add the program: cmd:/PATH/TO/PROGRAM",
    "Cargo.toml": "build it as its README says, then add the program: cmd:/PATH/TO/PROGRAM",
}


def kind_of(root: Path, name: str) -> str:
    """Return ``node`` or ``python``: what the tree at ``root``, called ``name`` in errors, is a project of.

    Of a tree that is both, the one that declares a program counts; then the one that names a library of MCP's; then
    node. Raises :class:`InstallFailed` where it is neither.
    """
    node = (root / "package.json").is_file()
    python = any((root / each).is_file() for each in _PYTHON)
    if node and python:
        manifest, project = package_json(root, name), pyproject(root, name)
        pairs = [
            (bool(npm_programs(manifest)), bool(project_scripts(project))),
            (_speaks(manifest.get("dependencies")), _speaks(table(project, "project").get("dependencies"))),
        ]
        return next(("node" if mine else "python" for mine, other in pairs if mine != other), "node")
    if node or python:
        return "node" if node else "python"
    found = next((file for file in _OTHERS if (root / file).is_file()), "")
    raise InstallFailed(
        f"{name} is no project that can be installed: it has no package.json and no pyproject.toml"
        + (f", but a {found}" if found else ""),
        _OTHERS.get(found, "name the folder that has one: dir:PATH/FOLDER, or git+URL#subdirectory=FOLDER"),
    )


def _speaks(dependencies: Any) -> bool:
    return any(_SPEAKS.match(name) for name in dependencies or () if isinstance(name, str))


def package_json(root: Path, name: str) -> dict[str, Any]:
    """Return the package.json of a tree. Raises :class:`InstallFailed`."""
    try:
        manifest = msgspec.json.decode(text_of(root, "package.json").encode())
    except msgspec.DecodeError as error:
        raise InstallFailed(f"{name} has a package.json that cannot be read", "mend it") from error
    if not isinstance(manifest, dict):
        raise InstallFailed(f"{name} has a package.json that cannot be read", "mend it")
    return manifest


def pyproject(root: Path, name: str) -> dict[str, Any]:
    """Return the pyproject.toml of a tree, empty where there is none. Raises :class:`InstallFailed`."""
    if not (root / "pyproject.toml").is_file():
        return {}
    try:
        return tomllib.loads(text_of(root, "pyproject.toml"))
    except tomllib.TOMLDecodeError as error:
        raise InstallFailed(f"{name} has a pyproject.toml that cannot be read: {error}", "mend it") from error


def project_scripts(document: Mapping[str, Any]) -> dict[str, str]:
    """Return ``{script: module:function}`` of ``[project.scripts]``, or as Poetry before 2 wrote it."""
    scripts = table(document, "project", "scripts") or table(document, "tool", "poetry", "scripts")
    return {name: target for name, target in scripts.items() if isinstance(target, str)}


def table(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return a table within a document; empty where there is none, or something else."""
    found: Any = document
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def text_of(root: Path, name: str) -> str:
    """Return a small text file of a tree; empty where there is none. Raises :class:`InstallFailed`.

    A link leads nowhere else: a folder may be anybody's.
    """
    path = root / name
    try:
        if not path.is_file():
            return ""
        if not path.resolve().is_relative_to(root.resolve()) or path.stat().st_size > _MOST:
            raise InstallFailed(f"{name} lies elsewhere or is larger than {_MOST >> 20} MB", "mend it")
        return path.read_text("utf-8-sig", "replace")
    except OSError as error:
        raise InstallFailed(f"{path} cannot be read: {error.strerror}", "let this user read it") from error
