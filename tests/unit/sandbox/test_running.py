"""Reading what a program printed: whole, bounded, and never longer than it takes."""

from __future__ import annotations

import asyncio
import os

import pytest

from vsm_mcp.sandbox.running import Outputs


def pipe() -> tuple[int, int]:
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    return reading, writing


async def test_both_outputs_are_read_to_their_end_and_cut_at_the_limit() -> None:
    (out, out_end), (err, err_end) = pipe(), pipe()
    outputs = Outputs(out, err, 4)
    os.write(out_end, b"123456")
    os.write(err_end, b"ab")
    os.close(out_end)
    os.close(err_end)
    assert await outputs.last(5) == (b"1234", b"ab", True)


async def test_an_output_that_stays_open_is_given_up_and_closed() -> None:
    (out, out_end), (err, err_end) = pipe(), pipe()
    outputs = Outputs(out, err, 4)
    os.write(err_end, b"ab")
    os.close(err_end)
    assert await outputs.last(0.05) == (b"", b"ab", True)
    with pytest.raises(BrokenPipeError):
        os.write(out_end, b"nobody reads")
    os.close(out_end)


async def test_a_cancelled_reader_leaves_nothing_open() -> None:
    (out, out_end), (err, err_end) = pipe(), pipe()
    waiting = asyncio.ensure_future(Outputs(out, err, 4).last(60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.sleep(0)
    for end in (out_end, err_end):
        with pytest.raises(BrokenPipeError):
            os.write(end, b"nobody reads")
        os.close(end)
