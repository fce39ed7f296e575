"""Asks on behalf of all sources: at the rate that is set, again after what passes, from disk while that is fresh.

What is known is never lost to a failure: an answer replaces the kept one only after it was read, and while nobody
answers the kept one is given, with what went wrong beside it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Protocol, Self, TypeVar

import msgspec

from vsm_mcp.deferred import deferred
from vsm_mcp.discovery.network import kept
from vsm_mcp.discovery.network.backoff import asked_to_wait, may_pass, pause
from vsm_mcp.discovery.network.get import Broken, Getter, Got, Reading, Whole, host
from vsm_mcp.discovery.network.limits import Limits
from vsm_mcp.errors import NotFound, SourceUnavailable
from vsm_mcp.policy import bucket
from vsm_mcp.registries.addresses import Addresses, shown
from vsm_mcp.registries.trust import trust

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = deferred("aiohttp")

_AGENT: Final = "vsm-mcp"
_FORGOTTEN_AFTER: Final = 30 * 86_400.0
_LONG: Final = 1 << 16

T = TypeVar("T")
Read = Callable[[bytes], T]
"""Reads a body. Raises ``ValueError``, ``TypeError``, ``LookupError`` or ``AttributeError`` for rubbish."""


class Cache(Protocol):
    """Answers on disk."""

    async def get(self, key: str) -> tuple[bytes, float] | None:
        """Return ``(body, age in seconds)`` or ``None``."""

    async def put(self, key: str, body: bytes) -> None:
        """Keep ``body`` under ``key``."""

    async def drop(self, older_than: float) -> int:
        """Forget what was kept longer than so many seconds ago."""


class NotThere(NotFound):
    """The host answered that there is nothing at this address."""

    code = "not_there"
    remedy = "the others go on without it"


class Declined(SourceUnavailable):
    """The host does not understand the question, or no longer: another one may do."""


@dataclass(frozen=True)
class Told(Generic[T]):
    """An answer; ``trouble`` says why it is an old one, and is empty for one that still counts. ``age`` is seconds."""

    answer: T
    age: float = 0.0
    trouble: str = ""


class Web:
    """The network as all sources share it; an async context manager. Nothing is opened before the first question.

    ``addresses`` gives the proxies and certificates of this machine; ``cache`` keeps answers.
    """

    def __init__(self, cache: Cache, addresses: Callable[[], Awaitable[Addresses]]) -> None:
        self.cache = cache
        self._addresses = addresses
        self._getter: Getter | None = None
        self._opening = asyncio.Lock()
        self._buckets: dict[str, bucket.Bucket] = {}
        self._holds: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        getter, self._getter = self._getter, None
        if getter is not None:
            await getter.close()

    async def forget(self) -> None:
        """Forget answers that nobody asked for again in a month."""
        await self.cache.drop(_FORGOTTEN_AFTER)

    async def addresses(self) -> Addresses:
        """Return the registries, proxies and certificates of this machine."""
        return await self._addresses()

    async def ask(
        self,
        url: str,
        read: Read[T],
        limits: Limits,
        headers: Mapping[str, str] | None = None,
        reading: Callable[[], Reading] = Whole,
    ) -> Told[T]:
        """Return what is at an address, from disk while that is younger than ``limits.keep``.

        Raises :class:`NotThere`, or :class:`SourceUnavailable` when nobody answers and nothing is kept.
        """
        given = headers or {}
        key = _key(url, given)
        known, age = await self._known(key)
        if known is not None and age <= limits.keep:
            try:
                return Told(await _understood(url, known, read), age)
            except _RUBBISH:
                known = None
        conditions = known.conditions if known is not None else {}
        try:
            got = await self._fetch(url, {**given, **conditions}, limits, reading)
            return await self._renewed(url, key, known, got, read)
        except NotThere:
            if not limits.lasting:
                await self.cache.put(key, kept.pack(kept.Kept(b"", gone=True)))
            if not limits.lasting or known is None:
                raise
            return Told(await _understood(url, known, read), age, f"{host(url)} says that there is nothing any more")
        except SourceUnavailable as error:
            if known is None:
                raise
            return Told(await _understood(url, known, read), age, error.message)

    async def get(self, url: str, read: Read[T], limits: Limits, headers: Mapping[str, str] | None = None) -> T:
        """Return what is at an address now; nothing is kept. Raises as :meth:`ask` does."""
        got = await self._fetch(url, headers or {}, limits, Whole)
        return await _read(url, kept.of(got.body, got.headers), read)

    async def _known(self, key: str) -> tuple[kept.Kept | None, float]:
        found = await self.cache.get(key)
        return (None, 0.0) if found is None else (kept.unpack(found[0]), found[1])

    async def _renewed(self, url: str, key: str, known: kept.Kept | None, got: Got, read: Read[T]) -> Told[T]:
        if got.status == 304 and known is not None:
            answer = await _read(url, known, read)
            await self.cache.put(key, kept.pack(known))
            return Told(answer)
        new = kept.of(got.body, got.headers)
        answer = await _read(url, new, read)
        await self.cache.put(key, kept.pack(new))
        return Told(answer)

    async def _fetch(self, url: str, headers: Mapping[str, str], limits: Limits, reading: Callable[[], Reading]) -> Got:
        try:
            async with asyncio.timeout(limits.timeout):
                return await self._tried(url, {"User-Agent": _AGENT, **headers}, limits, reading)
        except TimeoutError as error:
            raise SourceUnavailable(f"{host(url)} did not answer within {limits.timeout:g} s") from error

    async def _tried(self, url: str, headers: Mapping[str, str], limits: Limits, reading: Callable[[], Reading]) -> Got:
        failures = 0
        while True:
            await self._turn(url, limits)
            try:
                got = await (await self._opened()).get(url, headers, limits, reading())
                wait = asked_to_wait(got.status, got.headers, time.time())
                if wait > 0:
                    await self._hold(host(url), time.time() + wait)
                return _settled(url, got, wait)
            except Broken as error:
                failures += 1
                after = pause(failures, limits, random.random())  # noqa: S311 - to spread, not to hide
                if after is None:
                    raise SourceUnavailable(error.message) from error
            await asyncio.sleep(after)

    async def _turn(self, url: str, limits: Limits) -> None:
        """Wait until the host may be asked. Raises :class:`SourceUnavailable` when that is too long to wait for."""
        place = host(url)
        if place not in self._holds:
            self._holds[place] = await self._held(place)
        while True:
            wait = self._holds[place] - time.time()
            if wait <= 0:
                now = time.monotonic()
                state = self._buckets.get(place) or bucket.full(limits.rate, now)
                self._buckets[place], wait = bucket.take(state, limits.rate, now)
            if wait <= 0:
                return
            if wait > limits.timeout:
                raise SourceUnavailable(f"{place} is not to be asked again for {_span(wait)}")
            await asyncio.sleep(wait)

    async def _held(self, place: str) -> float:
        found = await self.cache.get(_hold_key(place))
        try:
            return msgspec.json.decode(found[0], type=float) if found is not None else 0.0
        except msgspec.DecodeError:
            return 0.0

    async def _hold(self, place: str, until: float) -> None:
        """Remember that a host asked us to wait, also for the next process."""
        self._holds[place] = until
        await self.cache.put(_hold_key(place), msgspec.json.encode(until))

    async def _opened(self) -> Getter:
        async with self._opening:
            if self._getter is None:
                addresses = await self._addresses()
                connector = aiohttp.TCPConnector(limit_per_host=8, ssl=trust(addresses.ca_file))
                session = aiohttp.ClientSession(
                    connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
                )
                self._getter = Getter(session, addresses)
            return self._getter


_RUBBISH: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError, msgspec.DecodeError)


async def _understood(url: str, known: kept.Kept, read: Read[T]) -> T:
    if known.gone:
        raise NotThere(f"{host(url)} has nothing there")
    return await asyncio.to_thread(read, known.body) if len(known.body) > _LONG else read(known.body)


async def _read(url: str, known: kept.Kept, read: Read[T]) -> T:
    try:
        return await _understood(url, known, read)
    except _RUBBISH as error:
        raise SourceUnavailable(f"{host(url)} answers something that cannot be read") from error


def _settled(url: str, got: Got, wait: float) -> Got:
    """Return an answer that can be used. Raises :class:`Broken` for a failure that may pass, and others."""
    if got.status in {200, 304}:
        return got
    if wait > 0:
        raise Broken(f"{host(url)} answered {got.status} and asks to wait {_span(wait)}")
    if got.status in {404, 410}:
        raise NotThere(f"{host(url)} answered {got.status}")
    if may_pass(got.status):
        raise Broken(f"{host(url)} answered {got.status}")
    if got.status in {400, 422}:
        raise Declined(f"{host(url)} answered {got.status}")
    refused = " (access refused)" if got.status in {401, 403} else ""
    raise SourceUnavailable(f"{host(url)} answered {got.status}{refused}")


def _key(url: str, headers: Mapping[str, str]) -> str:
    """Return the key of an answer on disk: what was said to us alone is not what is said to everyone."""
    known = any(name.lower() == "authorization" for name in headers)
    accept = next((value for name, value in headers.items() if name.lower() == "accept"), "")
    return f"web {'known' if known else 'anyone'} {accept} {shown(url)}"


def _hold_key(place: str) -> str:
    return f"hold {place}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
