"""Which files of a package are code, and which of them anything would run."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

JAVASCRIPT: Final = frozenset({".js", ".mjs", ".cjs", ".jsx"})
TYPED: Final = frozenset({".ts", ".tsx", ".mts", ".cts"})
PYTHON: Final = frozenset({".py", ".pyw"})
SCRIPTS: Final = frozenset({".sh", ".bash", ".zsh", ".ps1", ".bat", ".cmd", ".pth", ".gyp"})
_DECLARATIONS: Final = (".d.ts", ".d.mts", ".d.cts", ".map", ".min.css")
_ASIDE: Final = re.compile(
    r"(?:^|/)(?:__tests__|tests?|testing|spec|specs|fixtures?|__fixtures__|__mocks__|mocks|examples?|samples?|demos?|docs?"
    r"|benchmarks?|bench|e2e)/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$|\.(?:test|spec|stories)\.\w+$",
    re.IGNORECASE,
)
_RELATIVE: Final = re.compile(r"""(?:require|import|from)\s*\(?\s*['"`](\.{1,2}/[^'"`\n]{1,200})['"`]""")
_MODULE: Final = re.compile(r"^\s*(?:from|import)\s+([\w.]{1,200})", re.MULTILINE)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file: its path below the root, its language (``""``: patterns only), its size, if nothing seems to run it."""

    name: str
    language: str
    size: int
    aside: bool


def find_sources(root: Path) -> list[Source]:
    """Return the files below ``root`` in the order they are looked at: what runs first, small ones first."""
    found: list[Source] = []
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file():
                continue
            relative = path.relative_to(root).as_posix()
            size = path.stat().st_size
            source = Source(
                name=relative, language=_language(path, size), size=size, aside=_ASIDE.search(relative) is not None
            )
            found.append(source)
    return sorted(found, key=lambda each: (each.aside, not each.language, each.size, each.name))


def _language(path: Path, size: int) -> str:
    name, suffix = path.name.lower(), path.suffix.lower()
    if name.endswith(_DECLARATIONS) or size == 0:
        return ""
    if suffix in JAVASCRIPT:
        return "javascript"
    if suffix in TYPED:
        return "typescript"
    if suffix in PYTHON:
        return "python"
    if suffix or size > 4_000_000:
        return ""
    with path.open("rb") as file:
        first = file.readline(200)
    if first.startswith(b"#!"):
        return "javascript" if b"node" in first or b"bun" in first else "python" if b"python" in first else ""
    return ""


def run_after_all(sources: Iterable[Source], texts: Mapping[str, str]) -> frozenset[str]:
    """Return the files that look as if nothing ran them (tests, examples) but that others import.

    ``texts`` maps names of files to their source, as far as they were read.
    """
    aside = {source.name for source in sources if source.aside}
    queue = [source.name for source in sources if not source.aside and source.name in texts]
    found: set[str] = set()
    while queue:
        name = queue.pop()
        for target in _imported(name, texts.get(name, "")):
            for each in _candidates(target):
                if each in aside and each not in found:
                    found.add(each)
                    queue.append(each)
    return frozenset(found)


def _imported(name: str, text: str) -> Iterable[str]:
    if name.endswith(".py"):
        here = posixpath.dirname(name)
        for found in _MODULE.findall(text):
            dotted = found.lstrip(".").replace(".", "/")
            yield dotted
            yield posixpath.join(here, dotted)
    else:
        for found in _RELATIVE.findall(text):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(name), found))


def _candidates(target: str) -> Iterable[str]:
    stem = posixpath.splitext(target)[0]
    yield target
    for suffix in (".js", ".mjs", ".cjs", ".ts", ".py", "/index.js", "/__init__.py"):
        yield target + suffix
        yield stem + suffix
