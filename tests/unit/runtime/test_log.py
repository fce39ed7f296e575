"""The log: bounded, clean, without secrets."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.runtime.drain import Drain
from vsm_mcp.runtime.log import Lines, Redactor, RotatedFile


class Sink(RotatedFile):
    """Keeps what would be written."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"), 0)
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def lines_of(secrets: list[str], chunks: list[bytes]) -> tuple[Lines, bytes]:
    sink = Sink()
    lines = Lines(sink, Redactor(secrets))
    for chunk in chunks:
        lines.feed(chunk)
    lines.finish()
    return lines, sink.data


def test_lines_are_cleaned() -> None:
    lines, data = lines_of([], [b"\x1b[31mred\x1b[0m\r\n\n  \n", b"\x1b]0;title\x07bell\x07\x00\ttab\n", b"last"])
    assert data == b"red\nbell\ttab\nlast\n"
    assert lines.last() == ("red", "bell\ttab", "last")


def test_invalid_utf8_survives() -> None:
    lines, data = lines_of([], [b"caf\xe9 \xf0\x9f\x98\x80\n"])
    assert data == b"caf\xe9 \xf0\x9f\x98\x80\n"
    assert lines.last() == ("caf\ufffd \U0001f600",)


def test_secrets_are_replaced_whole_and_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEabc\nMIIEdef\n-----END KEY-----"
    lines, data = lines_of(["pa$$word", key, "no"], [b"using pa$$wo", b"rd; no harm\nMIIEdef\n"])
    assert data == b"using ***; no harm\n***\n"
    assert lines.last() == ("using ***; no harm", "***")


def test_longer_secret_wins() -> None:
    assert lines_of(["abcd", "abcdefgh"], [b"abcdefgh abcd\n"])[1] == b"*** ***\n"


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 200_000), st.integers(100, 70_000))
def test_secret_in_an_endless_line_is_never_cut_in_two(before: int, chunk: int) -> None:
    secret = "s3cr3t-value-0123456789"
    text = b"x" * before + secret.encode() + b"y" * 100_000
    _, data = lines_of([secret], [text[i : i + chunk] for i in range(0, len(text), chunk)])
    flat = data.replace(b"\n", b"")
    assert secret.encode() not in flat
    assert flat == b"x" * before + b"***" + b"y" * 100_000


def test_tail_is_bounded() -> None:
    lines, _ = lines_of([], [b"".join(b"%d %s\n" % (number, b"z" * 300) for number in range(500))])
    assert len(lines.tail) == 50
    assert sum(len(line) + 1 for line in lines.last()) <= 8192
    assert lines.last()[-1].startswith("499 ")


def test_file_rotates_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "server.log"
    file = RotatedFile(path, 1000)
    for number in range(100):
        file.write(b"%099d\n" % number)
    file.close()
    old = path.with_name("server.log.1")
    assert path.stat().st_size <= 1000
    assert old.stat().st_size <= 1000
    assert path.read_bytes().endswith(b"99\n")
    assert path.stat().st_mode & 0o777 == 0o600
    again = RotatedFile(path, 1000)
    again.write(b"more\n")
    again.close()
    assert path.read_bytes() == b"more\n"


def test_link_in_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "server.log").symlink_to(tmp_path / "target")
    file = RotatedFile(tmp_path / "server.log", 1000)
    file.write(b"text\n")
    file.close()
    assert (tmp_path / "target").read_text() == ""


async def test_drain_slows_a_flood_and_reads_to_the_end() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    got = 0

    def take(chunk: bytes) -> None:
        nonlocal got
        got += len(chunk)

    drain = Drain(reading, take)
    loop = asyncio.get_running_loop()
    began = loop.time()
    flood = 10 * 1024 * 1024

    def write() -> None:
        view = memoryview(bytes(flood))
        while view:
            view = view[os.write(writing, view) :]
        os.close(writing)

    await asyncio.wait_for(asyncio.to_thread(write), 60)
    await asyncio.wait_for(drain.done, 60)
    assert got == flood
    assert loop.time() - began > 0.3  # 8 MB at once, the rest at 4 MB/s
    drain.close()


async def test_drain_can_be_closed_while_it_pauses() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    drain = Drain(reading, lambda _chunk: None)
    os.write(writing, b"x")
    await drain.finish(0.05)
    assert drain.done.done()
    drain.close()
    os.close(writing)
