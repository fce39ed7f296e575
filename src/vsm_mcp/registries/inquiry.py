"""Questions of the checks to whoever vouches for packages: one try, a deadline, a cap; answers are kept for a while.

What vouches for a package lies beside its registry: npm's keys and attestations (npm documentation, "Registry
signatures" and "Provenance"), PyPI's Integrity API (PEP 740). The API of advisories is OSV's.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from vsm_mcp.errors import RegistryUnavailable
from vsm_mcp.model.ref import normalise_pypi
from vsm_mcp.registries.addresses import shown
from vsm_mcp.registries.client import Registries

MAX_BYTES: Final = 8 * 1024 * 1024
_PAUSE_SECONDS: Final = 60.0
_OLD_SECONDS: Final = 7 * 86_400.0
_JSON: Final = "application/json"
_INTEGRITY: Final = "application/vnd.pypi.integrity.v1+json"
_LONG: Final = 1 << 16
_GONE: Final = b"\0gone"


class Answer(NamedTuple):
    """An answer: ``found`` says whether there is anything at the address, ``told`` is the JSON that the host sent.

    Where there is nothing, ``told`` may be ``None``: not every host sends JSON then.

    ``age`` (seconds) is how long it was kept; ``trouble`` says why an old one is given, and is empty otherwise.
    """

    found: bool
    told: Any
    age: float = 0.0
    trouble: str = ""


class Inquiry:
    """Asks over the connections of :class:`Registries`.

    ``timeout`` (seconds) bounds one question. A host that failed is not asked again for a minute: many questions of
    one admission go to the same host. A kept answer counts for ``keep`` seconds, and for a week while nobody answers.
    """

    def __init__(self, registries: Registries, *, timeout: float = 5.0, keep: float = 6 * 3600.0) -> None:
        self._registries = registries
        self._timeout = timeout
        self._keep = keep
        self._silent: dict[str, tuple[float, str]] = {}

    async def npm_keys(self, name: str) -> Answer:
        """Return the keys that the registry of an npm package signs with (``/-/npm/v1/keys``)."""
        return await self.get(f"{self._npm(name)}-/npm/v1/keys")

    async def npm_attestations(self, name: str, version: str) -> Answer:
        """Return what was attested of a version of an npm package (``/-/npm/v1/attestations/NAME@VERSION``)."""
        return await self.get(f"{self._npm(name)}-/npm/v1/attestations/{quote(name, safe='@')}@{quote(version)}")

    async def pypi_provenance(self, name: str, version: str, filename: str) -> Answer:
        """Return the provenance of a file of a PyPI project (PEP 740, Integrity API)."""
        root = self._registries.addresses.pypi_index.removesuffix("/").removesuffix("/simple")
        parts = "/".join(quote(part) for part in (normalise_pypi(name), version, filename))
        return await self.get(f"{root}/integrity/{parts}/provenance", _INTEGRITY)

    async def get(self, url: str, accept: str = _JSON) -> Answer:
        """Return what is at an address. Raises :class:`RegistryUnavailable` when nobody answers and nothing is kept."""
        return await self._ask(url, accept, None)

    async def post(self, url: str, body: bytes) -> Answer:
        """Return the answer to ``body`` (JSON). Raises :class:`RegistryUnavailable` as :meth:`get` does."""
        return await self._ask(url, _JSON, body)

    async def answered_before(self, url: str) -> bool:
        """Return whether the host of an address ever answered this home."""
        cache = self._registries.cache
        return cache is not None and await cache.get(_met(url)) is not None

    def _npm(self, name: str) -> str:
        registry = self._registries.addresses.npm_registry(name)
        if not registry:
            raise RegistryUnavailable("npm is not installed, so no npm registry is known", "install node and npm")
        return registry

    async def _ask(self, url: str, accept: str, body: bytes | None) -> Answer:
        key = f"inquiry {accept} {shown(url)} {hashlib.sha256(body).hexdigest() if body else ''}"
        cache = self._registries.cache
        kept = await cache.get(key) if cache is not None else None
        if kept is not None and kept[1] <= self._keep:
            return await _read(url, kept[0], kept[1])
        try:
            status, answer = await self._fetch(url, accept, body)
            packed = answer if status == 200 else _GONE + answer
            read = await _read(url, packed)
        except RegistryUnavailable as error:
            if kept is None or kept[1] > _OLD_SECONDS:
                raise
            return await _read(url, kept[0], kept[1], error.message)
        if cache is not None:
            await cache.put(key, packed)
            if status == 200:
                await cache.put(_met(url), b"")
        return read

    async def _fetch(self, url: str, accept: str, body: bytes | None) -> tuple[int, bytes]:
        place = urlsplit(url).netloc
        since, why = self._silent.get(place, (float("-inf"), ""))
        if time.monotonic() - since < _PAUSE_SECONDS:
            raise RegistryUnavailable(why)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._registries.exchange(url, accept, MAX_BYTES, body)
        except TimeoutError as error:
            why = f"{_place(url)} did not answer within {self._timeout:g} s"
            self._silent[place] = (time.monotonic(), why)
            raise RegistryUnavailable(why) from error
        except RegistryUnavailable as error:
            self._silent[place] = (time.monotonic(), error.message)
            raise


def _met(url: str) -> str:
    return f"inquiry met {_place(url)}"


async def _read(url: str, packed: bytes, age: float = 0.0, trouble: str = "") -> Answer:
    gone = packed.startswith(_GONE)
    body = packed.removeprefix(_GONE)
    try:
        told = await asyncio.to_thread(msgspec.json.decode, body) if len(body) > _LONG else msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        if not gone:
            raise RegistryUnavailable(f"{_place(url)} answers something that is no JSON") from error
        told = None
    return Answer(not gone, told, age, trouble)


def _place(url: str) -> str:
    return urlsplit(shown(url)).netloc
