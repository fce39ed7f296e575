"""Works out what a seccomp filter answers to a call, also on a machine of another kind: classic BPF, as far as used."""

from __future__ import annotations

import errno
import struct
from typing import Final

AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "i386": 0x40000003}

_LOAD, _RETURN = 0x20, 0x06
_JUMPS: Final = {0x05: "always", 0x15: "==", 0x25: ">", 0x35: ">=", 0x45: "&"}
_AND: Final = 0x54
_ALLOW, _ERRNO, _KILLS = 0x7FFF0000, 0x00050000, (0x00000000, 0x80000000)


def answer(program: bytes, arch: str, number: int, *arguments: int) -> str:
    """Return ``allow``, ``kill``, or the name of the error."""
    words = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, AUDIT_ARCH[arch], 0, *(word & (2**64 - 1) for word in words))
    code = list(struct.iter_unpack("<HBBI", program))
    held, at = 0, 0
    while True:
        kind, yes, no, operand = code[at]
        at += 1
        if kind == _LOAD:
            held = struct.unpack_from("<I", data, operand)[0]
        elif kind == _AND:
            held &= operand
        elif kind == _RETURN:
            return _named(operand)
        elif _JUMPS[kind] == "always":
            at += operand
        else:
            at += yes if _holds(_JUMPS[kind], held, operand) else no


def _holds(relation: str, held: int, operand: int) -> bool:
    if relation == "==":
        return held == operand
    if relation == ">":
        return held > operand
    return held >= operand if relation == ">=" else bool(held & operand)


def _named(result: int) -> str:
    if result == _ALLOW:
        return "allow"
    if result in _KILLS:
        return "kill"
    assert result & 0xFFFF0000 == _ERRNO, hex(result)
    return errno.errorcode[result & 0xFFFF]
