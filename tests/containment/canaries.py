"""What of a machine the probes try to reach: made for one run, and harmless to lose."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

NAMESPACES: Final = ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user")
PROBES: Final = Path(__file__).with_name("probes.py")
_REMOVE: Final = 0  # IPC_RMID
_CREATE: Final = 0o1666  # IPC_CREAT, for all
_libc: Final = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def canaries() -> Iterator[dict[str, Any]]:
    """Set everything up that a probe looks for; yield where it is (``FACTS`` of ``probes.py``)."""
    token = secrets.token_hex(6)
    with contextlib.ExitStack() as stack:
        facts: dict[str, Any] = {"token": token, "bare": False, "known": []}
        facts |= {"daemon_secret": f"daemon-{token}", "canary_secret": f"canary-{token}"}
        facts |= _files(stack, token)
        facts |= _sockets(stack, token, Path(facts["directory"]))
        facts |= _memory(stack, token)
        process = subprocess.Popen(["/bin/sleep", "600"], env={"CANARY": facts["canary_secret"]})
        stack.callback(process.wait)
        stack.callback(process.kill)
        facts["host_pid"] = process.pid
        facts["hostname"] = socket.gethostname()
        facts["namespaces"] = {name: Path(f"/proc/self/ns/{name}").stat().st_ino for name in NAMESPACES}
        yield facts


def _files(stack: contextlib.ExitStack, token: str) -> dict[str, str]:
    base = Path(f"/tmp/machine-{token}")  # pytest's own directory may lie below one of root
    stack.callback(shutil.rmtree, base)
    for name in ("ro", "rw", "outside"):
        folder = base / name
        folder.mkdir(mode=0o755, parents=True)
        (folder / ("secret" if name == "outside" else "given")).write_text(f"text-{token}")
    (base / "rw/out").symlink_to(base / "outside/secret")
    (base / "installation").mkdir(mode=0o755)
    program = shutil.copy(PROBES, base / "installation")
    home = Path.home() / f".canary-{token}"
    stack.callback(shutil.rmtree, home)
    home.mkdir(mode=0o700)
    (home / "id").write_text(f"home-{token}")
    return {
        "directory": str(base),
        "ro": str(base / "ro"),
        "rw": str(base / "rw"),
        "secret_file": str(base / "outside/secret"),
        "home_secret": str(home / "id"),
        "program": str(program),
        "setuid_program": _setuid_program(base / "rw"),
    }


def _setuid_program(folder: Path) -> str:
    """A program that says who runs it, and belongs to somebody else; only root can make it."""
    if os.geteuid() != 0:
        return ""
    path = folder / "who"
    shutil.copy("/usr/bin/id", path)
    os.chown(path, 12345, 12345)
    path.chmod(0o6755)
    assert path.stat().st_mode & stat.S_ISUID
    return str(path)


def _sockets(stack: contextlib.ExitStack, token: str, base: Path) -> dict[str, Any]:
    local = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    wide = stack.enter_context(socket.create_server(("0.0.0.0", 0)))  # noqa: S104 -- the machine's other address
    found: dict[str, Any] = {"tcp_port": local.getsockname()[1], "wide_port": wide.getsockname()[1], "tcp6_port": 0}
    with contextlib.suppress(OSError):
        six = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        found["tcp6_port"] = six.getsockname()[1]
    abstract, named = f"canary-{token}", str(base / "outside/socket")
    for address in (f"\0{abstract}", named):
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(address)
        listener.listen()
    Path(named).chmod(0o777)
    found |= {"abstract": abstract, "unix_socket": named, "address": _address()}
    found["udp_port"] = _echo(stack)
    return found


def _address() -> str:
    """An address of this machine that is no loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        found: str = asked.getsockname()[0]
        return "" if found.startswith("127.") else found


def _echo(stack: contextlib.ExitStack) -> int:
    """A datagram socket that answers, until an empty datagram comes."""
    listener = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    listener.bind(("127.0.0.1", 0))
    address = listener.getsockname()

    def answer() -> None:
        while True:
            text, sender = listener.recvfrom(64)
            if not text:
                return
            listener.sendto(text, sender)

    thread = threading.Thread(target=answer)
    thread.start()
    stack.callback(thread.join)
    stack.callback(listener.sendto, b"", address)
    port: int = address[1]
    return port


def _memory(stack: contextlib.ExitStack, token: str) -> dict[str, Any]:
    """System V memory, semaphores and messages, a POSIX queue, and a file in shared memory."""
    key = int(token[:7], 16)
    memory = _libc.shmget(key, 4096, _CREATE)
    stack.callback(_libc.shmctl, memory, _REMOVE, None)
    semaphore = _libc.semget(key, 1, _CREATE)
    stack.callback(_libc.semctl, semaphore, 0, _REMOVE, 0)
    messages = _libc.msgget(key, _CREATE)
    stack.callback(_libc.msgctl, messages, _REMOVE, None)
    assert min(memory, semaphore, messages) >= 0
    name = f"canary-{token}"
    queue = _libc.mq_open(f"/{name}".encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
    if queue >= 0:
        stack.callback(_libc.mq_unlink, f"/{name}".encode())
        stack.callback(os.close, queue)
    shared = Path("/dev/shm", name)
    shared.write_text(f"shared-{token}")
    stack.callback(shared.unlink)
    return {"sysv_key": key, "queue": name if queue >= 0 else "", "shared": str(shared)}
