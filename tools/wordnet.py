"""WordNet's files ``data.*`` and ``index.*``, as Debian's ``wordnet-base`` holds them; build time only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Meaning(NamedTuple):
    """One meaning: where it stands in its file, the words for it, and what it says (definition; "examples")."""

    place: str
    words: list[str]
    gloss: str


def meanings(folder: Path, part: str) -> Iterator[Meaning]:
    """Yield the meanings of one part of speech (noun, verb, adj, adv)."""
    for line in _lines(folder / f"data.{part}"):
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        named = [fields[4 + 2 * number].replace("_", " ") for number in range(int(fields[3], 16))]
        yield Meaning(fields[0], named, gloss)


def senses(folder: Path, part: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each word with the places of its meanings, the usual one first."""
    for line in _lines(folder / f"index.{part}"):
        word, _, _, pointers, *rest = line.split()
        yield word.replace("_", " "), rest[int(pointers) + 2 :]


def _lines(file: Path) -> Iterator[str]:
    """Yield the lines of a file without those of its licence, which begin with a space."""
    return (line for line in file.read_text("latin-1").splitlines() if not line.startswith(" "))
