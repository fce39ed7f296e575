"""Which server a TLS client asks for: the hellos are real, and then cut, split and spoilt."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsm_mcp.sandbox.egress import hello
from vsm_mcp.sandbox.egress.hello import Kind


def real(name: str | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


NAMED = real("api.example.com")


def split(data: bytes, size: int) -> bytes:
    """The same handshake message in records of ``size`` bytes."""
    body = data[5:]
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(data[:3] + len(part).to_bytes(2) + part for part in parts)


def test_the_name_is_read() -> None:
    assert hello.read(NAMED) == hello.Hello(Kind.TLS, "api.example.com")
    assert hello.read(real("API.Example.COM")).name == "api.example.com"
    assert hello.read(real(None)) == hello.Hello(Kind.TLS)
    assert hello.read(NAMED + b"more") == hello.read(NAMED)


@settings(deadline=None)
@given(st.integers(0, len(NAMED) - 1))
def test_a_part_of_it_is_too_few(length: int) -> None:
    assert hello.read(NAMED[:length]) == hello.Hello(Kind.MORE)


@settings(deadline=None)
@given(st.integers(1, len(NAMED)))
def test_records_may_cut_it_anywhere(size: int) -> None:
    assert hello.read(split(NAMED, size)).name == "api.example.com"


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\0", b"SSH-2.0-x\r\n", b"\x16\x02\x00\x00\x01x"])
def test_other_protocols_are_plain(data: bytes) -> None:
    assert hello.read(data).kind is Kind.PLAIN


def spoilt(old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    assert old in NAMED
    return NAMED.replace(old, new)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01x",  # a handshake message, but no hello of a client
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x05\x01\x00\xff\xff\x03",  # longer than any hello
        b"\x16\x03\x01\x00\x02\x01\x00" + b"\x17\x03\x03\x00\x01x",
        spoilt(b"\0\x0fapi.example.com", b"\0\xffapi.example.com"),
        spoilt(b"api.example.com", b"api.\xff\xff\xff\xff\xff\xff\xff.com"),
    ],
)
def test_what_begins_like_tls_and_is_not_is_broken(data: bytes) -> None:
    assert hello.read(data).kind is Kind.BROKEN


def test_a_hello_without_end_is_broken() -> None:
    assert hello.read(b"\x16\x03\x01\x40\x00\x01\x00\x7f\xff" + b"x" * hello.LONGEST).kind is Kind.BROKEN


def test_two_names_are_broken() -> None:
    """Which of them the server would take is anybody's guess."""
    listed = b"\0\0" + b"\0\x14" + b"\0\x12" + b"\0\0\x0fapi.example.com"
    assert listed in NAMED
    twice = NAMED.replace(listed, listed + listed.replace(b"api", b"bad"))
    grown = len(listed)
    record = int.from_bytes(NAMED[3:5]) + grown
    message = int.from_bytes(NAMED[6:9]) + grown
    extensions = NAMED.index(listed)
    before = bytearray(twice)
    before[3:5] = record.to_bytes(2)
    before[6:9] = message.to_bytes(3)
    at = next(i for i in range(extensions - 2, 0, -1) if int.from_bytes(NAMED[i : i + 2]) == len(NAMED) - i - 2)
    before[at : at + 2] = (int.from_bytes(NAMED[at : at + 2]) + grown).to_bytes(2)
    assert hello.read(bytes(before)).kind is Kind.BROKEN


@settings(deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_one_of_the_four(data: bytes, like_tls: bool) -> None:
    found = hello.read((b"\x16\x03" if like_tls else b"") + data)
    assert found.kind in Kind
    assert found.kind is Kind.TLS or found.name == ""


@settings(deadline=None)
@given(st.integers(0, len(NAMED) - 1), st.integers(0, 255))
def test_one_wrong_byte_never_hides_another_name(position: int, value: int) -> None:
    """It is broken, not yet enough, no TLS, or names what is written there."""
    changed = bytearray(NAMED)
    changed[position] = value
    found = hello.read(bytes(changed))
    assert found.name == "" or found.name.encode() in bytes(changed).lower()
