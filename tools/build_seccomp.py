"""Build the seccomp filters that ship in ``vsm_mcp/sandbox/seccomp`` (libseccomp, at build time only).

Run as ``python tools/build_seccomp.py [--check]``. ``--check`` compares instead of writing, and exits 1 on a
difference. The filters allow everything but what is listed here: calls that widen the kernel's attack surface, reach
out of the namespaces, or undo what bubblewrap set up. Where there are no namespaces (the reduced tier), the filter
*reduced* takes the place of *full*, and *signals* is added to it where Landlock does not hold signals back.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import itertools
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

import pyseccomp as seccomp

TARGET = Path(__file__).resolve().parent.parent / "src" / "vsm_mcp" / "sandbox" / "seccomp"
ARCHES = {"x86_64": seccomp.Arch.X86_64, "aarch64": seccomp.Arch.AARCH64}

REFUSED = """
keyctl add_key request_key
bpf perf_event_open userfaultfd
io_uring_setup io_uring_enter io_uring_register
ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp
mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick pivot_root
setns unshare chroot
init_module finit_module delete_module create_module kexec_load kexec_file_load
open_by_handle_at name_to_handle_at lookup_dcookie
quotactl quotactl_fd swapon swapoff reboot acct
settimeofday clock_settime clock_adjtime adjtimex stime
iopl ioperm vm86 vm86old modify_ldt
fanotify_init fanotify_mark mknod mknodat syslog vhangup sethostname setdomainname
migrate_pages move_pages
nfsservctl _sysctl uselib ustat sysfs
""".split()  # noqa: SIM905 -- read in groups
"""Refused with EPERM, whatever the arguments."""

NUMBERED: dict[str, tuple[int, ...]] = {"x86_64": (467, 460), "aarch64": ()}
"""open_tree_attr and lsm_set_self_attr: not known to libseccomp by name yet; numbers it takes for its own machine
only. Both need a capability that no server has, so the other machine loses nothing but a second wall."""

UNCHECKABLE = ("clone3", "openat2")
"""Refused with ENOSYS, so that the C library falls back: their arguments stand in memory that a filter cannot read."""

NAMESPACES = (0x00000080, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00020000)
"""CLONE_NEW*: time, cgroup, uts, ipc, user, pid, net, mount."""

TERMINAL_CALLS = (0x5412, 0x541C, 0x541D, 0x5423)
"""ioctl TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD: typing into or rewiring a terminal."""

FAMILIES = (1, 2, 10, 16)
"""Socket families that stay: unix, inet, inet6, netlink (its route protocol only)."""

INTERNET_KINDS = (3, 4, 5, 6, 10)
"""Kinds of inet sockets that are refused: all but streams and datagrams."""

TRANSPORTS = (33, 115, 132, 136, 256)
"""Inet protocols that are refused: DCCP, L2TP, SCTP, UDP-Lite, SMC. A socket of one loads its kernel module."""

PERSONALITIES = (0x0040000, 0x0100000, 0x0200000, 0x0400000)
"""ADDR_NO_RANDOMIZE, MMAP_PAGE_ZERO, ADDR_COMPAT_LAYOUT, READ_IMPLIES_EXEC: each takes a protection of memory away."""

ASKS_ONLY = 0x80000000
"""Set in the argument that asks for the personality without changing it (0xFFFFFFFF)."""

RLIMIT_CORE = 4

ALONE = """
listen bind
shmget shmat shmdt shmctl msgget msgsnd msgrcv msgctl semget semop semtimedop semctl
mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr
chmod fchmodat fchmodat2 chown lchown fchown fchownat
setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
utime utimes futimesat
process_mrelease
""".split()  # noqa: SIM905 -- read in groups
"""Refused with EPERM beside :data:`REFUSED` where no namespace separates: what the machine shares, and what Landlock
leaves open of other files of the same owner (their modes, owners, times, extended attributes)."""

NUMBERED_ALONE: dict[str, tuple[int, ...]] = {"x86_64": (463, 466, 469), "aarch64": ()}
"""setxattrat, removexattrat, file_setattr."""

OTHERS: dict[str, int] = {
    "prlimit64": 0,
    "sched_setaffinity": 0,
    "sched_setscheduler": 0,
    "sched_setparam": 0,
    "sched_setattr": 0,
}
"""Calls that change another process of the same user, and which argument names it; 0 is the caller itself."""

SIGNALS = ("tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")
SIGNAL_OWNERS = (8, 10, 15)
"""fcntl F_SETOWN, F_SETSIG, F_SETOWN_EX: a descriptor that becomes ready sends any signal to anybody."""
SIGNAL_OWNER_CALLS = (0x8901, 0x8902)
"""ioctl FIOSETOWN, SIOCSPGRP: the same."""

PRIVILEGE_BITS = (0o4000, 0o2000)
O_CREAT, O_TMPFILE = 0o100, 0o20000000

EPERM = seccomp.ERRNO(errno.EPERM)
ENOSYS = seccomp.ERRNO(errno.ENOSYS)
EAFNOSUPPORT = seccomp.ERRNO(errno.EAFNOSUPPORT)
EPROTONOSUPPORT = seccomp.ERRNO(errno.EPROTONOSUPPORT)
ENETUNREACH = seccomp.ERRNO(errno.ENETUNREACH)


def has(argument: int, bits: int) -> seccomp.Arg:
    """Return the condition that all ``bits`` are set in an argument."""
    return seccomp.Arg(argument, seccomp.MASKED_EQ, bits, bits)


def refuse(rules: seccomp.SyscallFilter, action: int, call: str | int, *conditions: seccomp.Arg) -> None:
    """Add one rule; a call that this machine or this libseccomp does not know is left out."""
    with contextlib.suppress(ValueError, OSError) if not conditions else contextlib.nullcontext():
        rules.add_rule(action, call, *conditions)


def refuse_privileged_files(rules: seccomp.SyscallFilter, arch: str, but: Collection[str] = ()) -> None:
    """No file may become setuid or setgid, whether by chmod or by the mode it is created with."""
    modes = {"fchmod": 1, "fchmodat": 2, "fchmodat2": 2}
    opens: dict[str, tuple[int, int]] = {"openat": (2, 3)}
    if arch == "x86_64":
        modes |= {"chmod": 1, "creat": 1}
        opens["open"] = (1, 2)
    for bits in PRIVILEGE_BITS:
        for call, argument in modes.items():
            if call not in but:
                refuse(rules, EPERM, call, has(argument, bits))
        for call, (flags, mode) in opens.items():
            refuse(rules, EPERM, call, has(flags, O_CREAT), has(mode, bits))
            refuse(rules, EPERM, call, has(flags, O_TMPFILE), has(mode, bits))


def refuse_sockets(rules: seccomp.SyscallFilter) -> None:
    """Only unix, inet, inet6 and route netlink; of inet only what programs use. AF_VSOCK would reach the hypervisor."""
    for family in range(max(FAMILIES) + 1):
        if family not in FAMILIES:
            refuse(rules, EAFNOSUPPORT, "socket", seccomp.Arg(0, seccomp.EQ, family))
    refuse(rules, EAFNOSUPPORT, "socket", seccomp.Arg(0, seccomp.GT, max(FAMILIES)))
    refuse(rules, EAFNOSUPPORT, "socket", seccomp.Arg(0, seccomp.EQ, 16), seccomp.Arg(2, seccomp.NE, 0))
    refuse(rules, EAFNOSUPPORT, "socketpair", seccomp.Arg(0, seccomp.NE, 1))
    for family in (2, 10):
        inet = seccomp.Arg(0, seccomp.EQ, family)
        for kind in INTERNET_KINDS:
            refuse(rules, EPERM, "socket", inet, seccomp.Arg(1, seccomp.MASKED_EQ, 0xF, kind))
        for protocol in TRANSPORTS:
            refuse(rules, EPROTONOSUPPORT, "socket", inet, seccomp.Arg(2, seccomp.EQ, protocol))


def refuse_weaker_processes(rules: seccomp.SyscallFilter) -> None:
    """No process may take protections of its memory away, or change what becomes of its core.

    Even at a limit of 0 the kernel starts the handler that ``core_pattern`` may name, outside and as root; at 1 it does
    not (core(5)), and that is where the limit is set before the program starts.
    """
    for bit in PERSONALITIES:
        refuse(rules, EPERM, "personality", seccomp.Arg(0, seccomp.MASKED_EQ, ASKS_ONLY | bit, bit))
    refuse(rules, EPERM, "setrlimit", seccomp.Arg(0, seccomp.MASKED_EQ, 0xFFFFFFFF, RLIMIT_CORE))
    changes = seccomp.Arg(2, seccomp.NE, 0)
    refuse(rules, EPERM, "prlimit64", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, RLIMIT_CORE), changes)


def refuse_all_sockets(rules: seccomp.SyscallFilter) -> None:
    """No socket but pairs that nobody else can be reached with: a pair of datagram sockets can send to any address.

    Programs take the answer for a machine without a network.
    """
    refuse(rules, ENETUNREACH, "socket")
    refuse(rules, ENETUNREACH, "connect")
    refuse(rules, EAFNOSUPPORT, "socketpair", seccomp.Arg(0, seccomp.NE, 1))
    for kind in (2, 3):
        refuse(rules, EPERM, "socketpair", seccomp.Arg(1, seccomp.MASKED_EQ, 0xF, kind))


def refuse_others(rules: seccomp.SyscallFilter) -> None:
    """No change of limits, CPUs or priorities of other processes, no signal to them by way of a descriptor."""
    for call, argument in OTHERS.items():
        refuse(rules, EPERM, call, seccomp.Arg(argument, seccomp.NE, 0))
    for call in ("setpriority", "ioprio_set"):
        refuse(rules, EPERM, call, seccomp.Arg(1, seccomp.NE, 0))
    refuse(rules, EPERM, "setpriority", seccomp.Arg(0, seccomp.EQ, 2))
    refuse(rules, EPERM, "ioprio_set", seccomp.Arg(0, seccomp.EQ, 3))
    refuse(rules, EPERM, "utimensat", seccomp.Arg(1, seccomp.NE, 0))
    for command in SIGNAL_OWNERS:
        refuse(rules, EPERM, "fcntl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, command))
    for request in SIGNAL_OWNER_CALLS:
        refuse(rules, EPERM, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))


def empty(arch: str) -> seccomp.SyscallFilter:
    """Return a filter for one machine that allows everything."""
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    if ARCHES[arch] != seccomp.system_arch():
        rules.add_arch(ARCHES[arch])
        rules.remove_arch(seccomp.system_arch())
    return rules


def full(arch: str) -> seccomp.SyscallFilter:
    """Return the filter beside namespaces."""
    rules = empty(arch)
    refuse_system(rules, arch)
    refuse_sockets(rules)
    return rules


def reduced(arch: str) -> seccomp.SyscallFilter:
    """Return the filter in place of namespaces."""
    rules = empty(arch)
    refuse_system(rules, arch, but=ALONE)
    alone: tuple[str | int, ...] = (*ALONE, *NUMBERED_ALONE[arch])
    for call in alone:
        refuse(rules, EPERM, call)
    refuse_all_sockets(rules)
    refuse_others(rules)
    return rules


def signals(arch: str) -> seccomp.SyscallFilter:
    """Return what keeps signals from other processes, its own children included; a group may signal itself."""
    rules = empty(arch)
    refuse(rules, EPERM, "kill", seccomp.Arg(0, seccomp.NE, 0))
    for call in SIGNALS:
        refuse(rules, EPERM, call)
    return rules


KINDS = {"full": full, "reduced": reduced, "signals": signals}


def refuse_system(rules: seccomp.SyscallFilter, arch: str, but: Collection[str] = ()) -> None:
    """Refuse what no server needs; calls in ``but`` are refused elsewhere, whatever their arguments."""
    unconditional: tuple[str | int, ...] = (*REFUSED, *NUMBERED[arch])
    for call in unconditional:
        refuse(rules, EPERM, call)
    for call in UNCHECKABLE:
        refuse(rules, ENOSYS, call)
    for bit in NAMESPACES:
        refuse(rules, EPERM, "clone", has(0, bit))
    for request in TERMINAL_CALLS:
        refuse(rules, EPERM, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, 0xFFFFFFFF, request))
    refuse_privileged_files(rules, arch, but)
    refuse_weaker_processes(rules)


def build(arch: str, kind: str = "full") -> bytes:
    """Return the classic BPF program for one machine."""
    rules = KINDS[kind](arch)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def main() -> int:
    """Write or compare the filter of every machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    different = []
    for arch, kind in itertools.product(ARCHES, KINDS):
        path = TARGET / f"{arch}-{kind}.bpf"
        program = build(arch, kind)
        if check and (not path.exists() or path.read_bytes() != program):
            different.append(path.name)
        elif not check:
            path.write_bytes(program)
        print(f"{path.name}: {len(program) // 8} instructions")
    if different:
        print(f"out of date: {', '.join(different)}", file=sys.stderr)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
