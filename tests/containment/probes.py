"""A program that tries to get out: one probe for each way we know, one line of JSON for each.

Standard library only, and one file: it runs by a bare interpreter inside a sandbox, as
``python3 -I -S probes.py FACTS``. FACTS is a file with a JSON object that says where the canaries of the machine are
(see ``canaries.py``), so that a probe that gets through touches nothing else. Each probe runs in a process of its own
and ends in one of four outcomes:

``escaped``    it reached what it must not reach, or a part of the kernel that no server needs
``leak``       it learnt something about the machine, but can do nothing with it
``contained``  it was refused, or what it wanted is not there
``skipped``    it cannot be tried here; "broken: ..." means that the probe itself went wrong

A probe that succeeds must do no harm: it writes the value back that was there, sends signal 0, opens without writing,
gives arguments that fail later, and mounts nothing over a path of the machine. Nevertheless it is never to be run as
root outside a sandbox, and refuses to.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import resource
import select
import signal
import socket
import stat
import struct
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

Facts = dict[str, Any]

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

PROBES: list[tuple[str, str, Callable[[Facts], str]]] = []
SECONDS = 10.0

# Of x86_64; from 424 on the numbers are the same everywhere.
NUMBERS = {
    "getpid": 39, "clone": 56, "shmget": 29, "semget": 64, "msgget": 68, "chmod": 90, "ptrace": 101, "syslog": 103,
    "creat": 85, "setpriority": 141, "personality": 135, "pivot_root": 155, "_sysctl": 156, "adjtimex": 159,
    "acct": 163, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "iopl": 172,
    "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179, "lookup_dcookie": 212,
    "clock_settime": 227, "mq_open": 240, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
    "ioprio_set": 251, "migrate_pages": 256, "unshare": 272, "move_pages": 279, "perf_event_open": 298,
    "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
    "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "sched_setattr": 314, "memfd_create": 319,
    "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, "modify_ldt": 154, "vhangup": 153, "settimeofday": 164,
    "sethostname": 170, "tgkill": 234, "rt_sigqueueinfo": 129, "capset": 126, "setxattr": 188, "lsetxattr": 189,
    "fchmodat": 268, "mknodat": 259, "socket": 41, "socketpair": 53, "ioctl": 16, "prlimit64": 302, "linkat": 265,
}  # fmt: skip
NUMBERS_EVERYWHERE = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434, "clone3": 435, "openat2": 437,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "fchmodat2": 452,
    "setxattrat": 463, "open_tree_attr": 467,
}  # fmt: skip

AT_FDCWD, AT_SYMLINK_FOLLOW = -100, 0x400
NEW = {"time": 0x80, "mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
       "pid": 0x20000000, "net": 0x40000000}  # fmt: skip


class Held(Exception):
    """The probe was contained, as the text says."""


class Leak(Exception):
    """The probe learnt something."""


class Skip(Exception):
    """The probe cannot be tried here."""


def probe(kind: str) -> Callable[[Callable[[Facts], str]], Callable[[Facts], str]]:
    """Register a probe; its name is the function's. It returns what it reached, or raises."""

    def register(function: Callable[[Facts], str]) -> Callable[[Facts], str]:
        PROBES.append((kind, function.__name__, function))
        return function

    return register


def call(name: str, *arguments: object) -> int:
    """Make a system call by name; raises OSError."""
    number = NUMBERS_EVERYWHERE.get(name)
    if number is None:
        if platform.machine() != "x86_64":
            raise Skip("the number of this call is known for x86_64 only")
        number = NUMBERS[name]
    return raw(number, *arguments)


def raw(number: int, *arguments: object) -> int:
    """Make a system call by number; raises OSError."""
    ctypes.set_errno(0)
    wide = [ctypes.c_long(part) if isinstance(part, int) else part for part in arguments]
    result = libc.syscall(ctypes.c_long(number), *wide)
    if result == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), name_of(ctypes.get_errno()))
    return int(result)


def name_of(number: int | None) -> str:
    """Return the name of an error number."""
    return errno.errorcode.get(number or 0, str(number))


def past_the_check(name: str, *arguments: object, checked: tuple[str, ...] = ("EPERM", "EACCES", "ENOSYS")) -> str:
    """Make a call whose arguments are wrong: another error than those of refusal means that the kernel went on."""
    try:
        call(name, *arguments)
    except OSError as error:
        if name_of(error.errno) in checked:
            raise
        return f"{name} went on to {name_of(error.errno)}"
    return f"{name} did it"


def read(path: str, size: int = 1 << 16) -> bytes:
    """Return the start of a file."""
    with open(path, "rb") as file:
        return file.read(size)


def readable(path: str) -> bytes:
    """Return the start of a file, or nothing."""
    try:
        return read(path, 1 << 20)
    except OSError:
        return b""


