"""System 1, operations: the system calls a server may not make.

One classic BPF program per machine, built by ``tools/build_seccomp.py`` and shipped as data.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib import resources

from vsm_mcp.errors import SandboxUnavailable

MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


@cache
def program(machine: str = "") -> bytes:
    """Return the filter for ``machine`` (default: this one).

    Raises :class:`SandboxUnavailable` for a machine that no filter was built for.
    """
    machine = machine or platform.machine()
    name = MACHINES.get(machine.lower())
    if name is None:
        raise SandboxUnavailable(f"no system call filter for {machine}", f"there is one for {', '.join(MACHINES)}")
    return resources.files(__package__).joinpath(f"{name}.bpf").read_bytes()
