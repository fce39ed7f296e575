"""A source that reads files anew for each need: what is written there now counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsm_mcp.discovery.files.reading import Unreadable, read_document
from vsm_mcp.discovery.files.sighting import sighted
from vsm_mcp.discovery.meaning import meaning
from vsm_mcp.discovery.screen import clean, screen
from vsm_mcp.discovery.source import SourceState
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.matching.wording import ServerText
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.client_file import Unfit
from vsm_mcp.model.client_shapes import off

if TYPE_CHECKING:
    from vsm_mcp.matching.servers import ServerIndex

_SHOWN = 3
_TOOLS_IN_ALL = 10_000  # so many tools of a list are read, each server's first ones: a second of work


class Finds:
    """What a look at some files gave: candidates, and what could not be used."""

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.troubles: list[str] = []
        self.read = 0

    def document(self, path: Path) -> Any:
        """Return what a file holds; ``None`` when there is none, or none that can be used, which is noted."""
        try:
            document = read_document(path)
        except Unreadable as error:
            self.troubles.append(error.message)
            return None
        self.read += document is not None
        return document

    def take(self, path: Path, entries: object, without: Iterable[str] = (), folder: Path | None = None) -> None:
        """Take in the entries of a file (in the ``mcpServers`` form), less those that are switched off."""
        if not isinstance(entries, Mapping):
            self.troubles.append(f"{path}: its servers are no object")
            return
        left_out = set(without)
        for title, entry in entries.items():
            if off(entry) or title in left_out:
                continue
            try:
                self.candidates.append(sighted(str(title), entry, folder))
            except Unfit as error:
                self.troubles.append(f"{path}: {clean(str(title), 40)}: {error}")


class FileSource:
    """A source over a ``look``, which runs in a thread. ``detail`` says after a search what could not be used."""

    state = SourceState.OK

    def __init__(self, name: str, look: Callable[[], Finds], matcher: Matcher) -> None:
        self.name = name
        self.detail = ""
        self._look = look
        self._matcher = matcher

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return all candidates where there are no more than ``limit``, else those that fit the need best.

        Raises :class:`Unreadable` when there is something to read and nothing of it can be used.
        """
        return await asyncio.to_thread(self._search, need, limit)

    def _search(self, need: str, limit: int) -> list[Candidate]:
        finds = self._look()
        self.detail = summary(finds.troubles)
        if finds.troubles and not finds.read:
            raise Unreadable(self.detail)
        return fitting(finds.candidates, self.name, need, limit, self._matcher)


def fitting(found: list[Candidate], source: str, need: str, limit: int, matcher: Matcher) -> list[Candidate]:
    """Return all candidates of a source where there are no more than ``limit``, else those that fit the need best."""
    if len(found) <= limit:
        return found
    screened = [each for candidate in found if (each := screen(candidate, source)) is not None]
    most = _TOOLS_IN_ALL // max(1, len(screened))
    index = _index(tuple(_text(str(place), each, most) for place, each in enumerate(screened)))
    return [screened[int(key)] for key, _ in index.search(matcher.need(need).text, limit)]


@lru_cache(maxsize=4)
def _index(texts: tuple[ServerText, ...]) -> ServerIndex:
    """Return the index of a list; kept, because lists change seldom. By the model of words: it takes 0.1 ms a text."""
    from vsm_mcp.matching.servers import ServerIndex  # noqa: PLC0415 - numpy, at the first search

    return ServerIndex(texts, meaning())


def _text(key: str, candidate: Candidate, most: int) -> ServerText:
    labels = f"{candidate.name} {' '.join(candidate.tags)} {candidate.terms if not candidate.tools else ''}"
    said = candidate.description or candidate.text
    return ServerText(key, candidate.ref.name, said, labels, candidate.tools[:most])


def summary(troubles: Sequence[str]) -> str:
    """Return what could not be used, in a line."""
    more = f" (and {len(troubles) - _SHOWN} more)" if len(troubles) > _SHOWN else ""
    return "; ".join(troubles[:_SHOWN]) + more
