from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.unit.discovery.files.test_container_catalogue import CATALOGUE
from tests.unit.discovery.network.hosts import FAULTS, Handler, Host, in_turn, saying, serving, status, web_of

from vsm_mcp.config import load
from vsm_mcp.discovery.engine import Options, discover
from vsm_mcp.discovery.files import file_source
from vsm_mcp.discovery.files.lists import build_community, build_containers, read_recommendations
from vsm_mcp.discovery.files.reading import Unreadable
from vsm_mcp.discovery.network.web import Web
from vsm_mcp.discovery.source import Context, Refreshing, SourceOff, SourceState
from vsm_mcp.discovery.wiring import matcher
from vsm_mcp.errors import SourceUnavailable

KIT = {
    "name": "Friends",
    "description": "What friends use",
    "servers": {
        "fetch": {"source": "s", "command": "uvx", "args": ["mcp-server-fetch"], "notes": "Fetch web pages"},
        "evil": {"source": "s", "command": "sh", "args": ["-c", "id"]},
    },
}
LIST = b"""# servers that we like
npm:weather-mcp   Forecasts for any place # daily
pypi:files-mcp

nonsense words
https://example.com/mcp Search our documents
cmd:rm -rf /
"""


def context(tmp_path: Path, network: Web | None = None, **files: list[str]) -> Context:
    lines = ["[discovery]", "source_timeout_seconds = 30.0", "pause_seconds = 0.001", "[discovery.files]"]
    home = tmp_path / "settings"
    home.mkdir(exist_ok=True)
    (home / "vsm-mcp.toml").write_text(
        "\n".join([*lines, *(f"{key} = {json.dumps(value)}" for key, value in files.items())])
    )
    return Context(load(home, {"HOME": str(tmp_path)}), matcher(), web=network)


