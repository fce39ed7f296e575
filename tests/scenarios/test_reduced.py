"""What a program in the reduced tier cannot do, though no namespace separates it: tried by a real program.

Everything here lies open to the program's user but for the walls: as root its files are readable and writable to all,
as an ordinary user they are that user's own. ``test_ordinary_user`` runs this file as an ordinary user, too.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests import sandboxes
from tests.containment.canaries import canaries
from tests.containment.test_probes import HARMLESS, outcomes, shown, written
from tests.sandboxes import ENV, SYSTEM_PYTHON, Daemons, alive, close, next_line, reduced, until

from vsm_mcp.errors import BadArgument, SandboxUnavailable
from vsm_mcp.sandbox import enclose
from vsm_mcp.sandbox.child import Child, Sandbox
from vsm_mcp.sandbox.confinement import MEBIBYTE, TMP, Command, Completed, Confinement, MachineNetwork
from vsm_mcp.sandbox.egress.rules import AllowList, allow_list
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier

PYTHON = (SYSTEM_PYTHON, "-I", "-S", "-c")
PLAIN = Confinement()
ROOT = os.geteuid() == 0
GONE_SECONDS = 30
"""A tenth of a second on a machine that is not busy; ``benchmarks/launches.py`` measures it."""

pytestmark = pytest.mark.skipif(not Path(PYTHON[0]).exists(), reason="no python3 of the system")


@pytest.fixture(params=["limits", "soft", "first"])
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """With control groups, without, and with the oldest Landlock that is enough."""
    isolation = await reduced(
        soft=request.param == "soft", landlock=enclose.LEAST_ABI if request.param == "first" else None
    )
    async with Sandbox(isolation) as opened:
        yield opened


@pytest.fixture
async def one() -> AsyncIterator[Sandbox]:
    """The reduced tier as it is here."""
    async with Sandbox(await reduced()) as opened:
        yield opened


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory of this machine that everybody may change."""
    path = Path(f"/tmp/reduced-{secrets.token_hex(6)}")
    path.mkdir()
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def victim(open_dir: Path) -> Path:
    """A file that everybody may change."""
    path = open_dir / "victim"
    path.write_text("untouched")
    path.chmod(0o666)
    return path


async def run(sandbox: Sandbox, code: str, confinement: Confinement = PLAIN, **given: Any) -> Completed:
    return await sandboxes.run(sandbox, SYSTEM_PYTHON, code, confinement, **given)


async def inside(sandbox: Sandbox, code: str, confinement: Confinement = PLAIN, **given: Any) -> dict[str, Any]:
    return await sandboxes.inside(sandbox, SYSTEM_PYTHON, code, confinement, **given)


def facts(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_mode, found.st_uid, found.st_size, found.st_mtime_ns, found.st_ctime_ns


async def test_files_of_others_can_be_neither_read_nor_changed(sandbox: Sandbox, victim: Path) -> None:
    code = f"""
victim = {str(victim)!r}
folder = os.path.dirname(victim)
found["read"] = attempt(read, victim)
found["write"] = attempt(write, victim)
found["truncate"] = attempt(os.truncate, victim, 0)
found["remove"] = attempt(os.unlink, victim)
found["rename"] = attempt(os.rename, victim, os.environ["HOME"] + "/taken")
found["link"] = attempt(os.link, victim, os.environ["HOME"] + "/taken")
found["list"] = attempt(os.listdir, folder)
found["create"] = attempt(write, folder + "/new")
found["directory"] = attempt(os.mkdir, folder + "/new")
found["fifo"] = attempt(os.mkfifo, folder + "/new")
found["symlink"] = attempt(os.symlink, "/etc", folder + "/new")
os.symlink(victim, os.environ["HOME"] + "/link")
found["by link"] = attempt(read, os.environ["HOME"] + "/link")
found["by root"] = attempt(read, "/proc/self/root" + victim)
found["mode"] = attempt(os.chmod, victim, 0o777)
found["owner"] = attempt(os.chown, victim, os.getuid(), os.getgid())
found["times"] = attempt(os.utime, victim, (0, 0))
found["attribute"] = attempt(os.setxattr, victim, "user.x", b"x")
for path in ("/etc/shadow", "/etc/hosts", "/root/.bashrc", "/var/log", "/run", "/sys/kernel", "/dev/mem", "/dev/tty"):
    found[path] = attempt(read, path)
for path in ("/usr/new", "/etc/new", "/tmp/new", "/dev/shm/new", "/var/tmp/new", "/proc/self/comm",
             "/proc/sys/kernel/core_pattern"):
    found["write " + path] = attempt(write, path)
"""
    before = facts(victim)
    found = await inside(sandbox, code)
    allowed = {name: answer for name, answer in found.items() if answer not in {"EACCES", "EPERM", "EXDEV"}}
    for path in ("/etc/shadow", "/root/.bashrc", "/dev/mem", "/dev/tty"):
        if allowed.get(path) in {"ENOENT", "ENXIO"}:  # not on this machine
            del allowed[path]
    assert allowed == {}
    assert len(found) == 32
    assert victim.read_text() == "untouched"
    assert facts(victim) == before
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]


