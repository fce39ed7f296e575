"""When folders are counted, and what they are beyond."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from vsm_mcp.sandbox.confinement import Confinement
from vsm_mcp.sandbox.gauge import Disk, Gauge, kept_disk


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock and a file system of our own: seconds, and free bytes."""
    made = SimpleNamespace(now=1000.0, free=1 << 30)
    monkeypatch.setattr("vsm_mcp.sandbox.gauge.time.monotonic", lambda: made.now)
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_bavail=made.free, f_frsize=1))
    return made


def test_it_is_counted_at_first_then_when_space_is_lost_or_time_has_passed(
    tmp_path: Path, machine: SimpleNamespace
) -> None:
    disks, read = (Disk(path=tmp_path, bytes=16_000, limit="home"),), Gauge()
    assert read.due(disks)
    assert read.over(disks) == ""
    assert not read.due(disks)
    machine.free -= 1000
    assert not read.due(disks)
    machine.free -= 1
    assert read.due(disks)
    read.over(disks)
    assert not read.due(disks)
    machine.now += 30.1
    assert read.due(disks)
    read.over(disks)
    assert read.due((*disks, Disk(path=tmp_path / "another", bytes=1, limit="scratch")))


def test_the_first_limit_that_is_passed_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 50_000)
    small, large = (Disk(path=tmp_path, bytes=size, limit=str(size)) for size in (10_000, 100_000))
    assert Gauge().over([large]) == ""
    assert Gauge().over([large, small]) == "10000"


def test_a_home_is_looked_after_where_one_is_kept() -> None:
    assert kept_disk(Confinement()) == ()
    assert kept_disk(Confinement(home="/h", home_bytes=7)) == (Disk(path=Path("/h"), bytes=7, limit="home"),)
