"""The catalogue and the taxonomy that ship with the package: well formed, consistent, in our own words."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from vsm_mcp.model.ref import RefKind, parse_ref

DATA: Final = files("vsm_mcp.discovery") / "data"
LEAST_ENTRIES: Final = 150
PRAISE: Final = re.compile(
    r"\b(power(?:ful|ed)|seamless\w*|blazing\w*|lightning|robust|cutting|state.of.the.art|world.class|leading|best|ultimate"
    r"|comprehensive|effortless\w*|easy|easily|simply|advanced|enterprise|production.ready|intelligent|smart(?! home)"
    r"|official|revolutionary|next.gen\w*|unlock|supercharge|amazing|awesome|great)\b|!",
    re.IGNORECASE,
)
EMPTY_WORDS: Final = re.compile(
    r"\b(mcp|model context protocol|claude|llms?|ai agents?|ai assistants?)\b", re.IGNORECASE
)
SECRET_NAME: Final = re.compile(
    r"(?:^|[_-])(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PWD|PASS|PAT|COOKIE|DSN|CREDENTIALS?)$|AUTHORIZATION|CONNECTION_STRING$",
    re.IGNORECASE,
)
# Names that end like a secret's and hold none: the path of a file, an address without a password.
NOT_SECRET: Final = frozenset(
    {
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_DRIVE_OAUTH_CREDENTIALS",
        "GOOGLE_OAUTH_CREDENTIALS",
        "CB_CONNECTION_STRING",
        "ORACLE_CONNECTION_STRING",
    }
)
REGISTRY: Final = re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(org|com)|npmmirror|yarnpkg", re.IGNORECASE)


def _catalogue_files() -> list[Traversable]:
    found = [file for file in (DATA / "catalogue").iterdir() if file.name.endswith(".toml")]
    return sorted(found, key=lambda file: file.name)


def _servers() -> Iterator[dict[str, Any]]:
    for file in _catalogue_files():
        yield from tomllib.loads(file.read_text("utf-8"))["server"]


def _tags() -> list[dict[str, Any]]:
    tags: list[dict[str, Any]] = tomllib.loads((DATA / "taxonomy.toml").read_text("utf-8"))["tag"]
    return tags


SERVERS: Final = list(_servers())
TAGS: Final = _tags()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _repeated(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def _inputs() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for server in SERVERS:
        for item in server.get("inputs", []):
            yield server, item


@pytest.mark.parametrize("file", _catalogue_files(), ids=lambda file: file.name)
def test_every_file_fits_the_schema(file: Traversable) -> None:
    schema = json.loads((DATA / "catalogue.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    document = tomllib.loads(file.read_text("utf-8"))
    errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(document)]
    assert errors == []


def test_the_schema_refuses_what_it_must() -> None:
    schema = json.loads((DATA / "catalogue.schema.json").read_text("utf-8"))
    good = {"ref": "npm:a", "name": "a", "description": "does a thing", "tags": ["charts"], "network": False}
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"title": "files", "server": [good]})
    changes: tuple[dict[str, Any], ...] = (
        {"ref": "npm:a@1.0.0"},
        {"ref": "http://host/mcp"},
        {"name": "With Space"},
        {"description": "two\nlines"},
        {"description": "x" * 121},
        {"tags": []},
        {"network": "no"},
        {"version": "1"},
        {"inputs": [{"kind": "secret", "name": "--key", "purpose": "a key"}]},
        {"inputs": [{"kind": "arg", "name": "--db", "purpose": "a file", "positional": True}]},
        {"inputs": [{"kind": "env", "name": "X"}]},
    )
    for change in changes:
        assert not validator.is_valid({"title": "files", "server": [good | change]}), change


def test_there_are_enough_servers_of_every_kind() -> None:
    kinds = Counter(parse_ref(server["ref"]).kind for server in SERVERS)
    assert sum(kinds.values()) >= LEAST_ENTRIES
    for kind in (RefKind.NPM, RefKind.PYPI, RefKind.OCI, RefKind.REMOTE):
        assert kinds[kind] >= 10, kinds


def test_references_parse_and_carry_no_version() -> None:
    for server in SERVERS:
        ref = parse_ref(server["ref"])
        assert ref.version == ""
        assert str(ref) == server["ref"]


def test_no_two_entries_are_the_same_server_or_share_a_name() -> None:
    assert _repeated([parse_ref(server["ref"]).identity for server in SERVERS]) == []
    assert _repeated([server["name"] for server in SERVERS]) == []


def test_tags_come_from_the_taxonomy() -> None:
    known = {tag["name"] for tag in TAGS}
    assert {tag for server in SERVERS for tag in server["tags"]} - known == set()


def test_every_tag_is_borne_by_a_server() -> None:
    borne = {tag for server in SERVERS for tag in server["tags"]}
    assert [tag["name"] for tag in TAGS if tag["name"] not in borne] == []


def test_secrets_are_secrets() -> None:
    for server, item in _inputs():
        if SECRET_NAME.search(item["name"]) and item["name"] not in NOT_SECRET:
            assert item["kind"] == "secret", (server["name"], item["name"])
    for server in SERVERS:
        for name in server.get("env", {}):
            assert not SECRET_NAME.search(name), (server["name"], name)


def test_no_secret_has_a_default() -> None:
    assert [
        (server["name"], item["name"]) for server, item in _inputs() if item["kind"] == "secret" and item.get("default")
    ] == []


def test_inputs_are_named_once() -> None:
    for server in SERVERS:
        names = [item["name"] for item in server.get("inputs", [])]
        assert _repeated(names) == [], server["name"]
        assert not set(names) & set(server.get("env", {})), server["name"]


def test_remote_servers_need_the_network_and_take_only_secrets() -> None:
    for server in SERVERS:
        if parse_ref(server["ref"]).kind is RefKind.REMOTE:
            assert server["network"] is True, server["name"]
            assert not {"args", "env", "executable"} & set(server), server["name"]
            assert {item["kind"] for item in server.get("inputs", [])} <= {"secret"}, server["name"]


def test_descriptions_are_plain() -> None:
    for server in SERVERS:
        text = server["description"]
        assert not PRAISE.search(text), (server["name"], text)
        assert not EMPTY_WORDS.search(text), (server["name"], text)
        assert not text.endswith("."), (server["name"], text)
    assert _repeated([server["description"] for server in SERVERS]) == []


def test_no_registry_is_named_and_no_path_of_one_machine() -> None:
    for text in _texts([*SERVERS, *TAGS]):
        assert not REGISTRY.search(text), text
        assert not re.search(r"/home/\w|/Users/|/root/|\{work\}", text), text


def test_taxonomy_is_well_formed() -> None:
    names = [tag["name"] for tag in TAGS]
    assert _repeated(names) == []
    assert 80 <= len(names) <= 140
    for tag in TAGS:
        assert set(tag) - {"products"} == {"name", "definition", "words"}
        assert set(tag.get("products", [])) <= set(tag["words"])
        assert re.fullmatch(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?", tag["name"])
        assert tag["definition"].strip() == tag["definition"]
        assert 0 < len(tag["definition"]) <= 80
        assert len(tag["words"]) >= 3, tag["name"]
        assert _repeated(tag["words"]) == [], tag["name"]
        assert all(word == word.lower().strip() for word in tag["words"]), tag["name"]
