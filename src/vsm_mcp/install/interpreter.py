"""Which Python of this machine can run a package: our own if it fits, else another one that is installed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags

from vsm_mcp.install.installer import Bench
from vsm_mcp.install.pythons import OLDEST, programs
from vsm_mcp.install.tools import run_tool

_ASK_SECONDS: Final = 20.0
_QUESTION: Final = (
    "import json, sys; print(json.dumps([sys.implementation.name, '%d.%d.%d' % sys.version_info[:3], sys.base_prefix, "
    "'t' in getattr(sys, 'abiflags', '')]))"
)


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """One CPython of this machine: absolute path with links resolved, full version, prefix of its library."""

    path: str
    version: str
    prefix: str

    @property
    def minor(self) -> int:
        """The second part of the version."""
        return int(self.version.split(".")[1])

    @property
    def roots(self) -> tuple[str, ...]:
        """What a process needs of it beyond ``/usr``."""
        return () if self.path.startswith("/usr/") else (self.prefix,)

    def fits(self, requires: str) -> bool:
        """Whether it satisfies a ``Requires-Python``; one that cannot be read does not count."""
        try:
            return SpecifierSet(requires).contains(self.version, prereleases=True)
        except InvalidSpecifier:
            return True

    def tags(self) -> tuple[Tag, ...]:
        """Return the wheel tags it accepts, best first (platform compatibility tags specification)."""
        python = (3, self.minor)
        platforms = list(platform_tags())
        native = cpython_tags(python, platforms=platforms)
        return (*native, *compatible_tags(python, f"cp3{self.minor}", platforms))


def own_interpreter() -> Interpreter:
    """Return the Python that runs this program, outside of any virtual environment."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Interpreter(path=str(Path(base).resolve()), version=version, prefix=sys.base_prefix)


async def other_interpreters(bench: Bench) -> tuple[Interpreter, ...]:
    """Return the further CPythons of this machine, the version nearest to ours first, newer before older.

    Looks on the PATH, at pyenv's and at uv's own ones. Each is asked what it is, without its site packages.
    """
    own = own_interpreter()
    paths = await asyncio.to_thread(programs, bench.registries.addresses.environ)
    asked = await asyncio.gather(*(_ask(bench, path) for path in paths if path != own.path))
    found = {each.path: each for each in asked if each is not None and each.minor >= OLDEST}
    return tuple(sorted(found.values(), key=lambda each: (each.minor < own.minor, abs(each.minor - own.minor))))


async def _ask(bench: Bench, program: str) -> Interpreter | None:
    done = await run_tool(bench, (program, "-I", "-S", "-c", _QUESTION), "/", _ASK_SECONDS)
    try:
        name, version, prefix, free_threaded = msgspec.json.decode(done.stdout)
    except (msgspec.DecodeError, ValueError):
        return None
    if name != "cpython" or free_threaded:
        return None
    return Interpreter(path=program, version=str(version), prefix=str(prefix))
