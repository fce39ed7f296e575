"""Control groups: layouts read from made-up trees, limits on a real one where it can be written."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path

import pytest

from vsm_mcp.sandbox import cgroup
from vsm_mcp.sandbox.cgroup import Bounds, Group, Layout


def tree(tmp_path: Path, mounts: str, own: str) -> Path:
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "mountinfo").write_text(mounts.format(root=tmp_path))
    (proc / "cgroup").write_text(own)
    return proc


V1 = (
    "30 25 0:26 / {root}/memory rw,relatime - cgroup cgroup rw,memory\n"
    "31 25 0:27 / {root}/both rw - cgroup cgroup rw,cpu,pids\n"
    "32 25 0:28 / {root}/unified rw - cgroup2 cgroup2 rw\n"
)
V2 = "30 25 0:26 / {root} rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def test_version_1(tmp_path: Path) -> None:
    for name in ("memory", "both", "unified"):
        (tmp_path / name).mkdir()
    proc = tree(tmp_path, V1, "4:memory:/x\n0::/\n")
    both = f"{tmp_path}/both"
    assert cgroup.find(proc) == Layout(version=1, memory=f"{tmp_path}/memory", pids=both, cpu=both)


def test_version_1_without_the_right_to_write_is_none(tmp_path: Path) -> None:
    assert cgroup.find(tree(tmp_path, V1, "0::/\n")) is None


def test_version_2_delegated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    own = tmp_path / "user.slice/run.scope"
    own.mkdir(parents=True)
    (own / "cgroup.subtree_control").write_text("memory pids\n")
    for path in ("/user.slice/run.scope", "/user.slice/run.scope/vsm-mcp-daemon"):
        proc = tree(tmp_path, V2, f"0::{path}\n")
        assert cgroup.find(proc) == Layout(version=2, memory=str(own), pids=str(own))
        for file in proc.iterdir():
            file.unlink()
        proc.rmdir()


def test_version_2_makes_room_for_subgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("\n")
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    proc = tree(tmp_path, V2, "0::/\n")
    (tmp_path / "own").mkdir()
    (proc / "cgroup").write_text("0::/.\n")
    assert cgroup.find(proc) is not None
    assert (tmp_path / "vsm-mcp-daemon/cgroup.procs").read_text() == str(os.getpid())
    # A real hierarchy adds to what is there; this file holds what was written last.
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"


def test_version_2_beside_strangers_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    (tmp_path / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    assert cgroup.find(tree(tmp_path, V2, "0::/.\n")) is None


def test_version_2_limits(tmp_path: Path) -> None:
    layout = Layout(version=2, memory=str(tmp_path), pids=str(tmp_path), cpu=str(tmp_path))
    group = Group(layout, "server-1")
    (directory,) = group.directories
    directory.mkdir(parents=True)
    (directory.parent / "cgroup.subtree_control").write_text("memory pids")
    for name in ("memory.swap.max", "memory.oom.group", "cpu.max.burst"):
        (directory / name).touch()
    group.create(Bounds(memory_bytes=1000, processes=7))
    assert not (directory / "cpu.max").exists()  # a start takes what there is
    group.limit_cpu(0.5)
    group.attach(42)
    assert group.processes() == [42]
    read = {path.name: path.read_text() for path in directory.iterdir()}
    assert read == {
        "memory.max": "1000",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "pids.max": "7",
        "cpu.max": "50000 100000",
        "cpu.max.burst": "50000",
        "cgroup.procs": "42",
    }
    (directory / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    (directory / "memory.peak").write_text("999\n")
    assert group.oom_killed()
    assert group.peak_memory() == 999


def test_sweep_spares_the_living(tmp_path: Path) -> None:
    layout = Layout(version=2, memory=str(tmp_path), pids=str(tmp_path))
    mine = f"vsm-mcp.{os.getpid()}.{cgroup.start_time(os.getpid())}"
    reused = f"vsm-mcp.{os.getpid()}.1"
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    for name in (f"{mine}/a", f"vsm-mcp.{gone.pid}.77/b", f"{reused}/c", "vsm-mcp.strange/d", "other/e"):
        (tmp_path / name).mkdir(parents=True)
    assert cgroup.sweep(layout) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine, "vsm-mcp.strange", "other"])


def test_on_this_machine() -> None:
    layout = cgroup.find()
    if layout is None:
        pytest.skip("no control group can be written here")
    group = Group(layout, f"test-{secrets.token_hex(4)}")
    group.create(Bounds(memory_bytes=64 * 1024 * 1024, processes=5))
    process = subprocess.Popen(["/bin/sleep", "60"])
    try:
        group.attach(process.pid)
        assert not group.oom_killed()
        assert group.peak_memory() is not None
    finally:
        removed = group.remove()
        process.wait()
    assert removed or group.remove()
    assert not any(path.exists() for path in group.directories)
    assert process.returncode == -9
    cgroup.leave(layout)