def processes() -> list[int]:
    """Return the ids of all processes that can be seen."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def status() -> dict[str, str]:
    """Return the fields of our own status."""
    text = read("/proc/self/status").decode()
    return {line.split(":")[0]: line.split(":")[1].strip() for line in text.splitlines()}


# --- files ------------------------------------------------------------------------------------------------------------


@probe("files")
def read_a_file_outside(facts: Facts) -> str:
    return read(facts["secret_file"]).decode()


@probe("files")
def know_whether_a_file_exists_outside(facts: Facts) -> str:
    os.stat(facts["secret_file"])
    return "stat"


@probe("files")
def read_the_home_of_the_person(facts: Facts) -> str:
    return read(facts["home_secret"]).decode()


@probe("files")
def list_the_homes_of_persons(facts: Facts) -> str:
    found = [name for path in ("/home", "/root") if os.path.isdir(path) for name in os.listdir(path)]
    strange = sorted(set(found) - {"mcp", ".pyenv"} - set(facts["known"]))
    if not strange:
        raise Held("nobody's home is there")
    return ", ".join(strange)


@probe("files")
def read_the_shadow_file(facts: Facts) -> str:
    return read("/etc/shadow", 1).decode()


@probe("files")
def learn_who_has_an_account(facts: Facts) -> str:
    names = [line.split(":")[0] for line in read("/etc/passwd").decode().splitlines()]
    strange = sorted(set(names) - {"root", "mcp", "nobody"})
    if not strange:
        raise Held("nobody is named")
    return ", ".join(strange[:5])


@probe("files")
def read_the_host_keys_and_configuration(facts: Facts) -> str:
    there = [path for path in ("/etc/ssh", "/etc/sudoers", "/etc/fstab", "/etc/machine-id", "/etc/cron.d", "/var",
                               "/boot", "/opt", "/srv", "/mnt", "/media") if os.path.lexists(path)]  # fmt: skip
    if not there:
        raise Held("none is there")
    return ", ".join(there)


@probe("files")
def see_the_temporary_files_of_others(facts: Facts) -> str:
    own = facts["directory"].split("/")[2]
    strange = [name for name in os.listdir("/tmp") if name != own]
    if not strange:
        raise Held("/tmp is empty")
    return f"{len(strange)} names"


@probe("files")
def leave_a_grant_by_dots(facts: Facts) -> str:
    return read(facts["rw"] + "/../outside/secret").decode()


@probe("files")
def leave_a_grant_by_a_link_that_is_there(facts: Facts) -> str:
    return read(facts["rw"] + "/out").decode()


@probe("files")
def leave_a_grant_by_a_link_of_our_own(facts: Facts) -> str:
    path = facts["rw"] + "/planted"
    os.symlink(facts["secret_file"], path)
    try:
        return read(path).decode()
    finally:
        os.unlink(path)


@probe("files")
def leave_by_the_root_of_a_process(facts: Facts) -> str:
    for pid in ("self", "1", "thread-self"):
        for way in ("root", "cwd"):
            text = readable(f"/proc/{pid}/{way}/{facts['secret_file']}") or readable(
                f"/proc/{pid}/{way}/../../../..{facts['secret_file']}"
            )
            if text:
                return text.decode()
    raise Held("every root is the same")


@probe("files")
def find_a_directory_left_by_the_set_up(facts: Facts) -> str:
    there = [path for path in ("/oldroot", "/newroot", "/.old", "/put_old") if os.path.exists(path)]
    if not there:
        raise Held("bubblewrap's old root is gone")
    return ", ".join(there)


@probe("files")
def create_in_a_directory_granted_for_reading(facts: Facts) -> str:
    path = facts["ro"] + "/made"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    os.unlink(path)
    return f"created and removed {path}"


@probe("files")
def write_to_a_file_granted_for_reading(facts: Facts) -> str:
    os.close(os.open(facts["ro"] + "/given", os.O_WRONLY | os.O_APPEND))
    return "opened for writing"


@probe("files")
def reopen_a_read_only_file_for_writing(facts: Facts) -> str:
    descriptor = os.open(facts["ro"] + "/given", os.O_RDONLY)
    os.close(os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR))
    return "opened for writing"


@probe("files")
def map_a_read_only_file_for_writing(facts: Facts) -> str:
    descriptor = os.open(facts["ro"] + "/given", os.O_RDONLY)
    mmap.mmap(descriptor, 1, mmap.MAP_SHARED, mmap.PROT_WRITE)
    return "mapped"


@probe("files")
def truncate_a_read_only_file(facts: Facts) -> str:
    os.truncate(facts["ro"] + "/given", os.stat(facts["ro"] + "/given").st_size)
    return "truncated to its size"


@probe("files")
def change_mode_and_owner_of_a_read_only_file(facts: Facts) -> str:
    path = facts["ro"] + "/given"
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode))
    return "chmod to what it was"


@probe("files")
def change_times_of_a_read_only_file(facts: Facts) -> str:
    found = os.stat(facts["ro"] + "/given")
    os.utime(facts["ro"] + "/given", ns=(found.st_atime_ns, found.st_mtime_ns))
    return "utime to what it was"


@probe("files")
def set_an_attribute_of_a_read_only_file(facts: Facts) -> str:
    os.setxattr(facts["ro"] + "/given", "user.canary", b"1")
    return "set"


@probe("files")
def rename_in_a_read_only_directory(facts: Facts) -> str:
    os.rename(facts["ro"] + "/given", facts["ro"] + "/given")
    os.rename(facts["ro"] + "/given", facts["ro"] + "/moved")
    os.rename(facts["ro"] + "/moved", facts["ro"] + "/given")
    return "there and back"


@probe("files")
def hard_link_from_reading_to_writing(facts: Facts) -> str:
    os.link(facts["ro"] + "/given", facts["rw"] + "/linked")
    os.unlink(facts["rw"] + "/linked")
    return "linked"


@probe("files")
def hard_link_by_an_open_descriptor(facts: Facts) -> str:
    descriptor = os.open(facts["ro"] + "/given", os.O_RDONLY)
    target = facts["rw"] + "/linked"
    call("linkat", AT_FDCWD, f"/proc/self/fd/{descriptor}".encode(), AT_FDCWD, target.encode(), AT_SYMLINK_FOLLOW)
    os.unlink(target)
    return "linked"


@probe("files")
def move_a_file_out_of_a_read_only_directory(facts: Facts) -> str:
    os.rename(facts["ro"] + "/given", facts["rw"] + "/taken")
    os.rename(facts["rw"] + "/taken", facts["ro"] + "/given")
    return "there and back"


@probe("files")
def write_to_the_system(facts: Facts) -> str:
    for folder in ("/usr", "/usr/bin", "/usr/local/bin", "/etc", "/", "/home", "/lib", "/opt", "/var/tmp", "/run/lock"):
        path = f"{folder}/{facts['token']}"
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        except OSError:
            continue
        os.unlink(path)
        return f"created and removed {path}"
    raise Held("nowhere")


@probe("files")
def write_to_our_own_installation(facts: Facts) -> str:
    os.close(os.open(facts["program"], os.O_WRONLY | os.O_APPEND))
    return "opened for writing"


@probe("files")
def write_to_the_interpreter(facts: Facts) -> str:
    try:
        os.close(os.open("/proc/self/exe", os.O_WRONLY))
    except OSError as error:
        if error.errno == errno.ETXTBSY:
            return "only its running stops it"
        raise
    return "opened for writing"


@probe("files")
def write_to_the_program_of_the_first_process(facts: Facts) -> str:
    if facts["bare"]:
        raise Skip("without a sandbox that is the machine's own")
    try:
        os.close(os.open("/proc/1/exe", os.O_WRONLY))
    except OSError as error:
        if error.errno == errno.ETXTBSY:
            return "only its running stops it"
        raise
    return "opened for writing"


@probe("files")
def open_by_handle(facts: Facts) -> str:
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    call("name_to_handle_at", AT_FDCWD, facts["rw"].encode(), handle, ctypes.byref(mount), 0)
    descriptor = os.open(facts["rw"], os.O_RDONLY)
    return f"opened {call('open_by_handle_at', descriptor, handle, os.O_RDONLY)}"


@probe("files")
def open_by_an_invented_handle(facts: Facts) -> str:
    handle = ctypes.create_string_buffer(struct.pack("IiII", 8, 1, 2, 0) + bytes(32))
    return past_the_check("open_by_handle_at", os.open(facts["rw"], os.O_RDONLY), handle, os.O_RDONLY)


@probe("files")
def notice_what_others_do_with_shared_files(facts: Facts) -> str:
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if libc.inotify_add_watch(descriptor, b"/usr/bin", 0x20) < 0:  # IN_OPEN
        raise OSError(ctypes.get_errno(), "")
    raise Leak("when a program of /usr/bin is opened, here or outside")


@probe("files")
def reach_other_files_of_the_file_system_by_a_whiteout(facts: Facts) -> str:
    path = facts["rw"] + "/whiteout"
    call("mknodat", AT_FDCWD, path.encode(), stat.S_IFCHR | 0o600, 0)
    os.unlink(path)
    return "made a device node"


# --- programs that gain rights ----------------------------------------------------------------------------------------


def gained(path: str, make: Callable[[bytes], object]) -> str:
    """Make a file and return the bits it got, if any."""
    try:
        make(path.encode())
        mode = stat.S_IMODE(os.stat(path).st_mode)
    finally:
        if os.path.lexists(path):
            os.unlink(path) if not os.path.isdir(path) else os.rmdir(path)
    if not mode & 0o6000:
        raise Held(f"it did nothing: {mode:o}")
    return f"mode {mode:o}"


def touched(path: bytes | str) -> None:
    """Make an empty file of ours."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o700))


@probe("setuid")
def setuid_by_chmod(facts: Facts) -> str:
    def make(path: bytes) -> None:
        touched(path)
        os.chmod(path, 0o4755)

    return gained(facts["rw"] + "/s1", make)


@probe("setuid")
def setgid_by_chmod(facts: Facts) -> str:
    def make(path: bytes) -> None:
        touched(path)
        os.chmod(path, 0o2755)

    return gained(facts["rw"] + "/s2", make)


@probe("setuid")
def setuid_by_fchmod(facts: Facts) -> str:
    def make(path: bytes) -> None:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o700)
        os.fchmod(descriptor, 0o4755)

    return gained(facts["rw"] + "/s3", make)


