from __future__ import annotations

from vsm_mcp.runtime.placeholders import filled_entry, hole


def test_places_are_filled_and_several_values_become_several_arguments() -> None:
    own = {"HEAD": f"Bearer {hole('key')}", "PLAIN": "x"}
    argv = ("/p", hole("dirs", several=True), f"--level={hole('level')}", hole("none"), hole("nobody", several=True))
    env = {**own, "key": "k", "dirs": "/a::/b", "level": "3"}
    words, after = filled_entry(argv, own, env)
    assert words == ("/p", "/a", "/b", "--level=3", "")
    assert after == {**env, "HEAD": "Bearer k"}


def test_what_a_person_gave_is_never_filled_itself() -> None:
    own = {"A": hole("a")}
    env = {"A": hole("key"), "a": hole("key"), "key": "secret"}
    assert filled_entry((hole("a"),), own, env) == ((hole("key"),), env)
