"""Which rules judged: a hash of the code and the data of all checks here, for the evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_SUFFIXES: Final = (".py", ".toml", ".txt", ".json", ".jsonl", ".yar")


@cache
def digest() -> str:
    """Return ``sha256:hex`` over every file of the package; it changes with any rule, phrase or list."""
    whole = hashlib.sha256()
    for name, file in sorted(_files(files("vsm_mcp.vetting"), "")):
        whole.update(f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for each in folder.iterdir():
        name = f"{path}/{each.name}"
        if each.is_dir() and each.name != "__pycache__":
            yield from _files(each, name)
        elif each.is_file() and each.name.endswith(_SUFFIXES):
            yield name, each
