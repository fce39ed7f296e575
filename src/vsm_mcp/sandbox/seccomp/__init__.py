"""System 1, operations: the system calls a server may not make.

Classic BPF programs for each machine, built by ``tools/build_seccomp.py`` and shipped as data.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib import resources

from vsm_mcp.errors import SandboxUnavailable

MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


@cache
def program(kind: str = "full", machine: str = "") -> bytes:
    """Return a filter for ``machine`` (default: this one).

    ``kind`` is ``full`` (beside namespaces), ``reduced`` (in their place) or ``signals`` (added to ``reduced`` where
    Landlock does not hold signals back). Raises :class:`SandboxUnavailable` for a machine that none was built for.
    """
    machine = machine or platform.machine()
    name = MACHINES.get(machine.lower())
    if name is None:
        raise SandboxUnavailable(f"no system call filter for {machine}", f"there is one for {', '.join(MACHINES)}")
    return resources.files(__package__).joinpath(f"{name}-{kind}.bpf").read_bytes()