def texts(text: str) -> Callable[[Host, web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def answer(_host: Host, _request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=text)

    return answer


@pytest.mark.parametrize("build", [build_containers, build_community])
async def test_without_an_address_it_is_off(tmp_path: Path, build: Any) -> None:
    with pytest.raises(SourceOff):
        await build(context(tmp_path)).search("x", 5)


@pytest.mark.parametrize(
    ("addresses", "remote"),
    [([], False), (["https://example.com/list"], True), (["https://example.com/list", "~/list"], False)],
)
def test_only_files_answer_a_search_that_stays_offline(tmp_path: Path, addresses: list[str], remote: bool) -> None:
    assert build_community(context(tmp_path, subscriptions=addresses)).remote is remote


@pytest.mark.parametrize(
    ("body", "refs"),
    [
        (json.dumps(KIT).encode(), ["pypi:mcp-server-fetch", "cmd:sh -c id"]),
        (b'{"mcpServers": {"a": {"command": "npx", "args": ["a-mcp"]}}}', ["npm:a-mcp"]),
        (LIST, ["npm:weather-mcp", "pypi:files-mcp", "https://example.com/mcp", "cmd:rm"]),
    ],
)
def test_kits_and_lists(body: bytes, refs: list[str]) -> None:
    assert [str(each.ref) for each in read_recommendations(body, "https://h/friends.json").candidates] == refs


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{", b'{"servers": 3}', b"\0\1\2", b"{" * 100_000])
def test_what_is_neither(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_recommendations(body, "https://h/x")


async def test_a_list_of_strangers_names_no_program_of_this_machine(tmp_path: Path) -> None:
    async with serving(texts(LIST.decode())) as host, web_of(tmp_path / "home") as network:
        source = build_community(context(tmp_path, network, subscriptions=[f"{host.address}/list.txt"]))
        found = await discover("x", [source], matcher(), Options(timeout=60, deadline=60, threshold=0.0))
    assert [str(each.ref) for each in found.candidates] == [
        "https://example.com/mcp",
        "npm:weather-mcp",
        "pypi:files-mcp",
    ]
    assert found.reports[0].refused == 1
    assert "line 5 begins with no reference" in found.reports[0].detail
    assert {each.description for each in found.candidates} == {"", "Forecasts for any place", "Search our documents"}


async def test_of_a_long_catalogue_the_servers_whose_tools_fit_come_first(tmp_path: Path) -> None:
    plain = {f"s{place}": {"image": f"example/s{place}", "description": "A suite of tools"} for place in range(80)}
    plain["s40"]["tools"] = [{"name": "get_forecast", "description": "Rain and wind of a place"}]  # type: ignore[assignment]
    (tmp_path / "catalogue.json").write_text(json.dumps({"registry": plain}))
    async with web_of(tmp_path / "home") as network:
        source = build_containers(context(tmp_path, network, catalogues=["{HOME}/catalogue.json"]))
        assert next(each.name for each in await source.search("will it rain tomorrow", 60)) == "s40"
        kept = file_source._index.cache_info().hits
        assert next(each.name for each in await source.search("how windy is it", 60)) == "s40"
        assert file_source._index.cache_info().hits == kept + 1, "the list is the same and is not read again"
        assert len(await source.search("will it rain tomorrow", 80)) == 80


async def test_it_is_kept_and_asked_for_again_only_when_it_is_old(tmp_path: Path) -> None:
    async with serving(in_turn(saying(KIT), status(500))) as host, web_of(tmp_path / "home") as network:
        given = context(tmp_path, network, subscriptions=[f"{host.address}/friends.json"])
        first = await build_community(given).search("fetch", 5)
        again = build_community(given)
        assert await again.search("fetch", 5) == first
        assert (again.state, len(host.asked)) == (SourceState.OK, 1)
        file = tmp_path / "settings" / "vsm-mcp.toml"
        file.write_text(file.read_text().replace("[discovery]", "[discovery]\ncache_seconds = 0.0"))
        old = build_community(Context(load(tmp_path / "settings", {}), matcher(), web=network))
        assert await old.search("fetch", 5) == first
        assert old.state is SourceState.STALE
        assert "500" in old.detail


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"stalled"}))
async def test_one_address_that_fails_costs_the_others_nothing(tmp_path: Path, fault: str) -> None:
    handler: Handler = FAULTS[fault]
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE)
    async with serving(handler) as host, web_of(tmp_path / "home") as network:
        addresses = [f"{host.address}/c.yaml", "{HOME}/catalogue.yaml"]
        source = build_containers(context(tmp_path, network, catalogues=addresses))
        found = await source.search("database", 9)
        assert len(found) == 4
        assert source.state is SourceState.OK
        assert host.address.removeprefix("http://") in source.detail
        alone = build_containers(context(tmp_path, network, catalogues=addresses[:1]))
        with pytest.raises(SourceUnavailable):
            await alone.search("database", 9)


async def test_files_that_are_not_there_and_addresses_that_are_not_safe(tmp_path: Path) -> None:
    async with web_of(tmp_path / "home") as network:
        for address, why in (
            ("~/none.yaml", "not there"),
            ("http://example.com/c.yaml", "https"),
            ("ftp://h/c", "https"),
        ):
            source = build_containers(context(tmp_path, network, catalogues=[address]))
            with pytest.raises(SourceUnavailable, match=why):
                await source.search("database", 9)


async def test_the_daemon_keeps_it_fresh(tmp_path: Path) -> None:
    async with (
        serving(in_turn(saying(KIT), saying({"servers": {}}), status(500))) as host,
        web_of(tmp_path / "home") as network,
    ):
        source = build_community(context(tmp_path, network, subscriptions=[f"{host.address}/friends.json"]))
        assert isinstance(source, Refreshing)
        assert await source.refresh() == "2 servers"
        assert len(await source.search("fetch", 5)) == 2
        assert await source.refresh() == "0 servers"
        assert await source.search("fetch", 5) == []
        with pytest.raises(SourceUnavailable, match="500"):
            await source.refresh()
        assert await source.search("fetch", 5) == []
    assert await build_community(context(tmp_path)).refresh() == "0 servers"
