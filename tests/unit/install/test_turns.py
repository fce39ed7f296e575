from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vsm_mcp.errors import BadArgument, HomeError
from vsm_mcp.install.turns import Turns

HOLDER = """
import asyncio, sys
from pathlib import Path
from vsm_mcp.install.turns import Turns

async def main():
    async with Turns(Path(sys.argv[1]), 1).turn("npm:a"):
        print("held", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_so_many_at_a_time_and_of_one_thing_only_one(tmp_path: Path) -> None:
    turns, working, most = Turns(tmp_path, 2), [0], [0]
    inside: list[str] = []

    async def install(identity: str) -> None:
        async with turns.turn(identity):
            assert identity not in inside
            inside.append(identity)
            working[0] += 1
            most[0] = max(most[0], working[0])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            working[0] -= 1
            inside.remove(identity)

    await asyncio.wait_for(asyncio.gather(*(install(name) for name in ("a", "b", "c", "a", "b", "d"))), 60)
    assert most == [2]
    assert turns.working == 0
    assert list((tmp_path / "run" / "turns").iterdir()) == []


async def test_more_may_be_allowed_meanwhile_and_who_gives_up_holds_nothing(tmp_path: Path) -> None:
    turns = Turns(tmp_path, 1)
    async with turns.turn("a"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), turns.turn("b"):
                raise AssertionError
        turns.at_once = 2
        async with asyncio.timeout(60), turns.turn("b"):
            assert turns.working == 2


async def test_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        turns = Turns(tmp_path, 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), turns.turn("npm:a"):
                raise AssertionError
        holder.send_signal(signal.SIGKILL)
        holder.wait(60)
    async with asyncio.timeout(60), turns.turn("npm:a"):
        assert turns.working == 1


async def test_a_name_is_reserved_for_as_long_as_the_turn_lasts(tmp_path: Path) -> None:
    turns = Turns(tmp_path, 2)
    async with turns.turn("npm:a"):
        turns.claim("time", "npm:a")
        turns.claim("time", "npm:a")
        assert turns.claimed("npm:a") == frozenset()
        assert turns.claimed("pypi:b") == {"time"}
        with pytest.raises(BadArgument, match="being added as time"):
            turns.claim("time", "pypi:b")
    turns.claim("time", "pypi:b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HomeError):
        async with Turns(tmp_path / "home", 1).turn("a"):
            raise AssertionError


async def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(HomeError):
        async with Turns(tmp_path, 1).turn("a"):
            raise AssertionError
