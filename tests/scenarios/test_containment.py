"""What a program in the sandbox cannot do: every claim of docs/reference/sandbox.md, tried by a real program.

``test_ordinary_user.py`` runs all of it again as one.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests import sandboxes
from tests.sandboxes import ENV, PLAIN, PRELUDE, close, next_line, whole

from vsm_mcp.errors import BadArgument, SandboxUnavailable
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import HOME, MEBIBYTE, Command, Completed, Confinement, MachineNetwork
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier

PYTHON = (sandboxes.PYTHON, "-I", "-S", "-c")
ROOTS = (sys.base_prefix,)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(await whole()) as opened:
        yield opened


@pytest.fixture
def host_dir() -> Iterator[Path]:
    """A directory of this machine that nobody but its owner may enter."""
    path = Path(f"/tmp/containment-{secrets.token_hex(6)}")  # pytest's own may lie below a directory of root
    path.mkdir(mode=0o700)
    yield path
    shutil.rmtree(path)


async def run(sandbox: Sandbox, code: str, confinement: Confinement = PLAIN, **given: Any) -> Completed:
    return await sandboxes.run(sandbox, sandboxes.PYTHON, code, confinement, **given)


async def inside(sandbox: Sandbox, code: str, confinement: Confinement = PLAIN, **given: Any) -> dict[str, Any]:
    return await sandboxes.inside(sandbox, sandboxes.PYTHON, code, confinement, **given)


async def test_environment_is_clean_and_secrets_are_in_no_argument_list(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSM_TEST_OF_THE_DAEMON", "daemon-value")
    secret = f"secret-{secrets.token_hex(8)}"
    code = """
import glob, sys
found["own"] = dict(os.environ)
found["seen"] = []
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        if b"daemon-" + b"value" in open(path, "rb").read():
            found["seen"].append(path)
    except OSError:
        pass
print(json.dumps(found), flush=True)
sys.stdin.read()
"""
    command = Command(argv=(*PYTHON, PRELUDE + code), env=ENV | {"TOKEN": secret})
    child = await sandbox.spawn(command, PLAIN, name="environment")
    try:
        line = await asyncio.wait_for(asyncio.to_thread(next_line, child.stdout_fd), 20)
        found = json.loads(line)
        given = {name: value for name, value in found["own"].items() if name != "LC_CTYPE"}  # Python's own
        assert given == ENV | {"TOKEN": secret, "PWD": HOME}
        assert found["seen"] == []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert secret.encode() not in path.read_bytes(), path
            except OSError:
                continue
    finally:
        await child.kill()
        close(child)


async def test_network_is_off_and_on_when_asked(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"""
found["host"] = attempt(socket.create_connection, ("127.0.0.1", {port}), 2)
found["metadata"] = attempt(socket.create_connection, ("169.254.169.254", 80), 1)
found["interfaces"] = [name for _, name in socket.if_nameindex()]
own = socket.create_server(("127.0.0.1", 0))
found["own"] = attempt(socket.create_connection, own.getsockname(), 2)
"""
        off = await inside(sandbox, code)
        on = await inside(sandbox, code, msgspec.structs.replace(PLAIN, network=MachineNetwork()))
    assert off["host"] == "ECONNREFUSED"
    assert off["metadata"] == "ENETUNREACH"
    assert off["interfaces"] == ["lo"]
    assert off["own"] == "ok"
    assert on["host"] == "ok"


async def test_abstract_sockets_of_the_host_are_out_of_reach(sandbox: Sandbox) -> None:
    name = f"\0vsm-{secrets.token_hex(6)}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        code = f"found['abstract'] = attempt(socket.socket(socket.AF_UNIX).connect, {name!r})"
        assert (await inside(sandbox, code))["abstract"] == "ECONNREFUSED"


async def test_kernel_settings_and_the_system_cannot_be_written(sandbox: Sandbox) -> None:
    code = """
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/usr/new", "/etc/new",
             "/new", "/etc/passwd", "/bin/new"):
    found[path] = attempt(write, path, "")
