"""Asks GitHub's REST API. The token goes into one header and nowhere else.

Source: GitHub REST API, version 2022-11-28: "Search repositories", "Get a repository README" (of a folder, too), "Get
repository content"; with the media type ``raw`` the answer is the file itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from vsm_mcp.discovery.github.lists import Entry, entries
from vsm_mcp.discovery.github.place import Place
from vsm_mcp.discovery.github.repository import Repository, found
from vsm_mcp.discovery.network.limits import Limits, lasting
from vsm_mcp.discovery.network.secret import Secret
from vsm_mcp.discovery.network.web import NotThere, Told, Web

_JSON: Final = "application/vnd.github+json"
_RAW: Final = "application/vnd.github.raw+json"
_VERSION: Final = "2022-11-28"
_PUBLIC: Final = "api.github.com"

T = TypeVar("T")


class GitHubApi:
    """The API at ``address``; ``site`` is where people look at its repositories."""

    def __init__(self, web: Web, address: str, token: Secret) -> None:
        self._web = web
        self._address = address.rstrip("/")
        self._token = token
        parts = urlsplit(self._address)
        self.site = "https://github.com" if parts.hostname == _PUBLIC else f"{parts.scheme}://{parts.netloc}"

    async def search(self, query: str, count: int, limits: Limits) -> Told[list[Repository]]:
        """Return the repositories that a query finds, best first."""
        asked = urlencode({"q": query, "per_page": str(count)})
        return await self._ask(f"/search/repositories?{asked}", self._repositories, lasting(limits), _JSON)

    async def entries(self, place: Place, limits: Limits) -> Told[list[Entry]]:
        """Return the entries of the list that a repository's README is."""
        return await self._ask(_readme(place), lambda body: _some(entries(_text(body), place)), lasting(limits), _RAW)

    async def readme(self, place: Place, limits: Limits) -> str:
        """Return a README; empty where there is none."""
        try:
            return (await self._ask(_readme(place), _text, limits, _RAW)).answer
        except NotThere:
            return ""

    async def server_json(self, place: Place, limits: Limits) -> Any:
        """Return what is in ``server.json``; ``None`` where there is none."""
        path = quote(f"{place.folder}/server.json".lstrip("/"))
        try:
            return (await self._ask(f"{_repository(place)}/contents/{path}", _document, limits, _RAW)).answer
        except NotThere:
            return None

    async def _ask(self, path: str, read: Callable[[bytes], T], limits: Limits, accept: str) -> Told[T]:
        headers = {"Accept": accept, "X-GitHub-Api-Version": _VERSION}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return await self._web.ask(self._address + path, read, limits, headers)

    def _repositories(self, body: bytes) -> list[Repository]:
        items = msgspec.json.decode(body)["items"]
        if not isinstance(items, list):
            raise TypeError
        read = (found(item, self.site) for item in items)
        return [repository for repository in read if repository is not None]


def _repository(place: Place) -> str:
    return f"/repos/{quote(place.owner)}/{quote(place.name)}"


def _readme(place: Place) -> str:
    return f"{_repository(place)}/readme" + (f"/{quote(place.folder)}" if place.folder else "")


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _some(found: list[Entry]) -> list[Entry]:
    """A list without a single entry is no list: what was known before is better."""
    if not found:
        raise ValueError("no entries")
    return found


def _document(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None  # somebody's mistake in somebody's file