async def test_there_is_no_socket_of_any_family(sandbox: Sandbox) -> None:
    code = """
found["families"] = {n: attempt(libcall, "socket", n, kind, 0) for n in range(64) for kind in (1, 2, 3)}
found["high bits"] = attempt(syscall, 41, ctypes.c_ulong(0x100000001), 1, 0)
found["connect"] = attempt(libcall, "connect", 0, b"x", 1)
found["pairs"] = {n: attempt(libcall, "socketpair", n, 1, 0, ctypes.create_string_buffer(8)) for n in range(2, 50)}
for name, kind in (("datagram", 2), ("datagram, no wait", 2 | 0o4000), ("raw", 3)):
    found[name] = attempt(libcall, "socketpair", 1, kind, 0, ctypes.create_string_buffer(8))
for name, kind in (("stream", 1), ("stream, no wait", 1 | 0o4000), ("seqpacket", 5)):
    found[name] = attempt(libcall, "socketpair", 1, kind, 0, ctypes.create_string_buffer(8))
"""
    found = await inside(sandbox, code)
    assert set(found.pop("families").values()) == {"ENETUNREACH"}
    assert set(found.pop("pairs").values()) == {"EAFNOSUPPORT"}
    assert found == {
        "high bits": "ENETUNREACH",
        "connect": "ENETUNREACH",
        "datagram": "EPERM",
        "datagram, no wait": "EPERM",
        "raw": "EPERM",
        "stream": "ok",
        "stream, no wait": "ok",
        "seqpacket": "ok",
    }


async def test_sockets_of_the_machine_are_out_of_reach(sandbox: Sandbox, open_dir: Path) -> None:
    """By what is left: a pair of sockets, told to talk to somebody else."""
    path, name = str(open_dir / "socket"), f"vsm-{secrets.token_hex(6)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as file, socket.socket(socket.AF_UNIX) as abstract:
        file.bind(path)
        Path(path).chmod(0o777)
        abstract.bind(f"\0{name}")
        abstract.listen()
        file.setblocking(False)
        abstract.setblocking(False)
        code = f"""
pair = (ctypes.c_int * 2)()
libcall("socketpair", 1, 5, 0, pair)
class Address(ctypes.Structure):
    _fields_ = (("family", ctypes.c_ushort), ("path", ctypes.c_char * 100))
to_file, to_abstract = Address(1, {path.encode()!r}), Address(1, b"")
ctypes.memmove(ctypes.addressof(to_abstract) + 3, {name.encode()!r}, {len(name)})
for what, address in (("file", to_file), ("abstract", to_abstract)):
    pointer = ctypes.byref(address)
    found["connect " + what] = attempt(libcall, "connect", pair[0], pointer, {3 + len(name)})
    libcall("sendto", pair[0], b"x", 1, 0, pointer, 102)
found["open"] = attempt(write, {path!r})
"""
        found = await inside(sandbox, code)
        assert found == {"connect file": "ENETUNREACH", "connect abstract": "ENETUNREACH", "open": "EACCES"}
        with pytest.raises(BlockingIOError):
            file.recv(1)
        with pytest.raises(BlockingIOError):
            abstract.accept()