found["chmod"] = attempt(os.chmod, "/etc/passwd", 0o666)
found["status"] = {line.split(":")[0]: line.split(":")[1].split() for line in open("/proc/self/status")}
"""
    found = await inside(sandbox, code)
    status = found.pop("status")
    assert set(found.values()) <= {"EROFS", "EACCES", "EPERM", "ENOENT"}, found
    assert found["/proc/sys/kernel/core_pattern"] != "ENOENT"
    assert status["CapEff"] == status["CapPrm"] == status["CapInh"] == status["CapAmb"] == ["0000000000000000"]
    assert status["NoNewPrivs"] == ["1"]
    assert status["Seccomp"] == ["2"]
    assert "0" not in status["Uid"]


async def test_files_and_processes_of_the_host_are_not_there(sandbox: Sandbox, host_dir: Path) -> None:
    (host_dir / "key").write_text("private")
    code = f"""
for path in ("/root/.bashrc", "/etc/shadow", "/etc/ssh", "/var", "/sys", {str(host_dir)!r}, "/run/docker.sock"):
    found[path] = os.path.exists(path)
found["pids"] = [int(name) for name in os.listdir("/proc") if name.isdigit()]
found["kill"] = attempt(os.kill, {os.getpid()}, 0)
found["devices"] = sorted(os.listdir("/dev"))
open_ones = sorted(os.listdir("/proc/self/fd"), key=int)[3:-1]
found["descriptors"] = [os.readlink(f"/proc/self/fd/{{fd}}") for fd in open_ones]
found["host"] = os.uname().nodename
"""
    found = await inside(sandbox, code)
    assert not any(value for path, value in found.items() if path.startswith("/")), found
    assert max(found["pids"]) < 10
    assert found["kill"] == "ESRCH" or os.getpid() in found["pids"]
    assert not {"vda", "sda", "mem", "kmsg", "fuse", "kvm"} & set(found["devices"])
    assert found["descriptors"] == []
    assert found["host"] == "sandbox"


async def test_home_and_tmp_are_private_small_and_gone_afterwards(sandbox: Sandbox) -> None:
    code = """
for path in (os.environ["HOME"], "/tmp", "/dev/shm"):
    found["before " + path] = os.listdir(path)
    found["fill " + path] = attempt(write, path + "/big", "x" * (9 * 1024 * 1024))
    os.unlink(path + "/big")
    found["small " + path] = attempt(write, path + "/small", "x")
