"""The search of the npm registry as a source: the telling words of the need go to the registry.

Source: npm registry API, ``GET /-/v1/search`` (``text`` of 2 to 64 characters, ``size`` up to 250). Registries differ:
some find only what holds every word, so the most telling one is asked for alone, too; some give a packument in short
(``dist-tags``, ``time``) in place of the last release (``version``, ``date``), and not every one knows downloads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from vsm_mcp.discovery.asking import asked_words, weightiest
from vsm_mcp.discovery.loose import number, rows, table, text
from vsm_mcp.discovery.network.limits import Limits, for_need, lasting, limits_of
from vsm_mcp.discovery.network.web import NotThere, Told, Web
from vsm_mcp.discovery.selection import calls_itself_server
from vsm_mcp.discovery.source import Context, SourceOff, SourceState
from vsm_mcp.errors import SourceUnavailable, VsmError
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import Ref, parse_ref
from vsm_mcp.registries.addresses import Addresses

_MARK: Final = "mcp"
_MOST_TEXT: Final = 64
_MOST: Final = 250
_WORDS_OF: Final = 20


class NpmSearchSource:
    """See the module."""

    name = "npm"
    state = SourceState.OK
    remote = True
    detail = ""

    def __init__(self, matcher: Matcher, web: Web, limits: Limits) -> None:
        self._matcher = matcher
        self._web = web
        self._limits = limits

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return what the registry finds and what calls itself a server. Raises :class:`SourceUnavailable`."""
        addresses = await self._web.addresses()
        if not addresses.npm:
            raise SourceOff("npm is not installed, so no npm registry is known")
        told = await asyncio.gather(*(self._ask(addresses, text, limit) for text in self._texts(need)))
        troubles = dict.fromkeys(each.trouble for each in told if each.trouble)
        self.state = SourceState.STALE if troubles else SourceState.OK
        self.detail = "; ".join(troubles)
        found: dict[Ref, Candidate] = {}
        for candidate in (each for answer in told for each in answer.answer):
            found.setdefault(candidate.ref, candidate)
        return list(found.values())[:limit]

    def _texts(self, need: str) -> list[str]:
        asked = asked_words(need, _MOST_TEXT - len(_MARK) - 1)
        heavy = weightiest(asked, self._matcher.need(need).weights)[:1]
        return list(dict.fromkeys(f"{_MARK} {words}" for words in (asked, *heavy) if words))

    async def _ask(self, addresses: Addresses, text: str, limit: int) -> Told[list[Candidate]]:
        query = urlencode({"text": text, "size": str(min(_MOST, 2 * limit))})
        url = f"{addresses.npm}-/v1/search?{query}"
        token = addresses.npm_authorization(url)
        headers = {"Accept": "application/json", **({"Authorization": token} if token else {})}
        try:
            return await self._web.ask(url, _read, self._limits, headers)
        except NotThere as error:
            raise SourceUnavailable(f"this npm registry has no search: {error.message}") from error


def _read(body: bytes) -> list[Candidate]:
    found = [_candidate(table(table(row).get("package")), table(row)) for row in _objects(msgspec.json.decode(body))]
    return [each for each in found if each is not None]


def _objects(document: Any) -> list[Any]:
    objects = document["objects"]
    if not isinstance(objects, list):
        raise TypeError
    return objects


def _candidate(package: Mapping[str, Any], row: Mapping[str, Any]) -> Candidate | None:
    ref, keywords = _ref(text(package.get("name"))), " ".join(map(text, rows(package.get("keywords"))[:_WORDS_OF]))
    description = text(package.get("description"))
    published = text(package.get("date")) or text(table(package.get("time")).get("modified"))
    if ref is None or not calls_itself_server(ref.name, f"{description} {keywords}", published[:7]):
        return None
    links = table(package.get("links"))
    facts = PackageFacts(
        version=text(package.get("version")) or text(table(package.get("dist-tags")).get("latest")),
        licence=text(package.get("license")) or None,
        published=published or None,
        downloads=number(table(row.get("downloads")).get("monthly")),
        homepage=text(links.get("homepage")) or None,
        repository=text(links.get("repository")) or None,
        maintainers=len(rows(package.get("maintainers"))) or None,
    )
    return Candidate(ref=ref, name=ref.name, description=description, terms=keywords, facts=facts)


def _ref(name: str) -> Ref | None:
    try:
        return parse_ref(f"npm:{name}")
    except VsmError:
        return None


def build(context: Context) -> NpmSearchSource:
    """Build the source (entry point ``vsm_mcp.sources: npm``)."""
    settings = context.config.discovery
    return NpmSearchSource(context.matcher, context.network, lasting(for_need(limits_of(settings), settings)))
