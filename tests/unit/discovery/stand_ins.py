"""Every source on the network with a replica of what it asks: the API of npm, of PyPI, of GitHub, of a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from tests.unit.discovery.mcp_registry.replica import Replica, server
from tests.unit.discovery.network.hosts import Handler, Host

from vsm_mcp.config import Config
from vsm_mcp.discovery.github.source import build as github
from vsm_mcp.discovery.mcp_registry.source import build as mcp_registry
from vsm_mcp.discovery.network.web import Web
from vsm_mcp.discovery.npm_search import build as npm
from vsm_mcp.discovery.pypi_names import build as pypi
from vsm_mcp.discovery.source import Context, Source
from vsm_mcp.matching.need import Counted, Reader
from vsm_mcp.matching.relevance import Matcher
from vsm_mcp.matching.taxonomy import Taxonomy
from vsm_mcp.model.discovery import Discovery, GitHub, McpRegistry

NEED: Final = "please get me the weather forecasts"
TOKEN: Final = "ghp_s3cret"
MATCHER: Final = Matcher(Reader(Counted(1000, {"weather": 5, "forecast": 3, "spreadsheet": 9}), Taxonomy([])))


def npm_object(name: str, description: str = "MCP server for weather forecasts", **more: Any) -> dict[str, Any]:
    """One object of an npm search."""
    package = {
        "name": name,
        "version": "1.2.3",
        "description": description,
        "keywords": ["mcp", "weather"],
        "date": "2029-05-01T00:00:00.000Z",
        "license": "MIT",
        "links": {"repository": "git+https://github.com/example/weather-mcp.git", "homepage": "https://example.com"},
        "maintainers": [{"username": "a"}, {"username": "b"}],
    }
    return {"package": {**package, **more}, "downloads": {"monthly": 1234, "weekly": 300}}


def npm_api(objects: list[Any]) -> Handler:
    """``/-/v1/search`` of an npm registry."""

    async def answer(_host: Host, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != "/-/v1/search" or not 2 <= len(request.query.get("text", "")) <= 64:
            return web.json_response({"error": "bad request"}, status=400)
        return web.json_response({"objects": objects, "total": len(objects), "time": "now"})

    return answer


def pypi_api(projects: Mapping[str, Mapping[str, Any]], *, html: bool = False, json_api: bool = True) -> Handler:
    """``/simple/`` of an index, as JSON or HTML, and its JSON API where it has one."""

    async def answer(_host: Host, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/simple/" and html:
            links = "".join(f'<a href="/simple/{name.lower()}/">{name}</a><br/>\n' for name in projects)
            page = f"<!DOCTYPE html><html><head><title>Simple index</title></head><body>{links}</body></html>"
            return web.Response(text=page, content_type="text/html")
        if request.path == "/simple/":
            rows = [{"_last-serial": 1, "name": name} for name in projects]
            kind = "application/vnd.pypi.simple.v1+json"
            return web.json_response({"meta": {"api-version": "1.1"}, "projects": rows}, content_type=kind)
        name = request.path.removeprefix("/pypi/").removesuffix("/json")
        known = {each.lower(): info for each, info in projects.items()}.get(name)
        if known is None or not json_api:
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response({"info": {"name": name, "version": "0.1", **known}, "releases": {}, "urls": []})

    return answer


def repository(full_name: str, description: str = "An MCP server for weather forecasts", **more: Any) -> dict[str, Any]:
    """One repository of a GitHub search; ``SITE`` in it becomes the address that is asked."""
    return {
        "full_name": full_name,
        "html_url": f"SITE/{full_name}",
        "description": description,
        "fork": False,
        "archived": False,
        "topics": ["mcp-server"],
        "stargazers_count": 77,
        "pushed_at": "2029-05-01T00:00:00Z",
        "license": {"spdx_id": "MIT"},
        **more,
    }


def github_api(repositories: list[Any], files: Mapping[str, str] | None = None) -> Handler:
    """GitHub's search, READMEs (``owner/name/readme``) and files (``owner/name/contents/path``)."""

    async def answer(host: Host, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/api/v3/search/repositories":
            text = web.json_response({"total_count": len(repositories), "items": repositories}).text or ""
            return web.Response(text=text.replace("SITE", host.address), content_type="application/json")
        found = (files or {}).get(request.path.removeprefix("/api/v3/repos/"))
        if found is None:
            return web.json_response({"message": "Not Found"}, status=404)
        return web.Response(text=found.replace("SITE", host.address), content_type="application/vnd.github.raw+json")

    return answer


LIST: Final = """# Awesome MCP servers
## Weather
- [example/rain](SITE/example/rain) - Weather forecasts for gardens
"""


@dataclass(frozen=True)
class StandIn:
    """One source: how it is built, a replica that has something for :data:`NEED`, and what it then finds."""

    build: Callable[[Context], Source]
    good: Callable[[], Handler]
    finds: tuple[str, ...]

    def made(self, network: Web, host: Host, **settings: Any) -> Source:
        """Build the source so that it asks ``host``."""
        return self.build(context(network, host, **settings))


def context(network: Web, host: Host, **settings: Any) -> Context:
    """Return what a source is built from, with everything that is asked at ``host``."""
    discovery = Discovery(
        **{
            "source_timeout_seconds": 60.0,
            "requests_per_minute": 6000.0,
            "pause_seconds": 0.001,
            "github": GitHub(api=f"{host.address}/api/v3", lists=("a/list",), token="env:T"),
            "mcp_registry": McpRegistry(urls=(host.address,)),
            **settings,
        }
    )
    config = Config(home=Path("/nonexistent"), discovery=discovery, environ={"T": TOKEN})
    return Context(config, MATCHER, web=network)


def addresses(host: Host) -> dict[str, Any]:
    """Return the settings of npm and pip that lead to ``host``."""
    return {"npm": f"{host.address}/", "pypi_index": f"{host.address}/simple/"}


STAND_INS: Final = {
    "npm": StandIn(npm, lambda: npm_api([npm_object("weather-mcp")]), ("npm:weather-mcp",)),
    "pypi": StandIn(
        pypi,
        lambda: pypi_api({"weather-mcp": {"summary": "MCP server for weather forecasts"}, "requests": {}}),
        ("pypi:weather-mcp",),
    ),
    "mcp-registry": StandIn(
        mcp_registry, lambda: Replica(server("io.example/weather", "weather forecasts")), ("npm:weather",)
    ),
    "github": StandIn(
        github,
        lambda: github_api([repository("example/weather-mcp")], {"a/list/readme": LIST}),
        ("git+SITE/example/weather-mcp", "git+SITE/example/rain"),
    ),
}