"""
    limited = msgspec.structs.replace(PLAIN, scratch_bytes=8 * MEBIBYTE, shared_memory_bytes=8 * MEBIBYTE)
    for _ in range(2):
        found = await inside(sandbox, code, limited)
        for path in (HOME, "/tmp", "/dev/shm"):
            assert found[f"before {path}"] == []
            assert found[f"fill {path}"] == "ENOSPC"
            assert found[f"small {path}"] == "ok"


REFUSED_CALLS = """
NEWUSER = 0x10000000
found["ptrace"] = attempt(syscall, 101, 0, 0, 0, 0)
found["unshare"] = attempt(syscall, 272, NEWUSER)
found["clone"] = attempt(syscall, 56, NEWUSER | 17, 0, 0, 0, 0)
found["clone3"] = attempt(syscall, 435, 0, 0)
found["setns"] = attempt(syscall, 308, 0, 0)
found["mount"] = attempt(syscall, 165, b"none", b"/tmp", b"tmpfs", 0, None)
found["umount"] = attempt(syscall, 166, b"/tmp", 0)
found["open_tree"] = attempt(syscall, 428, -100, b"/", 1)
found["keyctl"] = attempt(syscall, 250, 0, -3, 0, 0, 0)
found["add_key"] = attempt(syscall, 248, b"user", b"x", b"y", 1, -3)
found["io_uring"] = attempt(syscall, 425, 8, ctypes.create_string_buffer(256))
found["bpf"] = attempt(syscall, 321, 0, 0, 0)
found["perf"] = attempt(syscall, 298, 0, 0, 0, 0, 0)
found["userfaultfd"] = attempt(syscall, 323, 0)
found["process_vm_readv"] = attempt(syscall, 310, 1, 0, 0, 0, 0, 0)
found["mknod"] = attempt(os.mknod, "/tmp/node", 0o104755)
found["openat2"] = attempt(syscall, 437, -100, b"/tmp", 0, 0)
write("/tmp/file")
found["chmod"] = attempt(os.chmod, "/tmp/file", 0o4755)
found["chmod group"] = attempt(os.chmod, "/tmp/file", 0o2755)
found["fchmod"] = attempt(os.fchmod, os.open("/tmp/file", os.O_RDWR), 0o4755)
found["fchmodat2"] = attempt(syscall, 452, -100, b"/tmp/file", 0o4755, 0)
found["creat"] = attempt(syscall, 85, b"/tmp/created", 0o4755)
found["open"] = attempt(os.open, "/tmp/opened", os.O_CREAT | os.O_WRONLY, 0o4755)
found["O_TMPFILE"] = attempt(os.open, "/tmp", os.O_TMPFILE | os.O_WRONLY, 0o4755)
found["vsock"] = attempt(socket.socket, 40, socket.SOCK_STREAM)
found["vsock, high bits"] = attempt(syscall, 41, ctypes.c_ulong(0x100000028), 1, 0)
found["packet"] = attempt(socket.socket, 17, socket.SOCK_RAW)
found["alg"] = attempt(socket.socket, 38, socket.SOCK_SEQPACKET)
found["raw"] = attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
found["netlink"] = attempt(socket.socket, 16, socket.SOCK_RAW, 15)
found["TIOCSTI"] = attempt(syscall, 16, 0, 0x5412, b"x")
found["TIOCSTI, high bits"] = attempt(syscall, 16, 0, ctypes.c_ulong(0x100005412), b"x")
"""
EXPECTED = {"clone3": "ENOSYS", "openat2": "ENOSYS"} | dict.fromkeys(
    ("vsock", "vsock, high bits", "packet", "alg", "netlink"), "EAFNOSUPPORT"
)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of these calls are those of x86_64")
async def test_system_calls_that_reach_out_are_refused(sandbox: Sandbox) -> None:
    found = await inside(sandbox, REFUSED_CALLS)
    assert found == {name: EXPECTED.get(name, "EPERM") for name in found}
    assert len(found) == 32


async def test_ordinary_system_calls_work(sandbox: Sandbox) -> None:
    code = """
import threading, subprocess
thread = threading.Thread(target=lambda: found.update(thread="ok")); thread.start(); thread.join()
found["child"] = subprocess.run(["/bin/echo", "hi"], capture_output=True).stdout.decode()
found["pair"] = attempt(socket.socketpair)
found["inet"] = attempt(socket.socket, socket.AF_INET6, socket.SOCK_DGRAM)
found["route"] = attempt(socket.socket, 16, socket.SOCK_RAW, 0)
write("/tmp/file"); found["chmod"] = attempt(os.chmod, "/tmp/file", 0o755)
found["mkdir"] = attempt(os.makedirs, os.environ["HOME"] + "/.cache/x")
found["name"] = __import__("pwd").getpwuid(os.getuid()).pw_name
found["resolve"] = socket.getaddrinfo("localhost", 80)[0][4][0]
"""
    found = await inside(sandbox, code)
    assert found.pop("child") == "hi\n"
    assert found.pop("name") == "mcp"
    assert found.pop("resolve") in {"127.0.0.1", "::1"}
    assert set(found.values()) == {"ok"}


async def test_cpu_hog_gets_its_share(sandbox: Sandbox) -> None:
    if sandbox.isolation.properties["cpu"] != "enforced":
        pytest.skip("no control group for CPU can be written here")
    hog = """
import time
began = time.monotonic()
while time.monotonic() < began + 2:
    pass