@probe("setuid")
def setuid_by_fchmodat(facts: Facts) -> str:
    def make(path: bytes) -> None:
        touched(path)
        call("fchmodat", AT_FDCWD, path, 0o4755)

    return gained(facts["rw"] + "/s4", make)


@probe("setuid")
def setuid_by_fchmodat2(facts: Facts) -> str:
    def make(path: bytes) -> None:
        touched(path)
        call("fchmodat2", AT_FDCWD, path, 0o4755, 0)

    return gained(facts["rw"] + "/s5", make)


@probe("setuid")
def setuid_by_chmod_of_a_descriptor(facts: Facts) -> str:
    def make(path: bytes) -> None:
        touched(path)
        descriptor = os.open(path, os.O_PATH)
        os.chmod(f"/proc/self/fd/{descriptor}", 0o6755)

    return gained(facts["rw"] + "/s6", make)


@probe("setuid")
def setuid_by_open(facts: Facts) -> str:
    return gained(facts["rw"] + "/s7", lambda path: os.open(path, os.O_CREAT | os.O_WRONLY, 0o4755))


@probe("setuid")
def setuid_by_creat(facts: Facts) -> str:
    return gained(facts["rw"] + "/s8", lambda path: call("creat", path, 0o4755))


@probe("setuid")
def setuid_by_openat2(facts: Facts) -> str:
    how = struct.pack("QQQ", os.O_CREAT | os.O_WRONLY, 0o4755, 0)
    return gained(facts["rw"] + "/s9", lambda path: call("openat2", AT_FDCWD, path, how, len(how)))


@probe("setuid")
def setuid_by_an_unnamed_file(facts: Facts) -> str:
    def make(path: bytes) -> None:
        descriptor = os.open(facts["rw"], os.O_TMPFILE | os.O_WRONLY, 0o4755)
        source = f"/proc/self/fd/{descriptor}".encode()
        call("linkat", AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW)

    return gained(facts["rw"] + "/s10", make)


@probe("setuid")
def setuid_by_mknod(facts: Facts) -> str:
    return gained(facts["rw"] + "/s11", lambda path: call("mknodat", AT_FDCWD, path, stat.S_IFREG | 0o4755, 0))


@probe("setuid")
def setgid_by_mkdir(facts: Facts) -> str:
    return gained(facts["rw"] + "/s12", lambda path: os.mkdir(path, 0o2755))


@probe("setuid")
def setuid_in_the_private_home(facts: Facts) -> str:
    def make(path: bytes) -> None:
        touched(path)
        os.chmod(path, 0o4755)

    return gained("/tmp/" + facts["token"], make)


@probe("setuid")
def capability_in_a_file(facts: Facts) -> str:
    value = struct.pack("<IIIII", 0x02000001, 1 << 21, 0, 0, 0)
    path = facts["rw"] + "/capable"
    touched(path)
    try:
        os.setxattr(path, "security.capability", value)
    finally:
        os.unlink(path)
    return "set"


@probe("setuid")
def gain_by_a_setuid_program(facts: Facts) -> str:
    if libc.prctl(39, 0, 0, 0, 0) == 1:
        raise Held("no_new_privs is set")
    return "setuid programs work"


@probe("setuid")
def run_the_setuid_program_of_the_canary(facts: Facts) -> str:
    path = facts["setuid_program"]
    if not path:
        raise Skip("only root can make one")
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.dup2(writing, 1)
        os.execv(path, [path, "-u"])
    os.wait()
    uid = int(os.read(reading, 64))
    if uid == os.getuid():
        raise Held(f"it ran as {uid}")
    return f"it ran as {uid}"


@probe("setuid")
def take_back_what_was_dropped(facts: Facts) -> str:
    libc.prctl(38, 0, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS to 0
    if libc.prctl(39, 0, 0, 0, 0) == 0 and not facts["bare"]:
        return "no_new_privs was taken back"
    raise Held("no_new_privs stays")


# --- users and capabilities -------------------------------------------------------------------------------------------


@probe("privileges")
def be_root_in_the_kernel(facts: Facts) -> str:
    found = status()
    if "0" in found["Uid"].split() or "0" in found["Gid"].split() + found["Groups"].split():
        return f"uid {found['Uid']}, groups {found['Groups']}"
    raise Held(f"uid {found['Uid'].split()[0]}")


@probe("privileges")
def become_root(facts: Facts) -> str:
    for change, ids in ((os.setresuid, (0, 0, 0)), (os.setresgid, (0, 0, 0)), (os.setgroups, ([0],))):
        try:
            change(*ids)
        except OSError:
            continue
        return "became it"
    raise Held("refused")


@probe("privileges")
def hold_a_capability(facts: Facts) -> str:
    found = status()
    held = {name: found[name] for name in ("CapEff", "CapPrm", "CapInh", "CapAmb") if int(found[name], 16)}
    if not held:
        raise Held("none")
    return str(held)


@probe("privileges")
def raise_a_capability(facts: Facts) -> str:
    header = struct.pack("Ii", 0x20080522, 0)
    call("capset", header, struct.pack("IIIIII", 1 << 21, 1 << 21, 1 << 21, 0, 0, 0))
    return "capset"


@probe("privileges")
def run_without_the_call_filter(facts: Facts) -> str:
    found = status()
    if found["Seccomp"] == "2" and found["NoNewPrivs"] == "1":
        raise Held("seccomp 2, no_new_privs 1")
    return f"seccomp {found['Seccomp']}"


@probe("privileges")
def leave_the_call_filter_by_a_program_in_memory(facts: Facts) -> str:
    descriptor = call("memfd_create", b"program", 0)
    os.write(descriptor, b"#!/bin/sh\nexec /bin/cat /proc/self/status\n")
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.dup2(writing, 1)
        os.execve(descriptor, ["program"], {})
    os.wait()
    if b"Seccomp:\t2" in os.read(reading, 65536):
        raise Held("the filter stays")
    return "no filter"


@probe("privileges")
def write_an_id_map(facts: Facts) -> str:
    with open("/proc/self/uid_map", "w") as file:
        file.write("0 0 1")
    return "written"


@probe("privileges")
def shield_oneself_from_the_memory_killer(facts: Facts) -> str:
    before = read("/proc/self/oom_score_adj").decode().strip()
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(int(before) - 1))
    return f"from {before} to {read('/proc/self/oom_score_adj').decode().strip()}"


# --- environment and /proc --------------------------------------------------------------------------------------------


@probe("environment")
def find_the_environment_of_the_daemon(facts: Facts) -> str:
    found = [name for name in os.environ if name.startswith(("VSM_TEST", "DBUS", "SSH_", "DOCKER", "XDG", "DISPLAY",
                                                            "WAYLAND", "AWS", "GITHUB", "SUDO"))]  # fmt: skip
    if facts["daemon_secret"] in os.environ.values() or found:
        return ", ".join(found) or "the value"
    raise Held("it is clean")


@probe("environment")
def find_a_secret_in_any_environment_or_argument(facts: Facts) -> str:
    wanted = [facts["daemon_secret"].encode(), facts["canary_secret"].encode()]
    for pid in processes():
        for name in ("environ", "cmdline"):
            text = readable(f"/proc/{pid}/{name}")
            if any(part in text for part in wanted):
                return f"/proc/{pid}/{name}"
    raise Held("none")


