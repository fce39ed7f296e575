from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from vsm_mcp.routing.cache import EVERYBODY, Cache, Kept, Key, canonical


def key(arguments: bytes = b"{}", principal: str = "anna", server: str = "files") -> Key:
    return Key(server, "read", arguments, principal)


def kept(raw: bytes = b"{}", stored: float = 0.0, until: float = 10.0) -> Kept:
    return Kept(raw, False, stored, until)


def test_what_is_kept_is_found_until_its_time_is_up() -> None:
    cache = Cache(10_000)
    cache.put(key(), kept(b'{"a":1}'), cache.turn("files"))
    found = cache.get(key(), 9.9)
    assert found is not None
    assert found.raw == b'{"a":1}'
    assert cache.get(key(), 10.0) is None
    assert (len(cache), cache.size, cache.hits, cache.misses) == (0, 0, 1, 1)


def test_nobody_gets_what_another_asked_for() -> None:
    cache = Cache(10_000)
    cache.put(key(principal="anna"), kept(), cache.turn("files"))
    assert cache.get(key(principal="bert"), 1.0) is None
    cache.put(key(principal=EVERYBODY), kept(), cache.turn("files"))
    assert cache.get(key(principal="bert"), 1.0) is not None


def test_what_may_have_changed_is_forgotten_and_what_is_on_its_way_is_not_kept() -> None:
    cache = Cache(10_000)
    turn = cache.turn("files")
    cache.put(key(), kept(), turn)
    cache.put(key(server="other"), kept(), cache.turn("other"))
    cache.empty("files")
    assert cache.get(key(), 1.0) is None
    cache.put(key(), kept(), turn)
    assert cache.get(key(), 1.0) is None
    assert cache.get(key(server="other"), 1.0) is not None
    turn = cache.turn("never seen")
    cache.empty()
    assert cache.turn("never seen") != turn
    assert (len(cache), cache.size) == (0, 0)


def test_one_that_would_fill_it_is_not_kept() -> None:
    cache = Cache(4_000)
    cache.put(key(), kept(b"x" * 1000), cache.turn("files"))
    assert len(cache) == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 700), st.booleans()), max_size=200))
def test_it_never_grows_beyond_its_bound(steps: list[tuple[int, int, bool]]) -> None:
    cache = Cache(5_000)
    for number, size, asks in steps:
        each = key(b"%d" % number)
        if asks:
            cache.get(each, 1.0)
        else:
            cache.put(each, kept(b"x" * size), cache.turn("files"))
        assert 0 <= cache.size <= cache.limit
    cache.empty("files")
    assert (len(cache), cache.size) == (0, 0)


def test_what_was_asked_for_longest_ago_gives_way() -> None:
    cache = Cache(2_600)
    for number in range(4):
        cache.put(key(b"%d" % number), kept(), cache.turn("files"))
    assert cache.get(key(b"0"), 1.0) is not None
    cache.put(key(b"4"), kept(), cache.turn("files"))
    cache.put(key(b"5"), kept(), cache.turn("files"))
    assert cache.get(key(b"0"), 1.0) is not None
    assert cache.get(key(b"1"), 1.0) is None


def test_the_same_arguments_are_the_same_however_they_are_written() -> None:
    assert canonical(Raw(b'{"a": 1, "b": {"d": 2, "c": 3}}')) == canonical(Raw(b'{"b":{"c":3,"d":2},"a":1}'))
    assert canonical(Raw(b'{"a":"1"}')) != canonical(Raw(b'{"a":1}'))
    assert canonical(None) == canonical(Raw(b"{}"))
    assert canonical(Raw(b"[1]")) is None
    assert canonical(Raw(b"{")) is None
