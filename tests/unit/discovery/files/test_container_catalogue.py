from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.files.container_catalogue import servers_in
from vsm_mcp.discovery.files.lists import read_catalogue
from vsm_mcp.discovery.files.reading import Unreadable
from vsm_mcp.model.launch import Input, InputKind

CATALOGUE = """
version: 3
name: mine
displayName: Mine
registry:
  database:
    description: Query a database
    title: Database Helper
    type: server
    dateAdded: 2025-08-01T00:00:00Z
    image: example/db-server@sha256:68eb20db6109f5c312a695fc5ec3386ad15d93ffb765a0b4eb1baf4328dec14f
    source: https://github.com/example/db/tree/1
    upstream: https://github.com/example/db
    readme: https://example.com/db.md
    tools:
      - name: query
        description: Run a query
      - name: tables
    secrets:
      - {name: database.key, env: DB_KEY, example: x, description: The key}
    env:
      - {name: DB_HOST, value: "{{database.host}}"}
      - {name: DB_PORT, value: "{{ database.port }}"}
      - {name: DB_TOKEN, value: "{{database.token|into}}"}
      - {name: MODE, value: fixed}
    command: ["--transport=stdio"]
    allowHosts: ["db.example.com:443"]
    config:
      - name: database
        type: object
        properties:
          host: {type: string, description: Where it is}
          port: {type: number, default: 5432}
          token: {type: string, default: hush}
        required: [host]
    metadata: {category: database, tags: [sql, 3], license: MIT License, owner: me, pulls: 12}
  docs:
    type: remote
    description: Search documentation
    remote: {transport_type: sse, url: https://docs.example.com/sse}
  old: {type: remote, sseEndpoint: https://old.example.com/sse}
  offline: {image: example/offline, disableNetwork: true, command: ["--path={{offline.path}}"]}
  curl: {type: poci, tools: [{name: curl, container: {image: alpine/curl}}]}
  plain: {type: remote, remote: {url: http://h/mcp}}
  templated: {type: remote, remote: {url: "https://{{templated.host}}/mcp"}}
  keyed: {type: remote, remote: {url: "https://h/mcp?token=abc"}}
  nothing: {type: server}
  odd: 3
"""


def test_a_catalogue() -> None:
    finds = read_catalogue(CATALOGUE.encode(), "https://h/catalogue.yaml")
    found = {each.name: each for each in finds.candidates}
    assert {name: str(each.ref).split("@")[0] for name, each in found.items()} == {
        "Database Helper": "oci:example/db-server",
        "docs": "https://docs.example.com/sse",
        "old": "https://old.example.com/sse",
        "offline": "oci:example/offline",
    }
    assert [trouble.split(":")[0] for trouble in finds.troubles] == ["plain", "templated", "keyed", "nothing", "odd"]
    database = found["Database Helper"]
    assert database.terms.split() == ["database", "database", "sql", "query", "Run", "a", "query", "tables"]
    assert database.tools == (("query", "Run a query"), ("tables", ""))
    assert (database.facts.licence, database.facts.repository) == ("MIT License", "https://github.com/example/db")
    assert database.launch is not None
    assert (database.launch.args, database.launch.env) == (("--transport=stdio",), {"MODE": "fixed"})
    assert database.launch.network is True
    assert database.launch.inputs == (
        Input(kind=InputKind.SECRET, name="DB_KEY", purpose="The key", required=True),
        Input(kind=InputKind.ENV, name="DB_HOST", purpose="Where it is", required=True),
        Input(kind=InputKind.ENV, name="DB_PORT", default="5432"),
        Input(kind=InputKind.SECRET, name="DB_TOKEN"),
    )
    offline = found["offline"].launch
    assert offline is not None
    assert (offline.network, offline.args) == (False, ())


def test_one_server_by_itself_and_as_json() -> None:
    one = b"name: duck\ntype: server\nimage: mcp/duckduckgo\ndescription: Search the web\n"
    assert str(read_catalogue(one, "one.yaml").candidates[0].ref) == "oci:mcp/duckduckgo"
    assert str(read_catalogue(b'{"registry": {"a": {"image": "a/b"}}}', "x.json").candidates[0].ref) == "oci:a/b"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"registry: 3", b"<html><title>x</title>", b"a: [", b"a: &x [1]\nb: [*x]", b"\xff\xfe\xfa", b"{}"],
)
def test_what_is_no_catalogue(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_catalogue(body, "https://h/c.yaml")


KEYS = [
    "type",
    "image",
    "remote",
    "url",
    "secrets",
    "env",
    "config",
    "name",
    "value",
    "properties",
    "required",
    "tools",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["server", "remote", "a/b", "{{a.b}}", "https://h"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_any_registry_is_read(registry: dict[str, Any]) -> None:
    candidates, troubles = servers_in({"registry": registry})
    assert len(candidates) + len(troubles) <= len(registry)
