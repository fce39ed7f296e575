"""``[discovery]`` of the settings, and the sections below it: one for each source that has settings of its own."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class McpRegistry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[discovery.mcp_registry]``: the source ``mcp-registry``, a list of servers that is copied as a whole."""

    urls: Annotated[
        tuple[str, ...],
        Meta(description="The official registry of MCP servers, and any others with the same API (sub-registries)."),
    ] = ("https://registry.modelcontextprotocol.io",)


class GitHub(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[discovery.github]``: the source ``github``."""

    api: Annotated[
        str, Meta(description="The address of the REST API; one of GitHub Enterprise is `https://HOST/api/v3`.")
    ] = "https://api.github.com"
    token: Annotated[
        str | None,
        Meta(
            description="Where a token is, `env:NAME` or `file:PATH`; not set: `env:GITHUB_TOKEN` for the public API,"
            " none for another. Without one GitHub answers 60 questions an hour and searches 10 times a minute."
        ),
    ] = None
    search: Annotated[
        bool, Meta(description="Whether repositories are searched: the words of the need go to GitHub.")
    ] = True
    lists: Annotated[
        tuple[str, ...], Meta(description="Repositories whose README lists servers, with a headline for each category.")
    ] = ("modelcontextprotocol/servers", "punkpeye/awesome-mcp-servers")
    read_best: Annotated[
        int, Meta(description="In how many of the repositories found the server.json and the README are read.")
    ] = 5


class Discovery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[discovery]``: where candidates come from."""

    sources: Annotated[tuple[str, ...], Meta(description="The sources to ask, by plug-in name.")] = (
        "installed",
        "catalogue",
        "index",
    )
    source_timeout_seconds: Annotated[float, Meta(description="How long one source may take.")] = 5.0
    describe_best: Annotated[
        int, Meta(description="For how many of the best candidates the registry is asked for its text.")
    ] = 12
    cache_seconds: Annotated[
        float, Meta(description="How long what a registry or another source says counts as fresh.")
    ] = 3600.0
    deadline_seconds: Annotated[
        float, Meta(description="How long all sources together may take; what has come by then is used.")
    ] = 8.0
    need_cache_seconds: Annotated[
        float, Meta(description="How long an answer to a need counts as fresh, where the need goes to the source.")
    ] = 600.0
    refresh_seconds: Annotated[
        float,
        Meta(description="How often the daemon brings up to date what sources keep on this machine; 0: never."),
    ] = 1800.0
    requests_per_minute: Annotated[
        float, Meta(gt=0, description="How often one host is asked, at most; a quarter of it at once.")
    ] = 120.0
    tries: Annotated[int, Meta(ge=1, description="How often a question that failed in passing is asked.")] = 3
    pause_seconds: Annotated[
        float, Meta(description="How long to wait before a question that failed is asked again; it doubles each time.")
    ] = 0.3
    max_answer_bytes: Annotated[int, Meta(description="The longest answer of a source.")] = 8 * 1024 * 1024
    mcp_registry: McpRegistry = McpRegistry()
    github: GitHub = GitHub()