print(time.process_time() / (time.monotonic() - began))
"""
    done = await run(sandbox, hog, msgspec.structs.replace(PLAIN, cpus=0.25))
    assert 0.05 < float(done.stdout) < 0.4, done


async def test_memory_hog_is_killed_and_named(sandbox: Sandbox) -> None:
    hog = "held = []\nwhile True: held.append(bytearray(1024 * 1024))"
    if sandbox.isolation.cgroup is None:
        hog = "import time\nheld = []\nwhile True: held.append(bytearray(1024 * 1024)); time.sleep(0.005)"
    done = await run(sandbox, hog, msgspec.structs.replace(PLAIN, memory_bytes=128 * MEBIBYTE))
    assert done.exit.oom, done
    assert done.exit.signal == 9
    assert "out of memory" in done.exit.describe()


async def test_fork_bomb_is_held(sandbox: Sandbox) -> None:
    code = """
import time
made, refused = 0, 0
for _ in range(300):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        made += 1
    except OSError:
        refused += 1
found["made"], found["refused"] = made, refused
"""
    found = await inside(sandbox, code, msgspec.structs.replace(PLAIN, processes=40))
    assert 20 <= found["made"] < 40
    assert found["refused"] == 300 - found["made"]


async def test_a_broken_pipe_is_not_ignored_from_the_start(sandbox: Sandbox, host_dir: Path) -> None:
    """What starts a program may be an interpreter that ignores SIGPIPE and SIGXFSZ, which would be inherited."""
    for confinement in (PLAIN, msgspec.structs.replace(PLAIN, granted_writable=(str(host_dir),))):
        command = Command(argv=("/usr/bin/grep", "SigIgn", "/proc/self/status"), env=ENV)
        done = await sandbox.run(command, confinement, name="signals", timeout=30)
        ignored = int(done.stdout.split()[1], 16)
        assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))


async def test_limits_on_files_and_core_dumps(sandbox: Sandbox) -> None:
    code = "import resource\nfound['files'] = resource.getrlimit(7)\nfound['core'] = resource.getrlimit(4)[1] <= 1"
    found = await inside(sandbox, code, msgspec.structs.replace(PLAIN, open_files=100))
    assert found == {"files": [100, 100], "core": True}


async def test_orphans_are_reaped(sandbox: Sandbox) -> None:
    code = """
import subprocess, time
for _ in range(20):
    subprocess.run(["/bin/sh", "-c", "sleep 0.01 &"])
def zombies():
    states = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            states.append(open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[0])
        except OSError:
            pass
    return states.count("Z")
end = time.monotonic() + 5
while (zombies() or len(list(filter(str.isdigit, os.listdir("/proc")))) > 2) and time.monotonic() < end:
    time.sleep(0.01)
found["zombies"] = zombies()
"""
    assert (await inside(sandbox, code))["zombies"] == 0


# --- what is granted --------------------------------------------------------------------------------------------------


GRANTS = """
base = {base!r}
found["read"] = attempt(lambda: open(base + "/given").read())
found["change"] = attempt(write, base + "/given", "more")
found["create"] = attempt(write, base + "/made")
found["directory"] = attempt(os.makedirs, base + "/deep/er")
found["rename"] = attempt(os.rename, base + "/made", base + "/renamed")
found["outside"] = os.path.exists(os.path.dirname(base) + "/neighbour")
"""


async def test_writable_grant_acts_as_its_owner(sandbox: Sandbox, host_dir: Path) -> None:
    owners = [os.getuid()] if os.geteuid() else [0, 1000]
    (host_dir / "neighbour").write_text("no")
    for owner in owners:
        granted = host_dir / f"granted {owner}"
        granted.mkdir(mode=0o700)
        (granted / "given").write_text("text")
        for path in (granted, granted / "given"):
            os.chown(path, owner, owner if os.geteuid() == 0 else -1)
        (granted / "given").chmod(0o600)
        found = await inside(
            sandbox,
            GRANTS.format(base=str(granted)),
            msgspec.structs.replace(PLAIN, granted_writable=(str(granted),)),
            cwd=str(granted),
        )
        assert found.pop("outside") is False
        assert set(found.values()) == {"ok"}, found
        assert {path.stat().st_uid for path in granted.rglob("*")} == {owner}
        assert (granted / "given").read_text() == "textmore"


async def test_read_only_grant_cannot_be_changed(sandbox: Sandbox, host_dir: Path) -> None:
    (host_dir / "given").write_text("text")
    confinement = msgspec.structs.replace(PLAIN, granted_read_only=(str(host_dir),))
    found = await inside(sandbox, GRANTS.format(base=str(host_dir)), confinement)
    assert found == {
        "read": "ok",
        "change": "EROFS",
        "create": "EROFS",
        "directory": "EROFS",
        "rename": "EROFS",
        "outside": False,
    }
    assert [path.name for path in host_dir.iterdir()] == ["given"]


async def test_grants_nest(sandbox: Sandbox, host_dir: Path) -> None:
    for name in ("a/b/c", "a/hidden/x", "home"):
        (host_dir / name).mkdir(parents=True)
    (host_dir / "a/hidden/x/tool").write_text("tool")
    (host_dir / "a/file").write_text("file")
    base = str(host_dir)
    confinement = msgspec.structs.replace(
        PLAIN,
        read_only=(*ROOTS, f"{base}/a/hidden/x"),
        granted_read_only=(f"{base}/a", f"{base}/a/b/c"),
        granted_writable=(f"{base}/a/b", f"{base}/a/file"),
        hidden=(f"{base}/a/hidden", "/not/granted"),
    )
    code = f"""
