"""How a program is watched: by ``strace`` around the whole sandbox, for a narrow set of calls.

The set is narrow so that a watched server is hardly slower. Calls that the sandbox's own filter refuses (key rings,
mounts, namespaces, ``ptrace``) are left out: with ``--seccomp-bpf`` a refusal comes first and strace is not told.
"""

from __future__ import annotations

import shutil
from typing import Final

from vsm_mcp.sandbox.tool import death_signal

SEARCH: Final = "/usr/bin:/bin:/usr/local/bin"
CALLS: Final = (
    *("open", "openat", "openat2", "creat", "truncate"),
    *("unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat"),
    *("link", "linkat", "symlink", "symlinkat"),
    *("connect", "sendto", "sendmsg", "sendmmsg"),
    *("execve", "execveat"),
)
LONGEST_STRING: Final = 300


def find(search: str = SEARCH) -> str:
    """Return the path of strace, or nothing; ``search`` is fixed on purpose, as it is for bubblewrap."""
    return shutil.which("strace", path=search) or ""


def prelude(strace: str, output: str) -> list[str]:
    """Return what to put before a program to have it watched; the record goes to ``output``.

    strace dies with us, and with it what it watches: bubblewrap's death signal is tied to strace. A question mark
    lets a call be unknown to a machine's architecture.
    """
    calls = ",".join(f"?{name}" for name in CALLS)
    watching = ["-f", "--seccomp-bpf", "-qq", "-y", "-s", str(LONGEST_STRING), "-e", "signal=none"]
    return [*death_signal(), strace, *watching, "-e", f"trace={calls}", "-o", output, "--"]
