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


class Files(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[discovery.files]``: the sources that are files (``local``, ``kits``, ``containers``) and lists by URL.

    A path may begin with ``~``, with ``{config}`` (where programs keep their settings), or with a variable: ``{NAME}``.
    """

    folders: Annotated[
        tuple[str, ...],
        Meta(
            description="Folders that the source `local` looks through, beside the project that you are in: for"
            " mcp.json, bundles, and projects that declare themselves servers, in the folder and one level below."
        ),
    ] = ("{config}/mcp", "~/.mcp", "~/mcp", "~/mcp-servers")
    kits: Annotated[
        tuple[str, ...],
        Meta(description="Folders with kits (NAME.json), beside kit.d of the home and where MAGG has its own."),
    ] = ()
    catalogues: Annotated[
        tuple[str, ...],
        Meta(
            description="Catalogues of containers in the form of Docker's MCP catalogue, files or URLs; with none, the"
            " source `containers` is off. Docker keeps its own in `~/.docker/mcp/catalogs/docker-mcp.yaml`."
        ),
    ] = ()
    subscriptions: Annotated[
        tuple[str, ...],
        Meta(
            description="URLs of kits and lists that you trust to recommend; with none, the source `community` is off."
        ),
    ] = ()


class Research(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[discovery.research]``: the source ``research``, a language model that is asked for servers.

    It is off until ``url`` and ``model`` are given. The need goes to that address as it was written. A package counts
    only if its registry knows it and it calls itself a server there.
    """

    url: Annotated[
        str,
        Meta(
            description="The address of the API up to /v1, such as `http://127.0.0.1:11434/v1`; https off this machine."
        ),
    ] = ""
    api: Annotated[str, Meta(description="openai (chat completions) or anthropic (messages).")] = "openai"
    model: Annotated[str, Meta(description="The model's name there.")] = ""
    key: Annotated[str, Meta(description="Where the key is, `env:NAME` or `file:PATH`; not set: it needs none.")] = ""
    timeout_seconds: Annotated[
        float,
        Meta(description="How long it may take; `source_timeout_seconds` and `deadline_seconds` hold all the same."),
    ] = 30.0
    calls_per_day: Annotated[int, Meta(description="The most questions a day (UTC); the same need is asked once.")] = 50
    max_tokens: Annotated[int, Meta(ge=1, description="The longest answer, in tokens.")] = 1024
    least_confidence: Annotated[
        float, Meta(ge=0, le=1, description="How sure the model has to be of a package, by its own word.")
    ] = 0.3


class Discovery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[discovery]``: where candidates come from."""

    sources: Annotated[tuple[str, ...], Meta(description="The sources to ask, by plug-in name.")] = (
        "installed",
        "catalogue",
        "index",
        "clients",
        "kits",
        "local",
        "containers",
        "community",
        "research",
    )
    source_timeout_seconds: Annotated[float, Meta(description="How long one source may take.")] = 5.0
    describe_best: Annotated[
        int, Meta(description="For how many of the best candidates the registry is asked for its text.")
    ] = 12
    cache_seconds: Annotated[
        float, Meta(description="How long what a registry or another source says counts as fresh.")
    ] = 3600.0
    semantic: Annotated[
        bool,
        Meta(description="Whether MiniLM compares meanings beside word vectors; needs the extra `vsm-mcp[semantic]`."),
    ] = False
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
    files: Files = Files()
    research: Research = Research()