base = {base!r}
found["outer"] = attempt(write, base + "/a/new")
found["middle"] = attempt(write, base + "/a/b/new")
found["inner"] = attempt(write, base + "/a/b/c/new")
found["file"] = attempt(write, base + "/a/file", "!")
found["hidden"] = os.listdir(base + "/a/hidden")
found["tool"] = open(base + "/a/hidden/x/tool").read()
found["private tmp"] = attempt(write, "/tmp/own")
"""
    assert await inside(sandbox, code, confinement) == {
        "outer": "EROFS",
        "middle": "ok",
        "inner": "EROFS",
        "file": "ok",
        "hidden": ["x"],
        "tool": "tool",
        "private tmp": "ok",
    }
    assert (host_dir / "a/file").read_text() == "file!"


async def test_grant_below_the_home_of_the_person(sandbox: Sandbox) -> None:
    with_home = Path.home() / f".vsm-test-{secrets.token_hex(6)}"
    with_home.mkdir()
    try:
        confinement = msgspec.structs.replace(PLAIN, granted_writable=(str(with_home),))
        code = f"""
found["write"] = attempt(write, {str(with_home / "made")!r})
found["home"] = os.listdir({str(Path.home())!r})
found["own home"] = attempt(write, os.environ["HOME"] + "/x")
"""
        found = await inside(sandbox, code, confinement)
        assert set(found.pop("home")) <= {with_home.name, ".pyenv"}  # the interpreter may lie there
        assert found == {"write": "ok", "own home": "ok"}
    finally:
        shutil.rmtree(with_home)


async def test_symbolic_link_is_granted_as_what_it_points_to(sandbox: Sandbox, host_dir: Path) -> None:
    (host_dir / "real").mkdir()
    (host_dir / "secret").write_text("no")
    (host_dir / "link").symlink_to(host_dir / "real")
    (host_dir / "real/out").symlink_to(host_dir / "secret")
    confinement = msgspec.structs.replace(PLAIN, granted_writable=(str(host_dir / "link"),))
    code = f"""
found["write"] = attempt(write, {str(host_dir / "link/made")!r})
found["escape"] = attempt(open, {str(host_dir / "link/out")!r})
"""
    assert await inside(sandbox, code, confinement) == {"write": "ok", "escape": "ENOENT"}
    assert (host_dir / "real/made").exists()


async def test_a_server_cannot_widen_its_next_start_by_a_link(sandbox: Sandbox, host_dir: Path) -> None:
    """It may rename a directory above a grant that lies in another one, and put a link in its place."""
    (host_dir / "secret").mkdir()
    (host_dir / "secret/key").write_text("private")
    (host_dir / "given/a/b").mkdir(parents=True)
    base = str(host_dir / "given")
    confinement = msgspec.structs.replace(PLAIN, granted_writable=(base,), granted_read_only=(f"{base}/a/b",))
    code = f"""
