from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from vsm_mcp.errors import RegistryUnavailable, UnknownPackage
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.registries.client import Registries
from vsm_mcp.registries.pipconf import PythonSources

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
PACKUMENT = {"name": "x", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {}}}


class Registry:
    """A registry on loopback that answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answer: Handler = self.not_found
        self.address = ""

    async def not_found(self, _request: web.BaseRequest) -> web.Response:
        return web.Response(status=404)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.raw_path)
        self.headers.append(dict(request.headers))
        return await self.answer(request)

    def says(self, *answers: web.Response) -> None:
        left = list(answers)

        async def answer(_request: web.BaseRequest) -> web.Response:
            return left.pop(0)

        self.answer = answer


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    made = Registry()
    runner = web.ServerRunner(web.Server(made))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.address = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield made
    await runner.cleanup()


def _client(registry: Registry, **more: object) -> Registries:
    addresses = Addresses(npm=registry.address, pypi_index=f"{registry.address}simple/", **more)  # type: ignore[arg-type]
    return Registries(addresses, deadline=3.0, retry_after=(0.01, 0.01))


def _json(body: object) -> web.Response:
    return web.json_response(body)


async def test_scoped_package_is_asked_for_with_its_token(registry: Registry) -> None:
    registry.says(_json(PACKUMENT))
    auth = {registry.address.removeprefix("http:"): "Bearer t0p"}
    async with _client(registry, npm_auth=auth) as client:
        assert (await client.npm_package("@me/x"))["dist-tags"] == {"latest": "1.0.0"}
    assert registry.asked == ["/@me%2Fx"]
    assert registry.headers[0]["Authorization"] == "Bearer t0p"


async def test_unknown_package(registry: Registry) -> None:
    async with _client(registry) as client:
        with pytest.raises(UnknownPackage, match="npm package x does not exist"):
            await client.npm_package("x")
        with pytest.raises(UnknownPackage, match="PyPI project x does not exist"):
            await client.pypi_project("x")


async def test_a_passing_failure_is_tried_again(registry: Registry) -> None:
    registry.says(web.Response(status=503), _json(PACKUMENT))
    async with _client(registry) as client:
        assert (await client.npm_package("x"))["name"] == "x"
    assert len(registry.asked) == 2


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([web.Response(status=500)] * 3, "answered 500"),
        ([web.Response(status=429)] * 3, "answered 429"),
        ([web.Response(status=403)], "refuses access"),
        ([web.Response(text="<html>log in</html>", content_type="text/html")], "no package metadata"),
        ([web.Response(body=b'{"versions": 4711, "dist-tags": {}}')], "no package metadata"),
        ([web.Response(body=b"[]")], "no package metadata"),
    ],
)
async def test_rubbish_and_refusals_are_registry_unavailable(
    registry: Registry, answers: list[web.Response], said: str
) -> None:
    registry.says(*[web.Response(status=each.status, body=each.body) for each in answers])
    async with _client(registry) as client:
        with pytest.raises(RegistryUnavailable, match=said) as caught:
            await client.npm_package("x")
    assert caught.value.hint and caught.value.retryable


async def test_a_registry_that_never_answers_ends_at_the_deadline(registry: Registry) -> None:
    release = asyncio.Event()

    async def hang(_request: web.BaseRequest) -> web.Response:
        await release.wait()
        return web.Response()

    registry.answer = hang
    addresses = Addresses(npm=registry.address, pypi_index="")
    async with Registries(addresses, deadline=0.2) as client:
        with pytest.raises(RegistryUnavailable, match=r"did not answer within 0\.2 s"):
            await client.npm_package("x")
    release.set()


async def test_a_closed_port_is_told_quickly() -> None:
    async with Registries(Addresses(npm="http://127.0.0.1:9/", pypi_index="http://127.0.0.1:9/simple/")) as client:
        with pytest.raises(RegistryUnavailable, match="cannot connect"):
            await client.npm_package("x")


async def test_files_of_the_json_api_get_absolute_addresses(registry: Registry) -> None:
    file = {"filename": "x-1.0-py3-none-any.whl", "url": "../../packages/x-1.0-py3-none-any.whl"}
    registry.says(_json({"info": {"name": "x", "version": "1.0"}, "releases": {"1.0": [file]}, "urls": []}))
    async with _client(registry) as client:
        project = await client.pypi_project("X")
    assert registry.asked == ["/pypi/x/json"]
    assert project["releases"]["1.0"][0]["url"] == f"{registry.address}packages/x-1.0-py3-none-any.whl"


async def test_simple_index_where_there_is_no_json_api(registry: Registry) -> None:
    page = (
        '<!DOCTYPE html><html><body><a href="x-1.0-py3-none-any.whl#sha256=aa" data-requires-python="&gt;=3.9">'
        'x-1.0-py3-none-any.whl</a><a href="x-2.0rc1.tar.gz">x-2.0rc1.tar.gz</a></body></html>'
    )
    registry.says(web.Response(status=404), web.Response(text=page, content_type="text/html"))
    async with _client(registry) as client:
        project = await client.pypi_project("x")
    assert registry.asked == ["/pypi/x/json", "/simple/x/"]
    assert project["info"] == {"name": "x", "version": "1.0", "requires_python": ">=3.9"}
    file = project["releases"]["1.0"][0]
    assert file["url"] == f"{registry.address}simple/x/x-1.0-py3-none-any.whl"
    assert (file["digests"], file["packagetype"]) == ({"sha256": "aa"}, "bdist_wheel")


async def test_a_project_that_only_a_local_index_has(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "simple" / "x").mkdir(parents=True)
    (tmp_path / "simple" / "x" / "index.html").write_text(
        '<a href="../../x-1.0-py3-none-any.whl#sha256=aa">x-1.0-py3-none-any.whl</a>'
    )
    (tmp_path / "x-1.0-py3-none-any.whl").write_bytes(b"wheel")
    python = PythonSources(origin="pip", extra=(f"file://{tmp_path}/simple",))
    async with _client(registry, python=python) as client:
        file = (await client.pypi_project("x"))["releases"]["1.0"][0]
        async with client.open(file["url"]) as pieces:
            assert b"".join([piece async for piece in pieces]) == b"wheel"
        with pytest.raises(UnknownPackage):
            async with client.open(f"file://{tmp_path}/none") as pieces:
                assert [piece async for piece in pieces] == []


async def test_answers_are_cached_until_they_are_too_old(registry: Registry) -> None:
    class Kept:
        def __init__(self) -> None:
            self.entries: dict[str, bytes] = {}
            self.age = 0.0

        async def get(self, key: str) -> tuple[bytes, float] | None:
            return (self.entries[key], self.age) if key in self.entries else None

        async def put(self, key: str, body: bytes) -> None:
            self.entries[key] = body

    registry.says(*[_json(PACKUMENT) for _ in range(3)])
    cache = Kept()
    async with Registries(Addresses(npm=registry.address, pypi_index=""), cache, max_age=60) as client:
        await client.npm_package("x")
        await client.npm_package("x")
        assert len(registry.asked) == 1
        await client.npm_package("x", fresh=True)
        assert len(registry.asked) == 2
        cache.age = 61
        await client.npm_package("x")
        assert len(registry.asked) == 3
    assert json.loads(next(iter(cache.entries.values()))) == PACKUMENT
