from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.runtime import proc
from vsm_mcp.runtime.proc import Stat, Table

LINE = (
    "%d (%s) %s %d 7 7 0 -1 4194560 1 2 3 4 100 50 30 20 20 0 %d 0 4711 123456 %d "
    "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
)


def stat(pid: int, parent: int, state: str = "S") -> Stat:
    return Stat(pid, state, parent, 0.0, 1, pid * 10, 0)


@given(st.text(st.characters(exclude_characters="\x00"), max_size=15))
def test_a_program_may_have_any_name(name: str) -> None:
    text = (LINE % (42, name, "R", 41, 9, 100)).encode("utf-8", "surrogatepass")
    found = proc.parse_stat(text)
    assert (found.pid, found.state, found.parent, found.threads, found.started) == (42, "R", 41, 9, 4711)
    assert found.cpu_seconds == pytest.approx(200 / os.sysconf("SC_CLK_TCK"))
    assert found.rss_bytes == 100 * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("text", [b"", b"42 (x) R 1", b"no process at all"])
def test_what_is_no_stat(text: bytes) -> None:
    with pytest.raises(ValueError, match="no stat"):
        proc.parse_stat(text)


def test_pss() -> None:
    assert proc.parse_pss(b"Rss:   10 kB\nPss:    7 kB\nPss_Anon: 3 kB\n") == 7 * 1024
    assert proc.parse_pss(b"") == 0


def test_the_tree_of_a_server_is_what_the_daemon_started_for_it() -> None:
    daemon, bwrap, init, program, worker, orphan, other = 10, 20, 21, 22, 23, 24, 30
    table = Table(
        [
            stat(1, 0),
            stat(daemon, 1),
            stat(bwrap, daemon),
            stat(init, bwrap),
            stat(program, init),
            stat(worker, program),
            stat(orphan, init),  # left to the first process of the namespace
            stat(other, daemon),
        ]
    )
    assert set(table.tree(program, daemon)) == {bwrap, init, program, worker, orphan}
    assert set(table.tree(other, daemon)) == {other}
    assert table.tree(program, 99) == (program, worker)
    assert table.tree(99, daemon) == ()


@given(st.dictionaries(st.integers(1, 8), st.integers(0, 8), max_size=8), st.integers(1, 8), st.integers(1, 8))
def test_a_torn_picture_never_ends_in_a_circle(parents: dict[int, int], pid: int, daemon: int) -> None:
    """Ids are used again while we read: the links may be any."""
    acyclic = {each: parent for each, parent in parents.items() if parent < each}
    found = Table(stat(each, parent) for each, parent in acyclic.items()).tree(pid, daemon)
    assert len(found) == len(set(found))


def test_zombies_are_dead_children_of_ours_alone() -> None:
    table = Table([stat(10, 1), stat(11, 10, "Z"), stat(12, 10), stat(13, 12, "Z")])
    assert table.zombies(10) == {(11, 110)}


def test_reading_this_machine() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "import socket; s = socket.socket(); print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child, socket.socket():
        assert child.stdout is not None
        child.stdout.readline()
        table = Table(proc.processes())
        assert table.stats[child.pid].parent == os.getpid()
        assert child.pid in table.tree(child.pid, os.getpid())
        assert table.stats[child.pid].rss_bytes > 1_000_000
        assert proc.sockets([child.pid]) == 1
        files = proc.open_files([child.pid])
        assert files is not None
        assert 4 <= files < 20
        pss = proc.pss([child.pid])
        assert pss is not None
        assert 0 < pss <= table.stats[child.pid].rss_bytes * 1.5
        child.communicate(b"\n")
    assert proc.open_files([child.pid]) is None
    assert proc.sockets([child.pid]) is None
    assert proc.pss([child.pid]) is None