async def test_other_processes_can_be_neither_read_nor_harmed(sandbox: Sandbox) -> None:
    """A neighbour: as an ordinary user of the same user, which is all that a signal needs."""
    marker = f"neighbour-{secrets.token_hex(8)}"
    neighbour = subprocess.Popen([*PYTHON, "input()"], stdin=subprocess.PIPE, env={"KEY": marker})
    pid = neighbour.pid
    code = f"""
pid = {pid}
for name in ("environ", "mem", "maps", "fd/0", "root/etc", "cwd", "task/{pid}/environ", "io", "auxv"):
    found[name] = attempt(os.listdir if name in ("root/etc", "cwd") else read, f"/proc/{{pid}}/{{name}}")
for name in ("fd/0", "exe", "cwd", "root"):
    found["link " + name] = attempt(os.readlink, f"/proc/{{pid}}/{{name}}")
found["parent"] = attempt(read, f"/proc/{{os.getppid()}}/environ")
found["kill"] = attempt(os.kill, pid, 9)
found["kill parent"] = attempt(os.kill, os.getppid(), 0)
found["tgkill"] = attempt(syscall, 234, pid, pid, 9)
found["tkill"] = attempt(syscall, 200, pid, 9)
found["sigqueue"] = attempt(libcall, "sigqueue", pid, 9, ctypes.c_void_p(0))
found["pidfd"] = attempt(lambda: __import__("_signal").pidfd_send_signal(os.pidfd_open(pid), 9))
found["ptrace"] = attempt(libcall, "ptrace", 16, pid, 0, 0)
found["read memory"] = attempt(libcall, "process_vm_readv", pid, None, 0, None, 0, 0)
found["limits"] = attempt(libcall, "prlimit64", pid, 7, (ctypes.c_ulong * 2)(0, 0), None)
found["priority"] = attempt(os.setpriority, os.PRIO_PROCESS, pid, 19)
found["priority of all"] = attempt(os.setpriority, os.PRIO_USER, 0, 19)
found["affinity"] = attempt(os.sched_setaffinity, pid, {{0}})
found["scheduler"] = attempt(os.sched_setscheduler, pid, os.SCHED_BATCH, os.sched_param(0))
found["io priority"] = attempt(syscall, 251, 1, pid, 3 << 13)
found["signal by pipe"] = signal_by_pipe(pid)
"""
    by_pipe = """
def signal_by_pipe(pid):
    import fcntl
    reading, writing = os.pipe()
    answer = attempt(fcntl.fcntl, reading, fcntl.F_SETOWN, pid)
    attempt(fcntl.fcntl, reading, 10, 9)
    attempt(fcntl.fcntl, reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(writing, b"x")
    return "EPERM" if answer == "ok" else answer  # the proof is that the neighbour lives
"""
    try:
        found = await inside(sandbox, by_pipe + code)
        assert {name: answer for name, answer in found.items() if answer not in {"EACCES", "EPERM"}} == {}
        assert len(found) == 29
        assert neighbour.poll() is None
    finally:
        neighbour.communicate(b"\n")
    assert neighbour.returncode == 0


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of these calls are those of x86_64")
async def test_system_calls_that_reach_out_are_refused(one: Sandbox) -> None:
    code = """
for name, call in dict(
    keyctl=(250, 0, 0, 0), bpf=(321, 0, 0, 0), perf=(298, 0, 0, -1, -1, 0), io_uring=(425, 1, 0),
    unshare=(272, 1 << 28), mount=(165, 0, 0, 0, 0, 0), chroot=(161, b"/"), setns=(308, 0, 0), userfaultfd=(323, 0),
    shmget=(29, 0, 4096, 0o1600), msgget=(68, 0, 0o1600), semget=(64, 0, 1, 0o1600),
    mq_open=(240, b"x", 0o102, 0o600, 0), fchmodat2=(452, -100, b"/", 0, 0),
    setxattrat=(463, -100, b"/", 0, b"x", 0, 0), chmod=(90, b".", 0o700), tiocsti=(16, 0, 0x5412, b"x"),
).items():
    found[name] = attempt(syscall, *call)
found["clone"] = attempt(syscall, 56, 1 << 28, 0, 0, 0, 0)
found["setuid file"] = attempt(os.open, os.environ["HOME"] + "/x", os.O_CREAT | os.O_WRONLY, 0o4755)
found["setuid"] = attempt(os.setuid, 0)
found["status"] = {line.split(":")[0]: line.split(":")[1].split() for line in open("/proc/self/status")}
found["fds"] = sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1]
"""
    found = await inside(one, code)
    status = found.pop("status")
    assert found.pop("fds") == [0, 1, 2]
    assert set(found.values()) == {"EPERM"}, found
    assert len(found) == 20
    assert status["NoNewPrivs"] == ["1"]
    assert status["CapEff"] == ["0" * 16]
    assert "0" not in status["Uid"]
    assert status["Groups"] == [] if ROOT else True


