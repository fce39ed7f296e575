"""The Python package index as a source: its list of names is looked through here; the need goes nowhere.

The index has no search. Its list (PEP 503 or PEP 691, tens of megabytes) is read as it comes in and only the names
that mention MCP are kept; of the best of these the index is asked what they are (its JSON API, where it has one).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.discovery.loose import table
from vsm_mcp.discovery.network.limits import Limits, lasting, limits_of, patient
from vsm_mcp.discovery.network.scan import best, spaced
from vsm_mcp.discovery.network.web import NotThere, Told, Web
from vsm_mcp.discovery.packument import pypi_facts
from vsm_mcp.discovery.selection import calls_itself_server
from vsm_mcp.discovery.source import Context, SourceOff, SourceState
from vsm_mcp.errors import SourceUnavailable, VsmError
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.matching.tokens import words
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.counted import counted
from vsm_mcp.model.ref import Ref, parse_ref
from vsm_mcp.registries.client import json_api

_ACCEPT: Final = {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.5"}
_JSON: Final = {"Accept": "application/json"}
_LIST_BYTES: Final = 256 * 1024 * 1024
_DESCRIBED: Final = 12
_LONGEST: Final = 1_000
# A name in the list, of either form: PEP 691 has it in JSON, PEP 503 in a link that ends in a slash.
_NAME: Final = re.compile(
    rb'(?:"name"\s*:\s*"|<a\b[^>]{0,200}href\s*=\s*["\'][^"\'>]{0,300}/["\'][^>]{0,200}>\s*)'
    rb'([A-Za-z0-9][A-Za-z0-9._-]{0,200})(?=\s*["<])'
)
_NAMES_MCP: Final = re.compile(rb"mcp|model-?context", re.IGNORECASE)


class Names:
    """Reads a list of all names piece by piece and keeps those that mention MCP, one a line."""

    def __init__(self) -> None:
        self._rest = b""
        self._kept: set[bytes] = set()
        self._seen = 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        text = self._rest + piece
        self._rest = text[-_LONGEST:]
        for match in _NAME.finditer(text):
            self._seen += 1
            if _NAMES_MCP.search(match[1]):
                self._kept.add(match[1])

    def done(self) -> bytes:
        """Return the names that were kept; of a page without a single name, nothing that could be read."""
        return b"\n".join([b"names", *sorted(self._kept)]) if self._seen else b""


class PypiNamesSource:
    """See the module."""

    name = "pypi"
    state = SourceState.OK
    remote = True
    detail = ""

    def __init__(self, matcher: Matcher, web: Web, limits: Limits) -> None:
        self._matcher = matcher
        self._web = web
        self._limits = limits

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return the projects whose names fit the need. Raises :class:`SourceUnavailable`."""
        index = await self._index()
        names = await self._names(index, self._limits)
        self.state = SourceState.STALE if names.trouble else SourceState.OK
        self.detail = names.trouble
        query = self._matcher.need(need).query
        places = await asyncio.to_thread(best, query, [spaced(" ".join(words(name))) for name in names.answer], limit)
        found = [names.answer[place] for place in places]
        described = await asyncio.gather(*(self._described(index, name) for name in found[:_DESCRIBED]))
        plain = [_plain(name) for name in found[_DESCRIBED:]]
        return [each for each in (*described, *plain) if each is not None]

    async def refresh(self) -> str:
        """Bring the list of names up to date. Raises :class:`SourceUnavailable`."""
        told = await self._names(await self._index(), patient(self._limits))
        if told.trouble:
            raise SourceUnavailable(told.trouble)
        return counted(len(told.answer), "names")

    async def _index(self) -> str:
        addresses = await self._web.addresses()
        if addresses.python.no_index or not addresses.pypi_index.startswith(("http://", "https://")):
            raise SourceOff("pip is told to use no index")
        return addresses.pypi_index

    async def _names(self, index: str, limits: Limits) -> Told[list[str]]:
        large = lasting(msgspec.structs.replace(limits, max_bytes=_LIST_BYTES))
        try:
            return await self._web.ask(index, _lines, large, _ACCEPT, Names)
        except NotThere as error:
            raise SourceUnavailable(f"this index has no list of names: {error.message}") from error

    async def _described(self, index: str, name: str) -> Candidate | None:
        """Return what the index says of a project, or its name alone while it says nothing; ``None`` for no server."""
        plain = _plain(name)
        try:
            told = await self._web.ask(json_api(index, name.lower()), _project, self._limits, _JSON)
        except VsmError:
            return plain
        if plain is None:
            return None
        summary = table(told.answer.get("info")).get("summary")
        described = pypi_facts(plain.ref, told.answer)
        if not calls_itself_server(name, summary if isinstance(summary, str) else ""):
            return None
        return msgspec.structs.replace(described, name=name, description=summary if isinstance(summary, str) else "")


def _lines(body: bytes) -> list[str]:
    first, *names = body.decode("ascii").split("\n")
    if first != "names":
        raise ValueError("no list of names")
    return names


def _project(body: bytes) -> Mapping[str, Any]:
    answer = msgspec.json.decode(body)
    if not isinstance(answer["info"], dict):
        raise TypeError
    kept = ("info", "urls")
    return {name: answer.get(name) for name in kept}


def _plain(name: str) -> Candidate | None:
    ref = _ref(name)
    return Candidate(ref=ref, name=name) if ref is not None and calls_itself_server(name, "") else None


def _ref(name: str) -> Ref | None:
    try:
        return parse_ref(f"pypi:{name}")
    except VsmError:
        return None


def build(context: Context) -> PypiNamesSource:
    """Build the source (entry point ``vsm_mcp.sources: pypi``)."""
    return PypiNamesSource(context.matcher, context.network, limits_of(context.config.discovery))
