"""GitHub as a source: what its search finds for the telling words of a need, and what is on known lists."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from vsm_mcp.discovery.asking import asked_words, weightiest
from vsm_mcp.discovery.github.api import GitHubApi
from vsm_mcp.discovery.github.lists import Entry
from vsm_mcp.discovery.github.place import Place, place_of
from vsm_mcp.discovery.github.repository import Repository, candidates, on_list
from vsm_mcp.discovery.network.limits import Limits, for_need, limits_of, patient
from vsm_mcp.discovery.network.scan import best, spaced
from vsm_mcp.discovery.network.secret import read_secret
from vsm_mcp.discovery.network.web import Told
from vsm_mcp.discovery.source import Context, SourceOff, SourceState
from vsm_mcp.errors import ConfigError, SourceUnavailable, VsmError
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.matching.tokens import stems
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.counted import counted
from vsm_mcp.model.discovery import Discovery, GitHub

_MOST_QUERY: Final = 200
_PAGE: Final = 50
_FROM_LISTS: Final = 20
_PUBLIC_TOKEN: Final = "env:GITHUB_TOKEN"
T = TypeVar("T")


class Asked(NamedTuple):
    """The limits of questions that hold words of the need, and of the others."""

    need: Limits
    other: Limits


class GitHubSource:
    """See the module."""

    name = "github"
    state = SourceState.OK
    remote = True
    detail = ""

    def __init__(self, matcher: Matcher, api: GitHubApi, settings: GitHub, limits: Asked) -> None:
        self._matcher = matcher
        self._api = api
        self._settings = settings
        self._limits = limits
        self._lists = [_list(name, api.site) for name in settings.lists]

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return repositories and the packages they publish. Raises :class:`SourceUnavailable` when none answers."""
        queries = self._queries(need) if self._settings.search else []
        if not queries and not self._lists:
            raise SourceOff("neither searching nor a list is set up", "[discovery.github] search, lists")
        searches = [self._api.search(query, _PAGE, self._limits.need) for query in queries]
        lists = [self._api.entries(place, self._limits.other) for place in self._lists]
        (found, lost), (listed, missing) = await asyncio.gather(_settled(searches), _settled(lists))
        troubles = [*lost, *missing]
        if troubles and not found and not listed:
            raise SourceUnavailable(troubles[0])
        told = [*(each.trouble for each in found), *(each.trouble for each in listed)]
        self._say([*troubles, *filter(None, told)])
        entries = [entry for each in listed for entry in each.answer]
        known = [
            *(each for some in found for each in some.answer),
            *await asyncio.to_thread(self._on_lists, need, entries),
        ]
        return (await self._candidates(_once(known)))[:limit]

    async def refresh(self) -> str:
        """Bring the lists up to date. Raises :class:`SourceUnavailable`, naming why one could not be."""
        limits = patient(self._limits.other)
        told, troubles = await _settled([self._api.entries(place, limits) for place in self._lists])
        troubles += [each.trouble for each in told if each.trouble]
        if troubles:
            raise SourceUnavailable("; ".join(dict.fromkeys(troubles)))
        return f"{counted(sum(len(each.answer) for each in told), 'entries')} of {counted(len(told), 'lists')}"

    def _say(self, troubles: Sequence[str]) -> None:
        self.state = SourceState.STALE if troubles else SourceState.OK
        self.detail = "; ".join(dict.fromkeys(troubles))

    def _queries(self, need: str) -> list[str]:
        """GitHub wants every word of a query to be there: so the two that say most, and the one beside a topic."""
        first, *more = weightiest(asked_words(need, _MOST_QUERY), self._matcher.need(need).weights) or [""]
        if not first:
            return []
        return [f"{' '.join([first, *more[:1]])} mcp in:name,description,topics", f"{first} topic:mcp-server"]

    def _on_lists(self, need: str, entries: Sequence[Entry]) -> list[Repository]:
        query: Mapping[str, float] = self._matcher.need(need).query
        texts = [spaced(" ".join(stems(f"{each.title} {each.words} {' '.join(each.categories)}"))) for each in entries]
        return [on_list(entries[place]) for place in best(query, texts, _FROM_LISTS)]

    async def _candidates(self, known: Sequence[Repository]) -> list[Candidate]:
        """Return all of them, having read what the first of them say of themselves."""
        read = known[: self._settings.read_best]
        told = await asyncio.gather(*(self._read(each) for each in read))
        rest = [candidate for each in known[len(read) :] for candidate in candidates(each)]
        return [candidate for some in told for candidate in some] + rest

    async def _read(self, repository: Repository) -> list[Candidate]:
        limits = self._limits.other
        try:
            server_json = await self._api.server_json(repository.place, limits)
            readme = "" if server_json is not None else await self._api.readme(repository.place, limits)
        except VsmError:
            return candidates(repository)
        return candidates(repository, server_json, readme)


async def _settled(questions: Sequence[Awaitable[Told[T]]]) -> tuple[list[Told[T]], list[str]]:
    """Return what was answered, and why the others were not."""
    answers = await asyncio.gather(*questions, return_exceptions=True)
    troubles: list[str] = []
    told: list[Told[T]] = []
    for answer in answers:
        if isinstance(answer, VsmError):
            troubles.append(answer.message)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            told.append(answer)
    return told, troubles


def _once(repositories: Sequence[Repository]) -> list[Repository]:
    """What is found in several ways counts once; a search says more of it than a list does, and comes first."""
    found: dict[tuple[str, str], Repository] = {}
    for each in repositories:
        found.setdefault((each.place.repository.lower(), each.place.folder), each)
    return list(found.values())


def _list(name: str, site: str) -> Place:
    place = place_of(f"{site}/{name}", site)
    if place is None:
        raise ConfigError(f"[discovery.github] lists: {name!r} is no repository", "write OWNER/NAME")
    return place


def _token_of(settings: GitHub) -> str:
    """Return where the token is: what a machine has for GitHub is not for whoever else is asked in its place."""
    if settings.token is not None:
        return settings.token
    return _PUBLIC_TOKEN if settings.api == GitHub().api else ""


def build(context: Context) -> GitHubSource:
    """Build the source (entry point ``vsm_mcp.sources: github``). Raises :class:`ConfigError`."""
    settings: Discovery = context.config.discovery
    token = read_secret(_token_of(settings.github), context.config.environ, "[discovery.github] token")
    whole = limits_of(settings)
    limits = msgspec.structs.replace(whole, timeout=whole.timeout / 3)  # it asks in up to three rounds
    asked = Asked(for_need(limits, settings), limits)
    return GitHubSource(context.matcher, GitHubApi(context.network, settings.github.api, token), settings.github, asked)
