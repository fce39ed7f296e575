"""How a bundle's command becomes a program of this machine, with all but the answers put in. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.bundle.manifest import Manifest
from vsm_mcp.install.bundle.questions import Asking
from vsm_mcp.model.runners import meant
from vsm_mcp.sandbox.confinement import HOME

_NODE: Final = frozenset({"node", "nodejs", "node.exe"})
_PYTHON: Final = re.compile(r"python(?:3(?:\.\d+)?)?(?:\.exe)?\Z")
_VALUED: Final = frozenset(
    {"--directory", "--project", "--python", "-p", "--env-file", "--extra", "--group", "--config-file"}
)
_SEARCHED: Final = frozenset({"PYTHONPATH", "NODE_PATH", "LD_LIBRARY_PATH"})


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What is started by what: ``runner`` is ``node``, ``python``, ``uv`` or ``native``.

    ``program`` is the path of the program within the bundle or, for uv, the name of a console script; it is empty where
    the first of the ``args``, which come after it, is an option of the runner's (``-m``).
    """

    runner: str
    program: str
    args: tuple[str, ...]


def words_of(manifest: Manifest, command: str, asked: Asking, holds: Callable[[str], bool]) -> Words:
    """Return how a bundle is started; ``holds`` says whether a path is in it. Raises :class:`InstallFailed`."""
    kind, entry = manifest.server.type, manifest.server.entry_point
    args = list(asked.args)
    name = PurePosixPath(command.replace("\\", "/")).name
    instead = meant([name, *asked.args])
    if instead:
        raise InstallFailed(
            f"the bundle {manifest.name} fetches a package at every start, with {name}", f"name the package: {instead}"
        )
    if kind == "uv" or name == "uv":
        return _by_uv(manifest, name, args)
    runner = "node" if name in _NODE else "python" if _PYTHON.match(name) else "native"
    if not command:
        runner, args = {"node": "node", "python": "python"}.get(kind, "native"), []
    if runner == "native":  # a program of the bundle's own
        program = _within(command or entry)
        if not holds(program):
            raise InstallFailed(
                f"the bundle {manifest.name} is started with {command[:80]!r}, which is not in it",
                "only node, Python, uv and programs in the bundle itself are started",
            )
        return Words(runner="native", program=program, args=tuple(args))
    if not args:
        args = [entry]
    if args[0].startswith("-"):
        return Words(runner=runner, program="", args=tuple(args))
    return Words(runner=runner, program=_within(args[0]), args=tuple(args[1:]))


def _by_uv(manifest: Manifest, name: str, args: Sequence[str]) -> Words:
    """Read ``uv [OPTIONS] run [OPTIONS] PROGRAM ARGS``; without a command the entry point is what is run."""
    if name != "uv":
        return Words(runner="uv", program=manifest.server.entry_point, args=())
    words = list(args)
    while words and (words[0].startswith("-") or words[0] == "run"):
        option, joined, _ = words.pop(0).partition("=")
        if option in {"-m", "--module"}:
            return Words(runner="uv", program="", args=("-m", *words))
        if option.startswith("--with"):
            raise InstallFailed(
                f"the bundle {manifest.name} takes more packages at every start ({option})",
                "ask its publisher to name them in its pyproject.toml",
            )
        if option in _VALUED and not joined and words:
            words.pop(0)
    if words and _PYTHON.match(words[0]):
        words.pop(0)
    if words and words[0].startswith("-"):
        return Words(runner="uv", program="", args=tuple(words))
    program = _within(words.pop(0)) if words else manifest.server.entry_point
    return Words(runner="uv", program=program, args=tuple(words))


def _within(text: str) -> str:
    """Return a path as it is within the bundle, where it is written as one."""
    return text.removeprefix("${__dirname}/").removeprefix("${__dirname}${/}").removeprefix("./")


def put_in(text: str, root: str) -> str:
    """Return a text with what the format lets it name: the bundle's folder ``root``, and those of the person.

    The person's are those of the private home that the server has.
    """
    known = {
        "__dirname": root,
        "HOME": HOME,
        "DESKTOP": f"{HOME}/Desktop",
        "DOCUMENTS": f"{HOME}/Documents",
        "DOWNLOADS": f"{HOME}/Downloads",
        "pathSeparator": "/",
        "/": "/",
    }
    return re.sub(r"\$\{([A-Za-z_]+|/)\}", lambda found: known.get(found[1], found[0]), text)


def variables(asked: Asking, root: str, holds: Callable[[str], bool]) -> dict[str, str]:
    """Return the variables of a bundle, with the defaults of what is asked for."""
    env = {name: put_in(text, root) for name, text in asked.env.items()}
    for name in _SEARCHED.intersection(env):
        parts = env[name].split(":")
        env[name] = ":".join(f"{root}/{part}" if part and part[0] != "/" and holds(part) else part for part in parts)
    return asked.defaults | env
