from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from tests.unit.discovery.network.hosts import Handler, Host, serving, status, web_of
from tests.unit.discovery.stand_ins import LIST, context, github_api, repository

from vsm_mcp.discovery.github.source import _token_of, build
from vsm_mcp.discovery.source import SourceOff, SourceState
from vsm_mcp.errors import ConfigError, SourceUnavailable
from vsm_mcp.model.discovery import GitHub

NEED = "weather forecasts for gardens"
SERVER_JSON = '{"name": "io.github.example/weather", "packages": [{"registryType": "npm", "identifier": "@example/w"}]}'
FILES = {
    "a/list/readme": LIST,
    "example/weather-mcp/contents/server.json": SERVER_JSON,
    "example/rain/readme": "start it with `uvx rain-mcp`",
}


def settings(host: Host, **more: Any) -> GitHub:
    return GitHub(**{"api": f"{host.address}/api/v3", "lists": ("a/list",), "token": "", **more})


async def refs(host: Host, home: Path, **more: Any) -> list[str]:
    async with web_of(home) as network:
        found = await build(context(network, host, github=settings(host, **more))).search(NEED, 60)
    return [str(each.ref).replace(host.address, "SITE") for each in found]


async def test_search_lists_server_json_and_readme(tmp_path: Path) -> None:
    async with serving(github_api([repository("example/weather-mcp")], FILES)) as host:
        assert await refs(host, tmp_path) == [
            "npm:@example/w",
            "git+SITE/example/weather-mcp",
            "pypi:rain-mcp",
            "git+SITE/example/rain",
        ]
        queries = sorted(parse_qs(urlsplit(path).query)["q"][0] for path in host.asked if "/search/" in path)
    assert queries == ["gardens forecasts mcp in:name,description,topics", "gardens topic:mcp-server"]
    assert {headers["X-GitHub-Api-Version"] for headers in host.headers} == {"2022-11-28"}
    assert not any("Authorization" in headers for headers in host.headers)


async def test_only_the_first_are_read(tmp_path: Path) -> None:
    async with serving(github_api([repository("example/weather-mcp")], FILES)) as host:
        assert await refs(host, tmp_path, read_best=1) == [
            "npm:@example/w",
            "git+SITE/example/weather-mcp",
            "git+SITE/example/rain",
        ]


async def test_without_search_no_word_of_the_need_goes_out(tmp_path: Path) -> None:
    async with serving(github_api([], FILES)) as host:
        assert await refs(host, tmp_path, search=False) == ["pypi:rain-mcp", "git+SITE/example/rain"]
        assert not any("weather" in path or "search" in path for path in host.asked)


async def test_nothing_set_up_is_off(tmp_path: Path) -> None:
    async with serving(status(500)) as host:
        with pytest.raises(SourceOff):
            await refs(host, tmp_path, search=False, lists=())
        assert host.asked == []


def only(path: str, good: Handler, other: Handler) -> Handler:
    async def answer(host: Host, request: web.BaseRequest) -> web.StreamResponse:
        return await (good if path in request.path else other)(host, request)

    return answer


async def test_the_rate_limit_of_searches_leaves_the_lists_that_are_known(tmp_path: Path) -> None:
    """GitHub limits searches by themselves; what it asks for then is heeded for the whole host."""
    good = github_api([repository("example/weather-mcp")], FILES)
    async with serving(good) as host, web_of(tmp_path) as network:
        more = {"cache_seconds": 3600.0, "need_cache_seconds": 0.0, "source_timeout_seconds": 3.0}
        source = build(context(network, host, github=settings(host), **more))
        first = await source.search(NEED, 60)
        limited = status(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="99999999999")
        host.handler = only("/search/", limited, good)
        assert {str(each.ref) for each in await source.search(NEED, 60)} == {str(each.ref) for each in first}
        assert source.state is SourceState.STALE
        assert "asks to wait" in source.detail or "not to be asked again" in source.detail
        count = len(host.asked)
        await source.search(NEED, 60)
        assert len(host.asked) == count


async def test_a_list_that_is_away_leaves_the_search(tmp_path: Path) -> None:
    good = github_api([repository("example/weather-mcp")], FILES)
    async with serving(only("/a/list", status(500), good)) as host, web_of(tmp_path) as network:
        source = build(context(network, host, github=settings(host), tries=1))
        assert "npm:@example/w" in [str(each.ref) for each in await source.search(NEED, 60)]
        assert (source.state, "500" in source.detail) == (SourceState.STALE, True)
        with pytest.raises(SourceUnavailable, match="500"):
            await source.refresh()


@pytest.mark.parametrize("bad", [{"lists": ("../x",)}, {"lists": ("x",)}, {"token": "ghp_s3cret"}])
async def test_settings_that_cannot_be_used(bad: dict[str, Any], tmp_path: Path) -> None:
    async with serving(status(500)) as host, web_of(tmp_path) as network:
        with pytest.raises(ConfigError) as caught:
            build(context(network, host, github=settings(host, **bad)))
        assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("given", "token"),
    [
        (GitHub(), "env:GITHUB_TOKEN"),
        (GitHub(token=""), ""),
        (GitHub(token="file:/x"), "file:/x"),
        (GitHub(api="https://git.corp.example/api/v3"), ""),
        (GitHub(api="https://git.corp.example/api/v3", token="env:T"), "env:T"),
    ],
)
def test_a_token_for_github_is_not_for_another_host(given: GitHub, token: str) -> None:
    assert _token_of(given) == token
