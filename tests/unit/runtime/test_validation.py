from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import BadArgument
from vsm_mcp.model.launch import RestartPolicy, Settings
from vsm_mcp.runtime.validation import check

BAD: list[tuple[str, Any]] = [
    ("args", ("a\0b",)),
    ("args", (1,)),
    ("env", {"1A": "x"}),
    ("env", {"A": "x\0"}),
    ("env", {"A": 1}),
    ("secrets", {"A B": "hush"}),
    ("secrets", {"A": "hush\0"}),
    ("paths", (("relative", False),)),
    ("paths", (("/a", "yes"),)),
    ("hosts", ("https://h/x",)),
    ("hosts", ("h:0",)),
    ("hosts", ("h:99999",)),
    ("hosts", ("",)),
    ("network", "yes"),
    ("allow_scripts", 1),
    ("program", "../x"),
    ("allow_unsandboxed", "no"),
    ("cwd", "here"),
    ("stateful", "perhaps"),
    ("lazy", 1),
    ("keep_home", "yes"),
    ("idle_stop_seconds", -1.0),
    ("idle_stop_seconds", float("nan")),
    ("idle_stop_seconds", float("inf")),
    ("restart", "sometimes"),
    ("after", ("Not A Name",)),
    ("after", ("a", "a")),
    ("listens", "smoke signals"),
    ("listens", "http://example.org:{port}/mcp"),
    ("listens", "http://127.0.0.1:0/mcp"),
    ("listens", "http://127.0.0.1:99999/mcp"),
    ("listens", "http://127.0.0.1/mcp"),
    ("health", "/health"),
    ("pool_size", 0),
    ("pool_size", 65),
    ("max_overflow", -1),
    ("max_overflow", 1),
    ("calls_at_once", -1),
    ("queue_limit", -1),
    ("replica_of", "Not A Name"),
    ("weight", 0.0),
    ("weight", float("nan")),
    ("weight", 1001.0),
    ("priority", -1),
    ("permissions", "Not A Name"),
    ("project", "here"),
    ("queue_seconds", 0.0),
    ("queue_seconds", float("inf")),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=repr)
def test_a_field_that_cannot_be_used_is_named_and_no_secret_is(field: str, value: Any) -> None:
    with pytest.raises(BadArgument) as caught:
        check(Settings(**{field: value}))
    assert caught.value.message.startswith(f"{field}: ")
    assert caught.value.hint
    assert "hush" not in caught.value.message + caught.value.hint


def test_every_field_has_a_bad_value_that_is_tried() -> None:
    assert {field for field, _ in BAD} == set(Settings.__struct_fields__)


def test_what_people_give_is_taken() -> None:
    check(Settings())
    check(
        Settings(
            args=("--flag", "", "ü"),
            env={"A_B1": ""},
            secrets={"TOKEN": "x"},
            paths=(("/a b", True),),
            hosts=(
                "h.example",
                "h.example:443",
                "10.0.0.1:80",
                "::1",
                "[::1]:80",
                "10.0.0.0/8:5432",
                "*.h.example",
                "*",
            ),
            cwd="/srv",
            permissions="read-only",
            project="/srv",
            stateful=True,
            idle_stop_seconds=0,
            restart=RestartPolicy.TRANSIENT,
            after=("other-1",),
            listens="http://localhost:{port}/mcp",
            health="/healthz?full=1",
        )
    )
    for listens in ("http", "sse", "ws", "tcp", "ws://[::1]:8080/any/path", "tcp://127.0.0.1:{port}"):
        check(Settings(listens=listens))
    check(Settings(env={"X-Api-Key": "x"}), remote=True)
    with pytest.raises(BadArgument, match="env: 'X-Api-Key' is no name of a variable"):
        check(Settings(env={"X-Api-Key": "x"}))


@given(st.text(), st.text(), st.text())
def test_any_text_is_refused_by_name_or_taken(one: str, two: str, three: str) -> None:
    settings = Settings(args=(one,), env={two: three}, hosts=(one,), cwd=two, after=(three,), paths=((one, True),))
    try:
        check(settings)
    except BadArgument as error:
        assert error.message.split(": ", 1)[0] in {"args", "env", "hosts", "cwd", "after", "paths"}


@pytest.mark.parametrize(
    ("settings", "remote", "message"),
    [
        (Settings(pool_size=2, stateful=True), False, "pool_size: each session"),
        (Settings(calls_at_once=2, stateful=True), False, "calls_at_once: each session"),
        (Settings(keep_home=True, stateful=True), False, "keep_home: each session"),
        (Settings(pool_size=2, restart=RestartPolicy.TRANSIENT), False, "restart: the processes of a pool"),
        (Settings(listens="http"), True, "listens: a server that runs elsewhere"),
        (Settings(listens="http", health="no path"), False, "health: 'no path' is no path"),
        (Settings(listens="tcp", health="/health"), False, "health: a server over TCP has no paths"),
    ],
)
def test_fields_that_do_not_go_together_are_named(settings: Settings, remote: bool, message: str) -> None:
    with pytest.raises(BadArgument) as caught:
        check(settings, remote=remote)
    assert caught.value.message.startswith(message)
