"""One hash over all files of an installation, the same wherever it lies.

Left out is what the place or the moment makes: byte code, npm's hidden lock (it holds addresses), what uv notes about
where a wheel came from. Where a file names the place it lies in, as the first lines of programs do, the place counts
as ``@``.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LEFT_OUT: Final = frozenset({"pyvenv.cfg", "direct_url.json", ".package-lock.json", "uv_cache.json", "uv_build.json"})
_LOCKS: Final = frozenset({"package-lock.json", "requirements.lock"})  # compared as what they say, not as they lie
_SMALL: Final = 1024 * 1024
_CHUNK: Final = 1024 * 1024
_MADE_HERE: Final = re.compile(
    rb"^(?:\.\./.*bin/|.*/direct_url\.json,|.*/uv_(?:cache|build)\.json,|.*\.pyc,).*$", re.MULTILINE
)


def platform_of(root: Path) -> str:
    """Return what native parts of an installation hang on: the system, the processor, and the Python of a venv."""
    words = [sys.platform, platform.machine()]
    try:
        found = re.search(r"^version_info = (\d+\.\d+)", (root / "venv/pyvenv.cfg").read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return "-".join([*words, *([f"python{found[1]}"] if found else [])])


def files_digest(root: Path) -> str:
    """Return ``sha256:hex`` over names, kinds and contents below ``root``. Raises :class:`OSError`."""
    whole = hashlib.sha256()
    for name, path in sorted(_files(root, "")):
        whole.update(f"{name}\0{_of(path, str(root).encode())}\n".encode("utf-8", "surrogateescape"))
    return f"sha256:{whole.hexdigest()}"


def _files(root: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(root) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _files(Path(entry.path), f"{name}/")
            elif entry.name not in _LEFT_OUT and not (not prefix and entry.name in _LOCKS):
                yield name, Path(entry.path)


def _of(path: Path, root: bytes) -> str:
    if path.is_symlink():
        target = os.readlink(path)  # noqa: PTH115 - the text, not a path
        return f"link {target if not target.startswith('/') else '(of this machine)'}"
    status = path.stat()
    runs = "program" if status.st_mode & 0o111 else "file"
    if status.st_size <= _SMALL:
        data = path.read_bytes().replace(root, b"@")
        if path.name == "RECORD":
            data = b"\n".join(sorted(filter(None, _MADE_HERE.sub(b"", data).splitlines())))
        return f"{runs} {hashlib.sha256(data).hexdigest()}"
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            found.update(piece)
    return f"{runs} {found.hexdigest()}"
