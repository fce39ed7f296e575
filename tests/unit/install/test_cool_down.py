from __future__ import annotations

import datetime

import msgspec
import pytest

from vsm_mcp.install.cool_down import cutoff, exempt, too_young, trusts
from vsm_mcp.install.installer import Options, bounds
from vsm_mcp.install.python_lock import newer_than
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.retry import AS_RELEASED

NOW = datetime.datetime(2026, 11, 29, 8, 0, 0, 123456, tzinfo=datetime.UTC)


def test_the_moment_after_which_nothing_is_taken() -> None:
    assert cutoff(Options(), NOW) is None
    assert cutoff(Options(min_release_age_days=3), NOW) == datetime.datetime(2026, 11, 26, 8, tzinfo=datetime.UTC)


def test_what_a_release_found_there_is_a_day_more_than_its_last_file() -> None:
    then = Options(constraints=(AS_RELEASED, "mcp<2"))
    released = then.of_release(["2025-03-01T10:00:00.5Z", "", "2025-03-01T11:00:00+00:00"])
    moment = datetime.datetime(2025, 3, 2, 11, tzinfo=datetime.UTC)
    assert cutoff(released, NOW) == moment
    assert cutoff(msgspec.structs.replace(released, min_release_age_days=3), NOW) == moment
    older = cutoff(msgspec.structs.replace(released, min_release_age_days=999), NOW)
    assert older is not None
    assert older < moment
    assert bounds(then.constraints) == ("mcp<2",)


@pytest.mark.parametrize("published", [[], [""], ["yesterday"]])
def test_a_release_without_a_date_found_anything_there(published: list[str]) -> None:
    assert Options(constraints=(AS_RELEASED,)).of_release(published).not_after is None
    assert Options().of_release(["2025-03-01T10:00:00Z"]).not_after is None


@pytest.mark.parametrize(
    ("ref", "patterns", "names"),
    [
        ("npm:@a/b", ("npm:@a/*",), ("@a/b", "@a/*")),
        ("npm:@a/b@1.0.0", ("npm:@a/b",), ("@a/b",)),
        ("npm:@c/b", ("npm:@a/*", "pypi:x"), ("@a/*",)),
        ("npm:@c/b", ("*",), ("@c/b",)),
        ("pypi:My.Name", ("pypi:my-name", "pypi:other_one", "npm:x"), ("my-name", "other-one")),
        ("pypi:my-name", ("pypi:my-*",), ("my-name",)),
        ("pypi:my-name", (), ()),
    ],
)
def test_who_need_not_wait(ref: str, patterns: tuple[str, ...], names: tuple[str, ...]) -> None:
    options = Options(min_release_age_days=3, trusted_publishers=patterns)
    assert exempt(parse_ref(ref).kind, options, parse_ref(ref)) == names
    assert trusts(parse_ref(ref), options) == (bool(names) and names[0] != "@a/*")


def test_what_uv_is_told() -> None:
    until = cutoff(Options(min_release_age_days=3), NOW)
    free = ("--exclude-newer-package", "a=false", "--exclude-newer-package", "b=false")
    assert newer_than(until, {"a": None, "b": None}) == ("--exclude-newer", "2026-11-26T08:00:00Z", *free)
    assert newer_than(until, {"c": NOW})[2:] == ("--exclude-newer-package", "c=2026-11-29T08:00:00Z")
    assert newer_than(None, {"a": None}) == ()


@pytest.mark.parametrize(("package", "pattern"), [("@a/b@1.0.0", "npm:@a/b"), ("x==1", "pypi:x"), ("y", "npm:y")])
def test_the_error_says_what_may_be_done(package: str, pattern: str) -> None:
    error = too_young(package, Options(min_release_age_days=3), ["2026-11-28T10:20:30Z"])
    assert "cool-down of 3 days" in error.message
    assert "2026-11-28 10:20" in error.message
    assert f'trusted_publishers = ["{pattern}"]' in error.hint
