"""From system calls to what a server did."""

from __future__ import annotations

import base64
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.sandbox.confinement import HOME
from vsm_mcp.sandbox.egress.names import RANGE
from vsm_mcp.vetting.decoys import AWS, BROWSER, ENV, PATHS, SSH, plant
from vsm_mcp.vetting.observer import Ground, Observer, asked_name
from vsm_mcp.vetting.strace import Trace

DECOYS = plant(bytes(range(64)))
GROUND = Ground(
    argv=("/i/server",), cwd=HOME, own=("/i", "/opt/node"), readable=("/data/in", "/data/out"), writable=("/data/out",)
)
STARTED = '1  execve("/i/server", ["/i/server"], 0x7 /* 9 vars */) = 0\n'
ROOT = "AT_FDCWD</home/mcp>"


def seen(record: str, *, started: bool = True, ground: Ground = GROUND) -> Observer:
    observer = Observer(ground, DECOYS)
    for call in Trace().feed(((STARTED if started else "") + record + "\n").encode()):
        observer.take(call)
    return observer


def behaviour(record: str) -> dict[str, Any]:
    found = seen(record).behaviour()
    return {name: value for name in Behaviour.__struct_fields__ if (value := getattr(found, name)) and name != "calls"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (f'1  openat({ROOT}, "/data/in/a", O_RDONLY|O_CLOEXEC) = 3</data/in/a>', {"reads": ("/data/in/a",)}),
        (f'1  openat({ROOT}, "/data/in/a", O_RDONLY) = -1 ENOENT (No such file or directory)', {}),
        ('1  open("/data/in/a", O_RDONLY) = 3</data/in/a>', {"reads": ("/data/in/a",)}),
        (f'1  openat({ROOT}, "/i/index.js", O_RDONLY) = 3</i/index.js>', {}),
        (f'1  openat({ROOT}, "/", O_RDONLY|O_DIRECTORY) = 3</>', {}),
        (f'1  openat({ROOT}, "/usr/lib/x", O_RDONLY) = 3</usr/lib/x>', {}),
        (f'1  openat({ROOT}, "x", O_RDONLY) = 3</home/mcp/x>', {}),
        (f'1  openat({ROOT}, "/data/out/a", O_WRONLY|O_CREAT, 0666) = 3</data/out/a>', {"writes": ("/data/out/a",)}),
        (f'1  openat({ROOT}, "/usr/x", O_WRONLY|O_CREAT, 0666) = -1 EROFS (Read-only)', {"outside": ("/usr/x",)}),
        (f'1  openat({ROOT}, "/data/in/a", O_RDWR) = -1 EROFS (Read-only)', {"outside": ("/data/in/a",)}),
        (f'1  openat({ROOT}, "x", O_WRONLY|O_CREAT, 0666) = 3</home/mcp/x>', {"home": ("/home/mcp/x",)}),
        (f'1  openat({ROOT}, "/dev/null", O_RDWR) = 3</dev/null>', {}),
        (f'1  openat({ROOT}, "O_CREAT", O_RDONLY) = 3</home/mcp/O_CREAT>', {}),
        ('1  creat("/opt/x", 0666) = -1 EROFS (Read-only)', {"outside": ("/opt/x",)}),
        ('1  openat2(AT_FDCWD</>, "opt/x", {flags=O_RDWR, mode=0}, 24) = -1 ENOSYS (N)', {"outside": ("/opt/x",)}),
        (f'1  renameat2({ROOT}, "a", AT_FDCWD</data/out>, "b", 0) = 0',
         {"writes": ("/data/out/b",), "home": ("/home/mcp/a",)}),
        ('1  unlinkat(5</data/out>, "b", 0) = 0', {"writes": ("/data/out/b",)}),
        (f'1  symlinkat("/etc/passwd", {ROOT}, "/srv/l") = -1 ENOENT (N)', {"outside": ("/srv/l",)}),
        ('1  mkdir("/data/out/../in/d", 0777) = -1 EROFS (R)', {"outside": ("/data/in/d",)}),
        (f'1  openat({ROOT}, ".ssh/id_rsa", O_RDONLY) = 3<{SSH}>', {"decoys": (SSH,)}),
        (f'1  openat({ROOT}, "link", O_RDONLY) = 3<{AWS}>', {"decoys": (AWS,)}),
        (f'1  openat({ROOT}, "{ENV}", O_RDONLY) = -1 EACCES (Permission denied)', {}),
        (f'1  openat({ROOT}, "/etc/shadow", O_RDONLY) = -1 ENOENT (N)', {"sought": ("/etc/shadow",)}),
        (f'1  openat({ROOT}, "/root/.ssh/id_rsa", O_RDONLY) = -1 ENOENT (N)', {"sought": ("/root/.ssh/id_rsa",)}),
        (f'1  openat({ROOT}, "/home/mcp/.kube/config", O_RDONLY) = -1 ENOENT (N)', {}),
        ('1  execve("/usr/bin/git", ["git", "log"], 0x1 /* 2 vars */) = 0', {"commands": ("git log",)}),
        ('1  execve("/usr/bin/git", ["git"], 0x1 /* 2 vars */) = -1 ENOENT (No such file or directory)', {}),
        ('1  execveat(5</bin/ls>, "", ["ls", "-l"], 0x1 /* 2 vars */, AT_EMPTY_PATH) = 0', {"commands": ("ls -l",)}),
    ],
)  # fmt: skip
def test_files_and_commands(record: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert behaviour(record) == expected


def to(address: str, result: str = "0") -> str:
    return f"1  connect(3<socket:[1]>, {{{address}}}, 16) = {result}"


V4 = 'sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("{}")'
V6 = 'sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "{}", &sin6_addr)'


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        (V4.format("192.0.2.1"), ("192.0.2.1:443",)),
        (V4.format("127.0.0.53"), ()),
        (V4.format("169.254.169.254"), ("169.254.169.254:443",)),
        (V6.format("2001:db8::1"), ("[2001:db8::1]:80",)),
        (V6.format("::1"), ()),
        (V6.format("::ffff:127.0.0.1"), ()),
        ('sa_family=AF_UNIX, sun_path="/var/run/docker.sock"', ("unix:/var/run/docker.sock",)),
        ('sa_family=AF_UNIX, sun_path=@"dbus"', ("unix:dbus",)),
        ('sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"', ()),
        ('sa_family=AF_UNSPEC, sa_data="\\0"', ()),
    ],
)
def test_what_it_tries_to_reach(address: str, hosts: tuple[str, ...]) -> None:
    assert behaviour(to(address, "-1 ENETUNREACH (Network is unreachable)")).get("hosts", ()) == hosts


