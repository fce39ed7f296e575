"""Asks the npm registry and the Python package index about one package.

Protocols: npm registry, "Package metadata" (packument at ``/NAME``, a scope's slash as ``%2f``); PyPI JSON API at
``/pypi/NAME/json`` beside ``/simple/``; PEP 503 and PEP 691 simple index where the JSON API is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from vsm_mcp.deferred import deferred
from vsm_mcp.errors import NotFound, RegistryUnavailable, UnknownPackage, VsmError
from vsm_mcp.model.ref import normalise_pypi
from vsm_mcp.registries.addresses import Addresses, package_file, shown
from vsm_mcp.registries.simple_index import JSON_FIRST, read_project
from vsm_mcp.registries.trouble import trouble
from vsm_mcp.registries.trust import trust

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = deferred("aiohttp")

_MAX_BYTES: Final = 96 * 1024 * 1024
_MAX_CACHED: Final = 4 * 1024 * 1024
_CHUNK: Final = 1 << 16
_AGENT: Final = "vsm-mcp"

T = TypeVar("T")


class Cache(Protocol):
    """Answers kept for a while; the reader decides what is too old."""

    async def get(self, key: str) -> tuple[bytes, float] | None:
        """Return ``(body, age in seconds)`` or ``None``."""

    async def put(self, key: str, body: bytes) -> None:
        """Keep ``body`` under ``key``."""


class _Missing(NotFound):
    """The registry answered 404 or 410."""


class _Transient(RegistryUnavailable):
    """An answer, or none, that another try may mend."""


class Registries:
    """The registries of this machine as one client; close it with :meth:`close` or use it as a context manager.

    ``max_age`` (seconds) is how old a cached answer may be; ``deadline`` (seconds) bounds one question with its
    retries, which come after the pauses ``retry_after`` (seconds).
    """

    def __init__(
        self,
        addresses: Addresses,
        cache: Cache | None = None,
        *,
        max_age: float = 3600.0,
        deadline: float = 30.0,
        retry_after: tuple[float, ...] = (0.3, 1.0),
    ) -> None:
        self.addresses = addresses
        self._cache = cache
        self._max_age = max_age
        self._deadline = deadline
        self._retry_after = retry_after
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def npm_package(self, name: str, *, fresh: bool = False) -> dict[str, Any]:
        """Return the packument of an npm package (``dist-tags``, ``versions``, ``time`` where the registry has it).

        ``fresh`` goes past the cache. Raises :class:`UnknownPackage` or :class:`RegistryUnavailable`.
        """
        registry = self.addresses.npm_registry(name)
        if not registry:
            raise RegistryUnavailable("npm is not installed, so no npm registry is known", "install node and npm")
        url = registry + quote(name, safe="@")
        try:
            body = await self._ask(url, "application/json", _packument, fresh=fresh)
        except _Missing as error:
            raise UnknownPackage(
                f"npm package {name} does not exist", "check the spelling, or look with `vsm-mcp search`"
            ) from error
        return body

    async def pypi_project(self, name: str, *, fresh: bool = False) -> dict[str, Any]:
        """Return what the indexes say about a project, in the shape of PyPI's JSON API.

        ``{"info": {"name", "version", "requires_python", …}, "releases": {version: [file, …]}, "urls": [file, …]}``;
        a file has ``filename``, ``url`` (absolute), ``digests``, ``packagetype``, ``requires_python``, ``yanked`` and
        perhaps ``size`` and ``upload_time_iso_8601``. Raises :class:`UnknownPackage` or :class:`RegistryUnavailable`.
        """
        name = normalise_pypi(name)
        if not self.addresses.python.no_index:
            json_url = json_api(self.addresses.pypi_index, name)
            with contextlib.suppress(_Missing):
                project = await self._ask(json_url, "application/json", _pypi_json, fresh=fresh)
                return _absolute(project, json_url)
        for index in self._simple_indexes():
            project = await self._simple(index, name, fresh=fresh)
            if project["releases"]:
                return project
        raise UnknownPackage(f"PyPI project {name} does not exist", "check the spelling, or look with `vsm-mcp search`")

    async def python_file_servers(self) -> tuple[str, ...]:
        """Return the servers (``https://host``) from which the indexes have their files, as far as one page tells.

        An index may lie at another host than its files; the page is that of a project that every index has.
        """
        found: dict[str, None] = {}
        for index in self._simple_indexes():
            if package_file(index) is None:
                with contextlib.suppress(VsmError):
                    project = await self._simple(index, _EVERYWHERE, fresh=False)
                    urls = [str(file.get("url", "")) for files in project["releases"].values() for file in files]
                    found |= dict.fromkeys("/".join(url.split("/", 3)[:3]) for url in urls)
        return tuple(found)

    @contextlib.asynccontextmanager
    async def open(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Read the file at an ``http(s)://`` or ``file://`` address in pieces.

        Raises :class:`RegistryUnavailable`, or :class:`UnknownPackage` when it is not there.
        """
        path = package_file(url)
        if path is not None:
            yield _file_pieces(str(path))
            return
        try:
            async with self._get(url, "*/*") as response:
                yield response.content.iter_chunked(_CHUNK)
        except _Missing as error:
            raise UnknownPackage(
                f"{shown(url)} is not there", "the registry lists a file that it does not have"
            ) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RegistryUnavailable(f"{_host(url)}: {trouble(error)}", _HINT) from error

    @property
    def cache(self) -> Cache | None:
        """Where answers are kept."""
        return self._cache

    async def exchange(self, url: str, accept: str, max_bytes: int, body: bytes | None = None) -> tuple[int, bytes]:
        """Ask once (with ``body`` by POST) and return ``(status, answer)``; the status is 200, 404 or 410.

        Raises :class:`RegistryUnavailable`, also for more than ``max_bytes``; the caller sets the deadline.
        """
        answer = bytearray()
        try:
            async with self._request("GET" if body is None else "POST", url, accept, body) as response:
                if response.status not in {404, 410}:
                    _check_status(response.status, url)
                async for piece in response.content.iter_chunked(_CHUNK):
                    answer += piece
                    if len(answer) > max_bytes:
                        raise RegistryUnavailable(f"{_host(url)} answered more than {max_bytes:,} bytes", _HINT)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RegistryUnavailable(f"{_host(url)}: {trouble(error)}", _HINT) from error
        return response.status, bytes(answer)

    def _simple_indexes(self) -> tuple[str, ...]:
        first = () if self.addresses.python.no_index else (self.addresses.pypi_index,)
        return (*first, *self.addresses.pypi_extra)

    async def _simple(self, index: str, name: str, *, fresh: bool) -> dict[str, Any]:
        url = f"{index}{name}/"
        path = package_file(url)
        if path is not None:
            page = path / "index.html"
            html = await asyncio.to_thread(page.read_bytes) if page.is_file() else b""
            return read_project(name, html, url)
        try:
            return await self._ask(url, JSON_FIRST, lambda body: read_project(name, body, url), fresh=fresh)
        except _Missing:
            return read_project(name, b"", url)

    async def _ask(self, url: str, accept: str, read: Callable[[bytes], T], *, fresh: bool) -> T:
        if self._cache is not None and not fresh:
            kept = await self._cache.get(url)
            if kept is not None and kept[1] <= self._max_age:
                return read(kept[0])
        body = await self._fetch(url, accept)
        try:
            answer = await asyncio.to_thread(read, body) if len(body) > _CHUNK else read(body)
        except (msgspec.DecodeError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise RegistryUnavailable(f"{_host(url)} answered something that is no package metadata", _HINT) from error
        if self._cache is not None and len(body) <= _MAX_CACHED:
            await self._cache.put(url, body)
        return answer

    async def _fetch(self, url: str, accept: str) -> bytes:
        try:
            async with asyncio.timeout(self._deadline):
                for pause in (*self._retry_after, None):
                    try:
                        return await self._fetch_once(url, accept)
                    except _Transient as error:
                        if pause is None:
                            raise RegistryUnavailable(error.message, error.hint) from error
                    await asyncio.sleep(pause)
        except TimeoutError as error:
            raise RegistryUnavailable(f"{_host(url)} did not answer within {self._deadline:g} s", _HINT) from error
        raise AssertionError("unreachable")

    async def _fetch_once(self, url: str, accept: str) -> bytes:
        body = bytearray()
        try:
            async with self._get(url, accept) as response:
                async for piece in response.content.iter_chunked(_CHUNK):
                    body += piece
                    if len(body) > _MAX_BYTES:
                        raise RegistryUnavailable(f"{_host(url)} answered more than {_MAX_BYTES >> 20} MB", _HINT)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _Transient(f"{_host(url)}: {trouble(error)}", _HINT) from error
        return bytes(body)

    @contextlib.asynccontextmanager
    async def _get(self, url: str, accept: str) -> AsyncIterator[aiohttp.ClientResponse]:
        async with self._request("GET", url, accept) as response:
            _check_status(response.status, url)
            yield response

    def _request(
        self, method: str, url: str, accept: str, body: bytes | None = None
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {"Accept": accept, "User-Agent": _AGENT}
        authorization = self.addresses.npm_authorization(url)
        if authorization:
            headers["Authorization"] = authorization
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._opened().request(method, url, headers=headers, data=body, proxy=self.addresses.proxy(url))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=20)
            connector = aiohttp.TCPConnector(limit_per_host=8, ssl=trust(self.addresses.ca_file))
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=False)
        return self._session


_EVERYWHERE: Final = "pip"
_HINT: Final = "check the network and the registry settings (npm config get registry, pip config list), then try again"


def _check_status(status: int, url: str) -> None:
    if status in {404, 410}:
        raise _Missing(f"{_host(url)} answered {status}")
    if status in {401, 403}:
        raise RegistryUnavailable(f"{_host(url)} refuses access ({status})", "log in to the registry, e.g. in ~/.npmrc")
    if status == 429 or status >= 500:
        raise _Transient(f"{_host(url)} answered {status}", _HINT)
    if status != 200:
        raise RegistryUnavailable(f"{_host(url)} answered {status}", _HINT)


def _packument(body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = msgspec.json.decode(body)
    if not isinstance(answer["versions"], dict) or not isinstance(answer["dist-tags"], dict):
        raise TypeError
    return answer


def _pypi_json(body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = msgspec.json.decode(body)
    if not isinstance(answer["info"], dict) or not isinstance(answer.setdefault("releases", {}), dict):
        raise TypeError
    answer.setdefault("urls", [])
    return answer


def _absolute(project: dict[str, Any], base: str) -> dict[str, Any]:
    """Make the files' addresses absolute: mirrors give them relative to the answer."""
    for files in (project["urls"], *project["releases"].values()):
        for file in files:
            file["url"] = urljoin(base, str(file.get("url", "")))
    return project


def json_api(index: str, name: str) -> str:
    """Return the address of a project in the JSON API that lies beside a simple index."""
    root = index.removesuffix("/").removesuffix("/simple")
    return f"{root}/pypi/{name}/json"


def _host(url: str) -> str:
    return urlsplit(shown(url)).netloc or shown(url)


async def _file_pieces(path: str) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(_open_file, path) as file:
        while piece := await asyncio.to_thread(file.read, _CHUNK):
            yield piece


def _open_file(path: str) -> Any:
    try:
        return open(path, "rb")  # noqa: PTH123 - closed by the caller
    except OSError as error:
        raise UnknownPackage(f"{path} is not there", "the index lists a file that it does not have") from error
