from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.discovery.network.hosts import QUICK, Host, saying, serving, web_of
from tests.unit.discovery.stand_ins import MATCHER, pypi_api

from vsm_mcp.discovery.pypi_names import Names, PypiNamesSource
from vsm_mcp.discovery.source import SourceOff
from vsm_mcp.errors import SourceUnavailable
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.registries.pipconf import PythonSources

WEATHER = {"weather-mcp": {"summary": "MCP server for weather forecasts", "license": "MIT"}}


async def search(host: Host, home: Path, **more: Any) -> list[Candidate]:
    async with web_of(home, pypi_index=f"{host.address}/simple/", **more) as network:
        return await PypiNamesSource(MATCHER, network, QUICK).search("weather", 20)


@pytest.mark.parametrize("html", [False, True])
async def test_both_forms_of_the_list(html: bool, tmp_path: Path) -> None:
    projects = {**WEATHER, "Weather_MCP_Server": {"summary": ""}, "weather": {}, "mcp-sheets": {}, "x" * 150: {}}
    async with serving(pypi_api(projects, html=html)) as host:
        found = await search(host, tmp_path)
    assert [str(each.ref) for each in found] == ["pypi:weather-mcp", "pypi:Weather_MCP_Server"]
    assert (found[0].description, found[0].facts.licence) == ("MCP server for weather forecasts", "MIT")
    assert host.headers[0]["Accept"].startswith("application/vnd.pypi.simple.v1+json")


async def test_an_index_without_a_json_api_gives_names(tmp_path: Path) -> None:
    async with serving(pypi_api(WEATHER, json_api=False)) as host:
        (found,) = await search(host, tmp_path)
    assert (str(found.ref), found.description) == ("pypi:weather-mcp", "")


async def test_what_says_that_it_is_no_server_is_left_out(tmp_path: Path) -> None:
    async with serving(pypi_api({"weather-mcp-sdk": {"summary": "SDK to build MCP servers for weather"}})) as host:
        assert await search(host, tmp_path) == []


@pytest.mark.parametrize("body", [{"message": "hello"}, [], {"projects": []}])
async def test_a_page_without_a_name_is_no_list(body: Any, tmp_path: Path) -> None:
    async with serving(saying(body)) as host:
        with pytest.raises(SourceUnavailable, match="cannot be read"):
            await search(host, tmp_path)


async def test_without_an_index_it_is_off(tmp_path: Path) -> None:
    async with serving(pypi_api(WEATHER)) as host:
        with pytest.raises(SourceOff):
            await search(host, tmp_path, python=PythonSources(no_index=True))
        assert host.asked == []


LONG = "a" * 190 + "-mcp"
PAGE = (
    b'{"meta":{"api-version":"1.1"},"projects":[{"_last-serial":3,"name":"one-mcp"},{"name" : "Two.MCP"},'
    b'{"name":"three"},{"name":"bad name mcp"},{"name":"' + LONG.encode() + b'"},{"name":"mcp"}]}'
)


@given(st.lists(st.integers(0, len(PAGE)), max_size=8))
def test_it_does_not_matter_how_the_list_comes_in(cuts: list[int]) -> None:
    names, begin = Names(), 0
    for cut in [*sorted(cuts), len(PAGE)]:
        names.feed(PAGE[begin:cut])
        begin = cut
    assert names.done().decode().split("\n") == ["names", "Two.MCP", LONG, "mcp", "one-mcp"]