@probe("environment")
def find_our_own_secret_in_an_argument_list(facts: Facts) -> str:
    secret = os.environ.get("GIVEN_SECRET", "").encode()
    if not secret:
        raise Skip("none was given")
    for pid in processes():
        if secret in readable(f"/proc/{pid}/cmdline"):
            return f"/proc/{pid}/cmdline"
    raise Held("none")


@probe("proc")
def see_processes_of_the_machine(facts: Facts) -> str:
    found = processes()
    if facts["host_pid"] in found:
        return f"{len(found)} processes"
    raise Held(f"{len(found)} processes, all ours")


@probe("proc")
def write_a_kernel_setting(facts: Facts) -> str:
    path = "/proc/sys/kernel/core_pattern"
    before = read(path)
    with open(path, "wb") as file:
        file.write(before)
    return "wrote core_pattern back"


@probe("proc")
def write_any_kernel_setting(facts: Facts) -> str:
    for folder, _, files in os.walk("/proc/sys"):
        for name in files:
            path = os.path.join(folder, name)
            try:
                os.close(os.open(path, os.O_WRONLY))
            except OSError:
                continue
            return path
    raise Held("none opens for writing")


@probe("proc")
def press_the_magic_key(facts: Facts) -> str:
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))
    return "opened for writing"


@probe("proc")
def write_elsewhere_in_proc(facts: Facts) -> str:
    found = []
    for folder in ("/proc", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi", "/proc/driver", "/proc/scsi"):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = f"{folder}/{name}"
            if not name.isdigit() and os.path.isfile(path) and os.access(path, os.W_OK):
                found.append(path)
    if not found:
        raise Held("nothing")
    return ", ".join(found)


@probe("proc")
def read_the_memory_of_the_kernel(facts: Facts) -> str:
    for path in ("/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port", "/proc/kpageflags"):
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError:
            continue
        return path
    raise Held("nothing opens")


@probe("proc")
def read_addresses_of_the_kernel(facts: Facts) -> str:
    lines = readable("/proc/kallsyms")[:4096].split(b"\n")[:-1]
    if any(line and int(line.split()[0], 16) for line in lines):
        return "addresses are shown"
    raise Held("none")


@probe("proc")
def read_the_kernel_log(facts: Facts) -> str:
    for path in ("/dev/kmsg", "/proc/kmsg"):
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        except OSError:
            continue
        return path
    call("syslog", 10, None, 0)
    return "syslog"


@probe("proc")
def read_the_memory_of_the_first_process(facts: Facts) -> str:
    descriptor = os.open("/proc/1/mem", os.O_RDWR)
    os.close(descriptor)
    if (
        "Seccomp:\t2" in read("/proc/1/status").decode()
        and "CapEff:\t0000000000000000" in read("/proc/1/status").decode()
    ):
        raise Leak("it opens; PID 1 has the same filter and no capability")
    return "it opens, and PID 1 can do more than we"


@probe("proc")
def take_descriptors_of_the_first_process(facts: Facts) -> str:
    kinds = {}
    for name in os.listdir("/proc/1/fd"):
        kinds[name] = os.readlink(f"/proc/1/fd/{name}")
    own = {os.readlink(f"/proc/self/fd/{number}") for number in range(3)} | set(facts["inherited_targets"])
    strange = [target for target in kinds.values() if target not in own and target != "/dev/null"]
    if not strange:
        raise Held(f"only our own streams: {kinds}")
    if all("eventfd" in target for target in strange):
        raise Leak("an eventfd, by which a server can lie about its exit code")
    return str(strange)


@probe("proc")
def change_the_limits_of_others(facts: Facts) -> str:
    for pid in (facts["host_pid"], os.getppid(), 1):
        try:
            found = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        except OSError:
            continue
        if pid == facts["host_pid"]:
            return f"of {pid}: {found}"
    raise Held("of nobody outside")


@probe("proc")
def learn_facts_of_the_machine(facts: Facts) -> str:
    names = "cmdline cpuinfo meminfo loadavg uptime interrupts modules partitions diskstats sys/kernel/random/boot_id"
    there = [name for name in names.split() if readable(f"/proc/{name}")]
    raise Leak(", ".join(there))


@probe("proc")
def learn_where_things_lie_on_the_machine(facts: Facts) -> str:
    found = [line.split(b" ")[3].decode() for line in readable("/proc/self/mountinfo").splitlines()]
    raise Leak(", ".join(part for part in found if part != "/")[:200])


@probe("proc")
def learn_the_name_of_the_control_group(facts: Facts) -> str:
    text = readable("/proc/self/cgroup").decode()
    names = [line.split(":", 2)[2] for line in text.splitlines()]
    if set(names) <= {"/"}:
        raise Held("all are /")
    raise Leak(", ".join(sorted(set(names))))


@probe("proc")
def learn_how_full_a_disk_is(facts: Facts) -> str:
    found = os.statvfs(facts["rw"])
    raise Leak(f"{found.f_bfree * found.f_frsize} bytes free")


@probe("proc")
def learn_the_name_of_the_machine(facts: Facts) -> str:
    names = {os.uname().nodename, read("/proc/sys/kernel/hostname").decode().strip(), socket.gethostname()}
    if facts["hostname"] in names:
        return str(facts["hostname"])
    raise Held(", ".join(names))


# --- processes --------------------------------------------------------------------------------------------------------


@probe("signals")
def signal_a_process_of_the_machine(facts: Facts) -> str:
    os.kill(facts["host_pid"], 0)
    return "kill"


@probe("signals")
def signal_by_other_calls(facts: Facts) -> str:
    for attempt in (
        lambda: call("tgkill", facts["host_pid"], facts["host_pid"], 0),
        lambda: os.killpg(facts["host_pid"], 0),
        lambda: call("pidfd_send_signal", call("pidfd_open", facts["host_pid"], 0), 0, None, 0),
    ):
        try:
            attempt()
        except OSError:
            continue
        return "reached"
    raise Held("none reaches it")


@probe("signals")
def have_a_signal_sent_by_a_descriptor(facts: Facts) -> str:
    reading, _ = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, facts["host_pid"])
    return "F_SETOWN"


@probe("ptrace")
def trace_a_process_of_the_machine(facts: Facts) -> str:
    call("ptrace", 0x4206, facts["host_pid"], 0, 0)  # PTRACE_SEIZE stops nothing
    return "seized"


@probe("ptrace")
def trace_a_process_of_our_own(facts: Facts) -> str:
    child = os.fork()
    if child == 0:
        time.sleep(5)
        os._exit(0)
    try:
        call("ptrace", 0x4206, child, 0, 0)
    finally:
        os.kill(child, signal.SIGKILL)
    return "seized"


@probe("ptrace")
def read_the_memory_of_a_process_of_the_machine(facts: Facts) -> str:
    buffer = ctypes.create_string_buffer(8)
    local = struct.pack("PN", ctypes.addressof(buffer), 8)
    start = read(f"/proc/{facts['host_pid']}/maps").split(b"-")[0]
    call("process_vm_readv", facts["host_pid"], local, 1, struct.pack("PN", int(start, 16), 8), 1, 0)
    return buffer.raw.hex()


@probe("ptrace")
def read_the_memory_of_a_process_of_our_own(facts: Facts) -> str:
    value = ctypes.create_string_buffer(b"parents")
    buffer = ctypes.create_string_buffer(8)
    parent = os.getpid()
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            call("process_vm_readv", parent, struct.pack("PN", ctypes.addressof(buffer), 7), 1,
                 struct.pack("PN", ctypes.addressof(value), 7), 1, 0)  # fmt: skip
            os.write(writing, b"0")
        except OSError as error:
            os.write(writing, str(error.errno).encode())
        os._exit(0)
    found = int(os.read(reading, 10))
    if found:
        raise OSError(found, "")
    return "read"


