from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from vsm_mcp.app.watching import Files, Watcher


def test_a_file_is_read_once_it_has_settled(tmp_path: Path) -> None:
    path = tmp_path / "vsm-mcp.toml"
    files = Files([path])
    assert not files.changed()
    path.write_text("[log]")
    assert not files.changed()  # whoever writes may not be done
    path.write_text("[log]\n")
    assert not files.changed()
    assert not files.settled  # so that it is looked at again soon
    assert files.changed()
    assert files.settled
    assert not files.changed()


def test_a_file_that_is_put_in_the_place_of_another(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("1")
    files = Files([path])
    other.write_text("2")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert [files.changed() for _ in range(3)] == [False, True, False]
    path.unlink()
    assert [files.changed() for _ in range(3)] == [False, True, False]


def test_what_comes_and_goes_between_two_looks_is_nothing_new(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files = Files([path])
    path.write_text("x")
    assert not files.changed()
    path.unlink()
    assert [files.changed() for _ in range(3)] == [False, False, False]


def test_what_was_read_on_request_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files = Files([path])
    path.write_text("x")
    files.taken()
    assert [files.changed() for _ in range(3)] == [False, False, False]


async def test_a_fault_of_ours_costs_one_reading(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    readings: asyncio.Queue[bool] = asyncio.Queue()

    async def act(asked: bool) -> None:
        readings.put_nowait(asked)
        raise RuntimeError("a fault")

    async with asyncio.timeout(20), Watcher(tmp_path / "a", act, lambda: 0.0) as watcher:
        for _ in range(2):
            watcher.hurry()
            assert await readings.get()
    assert "a was not read to its end" in caplog.text
    assert "a fault" in caplog.text
