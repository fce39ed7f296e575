from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.client_file import Wanted, asked_by
from vsm_mcp.model.kit import OWN, asked_by_kit, client_entry, entry_of, joined, kit_of, variable_of
from vsm_mcp.model.launch import Entry, Settings, names_secret
from vsm_mcp.model.ref import Ref, RefKind, parse_ref
from vsm_mcp.model.server import Installation, Server

MAGG: dict[str, Any] = {
    "name": "Web tools",
    "description": "Tools for the web",
    "author": "me",
    "version": "1.0.0",
    "keywords": ["web"],
    "links": {"homepage": "https://h"},
    "x-other": {"keep": [1, None]},
    "servers": {
        "fetch": {
            "source": "https://h/fetch",
            "command": "uvx",
            "args": ["mcp-server-fetch"],
            "prefix": "fetch",
            "env": {"A": "b"},
            "notes": "Fetch pages",
            "transport": {"keep_alive": True},
            "future": 3,
        },
        "far": {
            "source": "s",
            "uri": "http://localhost:9/mcp",
            "transport": {"headers": {"Authorization": "Bearer x"}},
        },
        "off": {"source": "s", "command": "npx", "args": ["x"], "enabled": False},
        "bad": {"source": "s"},
    },
}


def server(ref: str, version: str = "", program: str = "", **settings: Any) -> Server:
    parsed = parse_ref(ref)
    entry = Entry(argv=("/venv/bin/python", f"/venv/bin/{program or parsed.name}"), runtime="python")
    kept = Installation(server="one", ref=parsed, version=version, path="/x", entry=entry)
    launch = {"args": settings.pop("args", ()), "env": settings.pop("env", {})}
    return Server(name="one", ref=parsed, version=version, installation=kept, settings=Settings(**settings), **launch)


def test_a_kit_of_magg_asks_for_its_servers() -> None:
    wanted, unusable = asked_by_kit(kit_of(MAGG, "web-tools"), {})
    assert [(each.name, each.ref) for each in wanted] == [
        ("fetch", "pypi:mcp-server-fetch"),
        ("far", "http://localhost:9/mcp"),
    ]
    assert wanted[0].settings.env == {"A": "b"}
    assert wanted[1].settings.secrets == {"Authorization": "Bearer x"}
    assert [(each.title, each.reason) for each in unusable] == [("bad", "it has neither a command nor a url")]


@pytest.mark.parametrize(
    ("document", "stem"), [([], "a"), ({}, "a"), ({"servers": []}, "a"), (MAGG, "../a"), (MAGG, ""), (MAGG, "-a")]
)
def test_what_is_no_kit(document: Any, stem: str) -> None:
    with pytest.raises(ValueError, match=r"kit"):
        kit_of(document, stem)


def test_fields_of_the_wrong_kind_count_as_missing() -> None:
    kit = kit_of({"name": 3, "keywords": "x", "servers": {}}, "a")
    assert (kit.text("name"), kit.text("description"), kit.keywords) == ("", "", ())


@pytest.mark.parametrize(
    ("given", "argv"),
    [
        (server("npm:@s/pkg", "1.2.3", args=("/data",)), ["npx", "-y", "@s/pkg@1.2.3", "/data"]),
        (server("pypi:pkg", "2.0"), ["uvx", "pkg==2.0"]),
        (server("pypi:pkg", "2.0", "pkg-mcp", args=("-v",)), ["uvx", "--from", "pkg==2.0", "pkg-mcp", "-v"]),
        (server("cmd:python '/a b/s.py'", args=("-x",)), ["python", "/a b/s.py", "-x"]),
        (server("oci:mcp/fetch:1"), ["docker", "run", "-i", "--rm", "mcp/fetch:1"]),
    ],
)
def test_other_programs_can_start_what_is_exported(given: Server, argv: list[str]) -> None:
    entry = entry_of(given, ())
    assert [entry["command"], *entry["args"]] == argv
    assert entry["source"] == given.ref.identity


def test_no_secret_is_exported() -> None:
    entry = entry_of(server("npm:pkg", "1.0", env={"API_KEY": "s3cret", "MODE": "x"}), ["HIDDEN"])
    assert entry["env"] == {"API_KEY": "${API_KEY}", "HIDDEN": "${HIDDEN}", "MODE": "x"}
    far = entry_of(server("https://h/mcp"), ["Authorization", "X-Api-Key"])
    assert far["transport"] == {"headers": {"Authorization": "${Authorization}", "X-Api-Key": "${X_API_KEY}"}}
    assert "s3cret" not in json.dumps([entry, far])


@pytest.mark.parametrize(("name", "variable"), [("A_b", "A_b"), ("X-Id", "X_ID"), ("2nd", "_2ND"), ("-", "__")])
def test_the_variable_for_a_secret(name: str, variable: str) -> None:
    assert variable_of(name) == variable


NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="$"), max_size=12)
REFS = st.sampled_from(
    ["npm:pkg", "npm:@s/pkg", "pypi:pkg", "https://h/mcp", "cmd:python '/a b/s.py' -q", "oci:mcp/fetch:1", "wss://h/x"]
)
SETTINGS = st.builds(
    Settings,
    args=st.lists(TEXTS.filter(lambda text: not text.startswith("-")), max_size=3).map(tuple),
    env=st.dictionaries(NAMES.filter(lambda name: not names_secret(name)), TEXTS, max_size=3),
    hosts=st.lists(st.sampled_from(["a.example", "b.example:8443"]), unique=True).map(tuple),
    paths=st.lists(st.tuples(st.sampled_from(["/data", "/srv"]), st.booleans()), max_size=2).map(tuple),
    cwd=st.sampled_from(["", "/data"]),
    lazy=st.none() | st.booleans(),
    stateful=st.none() | st.booleans(),
    pool_size=st.integers(1, 4),
    listens=st.sampled_from(["", "http"]),
)


@given(REFS, SETTINGS, st.dictionaries(NAMES, TEXTS.filter(bool), max_size=2))
def test_what_is_exported_and_imported_again_means_the_same(
    ref: str, settings: Settings, secrets: dict[str, str]
) -> None:
    remote = ref.startswith(("https", "wss"))
    env = {} if remote else {name: value for name, value in settings.env.items() if name not in secrets}
    settings = Settings(**{**{f: getattr(settings, f) for f in settings.__struct_fields__}, "env": env})
    version = "" if remote or ref.startswith(("cmd", "oci")) else "1.2.3"
    given = server(ref, version, **{f: getattr(settings, f) for f in settings.__struct_fields__})
    document = json.loads(json.dumps({"servers": {"one": entry_of(given, secrets)}}))
    wanted, unusable = asked_by_kit(kit_of(document, "kit"), secrets)
    assert unusable == ()
    expected = Settings(**{**{f: getattr(settings, f) for f in settings.__struct_fields__}, "secrets": secrets})
    assert wanted == (
        Wanted(name="one", title="one", ref=str(given.ref.at(version) if version else given.ref), settings=expected),
    )


@given(REFS, st.dictionaries(NAMES, TEXTS.filter(bool), max_size=2))
def test_other_programs_read_the_same_server(ref: str, secrets: dict[str, str]) -> None:
    """Without our own key, as MAGG and the clients see it, it is the same server with the same secrets."""
    version = "1.2.3" if ref.startswith(("npm", "pypi")) else ""
    entry = entry_of(server(ref, version), secrets)
    for document in ({"servers": {"one": {**entry, OWN: None}}}, {"mcpServers": {"one": client_entry(entry)}}):
        (wanted,), _ = asked_by(document, secrets, "f")
        assert parse_ref(wanted.ref).identity == parse_ref(ref).identity
        assert {**wanted.settings.env, **wanted.settings.secrets} == secrets


def test_what_was_in_a_kit_before_stays() -> None:
    kit = kit_of(MAGG, "web-tools")
    entry = entry_of(server("pypi:mcp-server-fetch", "9.9", env={"A": "c"}), ())
    document = joined(kit, {"version": "2"}, {"fetch": entry})
    assert {**document, "version": "1.0.0", "servers": MAGG["servers"]} == MAGG
    assert document["version"] == "2"
    fetch = document["servers"]["fetch"]
    assert (fetch["prefix"], fetch["future"], fetch["notes"], fetch["source"]) == (
        "fetch",
        3,
        "Fetch pages",
        "https://h/fetch",
    )
    assert (fetch["args"], fetch["env"]) == (["mcp-server-fetch==9.9"], {"A": "c"})
    assert [document["servers"][name] for name in ("far", "off", "bad")] == [
        MAGG["servers"][name] for name in ("far", "off", "bad")
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, JSON, max_size=4), st.dictionaries(TEXTS, JSON, max_size=4))
def test_any_kit_is_read_and_nothing_of_it_is_lost(head: dict[str, Any], servers: dict[str, Any]) -> None:
    document = {**head, "servers": servers}
    kit = kit_of(document, "any")
    wanted, unusable = asked_by_kit(kit, {})
    assert len(wanted) + len(unusable) <= len(servers)
    assert joined(kit, {}, {}) == document


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ({"ref": "npm:a b"}, "npm package name"),
        ({"ref": "npm:a", "settings": {"pool_size": 0}}, "pool_size"),
        ({"ref": "npm:a", "settings": 3}, OWN),
        ({"ref": "npm:a", "settings": {"args": "x"}}, OWN),
    ],
)
def test_what_is_ours_is_checked_too(own: Any, reason: str) -> None:
    kit = kit_of({"servers": {"one": {"command": "npx", "args": ["x"], OWN: own}}}, "a")
    wanted, unusable = asked_by_kit(kit, {})
    assert wanted == ()
    assert reason in unusable[0].reason


def test_a_kit_cannot_open_this_machine() -> None:
    settings = {
        "allow_unsandboxed": True,
        "allow_scripts": True,
        "network": True,
        "secrets": {"A": "b"},
        "project": "/",
    }
    kit = kit_of({"servers": {"one": {OWN: {"ref": "npm:a", "settings": settings}}}}, "a")
    assert asked_by_kit(kit, {})[0][0].settings == Settings()


def test_the_version_is_pinned() -> None:
    assert entry_of(server("npm:pkg", "1.2.3"), ())[OWN]["ref"] == str(Ref(RefKind.NPM, "pkg", "1.2.3"))