SEEN = {
    "know_whether_a_file_exists_outside",
    "learn_the_name_of_the_machine",
    "learn_who_has_an_account",
    "reach_the_services_of_the_machine",  # that there are some
    "read_the_host_keys_and_configuration",  # that they are there
    "see_connections_of_the_machine",
    "see_processes_of_the_machine",
    "see_unix_sockets_of_the_machine",
    "share_a_namespace_with_the_machine",
    "start_in_a_directory_of_the_machine",  # a private one
    "use_devices_in_a_grant",
    "use_setuid_programs_in_a_grant",  # it is mounted so, but they gain nothing: no_new_privs
    "write_to_control_groups",  # that they are there
}
"""Escape probes that get through in the reduced tier: what the reference lists as its leaks."""


@pytest.mark.skipif(ROOT, reason="what they are granted is open to its owner only; they run as an ordinary user")
async def test_escape_probes_learn_metadata_and_do_nothing(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with canaries() as facts:
        monkeypatch.setenv("VSM_TEST_OF_THE_DAEMON", facts["daemon_secret"])
        program = facts["program"]
        confinement = Confinement(
            read_only=(str(Path(program).parent),),
            granted_read_only=(facts["ro"],),
            granted_writable=(facts["rw"],),
        )
        command = Command(
            argv=(*PYTHON[:-1], program, written(facts)), env=ENV | {"GIVEN_SECRET": f"given-{facts['token']}"}
        )
        done = await sandbox.run(command, confinement, name="probes", timeout=100)
    assert done.ok, done
    found = outcomes(done.stdout)
    out = {name for name, record in found.items() if record["outcome"] == "escaped"}
    assert out <= SEEN, shown([found[name] for name in out - SEEN])
    assert {name for name, record in found.items() if record["outcome"] == "leak"} <= HARMLESS
    assert sum(record["outcome"] == "contained" for record in found.values()) >= 150


async def test_what_a_server_needs_works(sandbox: Sandbox) -> None:
    code = """
import subprocess, sys, tempfile, threading, pwd
thread = threading.Thread(target=lambda: found.update(thread="ok")); thread.start(); thread.join()
found["child"] = attempt(subprocess.run, ["/bin/sh", "-c", "exit 0"], 0)
found["home"] = attempt(os.makedirs, os.environ["HOME"] + "/.cache/x")
found["temporary"] = attempt(tempfile.mkdtemp)
found["rename"] = attempt(os.rename, os.environ["HOME"] + "/.cache/x", tempfile.gettempdir() + "/y")
found["null"] = attempt(write, "/dev/null", "x", "w")
found["random"] = attempt(read, "/dev/urandom")
found["memory"] = attempt(read, "/proc/meminfo")
found["mode by descriptor"] = attempt(os.fchmod, os.open(os.environ["HOME"] + "/f", os.O_CREAT | os.O_RDWR), 0o755)
found["signal to its group"] = attempt(os.kill, 0, 0)
found["zone"] = attempt(read, "/usr/share/zoneinfo/UTC") if os.path.exists("/usr/share/zoneinfo") else "ok"
found["cwd"] = "ok" if os.getcwd() == os.environ["HOME"] else os.getcwd()
"""
    assert set((await inside(sandbox, code)).values()) == {"ok"}


async def test_a_broken_pipe_is_not_ignored_from_the_start(one: Sandbox) -> None:
    command = Command(argv=("/usr/bin/grep", "SigIgn", "/proc/self/status"), env=ENV)
    done = await one.run(command, PLAIN, name="signals", timeout=30)
    ignored = int(done.stdout.split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))


