"""A README that lists servers → its entries, each under the headlines it stands below. Pure.

Lists differ: links are bold, have pictures before them and emoji after them; some are to folders of the repository
itself. What is taken is the first link of an item that leads to a repository, and the words after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from vsm_mcp.discovery.github.place import Place, below, place_of

_HEADLINE: Final = re.compile(r"\s{0,3}(#{1,6})\s+(.+)")
_ITEM: Final = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+(.+)")
_LINK: Final = re.compile(r"(?<!!)\[([^\[\]]{1,200})\]\(<?([^()\s<>]{1,500})>?(?:\s+\"[^\"]*\")?\)")
_PICTURE: Final = re.compile(r"!\[[^\]]{0,200}\]\([^)]{0,500}\)")
_LINKED_PICTURE: Final = re.compile(r"\[\s*!\[[^\]]{0,200}\]\([^)]{0,500}\)\s*\]\([^)]{0,500}\)")
_MARKUP: Final = re.compile(r"<[^<>]{1,500}>|[*_`~|]+")
_BEGIN: Final = re.compile(r"^[^\w(\"']+")
# Headlines below which nothing is a server.
_ELSE: Final = re.compile(
    r"\b(?:clients?|frameworks?|tutorials?|community|resources?|legend|tips|contribut\w*|licen[cs]e|sponsors?|"
    r"what is|getting started|star history|archived?|sdks?|libraries|related|contents)\b",
    re.IGNORECASE,
)
_MOST: Final = 20_000
_LINE: Final = 4_000


class Entry(msgspec.Struct, frozen=True):
    """One entry: where it leads, what it is called, what is said of it, and the headlines above it."""

    place: Place
    title: str
    words: str
    categories: tuple[str, ...]


def entries(markdown: str, home: Place) -> list[Entry]:
    """Return the entries of a list; ``home`` is the repository that it is the README of. Each place counts once."""
    found: dict[tuple[str, str, str], Entry] = {}
    for entry in _entries(markdown, home):
        place = entry.place
        found.setdefault((place.owner.lower(), place.name.lower(), place.folder), entry)
        if len(found) >= _MOST:
            break
    return list(found.values())


def _entries(markdown: str, home: Place) -> Iterator[Entry]:
    above: dict[int, str] = {}
    for line in markdown.splitlines():
        headline = _HEADLINE.match(line[:_LINE])
        if headline is not None:
            level = len(headline[1])
            above = {depth: text for depth, text in above.items() if depth < level}
            above[level] = _plain(headline[2])
            continue
        item = _ITEM.match(line[:_LINE])
        # The title of the whole page says what it lists, not what it does not.
        shown = [text for depth, text in sorted(above.items()) if depth > 1]
        if item is not None and not any(map(_ELSE.search, shown)):
            entry = _entry(item[1], home, tuple(filter(None, shown)))
            if entry is not None:
                yield entry


def _entry(item: str, home: Place, categories: tuple[str, ...]) -> Entry | None:
    item = _PICTURE.sub(" ", _LINKED_PICTURE.sub(" ", item))
    for link in _LINK.finditer(item):
        place = _target(link[2], home)
        if place is not None:
            return Entry(place, _plain(link[1]), _plain(_LINK.sub(r"\1", item[link.end() :])), categories)
        if not link[2].startswith("#"):
            return None  # it leads somewhere else first
    return None


def _target(address: str, home: Place) -> Place | None:
    if address.startswith("#"):
        return None
    if "://" not in address:
        return below(home, address.split("#", 1)[0])
    place = place_of(address, home.site)
    at_home = place is not None and (place.owner.lower(), place.name.lower()) == (home.owner.lower(), home.name.lower())
    return None if at_home and place is not None and not place.folder else place


def _plain(text: str) -> str:
    """Return a text without markup, pictures and the marks before its first word."""
    bare = _MARKUP.sub(" ", _LINK.sub(r"\1", _PICTURE.sub(" ", text)))
    return _BEGIN.sub("", " ".join(bare.split()))