@pytest.mark.parametrize("address", [V4.format(RANGE[1]), V6.format(f"::ffff:{RANGE[2]}")])
def test_an_address_that_the_sandbox_made_up_says_nothing(address: str) -> None:
    assert len(behaviour(to(address))["hosts"]) == 1
    listed = msgspec.structs.replace(GROUND, names_made_up=True)
    assert seen(to(address), ground=listed).behaviour().hosts == ()
    assert seen(to(V4.format("192.0.2.1")), ground=listed).behaviour().hosts == ("192.0.2.1:443",)


def test_nothing_counts_before_the_program_runs() -> None:
    before = (
        f'1  openat({ROOT}, "/srv/x", O_RDWR) = 3</srv/x>\n1  execve("/usr/bin/bwrap", ["bwrap"], 0x1 /* 0 vars */) = 0'
    )
    observer = seen(f"{before}\n{STARTED}{STARTED}", started=False)
    assert observer.behaviour() == Behaviour(calls=1, commands=("/i/server",))


def test_what_sets_the_sandbox_up_is_not_the_program_though_it_has_its_interpreter() -> None:
    ground = msgspec.structs.replace(GROUND, argv=("/i/python", "-I", f"/i/{'x' * 300}.py", "--flag"))
    before = '1  execve("/i/python", ["/i/python", "-I", "/ours/handing.py", "3"], 0x1 /* 0 vars */) = 0'
    begun = f'1  execve("/i/python", ["/i/python", "-I", "/i/{"x" * 60}"..., ...], 0x1 /* 9 vars */) = 0'
    record = f'{before}\n1  mkdir("/newroot", 0777) = 0\n{begun}\n1  mkdir("/srv", 0777) = -1 EROFS (R)'
    assert seen(record, started=False, ground=ground).behaviour().outside == ("/srv",)