async def test_child_can_be_ended_by_its_parent_where_landlock_tells_them_apart(one: Sandbox) -> None:
    if one.isolation.landlock < enclose.SIGNALS_ABI:
        pytest.skip("this Landlock does not")
    code = """
import subprocess
child = subprocess.Popen(["/bin/sleep", "60"])
child.terminate()
found["code"] = child.wait()
"""
    assert (await inside(one, code))["code"] == -15


async def test_environment_is_clean_and_secrets_are_in_no_argument_list(
    one: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSM_TEST_OF_THE_DAEMON", "daemon-value")
    secret = f"secret-{secrets.token_hex(8)}"
    code = """
import glob
found["own"] = dict(os.environ)
found["seen"] = []
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        text = open(path, "rb").read()
    except OSError:
        continue
    if path.split("/")[2] != str(os.getpid()) and (b"daemon-" + b"value" in text or b"secret" + b"-" in text):
        found["seen"].append(path)
"""
    found = await inside(one, code, env={"TOKEN": secret, "LD_LIBRARY_PATH": "/nowhere"})
    own, home = found["own"], found["own"]["HOME"]
    assert found["seen"] == []
    assert own.pop("VSM_MCP_PROCESS")
    assert own.pop("VSM_MCP_GUARD")
    own.pop("LC_CTYPE", None)  # Python's own
    assert own == {
        "PATH": ENV["PATH"],
        "HOME": home,
        "PWD": home,
        "TMPDIR": f"{home}/tmp",
        "TOKEN": secret,
        "LD_LIBRARY_PATH": "/nowhere",
    }
    assert not Path(home).exists()


# --- limits -----------------------------------------------------------------------------------------------------------


async def test_memory_hog_is_killed_and_named(sandbox: Sandbox) -> None:
    hog = "import time\nheld = []\nwhile True: held.append(bytearray(1024 * 1024)); time.sleep(0.002)"
    done = await run(sandbox, hog, msgspec.structs.replace(PLAIN, memory_bytes=128 * MEBIBYTE))
    assert done.exit.oom, done
    assert done.exit.signal == 9


@pytest.mark.parametrize("tier", ["full", "reduced"])
async def test_cpu_is_limited_once_the_start_is_over(tier: str) -> None:
    isolation = await reduced() if tier == "reduced" else await probe()
    if isolation.properties["cpu"] != "enforced":
        pytest.skip("no control group for CPU can be written here")
    burner = """
import sys, time
print("up", flush=True)
sys.stdin.readline()
began = time.monotonic()
while time.process_time() < 0.3 and time.monotonic() - began < 10:
    pass
print(time.process_time() / (time.monotonic() - began), flush=True)
"""
    layout = isolation.cgroup
    assert layout is not None
    async with Sandbox(isolation) as sandbox:
        command = Command(argv=(*PYTHON, burner), env=ENV)
        child = await sandbox.spawn(command, msgspec.structs.replace(PLAIN, cpus=0.1), name="burner")
        try:
            assert await asyncio.wait_for(asyncio.to_thread(next_line, child.stdout_fd), 20) == b"up\n"
            name = "cpu.max" if layout.version == 2 else "cpu.cfs_quota_us"
            (file,) = Path(layout.cpu).glob(f"vsm-mcp.{os.getpid()}.*/burner-*-{id(sandbox):x}/{name}")
            assert file.read_text().split()[0] in {"-1", "max"}
            await child.throttle()
            os.write(child.stdin_fd, b"\n")
            share = float(await asyncio.wait_for(asyncio.to_thread(next_line, child.stdout_fd), 20))
        finally:
            await child.kill()
            close(child)
    assert share < 0.3


async def test_throttling_what_is_over_already_is_no_error(one: Sandbox) -> None:
    child = await one.spawn(Command(argv=("/usr/bin/true",), env=ENV), PLAIN, name="short")
    assert (await child.wait()).ok
    await child.throttle()
    close(child)


async def test_disk_filler_is_ended_and_named(one: Sandbox) -> None:
    filler = """
import os, time
for number in range(40):
    with open(os.environ["HOME"] + f"/{number}", "wb") as file:
        file.write(os.urandom(1 << 20))
time.sleep(60)
"""
    done = await run(one, filler, msgspec.structs.replace(PLAIN, scratch_bytes=4 * MEBIBYTE))
    assert done.exit.limit == "scratch", done
    assert done.exit.signal == 9


async def test_fork_bomb_is_held(sandbox: Sandbox) -> None:
    bomb = """
import os, time
for _ in range(300):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except OSError:
        print("refused", flush=True)
        break
time.sleep(60)
"""
    began = asyncio.get_running_loop().time()
    command = Command(argv=(*PYTHON, bomb), env=ENV)
    limits = msgspec.structs.replace(PLAIN, processes=40, memory_bytes=8192 * MEBIBYTE)
    child = await sandbox.spawn(command, limits, name="bomb")
    if sandbox.isolation.properties["pids"] == "enforced":
        assert await asyncio.wait_for(asyncio.to_thread(next_line, child.stdout_fd), 20) == b"refused\n"
        assert len(child.processes()) <= 40
    else:
        assert await child.over(20)
        assert (await child.wait()).describe() == "was killed by SIGKILL (over the limit of processes)"
    await child.kill()
    close(child)
    assert asyncio.get_running_loop().time() - began < 25


# --- what is granted --------------------------------------------------------------------------------------------------


async def test_grants(sandbox: Sandbox, open_dir: Path) -> None:
    for name in ("read/deep", "write", "outside"):
        (open_dir / name).mkdir(parents=True)
    (open_dir / "read/deep/given").write_text("text")
    for path in (open_dir / "write", open_dir / "read"):
        path.chmod(0o777)
    confinement = msgspec.structs.replace(
        PLAIN, granted_read_only=(f"{open_dir}/read",), granted_writable=(f"{open_dir}/write",)
    )
    code = f"""
base = {str(open_dir)!r}
found["read"] = attempt(read, base + "/read/deep/given")
found["list"] = attempt(os.listdir, base + "/read")
found["change"] = attempt(write, base + "/read/deep/given")
found["new"] = attempt(write, base + "/read/new")
found["write"] = attempt(write, base + "/write/new")
found["directory"] = attempt(os.makedirs, base + "/write/deep/er")
found["rename"] = attempt(os.rename, base + "/write/new", base + "/write/deep/new")
found["fifo"] = attempt(os.mkfifo, base + "/write/fifo")
found["outside"] = attempt(os.listdir, base + "/outside")
found["above"] = attempt(os.listdir, base)
"""
    found = await inside(sandbox, code, confinement, cwd=f"{open_dir}/write")
    assert found.pop("fifo") == "EPERM"  # as any mknod
    refused = {name for name, answer in found.items() if answer == "EACCES"}
    assert refused == {"change", "new", "outside", "above"}
    assert {answer for name, answer in found.items() if name not in refused} == {"ok"}


async def test_grants_with_exceptions_are_refused_by_name(one: Sandbox, open_dir: Path) -> None:
    (open_dir / "in").mkdir()
    cases = (
        {"granted_writable": (str(open_dir),), "granted_read_only": (f"{open_dir}/in",)},
        {"granted_writable": (str(open_dir),), "hidden": (f"{open_dir}/in",)},
        {"granted_read_only": (str(open_dir),), "hidden": (f"{open_dir}/in",)},
    )
    for given in cases:
        with pytest.raises(BadArgument, match=f"{open_dir} cannot be granted in the reduced tier: {open_dir}/in"):
            await run(one, "", msgspec.structs.replace(PLAIN, **given))
    with pytest.raises(BadArgument, match="/etc"):
        await run(one, "", msgspec.structs.replace(PLAIN, granted_read_only=("/etc",)))


@pytest.mark.skipif(not ROOT, reason="an ordinary user's servers have that user's rights")
async def test_what_a_server_of_root_may_not_enter_is_named(one: Sandbox, open_dir: Path) -> None:
    closed = open_dir / "closed/deep"
    closed.mkdir(parents=True)
    closed.parent.chmod(0o700)
    confinement = msgspec.structs.replace(PLAIN, granted_read_only=(str(closed),))
    with pytest.raises(SandboxUnavailable, match=f"may not enter {closed.parent}") as caught:
        await run(one, "", confinement)
    assert "chmod" in caught.value.hint
    closed.parent.chmod(0o755)
    with pytest.raises(SandboxUnavailable, match=f"may not write {closed}"):
        await run(one, "", msgspec.structs.replace(PLAIN, granted_writable=(str(closed),)))


# --- teardown ---------------------------------------------------------------------------------------------------------

STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
for _ in range(2):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        break
print("up", flush=True)
if len(sys.argv) > 2 and os.getppid() == int(sys.argv[2]):
    sys.exit(3)
while True:
    time.sleep(60)
"""
FORGETFUL = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    code = "print('up', flush=True)\\nimport time; time.sleep(600)"
    os.execve("/usr/bin/python3", ["python3", "-I", "-S", "-c", code, sys.argv[1]], {})
time.sleep(600)
"""


async def started(sandbox: Sandbox, code: str, *words: str, lines: int = 1) -> Child:
    child = await sandbox.spawn(Command(argv=(*PYTHON, code, *words), env=ENV), PLAIN, name="teardown")
    for _ in range(lines):
        assert await asyncio.wait_for(asyncio.to_thread(next_line, child.stdout_fd), 20)
    return child


async def test_stop_leaves_nothing_of_a_stubborn_server(sandbox: Sandbox) -> None:
    marker = f"marker-{secrets.token_hex(8)}"
    child = await started(sandbox, STUBBORN, marker)
    scratch = Path(f"/proc/{child.pid}/cwd").readlink()
    ended = await child.stop(0.1)
    close(child)
    assert ended.signal == signal.SIGKILL
    assert alive(marker) == []
    assert child.processes() == []
    assert not scratch.exists()


async def test_end_of_the_server_is_the_end_of_what_it_left(sandbox: Sandbox) -> None:
    marker = f"marker-{secrets.token_hex(8)}"
    child = await started(sandbox, STUBBORN, marker, str(os.getpid()))
    ended = await asyncio.wait_for(child.wait(), 20)
    close(child)
    assert ended.code == 3
    assert alive(marker) == []


async def test_what_drops_its_environment_is_found_in_its_group_or_by_its_user(one: Sandbox) -> None:
    if one.isolation.properties["processes"] != "enforced":
        pytest.skip("no control group here: such a process is not promised to be found")
    marker = f"marker-{secrets.token_hex(8)}"
    child = await started(one, FORGETFUL, marker)
    assert len(alive(marker)) == 2
    await child.kill()
    close(child)
    assert alive(marker) == []


async def test_cancelled_start_leaves_nothing(sandbox: Sandbox) -> None:
    marker = f"marker-{secrets.token_hex(8)}"
    await run(sandbox, "")
    ours = f"vsm-mcp.{os.getpid()}.*"
    descriptors, homes = len(list(Path("/proc/self/fd").iterdir())), set(Path("/tmp").glob(ours))
    for milliseconds in range(0, 40, 8):
        command = Command(argv=(*PYTHON, STUBBORN, marker), env=ENV)
        task = asyncio.ensure_future(sandbox.spawn(command, PLAIN, name="cancelled"))
        await asyncio.wait([task], timeout=milliseconds / 1000)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            close(task.result())
            await task.result().kill()
    assert alive(marker) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert set(Path("/tmp").glob(ours)) <= homes


@pytest.fixture(scope="module")
def daemons() -> Iterator[Daemons]:
    with Daemons() as made:
        yield made


@pytest.mark.parametrize(("code", "mode"), [(STUBBORN, "reduced"), (STUBBORN, "reduced, soft"), (FORGETFUL, "reduced")])
async def test_kill_9_of_the_daemon_leaves_nothing(daemons: Daemons, code: str, mode: str) -> None:
    isolation = await reduced(soft=mode == "reduced, soft")
    if code is FORGETFUL and isolation.properties["processes"] != "enforced":
        pytest.skip("no control group here: such a process is not promised to be found")
    marker = f"marker-{secrets.token_hex(8)}"
    daemons.start(mode, code, marker)
    daemons.wait_until_up()
    (home,) = Path("/tmp").glob(f"vsm-mcp.{daemons.pid}.*")
    daemons.end(signal.SIGKILL)
    await gone(marker)
    async with Sandbox(isolation):
        assert not home.exists()


async def gone(marker: str) -> None:
    """Wait for the guard."""
    await asyncio.to_thread(until, lambda: not alive(marker), GONE_SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["reduced", "reduced, soft"])
async def test_kill_9_at_any_point_of_a_start_leaves_nothing(daemons: Daemons, mode: str) -> None:
    isolation = await reduced(soft=mode == "reduced, soft")
    marker = f"marker-{secrets.token_hex(8)}"
    for step in range(15):
        daemons.start(mode, STUBBORN, marker)
        await asyncio.sleep(step * 0.005)  # the point in time is the case
        daemons.end(signal.SIGKILL)
        await gone(marker)
    async with Sandbox(isolation):
        assert not list(Path("/tmp").glob(f"vsm-mcp.{daemons.pid}.*"))


# --- failing closed ---------------------------------------------------------------------------------------------------


async def test_full_is_not_silently_reduced() -> None:
    isolation = await reduced()
    command = Command(argv=("/usr/bin/true",), env=ENV)
    async with Sandbox(isolation, least="full-soft") as sandbox:
        with pytest.raises(SandboxUnavailable, match="least_tier = full-soft"):
            await sandbox.spawn(command, PLAIN, name="server")
        child = await sandbox.spawn(command, PLAIN, name="server", unsandboxed=True)
        assert child.tier is Tier.REDUCED
        assert (await child.wait()).ok
        close(child)


@pytest.mark.parametrize(
    ("given", "need"),
    [
        ({"network": MachineNetwork()}, "the network"),
        ({"network": allow_list(["example.com"])}, "the network"),
        ({"listens": True}, "to listen on a port"),
    ],
)
async def test_network_is_refused_with_what_would_help(given: dict[str, Any], need: str) -> None:
    isolation = await reduced()
    online = msgspec.structs.replace(PLAIN, **given)
    command = Command(argv=("/usr/bin/true",), env=ENV)
    async with Sandbox(isolation) as sandbox:
        with pytest.raises(SandboxUnavailable, match=f"needs {need}, and") as caught:
            await sandbox.spawn(command, online, name="server")
        assert "install bubblewrap" in caught.value.hint
        child = await sandbox.spawn(command, online, name="server", unsandboxed=True)
        assert child.tier is Tier.NONE
        assert (await child.wait()).ok
        close(child)


async def test_an_empty_list_of_hosts_is_no_network(one: Sandbox) -> None:
    """A trial asks for one, to see what a server tries."""
    done = await run(one, "print('up')", msgspec.structs.replace(PLAIN, network=AllowList()))
    assert done.stdout == b"up\n"


async def test_a_program_that_is_not_there_is_named(one: Sandbox) -> None:
    with pytest.raises(SandboxUnavailable, match="/usr/bin/nowhere: No such file"):
        await one.spawn(Command(argv=("/usr/bin/nowhere",), env=ENV), PLAIN, name="server")
    with pytest.raises(SandboxUnavailable, match="Permission denied"):
        await one.spawn(Command(argv=("/tmp",), env=ENV, cwd=TMP), PLAIN, name="server")
