from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.routing.names import MAX_LENGTH, closest, exposed, server_part

NAMES = st.text(max_size=90)
PLAIN = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


def test_the_usual_case_reads_well() -> None:
    assert exposed("time", "get_current_time") == "time__get_current_time"
    assert exposed("my-files", "read-file") == "my-files__read-file"


@given(NAMES, NAMES)
def test_every_name_is_one_that_models_accept(server: str, item: str) -> None:
    name = exposed(server, item)
    assert re.fullmatch(r"[a-z0-9-]+__[A-Za-z0-9_-]+", name), name
    assert len(name) <= MAX_LENGTH
    assert name.partition("__")[0] == server_part(server)[: len(name.partition("__")[0])]


@given(st.sets(st.tuples(NAMES, NAMES), min_size=2, max_size=40))
def test_different_items_have_different_names(items: set[tuple[str, str]]) -> None:
    assert len({exposed(server, item) for server, item in items}) == len(items)


@given(PLAIN)
def test_a_plain_server_name_is_kept(server: str) -> None:
    assert server_part(server) == server


def test_names_that_differ_only_in_what_is_dropped() -> None:
    spellings = [
        ("files", "a.b"),
        ("files", "a_b"),
        ("files", "a/b"),
        ("Files", "a_b"),
        ("files_", "a_b"),
        ("a", "b__c"),
    ]
    assert len({exposed(*spelling) for spelling in spellings}) == len(spellings)
    assert exposed("a", "b__c") == "a__b__c"


def test_long_names_keep_their_beginning() -> None:
    name = exposed("s" * 60, "tool" * 40)
    assert len(name) == MAX_LENGTH
    assert name.startswith("s" * 28 + "__tool")


def test_closest() -> None:
    names = ["demo__echo", "demo__add", "files__read_file", "files__write_file"]
    assert closest("demo__ecko", names)[0] == "demo__echo"
    assert closest("read_file", names)[0] == "files__read_file"
    assert closest("zzzzqqq", names) == ()
    assert closest("", names) == ()
    assert closest("x" * 1_000_000, names) == ()
    assert closest("echo", []) == ()
