"""What this machine has: runtimes by version, asked once, and the registries as they are configured here."""

from __future__ import annotations

import asyncio
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import uv

from vsm_mcp.errors import VsmError
from vsm_mcp.install.pythons import minor_versions
from vsm_mcp.sandbox.tool import run_tool

_ASK_SECONDS: Final = 20.0


async def runtimes(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of python, node, npm and uv; an empty text where a program is missing."""
    path = environ.get("PATH", "")
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    try:
        bundled: str | None = uv.find_uv_bin()
    except FileNotFoundError:
        bundled = None
    asked = await asyncio.gather(*(_version(program, path) for program in (node, npm, bundled)))
    return {"python": platform.python_version(), **dict(zip(("node", "npm", "uv"), asked, strict=True))}


async def node(environ: Mapping[str, str]) -> str:
    """Return the version of Node; empty where there is none."""
    path = environ.get("PATH", "")
    return await _version(shutil.which("node", path=path), path)


async def pythons(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the versions of Python that packages can be run with: our own, then others by their names (``3.13``)."""
    own = platform.python_version()
    others = await asyncio.to_thread(minor_versions, environ)
    return (own, *(each for each in others if not own.startswith(f"{each}.")))


async def _version(program: str | None, path: str) -> str:
    if program is None:
        return ""
    try:
        done = await run_tool(
            (program, "--version"),
            env={"PATH": path, "HOME": "/nonexistent"},
            cwd=str(Path.cwd().anchor),
            timeout=_ASK_SECONDS,
        )
    except VsmError:
        return ""
    words = done.stdout.decode("utf-8", "replace").split()
    return next((word.lstrip("v") for word in words if word.lstrip("v")[:1].isdigit()), "")
