"""Exits, uids, id maps, process trees."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox import idmap, sweeper, tree
from vsm_mcp.sandbox.confinement import Command, Exit, exit_of
from vsm_mcp.sandbox.tier import PROPERTIES, Tier, properties_of
from vsm_mcp.sandbox.uids import COUNT, FIRST, Uids


@pytest.mark.parametrize(
    ("code", "passed_on", "expected", "text"),
    [
        (0, True, Exit(code=0), "exited with code 0"),
        (3, True, Exit(code=3), "exited with code 3"),
        (137, True, Exit(signal=9), "was killed by SIGKILL"),
        (137, False, Exit(code=137), "exited with code 137"),
        (-15, False, Exit(signal=15), "was killed by SIGTERM"),
        (255, True, Exit(code=255), "exited with code 255"),
        (128, True, Exit(code=128), "exited with code 128"),
        (128 + 63, True, Exit(signal=63), "was killed by signal 63"),
    ],
)
def test_exits(code: int, passed_on: bool, expected: Exit, text: str) -> None:
    assert exit_of(code, passed_on=passed_on) == expected
    assert expected.describe() == text


def test_out_of_memory_is_said() -> None:
    assert exit_of(137, passed_on=True, oom=True).describe() == "was killed by SIGKILL (out of memory)"


def test_command_does_not_show_values() -> None:
    assert "secret" not in repr(Command(argv=("x",), env={"TOKEN": "secret"}))


def test_every_tier_has_every_property() -> None:
    for tier in Tier:
        assert tuple(properties_of(tier)) == PROPERTIES


@given(st.lists(st.text(max_size=5), max_size=40))
def test_live_uids_never_collide(names: list[str]) -> None:
    uids = Uids(set)
    leased = [uids.lease(name) for name in names]
    assert len(set(leased)) == len(leased)
    assert all(FIRST <= uid < FIRST + COUNT for uid in leased)


def test_a_uid_that_another_daemon_gave_out_is_left_alone() -> None:
    first = Uids(set).lease("server")
    assert Uids(lambda: {0, first}).lease("server") not in {0, first}


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="no /proc")  # noqa: PTH110
def test_whose_processes_run() -> None:
    assert os.geteuid() in tree.owners()


def test_uid_is_the_same_for_the_same_name() -> None:
    uids = Uids(set)
    first = uids.lease("server")
    second = uids.lease("server")
    uids.release(first)
    assert uids.lease("server") == first
    assert second != first


def test_those_that_have_one_home_have_one_uid_until_the_last_is_gone() -> None:
    uids = Uids(set)
    first = uids.lease("server", "/homes/a")
    assert uids.lease("server@2", "/homes/a") == first
    assert uids.lease("server", "/homes/b") != first
    uids.release(first)
    assert uids.lease("server") != first
    uids.release(first)
    assert uids.lease("server") == first


def test_uids_run_out() -> None:
    uids = Uids(set)
    for number in range(COUNT):
        uids.lease(str(number))
    with pytest.raises(SandboxUnavailable):
        uids.lease("one more")


ids = st.integers(min_value=0, max_value=70_000)


@given(ids, ids, ids)
def test_map_swaps_two_ids_and_keeps_the_rest(owner: int, server: int, other: int) -> None:
    rows = [tuple(int(part) for part in line.split()) for line in idmap.mapping(owner, server).splitlines()]

    def mapped(ident: int) -> int:
        (found,) = [outside + ident - inside for inside, outside, count in rows if inside <= ident < inside + count]
        return found

    assert mapped(owner) == server
    assert mapped(server) == owner
    if other not in {owner, server}:
        assert mapped(other) == other
    assert sum(row[2] for row in rows) == 2**32 - 1
    assert len(rows) <= 340  # user_namespaces(7)


def test_trees_and_marks() -> None:
    token = secrets.token_hex(8)
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    process = subprocess.Popen(
        ["/usr/bin/python3", "-I", "-S", "-c", code],
        stdin=subprocess.PIPE,
        env={"MARK": token, sweeper.VARIABLE: token},
    )
    try:
        while len(tree.descendants(process.pid)) < 1:
            assert process.poll() is None
        (child,) = tree.children(process.pid)
        assert tree.memory([process.pid, child]) > 1_000_000
        assert set(tree.marked(f"MARK={token}")) >= {process.pid}
        assert process.pid in sweeper.belonging(token.encode())
        assert tree.marked(f"MARK={token}x") == []
    finally:
        tree.send([*tree.descendants(process.pid), process.pid], signal.SIGKILL)
        process.communicate()
    assert tree.children(process.pid) == []
    assert os.getpid() not in sweeper.belonging(token.encode())
