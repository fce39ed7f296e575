"""What a program of this machine needs to see of it: its own files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final

from vsm_mcp.install.tools import real_path
from vsm_mcp.model.paths import grantable

_SYSTEM: Final = ("/usr/", "/bin/", "/lib/", "/opt/")
_SOURCES: Final = frozenset({".py", ".js", ".mjs", ".cjs", ".ts", ".sh"})
_INTERPRETERS: Final = frozenset({"bash", "bun", "deno", "node", "nodejs", "perl", "pypy", "python", "ruby", "sh"})


def own_words(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command that name its own files: the program, and scripts. All others are arguments.

    A script is what is called one (``.py``, ``.js``, ``.sh``, …), and what an interpreter is given first. Pure.
    """
    words = [word for word in argv[1:] if not word.startswith("-")]
    found = [word for word in words if PurePath(word).suffix in _SOURCES]
    if PurePath(argv[0]).name.rstrip("0123456789.") in _INTERPRETERS:
        found += words[:1]
    return (argv[0], *dict.fromkeys(found))


def roots_of(argv: Sequence[str], home: str) -> tuple[str, ...]:
    """Return what is not part of the system: the program, what it links to, and its scripts.

    A script brings its folder, for it imports what lies beside it; but not a folder that holds all kinds of things.
    """
    found: set[str] = set()
    for word in own_words(argv):
        if word.startswith("/") and os.path.exists(word):  # noqa: PTH110
            for path in (word, real_path(word)):
                if not path.startswith(_SYSTEM):
                    found.add(path)
                    if Path(path).suffix in _SOURCES and grantable(str(Path(path).parent), home):
                        found.add(str(Path(path).parent))
    program = Path(real_path(argv[0]))
    venv = Path(argv[0]).parent.parent
    if (venv / "pyvenv.cfg").is_file():
        found |= {str(venv)} | ({str(program.parent.parent)} if not str(program).startswith(_SYSTEM) else set())
    return tuple(sorted(found))
