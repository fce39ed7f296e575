"""A language model as a source (entry point ``vsm_mcp.sources: research``); off until one is set up.

What it names is a guess. It counts once the package's own registry knows the package, and the package calls itself a
server there: names that models invent are registered by people who wait for that.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from vsm_mcp.discovery.network.get import host
from vsm_mcp.discovery.network.secret import read_secret
from vsm_mcp.discovery.network.web import Web
from vsm_mcp.discovery.packument import npm_facts, pypi_facts
from vsm_mcp.discovery.research.post import post
from vsm_mcp.discovery.research.question import TOKENS, Named, named, request, said, used
from vsm_mcp.discovery.selection import calls_itself_server
from vsm_mcp.discovery.source import Context, SourceOff, SourceState
from vsm_mcp.errors import ConfigError, NotFound, SourceUnavailable, VsmError
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.discovery import Research
from vsm_mcp.model.ref import RefKind
from vsm_mcp.registries.client import Registries

_MOST: Final = 12
_SETTING: Final = "[discovery.research]"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DAY: Final = 86_400.0


class ResearchSource:
    """See the module. ``detail`` says after a search how many packages were named, and how many were confirmed."""

    name = "research"
    state = SourceState.OK
    remote = True

    def __init__(self, context: Context, now: Callable[[], float] = time.time) -> None:
        self.detail = ""
        self._context = context
        self._settings: Research = context.config.discovery.research
        self._now = now
        self._asking = asyncio.Lock()

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return the packages that the model named for the need and a registry confirmed.

        Raises :class:`SourceOff` where none is set up, and :class:`SourceUnavailable` when it does not answer, or may
        not be asked any more today.
        """
        if not (self._settings.url and self._settings.model):
            raise SourceOff("no model is set up", f"{_SETTING} url and model")
        web = self._context.network
        guesses = await self._guesses(need, min(limit, _MOST), web)
        sure = [each for each in guesses if each.confidence >= self._settings.least_confidence]
        confirmed, unreached = await self._confirmed(sure, web)
        self.detail = f"{len(guesses)} named, {len(confirmed)} confirmed by their registry"
        if unreached:
            self.detail += f", {unreached} could not be looked up"
        return confirmed

    async def _guesses(self, need: str, most: int, web: Web) -> list[Named]:
        """Return what the model names, from disk if it was asked that already."""
        key = self._key(need)
        async with self._asking:  # two at once about one need ask once
            kept = await web.cache.get(key)
            if kept is not None and kept[1] <= self._context.config.discovery.cache_seconds:
                words = kept[0].decode("utf-8", "replace")
            else:
                words = await self._ask(need, most, web)
                await web.cache.put(key, words.encode("utf-8", "replace"))
        try:
            return named(words, most)
        except ValueError as error:
            raise SourceUnavailable(f"{host(self._settings.url)}: {error}") from error

    async def _ask(self, need: str, most: int, web: Web) -> str:
        settings = self._settings
        secret = read_secret(settings.key, self._context.config.environ, f"{_SETTING} key")
        if settings.key and not secret:
            raise ConfigError(f"{_SETTING} key names nothing", "set the variable, or take the setting out")
        parts = urlsplit(settings.url)
        if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in _LOOPBACK):
            raise ConfigError(f"{_SETTING} url begins with https://, or is on this machine", "mend the setting")
        await self._spend(web)
        question = request(need, most, settings)
        body = await post(question, secret, await web.addresses(), settings.timeout_seconds)
        await self._count(used(body, settings.api, len(question.body)), web)
        try:
            return said(body, settings.api)
        except ValueError as error:
            raise SourceUnavailable(f"{host(settings.url)}: {error}") from error

    async def _spend(self, web: Web) -> None:
        """Count one question of today's. Raises :class:`SourceUnavailable` when there are no more."""
        key = f"research day {int(self._now() // _DAY)}"
        kept = await web.cache.get(key)
        try:
            spent = msgspec.json.decode(kept[0], type=int) if kept is not None else 0
        except msgspec.DecodeError:
            spent = 0
        if spent >= self._settings.calls_per_day:
            raise SourceUnavailable(f"today's {spent} questions are asked; {_SETTING} calls_per_day")
        await web.cache.put(key, msgspec.json.encode(spent + 1))

    async def _count(self, tokens: int, web: Web) -> None:
        """Add to the tokens that were ever used; whoever has a budget takes the difference."""
        kept = await web.cache.get(TOKENS)
        try:
            before = msgspec.json.decode(kept[0], type=float) if kept is not None else 0.0
        except msgspec.DecodeError:
            before = 0.0
        await web.cache.put(TOKENS, msgspec.json.encode(before + tokens))

    async def _confirmed(self, guesses: Sequence[Named], web: Web) -> tuple[list[Candidate], int]:
        async with Registries(
            await web.addresses(), web.cache, max_age=self._context.config.discovery.cache_seconds
        ) as known:
            found = await asyncio.gather(*(_confirm(each, known) for each in guesses))
        return [each for each in found if isinstance(each, Candidate)], sum(each is False for each in found)

    def _key(self, need: str) -> str:
        settings = self._settings
        about = f"{settings.api}\0{settings.url}\0{settings.model}\0{need}"
        return f"research {hashlib.sha256(about.encode('utf-8', 'replace')).hexdigest()}"


async def _confirm(guess: Named, registries: Registries) -> Candidate | bool | None:
    """Return the package as its registry describes it; ``None`` for no server, ``False`` when nobody can say."""
    npm = guess.ref.kind is RefKind.NPM
    try:
        document: dict[str, Any] = await (registries.npm_package if npm else registries.pypi_project)(guess.ref.name)
    except NotFound:
        return None
    except VsmError:
        return False
    told = (npm_facts if npm else pypi_facts)(guess.ref, document)
    if not calls_itself_server(guess.ref.name, told.text[:2000], (told.facts.published or "")[:7]):
        return None
    facts = msgspec.structs.replace(told.facts, recommended=round(guess.confidence * 100))
    return msgspec.structs.replace(told, name=guess.ref.name, facts=facts)


def build(context: Context) -> ResearchSource:
    """Build the source."""
    return ResearchSource(context)