@probe("ptrace")
def write_the_memory_of_a_process_of_our_own(facts: Facts) -> str:
    return past_the_check("process_vm_writev", os.getppid(), None, 0, None, 0, 1)


@probe("ptrace")
def take_a_descriptor_of_another_process(facts: Facts) -> str:
    pid = facts["host_pid"] if facts["host_pid"] in processes() else 1
    call("pidfd_getfd", call("pidfd_open", pid, 0), 0, 0)
    return "taken"


@probe("ptrace")
def compare_with_another_process(facts: Facts) -> str:
    call("kcmp", os.getpid(), os.getppid(), 1, 0, 0)
    return "kcmp"


@probe("ptrace")
def advise_the_memory_of_another_process(facts: Facts) -> str:
    return past_the_check("process_madvise", call("pidfd_open", os.getppid(), 0), None, 0, 20, 1)


@probe("ptrace")
def move_the_pages_of_another_process(facts: Facts) -> str:
    return past_the_check("move_pages", os.getppid(), 0, None, None, None, 0)


# --- namespaces -------------------------------------------------------------------------------------------------------


@probe("namespaces")
def share_a_namespace_with_the_machine(facts: Facts) -> str:
    shared = []
    for name, inode in facts["namespaces"].items():
        try:
            if os.stat(f"/proc/self/ns/{name}").st_ino == inode:
                shared.append(name)
        except OSError:
            continue
    if not shared:
        raise Held("none")
    return ", ".join(shared)


def _unshare(kind: str) -> str:
    call("unshare", NEW[kind])
    return "made"


@probe("namespaces")
def make_a_user_namespace(facts: Facts) -> str:
    return _unshare("user")


@probe("namespaces")
def make_a_mount_namespace(facts: Facts) -> str:
    return _unshare("mount")


@probe("namespaces")
def make_any_other_namespace(facts: Facts) -> str:
    for kind in NEW:
        try:
            return f"{kind} {_unshare(kind)}"
        except OSError:
            continue
    raise Held("none")


@probe("namespaces")
def make_a_user_namespace_by_clone(facts: Facts) -> str:
    child = call("clone", NEW["user"] | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "made"


@probe("namespaces")
def make_any_namespace_by_clone(facts: Facts) -> str:
    for kind in sorted(set(NEW) - {"time"}):
        try:
            child = call("clone", NEW[kind] | signal.SIGCHLD, 0, 0, 0, 0)
        except OSError:
            continue
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        return kind
    raise Held("none")


@probe("namespaces")
def make_a_user_namespace_by_clone3(facts: Facts) -> str:
    arguments = ctypes.create_string_buffer(struct.pack("Q" * 11, NEW["user"], 0, 0, 0, 17, 0, 0, 0, 0, 0, 0))
    child = call("clone3", arguments, 64)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "made"


@probe("namespaces")
def mount_in_a_namespace_of_our_own(facts: Facts) -> str:
    call("unshare", NEW["user"] | NEW["mount"])
    folder = f"{facts['rw']}/mounted-{os.getpid()}"
    os.mkdir(folder)
    try:
        call("mount", b"none", folder.encode(), b"tmpfs", 0, None)
    finally:
        os.rmdir(folder) if not os.path.ismount(folder) else call("umount2", folder.encode(), 2)
    return "mounted a tmpfs"


@probe("namespaces")
def enter_the_namespaces_of_another(facts: Facts) -> str:
    for pid in (facts["host_pid"], 1):
        for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
            try:
                descriptor = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
                call("setns", descriptor, 0)
            except OSError:
                continue
            return f"{name} of {pid}"
    raise Held("none")


@probe("namespaces")
def enter_namespaces_by_a_process_descriptor(facts: Facts) -> str:
    call("setns", call("pidfd_open", os.getpid(), 0), NEW["uts"])
    return "entered"


@probe("namespaces")
def ask_for_the_parent_of_a_namespace(facts: Facts) -> str:
    for name in ("user", "pid"):
        descriptor = os.open(f"/proc/self/ns/{name}", os.O_RDONLY)
        try:
            parent = fcntl.ioctl(descriptor, 0xB702, 0)
        except OSError:
            continue
        return f"the parent of {name}: {parent}"
    raise Held("out of scope")


@probe("namespaces")
def change_the_root_directory(facts: Facts) -> str:
    os.chroot(facts["rw"])
    return "chroot"


# --- mounts -----------------------------------------------------------------------------------------------------------


@probe("mounts")
def mount_a_file_system(facts: Facts) -> str:
    folder = facts["rw"] + "/covered"
    os.mkdir(folder)
    try:
        call("mount", b"none", folder.encode(), b"tmpfs", 0, None)
        call("umount2", folder.encode(), 2)
    finally:
        os.rmdir(folder)
    return "mounted a tmpfs"


@probe("mounts")
def make_a_mount_writable(facts: Facts) -> str:
    call("mount", None, facts["ro"].encode(), None, 32 | 4096, None)  # MS_REMOUNT, MS_BIND
    return "remounted"


@probe("mounts")
def take_a_mount_away(facts: Facts) -> str:
    call("umount2", facts["ro"].encode(), 2)
    return "it is gone"


@probe("mounts")
def take_the_mount_over_kernel_settings_away(facts: Facts) -> str:
    if facts["bare"]:
        raise Skip("there is none")
    call("umount2", b"/proc/sys", 2)
    return "it is gone"


@probe("mounts")
def copy_a_mount(facts: Facts) -> str:
    os.close(call("open_tree", AT_FDCWD, facts["rw"].encode(), 1))
    return "open_tree"


@probe("mounts")
def copy_and_change_a_mount(facts: Facts) -> str:
    return past_the_check("open_tree_attr", AT_FDCWD, facts["rw"].encode(), 1, None, 0)


@probe("mounts")
def open_a_file_system(facts: Facts) -> str:
    os.close(call("fsopen", b"tmpfs", 0))
    return "fsopen"


@probe("mounts")
def pick_a_file_system(facts: Facts) -> str:
    os.close(call("fspick", AT_FDCWD, facts["ro"].encode(), 0))
    return "fspick"


@probe("mounts")
def move_a_mount(facts: Facts) -> str:
    return past_the_check("move_mount", -1, b"x", -1, b"x", 0)


@probe("mounts")
def change_attributes_of_a_mount(facts: Facts) -> str:
    attributes = struct.pack("QQQQ", 0, 0, 0, 0)
    return past_the_check("mount_setattr", -1, b"x", 0, attributes, len(attributes))


@probe("mounts")
def pivot_the_root(facts: Facts) -> str:
    return past_the_check("pivot_root", b"/absent", b"/absent")


@probe("mounts")
def use_devices_in_a_grant(facts: Facts) -> str:
    if os.statvfs(facts["rw"]).f_flag & os.ST_NODEV:
        raise Held("nodev")
    return "device nodes there work"


@probe("mounts")
def use_setuid_programs_in_a_grant(facts: Facts) -> str:
    if os.statvfs(facts["rw"]).f_flag & os.ST_NOSUID:
        raise Held("nosuid")
    return "setuid programs there work"


# --- devices and terminals --------------------------------------------------------------------------------------------


@probe("devices")
def find_devices_of_the_machine(facts: Facts) -> str:
    wanted = {"null", "zero", "full", "random", "urandom", "tty", "pts", "ptmx", "shm", "fd", "stdin", "stdout",
              "stderr", "core", "console"}  # fmt: skip
    strange = sorted(set(os.listdir("/dev")) - wanted)
    if not strange:
        raise Held("none")
    return ", ".join(strange[:10])


@probe("devices")
def open_devices_of_the_machine(facts: Facts) -> str:
    found = []
    for name in ("kvm", "fuse", "net/tun", "uinput", "vhost-vsock", "vhost-net", "userfaultfd", "loop-control", "vda",
                 "sda", "nvme0n1", "rtc0", "watchdog", "mapper/control", "vfio/vfio", "dri/card0"):  # fmt: skip
        try:
            os.close(os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK))
        except OSError:
            continue
        found.append(name)
    if not found:
        raise Held("none is there")
    return ", ".join(found)


