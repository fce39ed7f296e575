"""A permission profile with what was given by hand: never more than both say."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.config import Config, Sandbox
from vsm_mcp.errors import BadArgument, UnknownPermissions
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.permissions import BUILT_IN, LIMITS, Permissions
from vsm_mcp.runtime.permissions import limited, permitted, profile_of
from vsm_mcp.runtime.spec import confinement_of
from vsm_mcp.sandbox.confinement import Confinement, MachineNetwork, Network, NoNetwork
from vsm_mcp.sandbox.egress.rules import allow_list

HOME = Path("/data/vsm")
ROOTS = ("/opt/node",)
PATHS = st.sampled_from(["/data/a", "/data/a/b", "/srv/x", "/work", "/work/docs"])
HOSTS = st.lists(st.sampled_from(["example.com", "example.org:8443", "192.0.2.1"]), max_size=3).map(tuple)
BYTES = st.none() | st.integers(1, 2**40)


@st.composite
def profiles(draw: st.DrawFn) -> Permissions:
    plain = st.lists(PATHS | st.sampled_from([".", "./docs", "./a/b"]), max_size=3)
    return Permissions(
        paths=tuple(path + draw(st.sampled_from(["", ":ro", ":rw"])) for path in draw(plain)),
        hosts=draw(HOSTS),
        memory_bytes=draw(BYTES),
        processes=draw(BYTES),
        cpus=draw(st.none() | st.floats(0, 64)),
        shared_memory_bytes=draw(BYTES),
    )


@st.composite
def hands(draw: st.DrawFn) -> Settings:
    paths = draw(st.dictionaries(PATHS, st.booleans(), max_size=3))
    return Settings(
        paths=tuple(paths.items()),
        hosts=draw(HOSTS),
        network=draw(st.booleans()),
        cwd=draw(st.sampled_from(["", "/data/a"])),
        permissions="mine",
        project="/work",
    )


def confined(settings: Settings, profile: Permissions) -> Confinement:
    return confinement_of(settings, ROOTS, Config(home=HOME, permissions={**BUILT_IN, "mine": profile}))


def placed(path: str) -> str:
    return "/work" + path[1:] if path.startswith(".") else path


@given(hands(), profiles())
def test_nothing_is_granted_that_neither_says(settings: Settings, profile: Permissions) -> None:
    got = confined(settings, profile)
    said = [(placed(path), writable) for path, writable in profile.granted()] + list(settings.paths)
    wide = {path for path, writable in said if writable}
    assert set(got.granted_writable) == wide
    assert set(got.granted_read_only) == {path for path, _ in said} - wide
    hosts = dict.fromkeys((*settings.hosts, *profile.hosts))
    assert got.network == (MachineNetwork() if settings.network else allow_list(hosts) if hosts else NoNetwork())
    assert set(permitted(settings, profile).hosts) == set(hosts)
    assert (got.read_only, got.writable, got.hidden) == (ROOTS, (), (str(HOME),))
    for name in LIMITS:
        named = getattr(profile, name)
        assert getattr(got, name) == (getattr(Sandbox(), name) if named is None else named)


@given(hands())
def test_none_grants_nothing(settings: Settings) -> None:
    bare = msgspec.structs.replace(settings, permissions="none", paths=(), hosts=(), network=False)
    assert confined(bare, Permissions()) == confined(Settings(), Permissions())
    chosen = msgspec.structs.replace(settings, permissions="none")
    unsaid = msgspec.structs.replace(settings, permissions="")
    assert confined(chosen, Permissions()) == confined(unsaid, Permissions())
    assert permitted(chosen, BUILT_IN["none"]).cwd == settings.cwd


def test_the_built_in_ones() -> None:
    config = Config(home=HOME)
    plain = confinement_of(Settings(), ROOTS, config)

    def with_profile(name: str) -> Confinement:
        return confinement_of(Settings(permissions=name, project="/work"), ROOTS, config)

    assert with_profile("none") == plain
    assert with_profile("read-only") == msgspec.structs.replace(plain, granted_read_only=("/work",))
    assert with_profile("project") == msgspec.structs.replace(plain, granted_writable=("/work",))
    browser = with_profile("browser")
    assert (browser.granted_read_only, browser.granted_writable, browser.network) == ((), (), NoNetwork())
    assert browser.shared_memory_bytes > plain.shared_memory_bytes
    assert all(getattr(browser, name) > getattr(plain, name) for name in LIMITS if name != "home_bytes")
    assert browser.home_bytes == plain.home_bytes


def test_the_project_is_where_it_starts_unless_something_else_is_given() -> None:
    settings = Settings(permissions="project", project="/work")
    assert permitted(settings, BUILT_IN["project"]).cwd == "/work"
    assert permitted(msgspec.structs.replace(settings, cwd="/data"), BUILT_IN["project"]).cwd == "/data"
    assert permitted(settings, Permissions(paths=("./docs",))).cwd == ""


def test_a_right_given_by_hand_is_not_taken_away() -> None:
    settings = Settings(permissions="read-only", project="/work", paths=(("/work", True),))
    assert permitted(settings, BUILT_IN["read-only"]).paths == (("/work", True),)


def test_a_profile_that_is_gone_grants_nothing_and_says_so() -> None:
    with pytest.raises(UnknownPermissions, match="no permission profile 'mine'") as caught:
        profile_of(Settings(permissions="mine"), Config(home=HOME))
    assert "read-only" in caught.value.hint
    with pytest.raises(UnknownPermissions):
        confinement_of(Settings(permissions="mine"), ROOTS, Config(home=HOME))


def test_a_project_that_nobody_named_is_asked_for() -> None:
    with pytest.raises(BadArgument, match="project directory"):
        permitted(Settings(permissions="project"), BUILT_IN["project"])


def test_a_limit_may_also_be_lower() -> None:
    assert limited(Sandbox(), Permissions(processes=3)) == msgspec.structs.replace(Sandbox(), processes=3)


def test_a_profile_opens_hosts_or_the_whole_network() -> None:
    def network(*hosts: str) -> Network:
        return confined(Settings(permissions="mine", hosts=("h.example",)), Permissions(hosts=hosts)).network

    assert network("api.example:8443") == allow_list(["h.example", "api.example:8443"])
    assert network("*") == MachineNetwork()
    with pytest.raises(BadArgument, match="https:"):
        network("https://api.example")
