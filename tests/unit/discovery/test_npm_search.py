from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.discovery.network.hosts import QUICK, serving, status, web_of
from tests.unit.discovery.stand_ins import MATCHER, npm_api, npm_object

from vsm_mcp.discovery.asking import asked_words
from vsm_mcp.discovery.npm_search import NpmSearchSource
from vsm_mcp.discovery.source import SourceOff
from vsm_mcp.errors import SourceUnavailable
from vsm_mcp.model.candidate import Candidate, PackageFacts


async def search(objects: list[Any], home: Path, need: str = "weather", **addresses: Any) -> list[Candidate]:
    async with serving(npm_api(objects)) as host, web_of(home, npm=f"{host.address}/", **addresses) as network:
        return await NpmSearchSource(MATCHER, network, QUICK).search(need, 20)


async def test_everything_that_the_registry_says_of_a_package(tmp_path: Path) -> None:
    (found,) = await search([npm_object("@example/weather-mcp")], tmp_path)
    assert (str(found.ref), found.description, found.terms) == (
        "npm:@example/weather-mcp",
        "MCP server for weather forecasts",
        "mcp weather",
    )
    assert found.facts == PackageFacts(
        version="1.2.3",
        licence="MIT",
        published="2029-05-01T00:00:00.000Z",
        downloads=1234,
        homepage="https://example.com",
        repository="git+https://github.com/example/weather-mcp.git",
        maintainers=2,
    )


@pytest.mark.parametrize(
    "package",
    [
        npm_object("left-pad", "Pads strings", keywords=[]),
        npm_object("@example/mcp-sdk", "SDK to build MCP servers"),
        npm_object("weather-mcp", date="2023-01-01T00:00:00Z"),
        npm_object("../../etc/passwd"),
        npm_object("a b"),
        npm_object("UPPER-MCP-SERVER"),
        npm_object(7),  # type: ignore[arg-type]
        {"package": None},
        {},
        None,
    ],
)
async def test_what_is_no_server_is_left_out(package: Any, tmp_path: Path) -> None:
    found = await search([package, npm_object("weather-mcp")], tmp_path)
    assert [str(each.ref) for each in found] == ["npm:weather-mcp"]


async def test_odd_values_are_left_out(tmp_path: Path) -> None:
    odd = npm_object("weather-mcp", keywords="mcp", links=[], maintainers={}, license={"type": "MIT"}, version=None)
    odd["downloads"] = {"monthly": -5}
    (found,) = await search([odd], tmp_path)
    assert found.facts == PackageFacts(published="2029-05-01T00:00:00.000Z")


async def test_the_token_of_the_npm_configuration_goes_to_its_registry(tmp_path: Path) -> None:
    async with serving(npm_api([])) as host:
        auth = {f"{host.address.removeprefix('http:')}/": "Bearer t0p"}
        async with web_of(tmp_path, npm=f"{host.address}/", npm_auth=auth) as network:
            assert await NpmSearchSource(MATCHER, network, QUICK).search("weather", 5) == []
        assert host.headers[0]["Authorization"] == "Bearer t0p"
        assert host.asked == ["/-/v1/search?text=mcp+weather&size=10"]


async def test_without_npm_it_is_off(tmp_path: Path) -> None:
    async with web_of(tmp_path) as network:
        with pytest.raises(SourceOff, match="npm is not installed"):
            await NpmSearchSource(MATCHER, network, QUICK).search("weather", 5)


async def test_a_registry_without_search(tmp_path: Path) -> None:
    async with serving(status(404)) as host, web_of(tmp_path, npm=f"{host.address}/") as network:
        with pytest.raises(SourceUnavailable, match="no search"):
            await NpmSearchSource(MATCHER, network, QUICK).search("weather", 5)


async def test_a_registry_that_wants_every_word_is_asked_for_the_most_telling_one_alone(tmp_path: Path) -> None:
    async with serving(npm_api([npm_object("weather-mcp")])) as host, web_of(tmp_path, npm=f"{host.address}/") as web:
        found = await NpmSearchSource(MATCHER, web, QUICK).search("weather forecasts", 20)
        assert [str(each.ref) for each in found] == ["npm:weather-mcp"]
        texts = sorted(path.partition("text=")[2].partition("&")[0] for path in host.asked)
    assert texts == ["mcp+forecasts", "mcp+weather+forecasts"]


@pytest.mark.parametrize(
    ("need", "most", "asked"),
    [
        ("please help me to read and edit spreadsheets", 60, "spreadsheets"),
        ("spreadsheets spreadsheets", 60, "spreadsheets"),
        ('"quoted" -not +and (or) user:me', 60, "quoted"),
        ("use a server", 60, ""),
        ("read and edit files", 60, "read edit files"),
        ("red green blue black white grey brown pink", 60, "red green blue black white grey"),
        ("spreadsheets calendars", 14, "spreadsheets"),
        ("x" * 500, 14, ""),
        ("", 60, ""),
        ("天気", 60, "天気"),
    ],
)
def test_the_words_that_are_asked(need: str, most: int, asked: str) -> None:
    assert asked_words(need, most) == asked
