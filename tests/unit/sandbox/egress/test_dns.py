"""Questions to the name server: real ones, malformed ones, and any bytes at all."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.sandbox.egress import dns
from vsm_mcp.sandbox.egress.dns import Answer

ADDRESS = ipaddress.IPv4Address("198.18.0.7")


def question(name: str, kind: int = 1, family: int = 1, *, flags: int = 0x0100, count: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part)
    return struct.pack("!HHHHHH", 77, flags, count, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, family)


def test_a_name_is_found() -> None:
    query = dns.read(question("API.Example.com"))
    assert query is not None
    assert (query.name, query.kind, query.wrong) == ("api.example.com", 1, None)
    answer = dns.write(query, Answer.FOUND, ADDRESS)
    number, flags, questions, answers, _, _ = struct.unpack_from("!HHHHHH", answer)
    assert (number, questions, answers) == (77, 1, 1)
    assert flags & 0x8000
    assert flags & 0xF == 0
    assert flags & 0x0100  # recursion was desired, and that is said again
    assert answer[12:].startswith(b"\3API\7Example\3com\0")  # as it was asked: some compare the case
    assert answer.endswith(struct.pack("!HHHIH4s", 0xC00C, 1, 1, 300, 4, ADDRESS.packed))


@pytest.mark.parametrize("kind", [28, 65, 16, 15, 255])
def test_a_name_has_nothing_but_an_ipv4_address(kind: int) -> None:
    query = dns.read(question("example.com", kind))
    assert query is not None
    answer = dns.write(query, Answer.FOUND, ADDRESS)
    assert struct.unpack_from("!HHHH", answer)[3] == 0
    assert answer[3] & 0xF == 0


def test_an_unknown_name_is_said_to_be_unknown() -> None:
    query = dns.read(question("c2VjcmV0.evil.test"))
    assert query is not None
    assert dns.write(query, Answer.UNKNOWN)[3] & 0xF == 3


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        (question("a.test", flags=0x2000), Answer.UNSUPPORTED),
        (question("a.test", family=3), Answer.UNSUPPORTED),
        (question("a.test", count=0), Answer.MALFORMED),
        (question("a.test", count=2), Answer.MALFORMED),
        (question("a.test")[:-3], Answer.MALFORMED),
        (question("a.test")[:12] + b"\xc0\x0c\0\1\0\1", Answer.MALFORMED),
        (question("a.test")[:12] + b"\x01a" * 200 + b"\0\0\1\0\1", Answer.MALFORMED),
    ],
)
def test_what_cannot_be_answered_is_told_so(message: bytes, wrong: Answer) -> None:
    query = dns.read(message)
    assert query is not None
    assert query.wrong is wrong
    assert dns.write(query, wrong)[3] & 0xF == wrong


def test_what_is_no_question_gets_no_answer() -> None:
    assert dns.read(b"") is None
    assert dns.read(question("a.test", flags=0x8180)) is None


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_answered_or_dropped(message: bytes) -> None:
    query = dns.read(message)
    if query is not None:
        assert query.name.isprintable()
        for answer in Answer:
            written = dns.write(query, answer, ADDRESS)
            assert len(written) <= 512
            assert written[:2] == message[:2]
            assert dns.read(written) is None  # it is an answer: two servers would not talk for ever


def test_a_dot_inside_a_label_makes_no_other_name() -> None:
    message = struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + b"\x08evil.com\3net\0" + struct.pack("!HH", 1, 1)
    query = dns.read(message)
    assert query is not None
    assert query.name == "evil\\046com.net"
