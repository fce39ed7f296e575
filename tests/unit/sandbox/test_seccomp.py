"""The filters: as the tool builds them, and well-formed."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from types import ModuleType

import pytest

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox import seccomp

TOOL = Path(__file__).resolve().parents[3] / "tools" / "build_seccomp.py"
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_seccomp", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("machine", sorted(AUDIT_ARCH))
def test_program_checks_the_machine_first(machine: str) -> None:
    program = seccomp.program(machine)
    assert len(program) % 8 == 0
    load, compare = list(struct.iter_unpack("=HBBI", program))[:2]
    assert load == (0x20, 0, 0, 4)  # the architecture in struct seccomp_data
    assert compare[0] == 0x15
    assert compare[3] == AUDIT_ARCH[machine]


def test_shipped_filters_are_what_the_tool_builds() -> None:
    pytest.importorskip("pyseccomp")
    built = tool()
    assert {machine: built.build(machine) for machine in built.ARCHES} == {
        machine: seccomp.program(machine) for machine in built.ARCHES
    }


def test_unknown_machine_is_named() -> None:
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        seccomp.program("riscv64")
