"""What is run, and what it may touch: plain values."""

from __future__ import annotations

import signal as signals
from typing import Final

import msgspec

from vsm_mcp.model.contact import Contact
from vsm_mcp.sandbox.egress.rules import AllowList

HOME: Final = "/home/mcp"
"""The home of every server: private, in memory, gone when it ends; or a folder of this machine that is kept."""

TMP: Final = "/tmp"  # noqa: S108 -- inside the sandbox: private, in memory

MEBIBYTE: Final = 1024 * 1024

CORE_BYTES: Final = 1
"""The limit of core dumps: at 0 the kernel would still start a handler that ``core_pattern`` names, as root."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A program: ``env`` is all it gets (secrets included); ``cwd`` must exist inside the sandbox.

    ``tracer`` is the path of ``strace`` where the program is to be watched; see :mod:`vsm_mcp.sandbox.tracing`.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = {}
    cwd: str = HOME
    tracer: str = ""

    def __repr__(self) -> str:
        return f"Command(argv={self.argv!r}, env={sorted(self.env)}, cwd={self.cwd!r})"


class NoNetwork(msgspec.Struct, frozen=True):
    """A loopback of its own, and nothing else."""

    def __bool__(self) -> bool:
        return False


class MachineNetwork(msgspec.Struct, frozen=True):
    """The network of the machine, its loopback included: no confinement at all in this respect."""


Network = NoNetwork | AllowList | MachineNetwork
"""What may be reached; it is true when anything may. An empty allow-list is no network under observation."""


class Confinement(msgspec.Struct, frozen=True, kw_only=True):
    """What a process may touch. All paths are absolute; each appears inside under its own name.

    ``read_only`` and ``writable`` are directories of ours (an installation, an interpreter); ``granted_read_only`` and
    ``granted_writable`` are what a person granted. ``hidden`` directories stay empty even where a grant contains them.
    ``planted`` are files (path → contents) put into the private home, where it is one of memory. ``cpus`` counts cores
    (0: no limit). ``scratch_bytes`` bounds /tmp and the home, each; ``shared_memory_bytes`` /dev/shm. ``network`` is
    nothing, an allow-list, or the machine's own; ``listens`` says that the program does so on its loopback. ``home`` is
    the folder that is the home, where one is kept; ``home_bytes`` bounds it. ``engine`` is the beginning of the command
    line of what runs the program as an image, where it is one.
    """

    read_only: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    granted_read_only: tuple[str, ...] = ()
    granted_writable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    planted: dict[str, bytes] = {}
    network: Network = NoNetwork()
    listens: bool = False
    home: str = ""
    engine: tuple[str, ...] = ()
    memory_bytes: int = 512 * MEBIBYTE
    cpus: float = 1.0
    processes: int = 64
    open_files: int = 1024
    scratch_bytes: int = 64 * MEBIBYTE
    shared_memory_bytes: int = 64 * MEBIBYTE
    home_bytes: int = 1024 * MEBIBYTE

    @property
    def sockets(self) -> bool:
        """Whether the program has a use for sockets."""
        return bool(self.network) or self.listens


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended: an exit ``code``, or the ``signal`` that killed it; ``oom`` if it hit the memory limit.

    ``limit`` is another limit that it was ended for: ``processes``, ``scratch`` or ``home``.
    """

    code: int | None = None
    signal: int | None = None
    oom: bool = False
    limit: str = ""

    @property
    def ok(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.code == 0

    @property
    def signal_name(self) -> str:
        """The signal's name, or "" where none ended it."""
        if self.signal is None:
            return ""
        try:
            return signals.Signals(self.signal).name
        except ValueError:
            return f"signal {self.signal}"

    def describe(self) -> str:
        """Return a clause: ``exited with code 1``, ``was killed by SIGKILL (out of memory)``."""
        text = f"exited with code {self.code}" if self.signal is None else f"was killed by {self.signal_name}"
        why = "out of memory" if self.oom else f"over the limit of {self.limit}" if self.limit else ""
        return f"{text} ({why})" if why else text


def exit_of(returncode: int, *, passed_on: bool = False, oom: bool = False) -> Exit:
    """Read a return code of ``subprocess``; where bubblewrap passed it on, 128+N stands for the signal N."""
    if returncode < 0:
        return Exit(signal=-returncode, oom=oom)
    if passed_on and 128 < returncode <= 128 + signals.NSIG:
        return Exit(signal=returncode - 128, oom=oom)
    return Exit(code=returncode, oom=oom)


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """A program that ran to its end: output is cut at the given limit; ``timed_out`` says that we ended it.

    ``confined`` says whether it ran in a sandbox, ``unconfined`` why a tool of ours did not; ``contacts`` are what it
    reached for over the network, where an allow-list said what it might.
    """

    exit: Exit
    stdout: bytes = b""
    stderr: bytes = b""
    timed_out: bool = False
    truncated: bool = False
    confined: bool = False
    unconfined: str = ""
    contacts: tuple[Contact, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with exit code 0."""
        return self.exit.ok and not self.timed_out