@probe("devices")
def make_a_device(facts: Facts) -> str:
    path = facts["rw"] + "/device"
    os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(254, 0))
    os.unlink(path)
    return "made"


@probe("devices")
def use_ports_of_the_machine(facts: Facts) -> str:
    for name, arguments in (("iopl", (3,)), ("ioperm", (0x80, 1, 1))):
        try:
            call(name, *arguments)
        except OSError:
            continue
        return name
    raise Held("refused")


@probe("terminal")
def have_a_terminal(facts: Facts) -> str:
    for descriptor in (0, 1, 2):
        if os.isatty(descriptor):
            return f"{descriptor} is {os.ttyname(descriptor)}"
    os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    return "/dev/tty opens"


@probe("terminal")
def type_into_a_terminal(facts: Facts) -> str:
    _, slave = os.openpty()
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    fcntl.ioctl(slave, termios.TIOCSTI, b"x")
    return "typed"


@probe("terminal")
def type_with_a_wide_number(facts: Facts) -> str:
    _, slave = os.openpty()
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    call("ioctl", slave, 0x1_0000_0000 | termios.TIOCSTI, b"x")
    return "typed"


@probe("terminal")
def paste_into_a_console(facts: Facts) -> str:
    return past_the_check("ioctl", os.openpty()[1], 0x541C, b"\x03", checked=("EPERM",))


@probe("terminal")
def change_the_line_discipline(facts: Facts) -> str:
    fcntl.ioctl(os.openpty()[1], termios.TIOCSETD, struct.pack("i", 2))
    return "set"


@probe("terminal")
def take_the_console_over(facts: Facts) -> str:
    call("ioctl", os.openpty()[1], 0x541D, 0)
    return "TIOCCONS"


@probe("terminal")
def see_terminals_of_others(facts: Facts) -> str:
    names = [name for name in os.listdir("/dev/pts") if name.isdigit()]
    if not names:
        raise Held("none")
    return f"/dev/pts: {names}"


@probe("terminal")
def hang_up_the_terminal(facts: Facts) -> str:
    # As an ordinary user it is refused by the kernel, too.
    call("vhangup")
    return "vhangup"


# --- sockets ----------------------------------------------------------------------------------------------------------


def reaches(family: int, kind: int, address: Any, text: bytes = b"") -> str:
    """Connect, or send."""
    with socket.socket(family, kind) as tried:
        tried.settimeout(2)
        if text:
            tried.sendto(text, address)
            tried.recvfrom(64)
        else:
            tried.connect(address)
    return str(address)


