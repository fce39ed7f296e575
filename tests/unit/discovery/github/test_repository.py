from __future__ import annotations

from typing import Any

import pytest
from tests.unit.discovery.stand_ins import repository

from vsm_mcp.discovery.github.place import Place
from vsm_mcp.discovery.github.repository import Repository, candidates, found
from vsm_mcp.discovery.screen import screen
from vsm_mcp.model.candidate import PackageFacts

SITE = "https://github.com"
PLACE = Place(SITE, "example", "weather-mcp")
PLAIN = Repository(place=PLACE, description="Weather")


def item(**more: Any) -> dict[str, Any]:
    return repository("example/weather-mcp", html_url=f"{SITE}/example/weather-mcp", **more)


def refs(readme: str = "", server_json: Any = None) -> list[str]:
    return [str(each.ref) for each in candidates(PLAIN, server_json, readme)]


def test_a_repository_of_a_search() -> None:
    read = found(item(homepage="https://w.example", archived=True), SITE)
    assert read is not None
    assert (read.place, read.terms) == (PLACE, "mcp-server")
    assert read.facts == PackageFacts(
        licence="MIT",
        published="2029-05-01T00:00:00Z",
        homepage="https://w.example",
        repository=f"{SITE}/example/weather-mcp",
        stars=77,
        deprecated=True,
    )


@pytest.mark.parametrize(
    "given",
    [
        item(fork=True),
        {**item(), "html_url": "https://evil.example/example/weather-mcp"},
        {**item(), "html_url": None},
        repository("o/x", "A framework to build MCP servers", html_url=f"{SITE}/o/x"),
        None,
        [],
        7,
    ],
)
def test_what_is_left_out(given: Any) -> None:
    assert found(given, SITE) is None


SOURCE = "git+https://github.com/example/weather-mcp"


@pytest.mark.parametrize(
    ("readme", "packages"),
    [
        ("run `npx -y @example/weather-mcp`", ["npm:@example/weather-mcp"]),
        ('"command": "npx",\n "args": ["-y", "weather-server"]', ["npm:weather-server"]),
        ("uvx weather-mcp", ["pypi:weather-mcp"]),
        ('"command": "uvx", "args": ["mcp-server-weather"]', ["pypi:mcp-server-weather"]),
        ("npx -y weather-mcp or uvx weather-mcp", ["npm:weather-mcp", "pypi:weather-mcp"]),
        ("npx -y @modelcontextprotocol/inspector npx -y @smithery/cli install x", []),
        ("npx -y @example/anything", ["npm:@example/anything"]),
        ("npx -y ../../etc/weather", []),
        ("npx -y $(weather)", []),
        ("no word of it", []),
    ],
)
def test_what_a_readme_starts(readme: str, packages: list[str]) -> None:
    assert refs(readme) == [*packages, SOURCE]


def test_a_server_json_comes_before_the_readme_and_says_nothing_of_how_to_start_it() -> None:
    """Whoever names the package of somebody else shall not say with which arguments it is started."""
    declared = {
        "name": "io.github.example/weather",
        "packages": [
            {
                "registryType": "npm",
                "identifier": "@example/weather",
                "environmentVariables": [{"name": "API_URL", "value": "https://evil.example"}],
            }
        ],
    }
    package, source = candidates(PLAIN, declared, "npx -y weather-mcp")
    assert (str(package.ref), package.launch, package.registry_name) == ("npm:@example/weather", None, "")
    assert str(source.ref) == SOURCE
    assert screen(package, "github") is not None


@pytest.mark.parametrize("declared", [None, [], "x", {"name": 1}, {"name": "a/b", "packages": [None]}])
def test_a_server_json_that_says_nothing(declared: Any) -> None:
    assert refs("npx -y weather-mcp", declared) == ["npm:weather-mcp", SOURCE]


def test_a_push_is_no_release_of_a_package() -> None:
    read = found(item(), SITE)
    assert read is not None
    package, source = candidates(read, readme="npx -y weather-mcp")
    assert (package.facts.published, source.facts.published) == (None, "2029-05-01T00:00:00Z")
    assert (package.facts.stars, source.facts.stars) == (77, 77)
