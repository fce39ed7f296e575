"""Commands that fetch a package and run it at once (npx, uvx, …): which package they mean. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final

import msgspec

# How each is called, the kind of reference its packages have, and which of its options take a value.
_RUNNERS: Final[dict[tuple[str, ...], tuple[str, frozenset[str]]]] = {
    ("npx",): ("npm", frozenset({"-c", "--call", "-w", "--workspace"})),
    ("npm", "exec"): ("npm", frozenset({"-c", "--call", "-w", "--workspace"})),
    ("bunx",): ("npm", frozenset()),
    ("pnpm", "dlx"): ("npm", frozenset()),
    ("uvx",): ("pypi", frozenset({"--with", "--python", "-p", "--index", "--default-index"})),
    ("uv", "tool", "run"): ("pypi", frozenset({"--with", "--python", "-p", "--index", "--default-index"})),
    ("pipx", "run"): ("pypi", frozenset({"--python", "--index-url"})),
}
_NAMING: Final = {"npm": frozenset({"-p", "--package"}), "pypi": frozenset({"--from", "--spec"})}
_NAME: Final = re.compile(r"(?P<name>@?[A-Za-z0-9][\w./-]*)(?:\[[\w,-]*\])?(?:(?:==|@)(?P<version>\d[\w.+-]*|latest))?")


class Meant(msgspec.Struct, frozen=True):
    """The package that a command fetches: ``kind`` is npm or pypi; ``args`` are passed on to its program.

    ``name`` is empty where the command does not tell; ``version`` where it leaves that open.
    """

    kind: str
    name: str
    version: str
    args: tuple[str, ...]

    @property
    def ref(self) -> str:
        """The reference of ours for it."""
        joined = f"{'==' if self.kind == 'pypi' else '@'}{self.version}" if self.version else ""
        return f"{self.kind}:{self.name or 'NAME'}{joined}"


def package_of(argv: Sequence[str]) -> Meant | None:
    """Return what ``argv`` fetches and runs; ``None`` if it is no such command."""
    program = (argv[0].rpartition("/")[2] if argv else "", *argv[1:])
    runner = next((words for words in _RUNNERS if program[: len(words)] == words), None)
    if runner is None:
        return None
    kind, valued = _RUNNERS[runner]
    package, rest = _package(list(program[len(runner) :]), valued, _NAMING[kind])
    found = _NAME.fullmatch(package)
    if found is None:
        return Meant(kind, "", "", ())
    version = found["version"] if found["version"] and found["version"] != "latest" else ""
    return Meant(kind, found["name"], version, tuple(rest))


def meant(argv: Sequence[str]) -> str:
    """Return the command line of ours for what ``argv`` fetches and runs; empty if it is no such command.

    ``["npx", "-y", "pkg@1.0", "--root", "/x"]`` gives ``vsm-mcp add npm:pkg@1.0 --arg=--root --arg=/x``.
    """
    found = package_of(argv)
    if found is None:
        return ""
    return f"vsm-mcp add {found.ref}" + "".join(f" --arg={shlex.quote(arg)}" for arg in found.args)


def _package(words: list[str], valued: frozenset[str], naming: frozenset[str]) -> tuple[str, list[str]]:
    """Return the package and what is passed on to its program."""
    named = ""
    while words and words[0].startswith("-"):
        option, joined, value = words.pop(0).partition("=")
        if option == "--":
            break
        if option in naming | valued and not joined and words:
            value = words.pop(0)
        named = value if option in naming else named
    first = words.pop(0) if words else ""
    return named or first, words