@probe("sockets")
def reach_a_port_of_the_machine(facts: Facts) -> str:
    return reaches(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", facts["tcp_port"]))


@probe("sockets")
def reach_a_port_of_the_machine_by_ipv6(facts: Facts) -> str:
    if not facts["tcp6_port"]:
        raise Skip("this machine has no IPv6")
    return reaches(socket.AF_INET6, socket.SOCK_STREAM, ("::1", facts["tcp6_port"]))


@probe("sockets")
def reach_a_port_of_the_machine_by_udp(facts: Facts) -> str:
    return reaches(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", facts["udp_port"]), b"ping")


@probe("sockets")
def reach_the_machine_by_its_address(facts: Facts) -> str:
    if not facts["address"]:
        raise Skip("the machine has no other address")
    return reaches(socket.AF_INET, socket.SOCK_STREAM, (facts["address"], facts["wide_port"]))


def routed(address: str) -> str:
    """Return whether a datagram to an address would leave: nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as tried:
        tried.connect((address, 53))
        own = tried.getsockname()[0]
    if own == address or own.startswith("127.") or own == "::1":
        raise Held("it ends at our own loopback")
    return f"from {own}"


@probe("sockets")
def have_a_route_to_the_metadata_service(facts: Facts) -> str:
    return routed("169.254.169.254")


@probe("sockets")
def have_a_route_to_a_name_server(facts: Facts) -> str:
    return routed("192.0.2.53")


@probe("sockets")
def have_a_route_by_ipv6(facts: Facts) -> str:
    return routed("2001:db8::53")


@probe("sockets")
def send_to_many(facts: Facts) -> str:
    return routed("224.0.0.251")


@probe("sockets")
def see_interfaces_of_the_machine(facts: Facts) -> str:
    names = [name for _, name in socket.if_nameindex()]
    if names == ["lo"]:
        raise Held("lo alone")
    return ", ".join(names)


@probe("sockets")
def see_connections_of_the_machine(facts: Facts) -> str:
    wanted = f":{facts['tcp_port']:04X} ".encode()
    if wanted in readable("/proc/net/tcp"):
        return "the canary's port is listed"
    raise Held("not listed")


@probe("sockets")
def share_ports_with_the_machine(facts: Facts) -> str:
    with socket.socket() as tried:
        try:
            tried.bind(("127.0.0.1", facts["tcp_port"]))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "the machine's ports are ours"
            raise
    raise Held("they are other ports")


@probe("sockets")
def reach_an_abstract_socket_of_the_machine(facts: Facts) -> str:
    return reaches(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + facts["abstract"])


@probe("sockets")
def see_unix_sockets_of_the_machine(facts: Facts) -> str:
    if facts["abstract"].encode() in readable("/proc/net/unix"):
        return "the canary's name is listed"
    raise Held("not listed")


@probe("sockets")
def reach_a_unix_socket_of_the_machine(facts: Facts) -> str:
    return reaches(socket.AF_UNIX, socket.SOCK_STREAM, facts["unix_socket"])


@probe("sockets")
def reach_the_services_of_the_machine(facts: Facts) -> str:
    paths = ("/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private",
             "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/user", "/tmp/.X11-unix",
             "/run/systemd/journal/socket", "/dev/log", "/run/snapd.socket", "/run/nscd/socket")  # fmt: skip
    there = [path for path in paths if os.path.exists(path)]
    if not there:
        raise Held("none is there")
    return ", ".join(there)


def opened(family: int, kind: int, protocol: int = 0) -> str:
    """Make a socket."""
    os.close(call("socket", family, kind, protocol))
    return "made"


@probe("sockets")
def socket_to_the_hypervisor(facts: Facts) -> str:
    return opened(40, socket.SOCK_STREAM)


@probe("sockets")
def socket_to_the_hypervisor_with_a_wide_number(facts: Facts) -> str:
    return opened(0x1_0000_0028, socket.SOCK_STREAM)


@probe("sockets")
def socket_of_packets(facts: Facts) -> str:
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM, 10):
        try:
            return opened(17, kind, 0x300)
        except OSError:
            continue
    raise Held("refused")


@probe("sockets")
def socket_of_raw_ip(facts: Facts) -> str:
    for family in (socket.AF_INET, socket.AF_INET6):
        for flag in (0, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK):
            try:
                return opened(family, socket.SOCK_RAW | flag, 1)
            except OSError:
                continue
    raise Held("refused")


@probe("sockets")
def socket_of_kernel_cryptography(facts: Facts) -> str:
    return opened(38, socket.SOCK_SEQPACKET)


@probe("sockets")
def socket_of_express_data_path(facts: Facts) -> str:
    return opened(44, socket.SOCK_RAW)


@probe("sockets")
def socket_of_key_management(facts: Facts) -> str:
    return opened(15, socket.SOCK_RAW, 2)


@probe("sockets")
def socket_of_any_other_family(facts: Facts) -> str:
    found = []
    for family in range(64):
        if family in {1, 2, 10, 16}:
            continue
        for kind in (1, 2, 3, 5):
            try:
                opened(family, kind, 0)
            except OSError:
                continue
            found.append(str(family))
            break
    if not found:
        raise Held("none")
    return "families " + ", ".join(found)


@probe("sockets")
def pair_of_any_other_family(facts: Facts) -> str:
    pair = (ctypes.c_int * 2)()
    for family in range(2, 64):
        for kind in (1, 2, 5):
            try:
                call("socketpair", family, kind, 0, pair)
            except OSError as error:
                if error.errno == errno.EOPNOTSUPP:
                    return f"family {family} was asked"
                continue
            return f"family {family}"
    raise Held("none")


@probe("sockets")
def socket_of_other_transports(facts: Facts) -> str:
    found = []
    for protocol in (33, 115, 132, 136, 256):
        for kind in (1, 2, 5, 6):
            try:
                opened(socket.AF_INET, kind, protocol)
            except OSError as error:
                # The kernel was asked, and may have loaded the module for it.
                if error.errno not in {errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT}:
                    continue
                if facts["bare"]:
                    found.append(f"{protocol}?")
                continue
            found.append(str(protocol))
    if not found:
        raise Held("none")
    return ", ".join(dict.fromkeys(found))


@probe("sockets")
def netlink_of_any_other_protocol(facts: Facts) -> str:
    found = []
    for protocol in range(1, 32):
        try:
            opened(16, socket.SOCK_RAW, protocol)
        except OSError:
            continue
        found.append(str(protocol))
    if not found:
        raise Held("none")
    return "protocols " + ", ".join(found)


@probe("sockets")
def change_the_network_by_netlink(facts: Facts) -> str:
    message = struct.pack("IHHII", 32, 16, 5, 1, 0) + struct.pack("BxHiII", 0, 0, 1, 0, 1)  # RTM_NEWLINK, lo down->same
    with socket.socket(16, socket.SOCK_RAW, 0) as tried:
        tried.settimeout(2)
        tried.send(message)
        _, kind, _, _, _ = struct.unpack_from("IHHII", answer := tried.recv(4096))
        code = struct.unpack_from("i", answer, 16)[0] if kind == 2 else 0
    if code:
        raise OSError(-code, "")
    return "accepted"


@probe("sockets")
def bind_to_a_device_or_mark(facts: Facts) -> str:
    for option, value in ((36, struct.pack("i", 1)), (19, struct.pack("i", 1))):
        with socket.socket() as tried:
            try:
                tried.setsockopt(socket.SOL_SOCKET if option == 36 else socket.SOL_IP, option, value)
            except OSError:
                continue
            return f"option {option}"
    raise Held("refused")


@probe("sockets")
def filter_the_network(facts: Facts) -> str:
    with socket.socket() as tried:
        tried.getsockopt(socket.SOL_IP, 64, 84)  # IPT_SO_GET_INFO: only those who may filter are answered
    return "answered"


# --- shared memory and queues -----------------------------------------------------------------------------------------


@probe("ipc")
def attach_shared_memory_of_the_machine(facts: Facts) -> str:
    return f"id {call('shmget', facts['sysv_key'], 1, 0)}"


@probe("ipc")
def use_a_semaphore_of_the_machine(facts: Facts) -> str:
    return f"id {call('semget', facts['sysv_key'], 1, 0)}"


@probe("ipc")
def use_a_queue_of_the_machine(facts: Facts) -> str:
    return f"id {call('msgget', facts['sysv_key'], 0)}"


@probe("ipc")
def use_a_posix_queue_of_the_machine(facts: Facts) -> str:
    if not facts["queue"]:
        raise Skip("this kernel has no message queues")
    os.close(call("mq_open", facts["queue"].encode(), os.O_RDONLY, 0, None))
    return "opened"


@probe("ipc")
def read_shared_files_of_the_machine(facts: Facts) -> str:
    return read(facts["shared"]).decode()


# --- inherited --------------------------------------------------------------------------------------------------------


@probe("inherited")
def hold_a_descriptor_of_the_daemon(facts: Facts) -> str:
    strange = [target for target in facts["inherited_targets"] if target != "/dev/null"]
    if not strange:
        raise Held("the three streams alone")
    return ", ".join(strange)


@probe("inherited")
def hold_more_than_pipes(facts: Facts) -> str:
    for descriptor in range(3):
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISFIFO(mode) and os.readlink(f"/proc/self/fd/{descriptor}") != "/dev/null":
            return f"{descriptor} is {os.readlink(f'/proc/self/fd/{descriptor}')}"
    raise Held("pipes")


@probe("inherited")
def start_in_a_directory_of_the_machine(facts: Facts) -> str:
    here = os.getcwd()
    if here.startswith(("/home/mcp", facts["rw"], facts["ro"])) or here in {"/", "/tmp"}:
        raise Held(here)
    return here


# --- keyrings ---------------------------------------------------------------------------------------------------------


@probe("keyrings")
def join_a_keyring(facts: Facts) -> str:
    return f"keyring {call('keyctl', 0, -4, 0, 0, 0)}"


@probe("keyrings")
def add_a_key(facts: Facts) -> str:
    return f"key {call('add_key', b'user', b'canary', b'x', 1, -1)}"


@probe("keyrings")
def ask_for_a_key(facts: Facts) -> str:
    return past_the_check("request_key", b"user", b"absent", None, 0)


@probe("keyrings")
def see_keys_of_others(facts: Facts) -> str:
    text = readable("/proc/keys")
    if not text.strip():
        raise Held("none is listed")
    raise Leak(f"{len(text.splitlines())} lines of /proc/keys")


# --- doors into the kernel --------------------------------------------------------------------------------------------


@probe("kernel")
def ring_for_input_and_output(facts: Facts) -> str:
    os.close(call("io_uring_setup", 8, ctypes.create_string_buffer(256)))
    return "made"


@probe("kernel")
def enter_a_ring(facts: Facts) -> str:
    return past_the_check("io_uring_enter", -1, 0, 0, 0, None, 0)


@probe("kernel")
def load_a_program_into_the_kernel(facts: Facts) -> str:
    os.close(call("bpf", 0, struct.pack("IIIII", 2, 4, 4, 1, 0) + bytes(100), 120))
    return "made a map"


@probe("kernel")
def watch_performance(facts: Facts) -> str:
    attributes = ctypes.create_string_buffer(struct.pack("IIQ", 1, 128, 0) + bytes(112))
    os.close(call("perf_event_open", attributes, 0, -1, -1, 0))
    return "opened"


@probe("kernel")
def handle_page_faults(facts: Facts) -> str:
    os.close(call("userfaultfd", 1))
    return "opened"


@probe("kernel")
def watch_the_file_system(facts: Facts) -> str:
    os.close(call("fanotify_init", 0x200, 0))
    return "opened"


@probe("kernel")
def load_a_module(facts: Facts) -> str:
    return past_the_check("init_module", b"", 0, b"")


@probe("kernel")
def load_a_module_from_a_file(facts: Facts) -> str:
    return past_the_check("finit_module", -1, b"", 0)


@probe("kernel")
def unload_a_module(facts: Facts) -> str:
    return past_the_check("delete_module", b"no_such_module", 0x800)


@probe("kernel")
def load_another_kernel(facts: Facts) -> str:
    return past_the_check("kexec_file_load", -1, -1, 0, None, 0)


@probe("kernel")
def restart_the_machine(facts: Facts) -> str:
    return past_the_check("reboot", 0, 0, 0, None)  # wrong magic numbers: EINVAL after the check of rights


@probe("kernel")
def account_for_processes(facts: Facts) -> str:
    return past_the_check("acct", b"/absent/file")


@probe("kernel")
def add_swap_space(facts: Facts) -> str:
    return past_the_check("swapon", b"/absent/file", 0)


@probe("kernel")
def take_swap_space_away(facts: Facts) -> str:
    return past_the_check("swapoff", b"/absent/file")


@probe("kernel")
def change_quotas(facts: Facts) -> str:
    return past_the_check("quotactl", 0x80000200, b"/absent/device", 0, None, checked=("EPERM",))


@probe("kernel")
def change_quotas_by_a_descriptor(facts: Facts) -> str:
    return past_the_check("quotactl_fd", -1, 0x80000200, 0, None, checked=("EPERM",))


@probe("kernel")
def set_the_clock(facts: Facts) -> str:
    call("settimeofday", None, None)  # changes nothing
    return "allowed"


@probe("kernel")
def tune_the_clock(facts: Facts) -> str:
    call("adjtimex", ctypes.create_string_buffer(256))  # mode 0 only reads
    return "asked"


@probe("kernel")
def set_the_name_of_the_machine(facts: Facts) -> str:
    name = os.uname().nodename.encode()
    call("sethostname", name, len(name))
    return "set to what it was"


@probe("kernel")
def change_segments(facts: Facts) -> str:
    return past_the_check("modify_ldt", 0, ctypes.create_string_buffer(8), 8)


@probe("kernel")
def move_memory_between_nodes(facts: Facts) -> str:
    return past_the_check("migrate_pages", os.getpid(), 0, None, None)


@probe("kernel")
def call_as_a_32_bit_program(facts: Facts) -> str:
    if platform.machine() != "x86_64":
        raise Skip("x86 only")
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # getpid by int 0x80
    found = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
    if found == os.getpid():
        return "getpid by int 0x80"
    raise Held(f"answered {found}")


@probe("kernel")
def call_as_an_x32_program(facts: Facts) -> str:
    if platform.machine() != "x86_64":
        raise Skip("x86 only")
    return f"getpid {raw(0x40000000 | 39)}"


@probe("kernel")
def trace_as_an_x32_program(facts: Facts) -> str:
    if platform.machine() != "x86_64":
        raise Skip("x86 only")
    return f"ptrace {raw(0x40000000 | 521, 0, 0, 0, 0)}"


@probe("kernel")
def switch_address_randomization_off(facts: Facts) -> str:
    call("personality", 0x0040000)
    return "ADDR_NO_RANDOMIZE"


@probe("kernel")
def make_all_memory_executable(facts: Facts) -> str:
    call("personality", 0x0400000)
    return "READ_IMPLIES_EXEC"


# --- resources --------------------------------------------------------------------------------------------------------


@probe("resources")
def raise_a_limit(facts: Facts) -> str:
    found = []
    for name in ("RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE", "RLIMIT_RTPRIO", "RLIMIT_NICE"):
        _, hard = resource.getrlimit(getattr(resource, name))
        if hard == resource.RLIM_INFINITY:
            found.append(f"{name} is without bound")
            continue
        try:
            resource.setrlimit(getattr(resource, name), (hard + 1, hard + 1))
        except (OSError, ValueError):
            continue
        found.append(name)
    if not found:
        raise Held("none")
    return ", ".join(found)


@probe("resources")
def run_before_everybody_else(facts: Facts) -> str:
    for policy in (os.SCHED_FIFO, os.SCHED_RR):
        try:
            os.sched_setscheduler(0, policy, os.sched_param(1))
        except OSError:
            continue
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        return f"policy {policy}"
    raise Held("refused")


@probe("resources")
def run_before_others(facts: Facts) -> str:
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) - 1)
    return f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"


@probe("resources")
def read_and_write_before_others(facts: Facts) -> str:
    call("ioprio_set", 1, 0, 1 << 13 | 4)
    return "real-time input and output"


@probe("resources")
def slow_a_process_of_the_machine_down(facts: Facts) -> str:
    os.sched_setaffinity(facts["host_pid"], os.sched_getaffinity(facts["host_pid"]))
    return "set to what it was"


@probe("resources")
def have_a_core_dump_handled_by_the_machine(facts: Facts) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard == 0:
        raise Skip("the daemon's own limit is 0, and an ordinary user cannot raise it")
    if (soft, hard) != (1, 1):  # even at 0 the kernel starts the handler that core_pattern may name, as root
        return f"the limit is {soft}, {hard}"
    call("prlimit64", 0, resource.RLIMIT_CORE, struct.pack("QQ", 0, 1), None)
    return "the limit was set to 0"


@probe("resources")
def write_to_control_groups(facts: Facts) -> str:
    there = [path for path in ("/sys/fs/cgroup", "/sys", "/cgroup") if os.path.exists(path)]
    if not there:
        raise Held("there is no /sys")
    for folder, _, files in os.walk("/sys/fs/cgroup"):
        for name in files:
            if os.access(os.path.join(folder, name), os.W_OK):
                return os.path.join(folder, name)
    return f"{there} can be read"


# --- the program ------------------------------------------------------------------------------------------------------


def attempt(function: Callable[[Facts], str], facts: Facts) -> tuple[str, str]:
    """Run one probe; return outcome and detail."""
    try:
        return "escaped", str(function(facts))
    except Held as held:
        return "contained", str(held)
    except Leak as leak:
        return "leak", str(leak)
    except Skip as skip:
        return "skipped", str(skip)
    except OSError as error:
        return "contained", name_of(error.errno) if error.errno else str(error)
    except BaseException as error:  # noqa: BLE001 -- said, not swallowed
        return "skipped", f"broken: {type(error).__name__}: {error}"


def apart(function: Callable[[Facts], str], facts: Facts) -> tuple[str, str]:
    """Run one probe in a process of its own, which may be killed for it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.write(writing, json.dumps(attempt(function, facts)).encode())
        os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], SECONDS)
    text = os.read(reading, 1 << 16) if ready else b""
    os.close(reading)
    if not ready:
        os.kill(child, signal.SIGKILL)
    _, code = os.waitpid(child, 0)
    if text:
        outcome, detail = json.loads(text)
        return outcome, detail
    if ready and os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGSYS:
        return "contained", "killed by SIGSYS"
    return "skipped", f"broken: it ended without a word ({code})" if ready else f"broken: no end within {SECONDS} s"


def main() -> None:
    """Try everything."""
    # Before anything else is opened: what we were born with. The listing itself opens the one that is gone by now.
    inherited = []
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                inherited.append(os.readlink(f"/proc/self/fd/{name}"))
            except OSError:
                continue
    facts = {**json.loads(read(sys.argv[1])), "inherited_targets": inherited}
    if facts["bare"] and os.geteuid() == 0:
        sys.exit("never as root outside a sandbox")
    for kind, name, function in PROBES:
        outcome, detail = apart(function, facts)
        print(json.dumps({"name": name, "kind": kind, "outcome": outcome, "detail": detail[:300]}), flush=True)


if __name__ == "__main__":
    main()
