"""strace's record is read as it was written, in whatever pieces it arrives."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.vetting.strace import Call, Trace, annotation, strings, unescaped


def read(record: str) -> list[Call]:
    return list(Trace().feed(record.encode("utf-8", "surrogateescape")))


def written(data: bytes, *, brackets: bool = False) -> str:
    """Write a string as strace does: octal as short as the next character lets it be."""
    plain = {
        ord("\n"): "\\n",
        ord("\t"): "\\t",
        ord("\r"): "\\r",
        11: "\\v",
        12: "\\f",
        ord('"'): '\\"',
        ord("\\"): "\\\\",
    }
    out = ""
    for at, byte in enumerate(data):
        following = data[at + 1 : at + 2]
        if byte in plain:
            out += plain[byte]
        elif 32 <= byte < 127 and not (brackets and chr(byte) in "<>"):
            out += chr(byte)
        else:
            out += f"\\{byte:03o}" if following.isdigit() else f"\\{byte:o}"
    return out


REAL = r"""
6667  openat(AT_FDCWD</st>, "d/a\"b\tc<x>\303\251", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</st/d/a\"b\tc\74x\76\303\251>
6670  execve("/usr/bin/cat", ["cat", "/etc/hostname"], 0x55b9bf9cc210 /* 35 vars */) = 0
6672  symlinkat("/etc/passwd", AT_FDCWD</tmp/st/d>, "l") = 0
6674  openat(AT_FDCWD</tmp/st/d>, "/dev/tty", O_RDWR|O_NONBLOCK) = -1 ENXIO (No such device or address)
6674  connect(3<socket:[4]>, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")}, 16) = -1 EACCES
6674  mkdir("d", 0777)                  = 0
6675  openat(AT_FDCWD</>, "/a", O_RDONLY <unfinished ...>
6676  unlink("/b") = ?
6675  <... openat resumed>) = 5</a>
6674  +++ exited with 0 +++
6674  execve("/x", ["x", "yyyy"...], 0x7ffd /* 9 vars */) = -1 ENOENT (No such file or directory)
"""


def test_a_real_record() -> None:
    calls = read(REAL)
    assert [(call.pid, call.name, call.result, call.error, call.path) for call in calls] == [
        (6667, "openat", 3, "", '/st/d/a"b\tc<x>é'),
        (6670, "execve", 0, "", ""),
        (6672, "symlinkat", 0, "", ""),
        (6674, "openat", -1, "ENXIO", ""),
        (6674, "connect", -1, "EACCES", ""),
        (6674, "mkdir", 0, "", ""),
        (6676, "unlink", None, "", ""),
        (6675, "openat", 5, "", "/a"),
        (6674, "execve", -1, "ENOENT", ""),
    ]
    first, listed = calls[0].arguments, calls[1].arguments[1]
    assert annotation(first[0]) == "/st"
    assert strings(first[1]) == ['d/a"b\tc<x>é'.encode()]
    assert first[2:] == ("O_WRONLY|O_CREAT|O_TRUNC", "0666")
    assert strings(listed) == [b"cat", b"/etc/hostname"]
    assert strings(calls[-1].arguments[1]) == [b"x", b"yyyy"]
    assert calls[4].arguments[1].startswith("{sa_family=AF_INET, sin_port=htons(443)")


@given(st.binary(max_size=80))
def test_a_string_is_what_was_written(data: bytes) -> None:
    assert unescaped(written(data)) == data
    assert strings(f'"{written(data)}"...') == [data]


paths = st.binary(min_size=1, max_size=30).filter(lambda raw: b"\0" not in raw)


@st.composite
def records(draw: st.DrawFn) -> tuple[str, list[Call]]:
    """A record of whole calls and, in the same order of their ends, what they are."""
    lines, calls = [], []
    for number in range(draw(st.integers(0, 5))):
        pid = 100 + number
        name = draw(paths)
        head = f'openat(AT_FDCWD</x>, "{written(name)}", O_RDONLY'
        tail = f") = 3<{written(name, brackets=True)}>"
        if draw(st.booleans()):
            lines += [f"{pid}  {head} <unfinished ...>", f"{pid}  <... openat resumed>{tail}"]
        else:
            lines.append(f"{pid}  {head}{tail}")
        shown = name.decode("utf-8", "backslashreplace")
        arguments = ("AT_FDCWD</x>", f'"{written(name)}"', "O_RDONLY")
        calls.append(Call(pid=pid, name="openat", arguments=arguments, result=3, path=shown))
    return "".join(f"{line}\n" for line in lines), calls


@given(records(), st.lists(st.integers(1, 40), max_size=20))
def test_pieces_make_no_difference(record: tuple[str, list[Call]], sizes: list[int]) -> None:
    data, calls = record[0].encode(), record[1]
    trace, at = Trace(), 0
    found: list[Call] = []
    for size in [*sizes, len(data)]:
        found += trace.feed(data[at : at + size])
        at += size
    assert found == calls


@given(records(), st.randoms(use_true_random=False))
def test_calls_of_other_processes_may_come_between(record: tuple[str, list[Call]], random: object) -> None:
    lines = record[0].splitlines()
    begun = [line for line in lines if "resumed>" not in line]
    resumed = [line for line in lines if "resumed>" in line]
    random.shuffle(resumed)  # type: ignore[attr-defined]
    found = read("".join(f"{line}\n" for line in [*begun, *resumed]))
    assert sorted(found, key=lambda call: call.pid) == record[1]


@given(st.text(max_size=200) | st.from_regex(re.compile(r'1  openat\([<>"\\,() =]{0,40}\n'), fullmatch=True))
def test_whatever_arrives_the_next_line_is_read(noise: str) -> None:
    record = f'{noise}\n7  unlink("/last") = 0\n'
    calls = read(record)
    assert calls[-1] == Call(pid=7, name="unlink", arguments=('"/last"',), result=0)


@pytest.mark.parametrize("piece", [b"x" * 10_000, b'1  openat("' + b"a" * 9_989])
def test_a_line_without_an_end_is_not_kept(piece: bytes) -> None:
    trace = Trace()
    for _ in range(100):
        assert list(trace.feed(piece)) == []
    assert len(trace._rest) < 80_000
    assert list(trace.feed(b'tail\n7  unlink("/last") = 0\n'))[-1].pid == 7


def test_calls_that_never_end_are_not_all_kept() -> None:
    trace = Trace()

    def endless() -> Iterable[bytes]:
        for pid in range(20_000):
            yield f'{pid}  openat(AT_FDCWD, "/x", O_RDONLY <unfinished ...>\n'.encode()

    for line in endless():
        assert list(trace.feed(line)) == []
    assert len(trace._unfinished) < 5_000
    assert [call.pid for call in trace.feed(b"19999  <... openat resumed>) = 3</x>\n")] == [19_999]
