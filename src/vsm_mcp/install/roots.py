"""What a program of this machine needs to see of it: its own files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vsm_mcp.install.tools import real_path
from vsm_mcp.model.paths import grantable

_SYSTEM: Final = ("/usr/", "/bin/", "/lib/", "/opt/")
SOURCES: Final = frozenset({".py", ".js", ".mjs", ".cjs", ".ts", ".sh"})
"""How the names of scripts end."""


def roots_of(argv: tuple[str, ...], home: str) -> tuple[str, ...]:
    """Return what is not part of the system: the program, what it links to, and the files and folders it names.

    A script brings its folder, for it imports what lies beside it; but not a folder that holds all kinds of things.
    """
    found: set[str] = set()
    for word in argv:
        if word.startswith("/") and os.path.exists(word):  # noqa: PTH110
            for path in (word, real_path(word)):
                if not path.startswith(_SYSTEM):
                    found.add(path)
                    if Path(path).suffix in SOURCES and grantable(str(Path(path).parent), home):
                        found.add(str(Path(path).parent))
    program = Path(real_path(argv[0]))
    venv = Path(argv[0]).parent.parent
    if (venv / "pyvenv.cfg").is_file():
        found |= {str(venv)} | ({str(program.parent.parent)} if not str(program).startswith(_SYSTEM) else set())
    return tuple(sorted(found))