def test_a_relative_path_is_seen_from_where_the_process_was() -> None:
    first = '1  openat(AT_FDCWD</data/out>, "a", O_RDONLY) = -1 ENOENT (N)'
    record = f'{first}\n1  mkdir("d", 0777) = 0\n2  mkdir("d", 0777) = 0'
    assert behaviour(record) == {"writes": ("/data/out/d",), "home": ("/home/mcp/d",)}


@pytest.mark.parametrize("name", [".cache/x", ".npm/_logs/1.log", ".config/matplotlib/fonts", "tmp/x", ".ssh/id_rsa"])
def test_caches_and_decoys_in_a_home_are_nothing_that_is_kept(name: str) -> None:
    assert behaviour(f'1  openat(AT_FDCWD</home/mcp>, "{name}", O_RDWR|O_CREAT, 0600) = 3').get("home", ()) == ()
    kept = behaviour(f'1  openat(AT_FDCWD</home/mcp>, "my{name}", O_RDWR|O_CREAT, 0600) = 3')
    assert kept["home"] == (f"/home/mcp/my{name}",)


def test_what_is_kept_is_bounded() -> None:
    record = "\n".join(f'1  mkdir("/srv/{number}{"x" * 1000}", 0777) = -1 EROFS (R)' for number in range(2000))
    outside = seen(record).behaviour().outside
    assert (len(outside), outside[-1]) == (201, "…")
    assert max(map(len, outside)) <= 300


# --- names asked for --------------------------------------------------------------------------------------------------


def query(name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


label = st.from_regex(r"[a-z0-9_]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.lists(label, min_size=1, max_size=5).map(".".join), st.sampled_from([1, 28, 65]))
def test_a_name_that_is_asked_for(name: str, kind: int) -> None:
    assert asked_name(query(name, kind)) == name
    assert asked_name(query(name, kind) + b"\0\0\x29\x04\xd0\0\0\0\0\0\0") == name  # with EDNS behind it


@given(st.binary(max_size=64))
def test_other_bytes_ask_for_nothing_or_a_plain_name(data: bytes) -> None:
    assert all(sign.isalnum() or sign in "._-" for sign in asked_name(data))


def test_an_answer_is_no_question() -> None:
    data = bytearray(query("example.com"))
    data[2] |= 0x80
    assert asked_name(bytes(data)) == ""
    assert asked_name(query("example.com", 6)) == ""


def test_names_and_decoys_in_what_is_sent() -> None:
    packet = "".join(f"\\{byte:03o}" for byte in query("telemetry.example.com"))
    address = '{sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.1")}'
    sent = f'1  sendto(3<socket:[1]>, "{packet}", 39, MSG_NOSIGNAL, {address}, 16) = 39'
    assert behaviour(sent) == {"names": ("telemetry.example.com",)}
    message = f'{{msg_hdr={{msg_name=NULL, msg_iov=[{{iov_base="{packet}", iov_len=39}}]}}}}'
    several = f"1  sendmmsg(3<socket:[1]>, [{message}], 1, 0) = 1"
    assert behaviour(several) == {"names": ("telemetry.example.com",)}
    mark = DECOYS.marks[SSH][0].decode()
    assert seen(f'1  sendto(3<socket:[1]>, "POST /{mark}", 40, 0, NULL, 0) = 40').sent == {SSH}


# --- decoys -----------------------------------------------------------------------------------------------------------


def test_no_two_trials_have_the_same_decoys() -> None:
    assert set(plant().files.values()).isdisjoint(plant().files.values())
    assert set(plant().files) == set(PATHS) == {SSH, AWS, BROWSER, ENV}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "turned",
    [
        bytes,
        bytes.hex,
        lambda data: data.hex().encode(),
        base64.b64encode,
        lambda data: base64.b64encode(b"x" + data),
        lambda data: base64.b64encode(b"xy" + data + b"tail"),
        lambda data: b'{"text":"' + data.replace(b"\n", b"\\n") + b'"}',
    ],
)
def test_contents_are_known_again(path: str, turned: Any) -> None:
    told = turned(DECOYS.files[path])
    assert DECOYS.seen_in(told if isinstance(told, bytes) else told.encode()) == {path}


@given(st.binary(max_size=300))
def test_other_bytes_are_no_decoy(data: bytes) -> None:
    assert DECOYS.seen_in(data) == set()