base = {base!r}
found["rename"] = attempt(os.rename, base + "/a", base + "/old")
found["mkdir"] = attempt(os.mkdir, base + "/a")
found["link"] = attempt(os.symlink, {str(host_dir / "secret")!r}, base + "/a/b")
"""
    assert set((await inside(sandbox, code, confinement)).values()) == {"ok"}
    with pytest.raises(BadArgument, match="leads out of"):
        await run(sandbox, f"print(open({base + '/a/b/key'!r}).read())", confinement)


async def test_what_cannot_be_granted_is_named(sandbox: Sandbox, host_dir: Path) -> None:
    for path in (f"{host_dir}/absent", "relative", "/", "/proc/1", "/sys", "/dev/mem", "/etc", "/home"):
        with pytest.raises(BadArgument, match=path):
            await run(sandbox, "", msgspec.structs.replace(PLAIN, granted_read_only=(path,)))
    with pytest.raises(BadArgument, match=str(host_dir)):
        await run(sandbox, "", cwd=str(host_dir))


async def test_nothing_is_left_on_the_host(sandbox: Sandbox, host_dir: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    await inside(sandbox, "", msgspec.structs.replace(PLAIN, granted_writable=(str(host_dir),)))
    assert Path("/proc/self/mountinfo").read_text() == before
    layout = sandbox.isolation.cgroup
    if layout is not None:
        assert not list(Path(layout.memory).glob(f"vsm-mcp.{os.getpid()}.*/containment-*-{id(sandbox):x}"))


# --- failing closed ---------------------------------------------------------------------------------------------------


async def test_without_bubblewrap_nothing_starts_unless_permitted(tmp_path: Path) -> None:
    for named, search in ((str(tmp_path / "bwrap"), "/usr/bin"), (None, str(tmp_path))):
        isolation = await probe(bwrap=named, search=search, landlock=0)
        assert isolation.tier is Tier.NONE
        assert isolation.properties["filesystem"] == "off"
        assert "bubblewrap is not installed" in isolation.reasons[0]
        assert "bubblewrap" in isolation.remedies[0]
        async with Sandbox(isolation) as sandbox:
            with pytest.raises(SandboxUnavailable, match="bubblewrap is not installed") as caught:
                await sandbox.spawn(Command(argv=("/bin/true",)), Confinement(), name="server")
            assert "--allow-unsandboxed" in caught.value.hint
            child = await sandbox.spawn(Command(argv=("/bin/true",)), Confinement(), name="server", unsandboxed=True)
            for descriptor in (child.stdin_fd, child.stdout_fd, child.stderr_fd):
                os.close(descriptor)
            assert child.tier is Tier.NONE
            assert (await asyncio.wait_for(child.wait(), 10)).ok


async def test_bubblewrap_that_is_refused_counts_as_none(tmp_path: Path) -> None:
    for text in ("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n", "#!/bin/sh\nexit 0\n"):
        broken = tmp_path / "bwrap"
        broken.write_text(text)
        broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
        isolation = await probe(bwrap=str(broken), landlock=0)
        assert isolation.tier is Tier.NONE
        assert isolation.remedies
    assert "Permission denied" in (await _refused(tmp_path)).reasons[0]


async def _refused(tmp_path: Path) -> Any:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    return await probe(bwrap=str(broken), landlock=0)


async def test_soft_tier_names_what_it_lacks() -> None:
    isolation = await whole(soft=True)
    assert isolation.tier is Tier.FULL_SOFT
    assert isolation.properties["memory"] == "soft"
    assert isolation.properties["pids"] == "enforced"
    assert isolation.reasons
    async with Sandbox(isolation) as sandbox:
        await test_fork_bomb_is_held(sandbox)
        await test_memory_hog_is_killed_and_named(sandbox)
