from __future__ import annotations

import datetime

import pytest

from vsm_mcp.install.cool_down import cutoff, exempt, too_young, trusts
from vsm_mcp.install.installer import Options
from vsm_mcp.install.python_lock import newer_than
from vsm_mcp.model.ref import parse_ref

NOW = datetime.datetime(2026, 11, 29, 8, 0, 0, 123456, tzinfo=datetime.UTC)


def test_the_moment_after_which_nothing_is_taken() -> None:
    assert cutoff(Options(), NOW) is None
    assert cutoff(Options(min_release_age_days=3), NOW) == datetime.datetime(2026, 11, 26, 8, tzinfo=datetime.UTC)


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
    assert newer_than(until, ("a", "b", "a")) == ("--exclude-newer", "2026-11-26T08:00:00Z", *free)
    assert newer_than(None, ("a",)) == ()


@pytest.mark.parametrize(("package", "pattern"), [("@a/b@1.0.0", "npm:@a/b"), ("x==1", "pypi:x"), ("y", "npm:y")])
def test_the_error_says_what_may_be_done(package: str, pattern: str) -> None:
    error = too_young(package, Options(min_release_age_days=3), ["2026-11-28T10:20:30Z"])
    assert "cool-down of 3 days" in error.message
    assert "2026-11-28 10:20" in error.message
    assert f'trusted_publishers = ["{pattern}"]' in error.hint
