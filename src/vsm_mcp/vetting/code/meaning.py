"""What a dotted name does and what a constant text is about: the tables of ``vetting/data/code.toml``."""

from __future__ import annotations

import functools
import re
import tomllib
from importlib import resources
from typing import Final

ENVIRONMENTS: Final = frozenset({"process.env", "os.environ", "os.environb", "Deno.env", "Bun.env", "import.meta.env"})
ENVIRONMENT_CALLS: Final = frozenset({"Deno.env.toObject", "os.environ.copy", "os.environ.items", "os.environ.values"})
ARGUMENTS: Final = ("process.argv", "sys.argv", "argparse", "commander", "yargs", "minimist", "click", "util.parseArgs")
MAX_TEXT: Final = 4096


@functools.cache
def _table() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(_source().decode())


@functools.cache
def _source() -> bytes:
    return resources.files("vsm_mcp.vetting").joinpath("data/code.toml").read_bytes()


@functools.cache
def _calls() -> tuple[dict[str, str], dict[str, str]]:
    exact: dict[str, str] = {}
    below: dict[str, str] = {}
    for kind, names in _table()["calls"].items():
        for name in names:
            if name.endswith(".*"):
                below[name[:-2]] = kind
            else:
                exact[name] = kind
    return exact, below


@functools.lru_cache(maxsize=65536)
def call_kind(path: str) -> str:
    """Return what calling ``path`` does: a key of ``[calls]``, or ``""``. The longest name that fits decides."""
    exact, below = _calls()
    if path in exact:
        return exact[path]
    prefix = path
    while "." in prefix:
        prefix = prefix.rpartition(".")[0]
        if prefix in below:
            return below[prefix]
    return ""


@functools.cache
def names(kind: str) -> frozenset[str]:
    """Return the last parts of names that mean ``kind``, whatever they are called on."""
    return frozenset(_table()["names"][kind])


@functools.cache
def _pattern(section: str, kind: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each})" for each in _table()[section][kind]), re.IGNORECASE | re.DOTALL)


def about(kind: str, text: str, section: str = "places") -> bool:
    """Say whether a text is about a ``kind`` of ``[places]`` or ``[hosts]``; only its first 4,096 characters count."""
    return _pattern(section, kind).search(text[:MAX_TEXT].replace("\\", "/")) is not None


@functools.lru_cache(maxsize=65536)
def tags_of(text: str) -> frozenset[str]:
    """Return the tags of a constant text, known in part (NUL for what is not)."""
    if len(text) < 3 or len(text) > MAX_TEXT or not _could_matter(text):
        return frozenset()
    short = len(text) <= 300 and "\n" not in text.strip()
    found = {
        kind for kind in ("secret", "hard_secret", "client", "startup", "environment") if short and about(kind, text)
    }
    found |= {kind for kind in ("collector", "hook", "messenger", "address") if about(kind, text, "hosts")}
    if about("wallet", text, "hosts"):
        found.add("wallet")
    if about("wallet_pattern", text, "hosts"):
        found.add("wallet_pattern")
    return frozenset(found)


def _could_matter(text: str) -> bool:
    """Most texts are words: say so without a search."""
    if not _MARKS.isdisjoint(text):
        return True
    return (len(text) >= 25 and " " not in text) or any(
        each in text.lower() for each in ("id_", "login", "bc1", "settings")
    )


_MARKS: Final = frozenset("./\\:[")
