from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.mcp_registry.server_json import Listed, listed
from vsm_mcp.discovery.screen import screen
from vsm_mcp.model.launch import Input, InputKind

META = "io.modelcontextprotocol.registry/official"
NPM = "@example/weather"
ENV = {"name": "WEATHER_KEY", "description": "a key"}
REPOSITORY = {"url": "https://github.com/example/weather", "source": "github"}
BASE = {"name": "io.github.example/weather", "description": "Weather forecasts", "repository": REPOSITORY}

# One entry as it was at each time.
MAY_2025 = {
    **BASE,
    "id": "0f3c",
    "status": "active",
    "version_detail": {"version": "1.2.3", "release_date": "2025-05-16T19:13:21Z", "is_latest": True},
    "packages": [
        {
            "registry_name": "npm",
            "name": NPM,
            "version": "1.2.3",
            "environment_variables": [{**ENV, "is_required": True, "is_secret": True}],
        }
    ],
}
AUGUST_2025 = {
    "server": {key: value for key, value in MAY_2025.items() if key not in {"id", "status"}},
    "x-io.modelcontextprotocol.registry": {
        "id": "0f3c",
        "published_at": "2025-05-16T19:13:21Z",
        "updated_at": "2025-05-16T19:13:21Z",
        "is_latest": True,
    },
}
SNAKE = {
    "registry_type": "npm",
    "identifier": NPM,
    "version": "1.2.3",
    "transport": {"type": "stdio"},
    "environment_variables": [{**ENV, "is_required": True, "is_secret": True}],
}
JULY_SCHEMA = {
    **BASE,
    "status": "active",
    "version": "1.2.3",
    "packages": [SNAKE],
    "_meta": {META: {"id": "0f3c", "published_at": "2025-05-16T19:13:21Z", "is_latest": True}},
}
CAMEL = {
    "registryType": "npm",
    "identifier": NPM,
    "version": "1.2.3",
    "transport": {"type": "stdio"},
    "environmentVariables": [{**ENV, "isRequired": True, "isSecret": True}],
}
TODAY = {
    "server": {**BASE, "version": "1.2.3", "packages": [CAMEL]},
    "_meta": {META: {"status": "active", "publishedAt": "2025-05-16T19:13:21Z", "isLatest": True}},
}
SHAPES = {"May": MAY_2025, "August": AUGUST_2025, "July schema": JULY_SCHEMA, "today": TODAY}


def read(item: Any, bases: frozenset[str] | None = None) -> Listed:
    found = listed(item, bases)
    assert found is not None
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_says_the_same(shape: str) -> None:
    found = read(SHAPES[shape])
    assert (found.name, found.status, found.latest, found.changed) == (
        "io.github.example/weather",
        "active",
        True,
        "2025-05-16T19:13:21Z",
    )
    (candidate,) = found.candidates
    assert str(candidate.ref) == f"npm:{NPM}"
    assert (candidate.name, candidate.description) == ("weather", "Weather forecasts")
    assert (candidate.facts.version, candidate.facts.repository) == ("1.2.3", REPOSITORY["url"])
    assert candidate.launch is not None
    assert candidate.launch.inputs == (
        Input(kind=InputKind.SECRET, name="WEATHER_KEY", purpose="a key", required=True),
    )
    assert screen(candidate, "mcp-registry") is not None


def with_packages(*packages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"server": {**BASE, "version": "2.0.0", "packages": list(packages), **more}}


@pytest.mark.parametrize(
    ("package", "ref"),
    [
        ({"registryType": "pypi", "identifier": "Weather_MCP", "version": "1"}, "pypi:Weather_MCP"),
        ({"registryType": "oci", "identifier": "ghcr.io/a/b:v1"}, "oci:ghcr.io/a/b:v1"),
        ({"registry_name": "docker", "name": "mcp/redis", "version": "1.0.0"}, "oci:mcp/redis:1.0.0"),
        ({"registryType": "oci", "identifier": "h:5000/a/b", "version": "2"}, "oci:h:5000/a/b:2"),
        ({"registryType": "oci", "identifier": "a/b@sha256:00", "version": "2"}, "oci:a/b@sha256:00"),
        ({"registryType": "mcpb", "identifier": "https://h/x.mcpb", "fileSha256": "00"}, "mcpb:https://h/x.mcpb"),
    ],
)
def test_kinds_of_packages(package: dict[str, Any], ref: str) -> None:
    (candidate,) = read(with_packages(package)).candidates
    assert str(candidate.ref) == ref
    assert screen(candidate, "mcp-registry") is not None


@pytest.mark.parametrize(
    "package",
    [
        {"registryType": "nuget", "identifier": "X"},
        {"registryType": "npm", "identifier": "../../etc/passwd"},
        {"registryType": "npm", "identifier": "$(touch x)"},
        {"registryType": "npm", "identifier": 7},
        {"registryType": ["npm"], "identifier": "x"},
        {"registryType": "", "identifier": "x"},
        {},
    ],
)
def test_what_cannot_be_had_leaves_the_repository(package: dict[str, Any]) -> None:
    (candidate,) = read(with_packages(package)).candidates
    assert str(candidate.ref) == f"git+{REPOSITORY['url']}"


