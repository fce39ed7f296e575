"""Which files of an npm package nothing leads to: a weakness there is nobody's way in."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from vsm_mcp.vetting.code.sources import JAVASCRIPT, Source

_ENTRIES: Final = ("main", "module", "browser", "bin", "exports", "imports")
_INSTALLS: Final = ("preinstall", "install", "postinstall")
_SAID: Final = re.compile(r"""['"`/]([\w@.-]{1,100})['"`]""")
_WORD: Final = re.compile(r"[\w@./-]{1,200}")
_READ_BYTES: Final = 24 * 1024 * 1024


def unreached(root: Path, sources: Iterable[Source]) -> frozenset[str]:
    """Return the JavaScript files that no entry of ``package.json`` leads to; none where no entry is a file there.

    A file leads to each that it names in a text, by its last part, with or without ending: more than it imports.
    """
    files = {each.name for each in sources if Path(each.name).suffix in JAVASCRIPT and each.size <= _READ_BYTES}
    by_name: dict[str, set[str]] = {}
    for name in files:
        last = posixpath.basename(name)
        for said in {last, posixpath.splitext(last)[0], *_parent_of_index(name)}:
            by_name.setdefault(said, set()).add(name)
    queue = [name for entry in _entries(root) for name in by_name.get(posixpath.basename(entry), ())]
    reached: set[str] = set(queue)
    while queue:
        text = (root / queue.pop()).read_text("utf-8", "replace")
        for said in {match[1] for match in _SAID.finditer(text)}:
            queue += by_name.get(said, set()) - reached
            reached |= by_name.get(said, set())
    return frozenset(files - reached) if reached else frozenset()


def _parent_of_index(name: str) -> Iterator[str]:
    if posixpath.splitext(posixpath.basename(name))[0] == "index":
        yield posixpath.basename(posixpath.dirname(name))


def _entries(root: Path) -> Iterator[str]:
    """Yield the paths that a package's own ``package.json`` says are where others come in, or what an install runs."""
    for place in (root, *(each for each in root.iterdir() if each.is_dir())):
        try:
            manifest = json.loads((place / "package.json").read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(manifest, dict):
            for field in _ENTRIES:
                yield from _strings(manifest.get(field))
            scripts = manifest.get("scripts")
            if isinstance(scripts, dict):
                yield from _WORD.findall(" ".join(str(scripts.get(name, "")) for name in _INSTALLS))
        return


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)