def test_remotes() -> None:
    remotes = [
        {"type": "streamable-http", "url": "https://a.example/mcp", "headers": [{"name": "X-Key", "isSecret": True}]},
        {"transport_type": "sse", "url": "https://b.example/sse"},
        {
            "type": "sse",
            "url": "https://{tenant}.example/{path}",
            "variables": {"tenant": {"default": "eu"}, "path": {"value": "mcp"}},
        },
        {"type": "sse", "url": "https://{tenant}.example/"},
        {"type": "sse", "url": "{base}/mcp"},
        {"type": "sse", "url": "javascript:alert(1)"},
        {"type": "sse", "url": "https://user:pass@c.example/"},
    ]
    found = read({"server": {**BASE, "remotes": remotes}}).candidates
    assert [str(each.ref) for each in found] == [
        "https://a.example/mcp",
        "https://b.example/sse",
        "https://eu.example/mcp",
    ]
    assert found[0].launch is not None
    assert found[0].launch.inputs == (Input(kind=InputKind.SECRET, name="X-Key"),)


def test_arguments() -> None:
    given = [
        {"type": "positional", "value": "serve"},
        {"type": "named", "name": "--level", "value": "{level}", "variables": {"level": {"default": "info"}}},
        {"type": "named", "name": "--quiet"},
        {"type": "named", "name": "--port", "isRequired": True, "default": "80", "description": "where"},
        {"type": "positional", "valueHint": "folder", "isRequired": True},
        {"type": "positional", "value": "{unknown}"},
    ]
    for name in ("packageArguments", "package_arguments"):
        (candidate,) = read(with_packages({"registryType": "npm", "identifier": "x", name: given})).candidates
        assert candidate.launch is not None
        assert candidate.launch.args == ("serve", "--level", "info", "--quiet")
        assert candidate.launch.inputs == (
            Input(kind=InputKind.ARG, name="--port", purpose="where", required=True, default="80"),
            Input(kind=InputKind.ARG, name="folder", required=True, positional=True),
            Input(kind=InputKind.ARG, name="value", positional=True),
        )


def test_variables() -> None:
    given = [
        {"name": "LEVEL", "value": "info"},
        {"name": "REGION", "default": "eu"},
        {"name": "TOKEN", "value": "Bearer {token}", "variables": {"token": {"isSecret": True}}},
        {"name": "BAD\nNAME", "value": "x"},
    ]
    (candidate,) = read(
        with_packages({"registryType": "npm", "identifier": "x", "environmentVariables": given})
    ).candidates
    assert candidate.launch is not None
    assert candidate.launch.env == {"LEVEL": "info"}
    assert candidate.launch.inputs == (
        Input(kind=InputKind.ENV, name="REGION", default="eu"),
        Input(kind=InputKind.SECRET, name="TOKEN"),
    )


def test_what_is_for_the_program_that_starts_it_is_left_out() -> None:
    runtime = [{"type": "named", "name": "--privileged"}]
    (candidate,) = read(
        with_packages({"registryType": "oci", "identifier": "a/b", "runtimeArguments": runtime})
    ).candidates
    assert candidate.launch is None


def test_deprecated_and_deleted() -> None:
    assert read({**TODAY, "_meta": {META: {"status": "deprecated"}}}).candidates[0].facts.deprecated is True
    assert read({**TODAY, "_meta": {META: {"status": "deleted"}}}).candidates == ()
    assert read({**MAY_2025, "status": "deleted"}).candidates == ()


def test_a_package_of_a_registry_that_this_machine_does_not_ask_is_another_one() -> None:
    package = {"registryType": "npm", "identifier": "internal", "registryBaseUrl": "https://npm.corp.example"}
    assert str(read(with_packages(package), frozenset({"npm.corp.example"})).candidates[0].ref) == "npm:internal"
    assert str(read(with_packages(package), frozenset({"elsewhere.example"})).candidates[0].ref).startswith("git+")
    assert str(read(with_packages(package)).candidates[0].ref) == "npm:internal"


@pytest.mark.parametrize("item", [None, 3, "x", [], {}, {"name": ""}, {"server": {"name": 7}}, {"server": []}])
def test_what_is_no_entry(item: Any) -> None:
    assert listed(item) is None


NAMES = [
    *("server", "name", "status", "packages", "remotes", "url", "registryType", "identifier", "version", "headers"),
    *("variables", "value", "_meta", "type", "packageArguments", "environmentVariables", "repository", "isSecret"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab{}/:@\x1b\n", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)


@given(JSON)
def test_whatever_is_listed_nothing_is_raised(item: Any) -> None:
    found = listed({"name": "a/b", **item} if isinstance(item, dict) else item)
    for candidate in found.candidates if found is not None else ():
        screen(candidate, "mcp-registry")
