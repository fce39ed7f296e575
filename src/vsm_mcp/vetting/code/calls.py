"""What one call does: the capability, and the tags of what it is given."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from vsm_mcp.vetting.code import meaning
from vsm_mcp.vetting.code.constant import UNKNOWN
from vsm_mcp.vetting.code.value import NOTHING, Value, merge

_COMMANDS: Final = ("startup", "secret", "download", "reverse", "spread", "wipe")
_SHELL_FLAGS: Final = frozenset({"--eval", "-c", "-lc", "-ic", "/c", "-command", "-encodedcommand", "-e", "-enc"})
_POURS: Final = frozenset({"pipe", "pipeTo", "pipeline"})
_IDLE_FLAGS: Final = frozenset(
    {"-i", "-l", "-li", "-il", "-p", "--login", "--noprofile", "--norc", "-nop", "-NoProfile"}
)
_COMPILERS: Final = frozenset({"_compile", "runInThisContext", "runInNewContext", "runInContext", "importFromString"})


@dataclass(slots=True, eq=False)
class Event:
    """Something a program does: ``reached`` is set when it happens by itself once the program is loaded."""

    kind: str
    line: int
    what: str
    tags: frozenset[str]
    text: str = ""
    gated: bool = False
    reached: bool = False


@dataclass(slots=True, eq=False)
class Seen:
    """A call: the dotted ``path`` of what is called, its last name, what it is called on and given."""

    line: int
    path: str
    method: str
    receiver: Value
    args: tuple[Value, ...]
    named: Mapping[str, Value]
    gained: frozenset[str] = frozenset()

    @property
    def given(self) -> Value:
        """Everything it is given, as one."""
        return merge([*self.args, *self.named.values()])

    @property
    def first(self) -> Value:
        """Its first argument."""
        return self.args[0] if self.args else next(iter(self.named.values()), NOTHING)

    def gains(self, *tags: str) -> None:
        """Mark its result."""
        self.gained |= frozenset(tags)


def judge_call(seen: Seen) -> Iterator[Event]:
    """Yield what a call does, and mark its result."""
    kind = meaning.call_kind(seen.path.replace("()", ""))
    yield from _data(seen, kind)
    if kind in {"shell", "program"}:
        yield from _runs(seen, kind)
    elif kind == "evaluate" or seen.method in _COMPILERS:
        yield _event("evaluate", seen, seen.given.tags, seen.first.text or "")
    elif kind == "clipboard":
        seen.gains("clipboard")
        yield _event("clipboard", seen, seen.given.tags)
    elif kind == "persist":
        yield _event("write", seen, seen.given.tags | {"startup"}, seen.path)
    yield from _files(seen)


def _event(kind: str, seen: Seen, tags: frozenset[str], text: str = "") -> Event:
    return Event(kind=kind, line=seen.line, what=seen.path or seen.method, tags=tags, text=text)


def _data(seen: Seen, kind: str) -> Iterator[Event]:
    both = seen.receiver.tags | seen.given.tags
    ours = seen.receiver.path.startswith(("process.std", "console", "sys.std")) or seen.method in meaning.names("plain")
    if kind == "network" or ("conn" in seen.receiver.tags and seen.args and not ours):
        seen.gains("conn", "net")
        yield _event("send", seen, seen.given.tags | (seen.receiver.tags - {"net"}), seen.first.text or "")
    elif "conn" in seen.receiver.tags:
        seen.gains("net")
    if kind == "decode" and not (seen.path == "base64.b64encode" or "encode" in seen.method):
        if seen.path != "Buffer.from":
            seen.gains("decoded")
    elif seen.path == "Buffer.from" and any((arg.text or "").startswith(("base64", "hex")) for arg in seen.args[1:]):
        seen.gains("decoded")
    if seen.method in _POURS and "conn" in seen.given.tags:
        yield _event("send", seen, both)
    if seen.method in {"urlretrieve", "download_file"}:
        yield _event("write_file", seen, frozenset({"net"}), (seen.args[1].text or "") if len(seen.args) > 1 else "")
    if {"conn", "shell_process"} <= both and seen.method in {"pipe", "write", "on", "send", "sendall", "pipeTo", "end"}:
        yield _event("joined", seen, both)
    if seen.path == "os.dup2":
        yield _event("dup2", seen, both)


def _runs(seen: Seen, kind: str) -> Iterator[Event]:
    command = _command(seen)
    text, tags = command.text or "", command.tags
    if text:
        tags |= {f"{each}_command" for each in _COMMANDS if meaning.about(f"{each}_command", text)}
        yield from _by_command(seen, text, tags)
    words = text.split()
    bare = bool(words) and meaning.about("shell_program", words[0]) and all(word in _IDLE_FLAGS for word in words[1:])
    if bare and not _has_script(seen):
        seen.gains("shell_process")
        tags |= {"shell_program"}
        if "conn" in seen.given.tags:
            yield _event("joined", seen, tags)
    if _is_shell(seen, kind):
        tags |= {"by_shell"}
    yield _event(kind, seen, frozenset(tags), text)


def _by_command(seen: Seen, text: str, tags: frozenset[str]) -> Iterator[Event]:
    """What a command does that a library could do as well."""
    if meaning.about("secret_command", text):
        seen.gains("secret_read", "hard")
        tags |= {"secret_read", "hard"}
    if meaning.about("environment_command", text):
        seen.gains("env")
    if meaning.about("network_command", text):
        seen.gains("net")
        yield _event("send", seen, tags, text)
    if meaning.about("clipboard_command", text):
        seen.gains("clipboard")
        yield _event("clipboard", seen, tags)


def _command(seen: Seen) -> Value:
    """Return what is run: of ``sh -c TEXT`` the text; of a list or of several arguments all of it in one line."""
    parts: list[Value] = []
    for arg in (seen.first, *seen.args[1:2]):
        parts += list(arg.fields.values()) if arg.fields is not None and "0" in arg.fields else [arg]
    parts = [part for part in parts if part.text is not None or part.tags or part.path] or [NOTHING]
    for flag, code in itertools.pairwise(parts[1:]):
        if (flag.text or "").lower() in _SHELL_FLAGS:
            return Value(text=code.text, tags=code.tags | {"inline"}, path=code.path)
    if len(parts) == 1 or parts[0].text is None:
        return parts[0]
    words = [part.text for part in parts if part.text is not None]
    tags = merge(parts[:1]).tags | (merge(parts).tags - {"caller", "tool", "net", "arguments"})
    return Value(text=" ".join(words), tags=tags)


def _has_script(seen: Seen) -> bool:
    second = seen.args[1] if len(seen.args) > 1 else NOTHING
    items = list((second.fields or {}).values()) if second.fields and "0" in second.fields else []
    first = list((seen.first.fields or {}).values())[1:]
    return any((item.text or "").lower() in _SHELL_FLAGS for item in (*items, *first))


def _is_shell(seen: Seen, kind: str) -> bool:
    if kind == "shell" or "shell" in seen.named:
        return True
    for arg in seen.args:
        option = (arg.fields or {}).get("shell")
        if option is not None:
            return True
    items = list((seen.first.fields or {}).values())
    first = items[0].text if items else seen.first.text
    return first is not None and meaning.about("shell_program", first) and _has_script(seen)


def _files(seen: Seen) -> Iterator[Event]:
    places = seen.receiver.tags | seen.given.tags
    text = next((value.text for value in (seen.receiver, *seen.args) if value.text and value.tags & _PLACES), "")
    archived = seen.path.startswith(("zipfile.", "tarfile.")) and seen.method in {"write", "add"}
    if (seen.method in meaning.names("read") or archived) and places & {"secret", "environment"}:
        if "secret" in places:
            hard = "hard_secret" in places
            seen.gains("secret_read", *(["hard"] if hard else []))
            yield _event("read_secret", seen, places | ({"hard"} if hard else set()), text)
        if "environment" in places:
            seen.gains("env")
    if seen.method in meaning.names("write") or _opens_to_write(seen):
        target = _target(seen)
        known = target.text is not None and UNKNOWN not in target.text
        about = meaning.tags_of(target.text or "") if known else target.tags
        kind = "write" if about & {"client", "startup"} else "write_file"
        yield _event(kind, seen, about | (seen.given.tags - _PLACES), target.text or "")


def _target(seen: Seen) -> Value:
    """Return where a call writes to: what it is called on, its first argument, or for copies the second."""
    if seen.method in _TO_SECOND and len(seen.args) > 1:
        return seen.args[1]
    if seen.receiver.tags & _PLACES and not seen.receiver.tags & {"conn"}:
        return seen.receiver
    if seen.receiver.text and seen.method in {"write", "writelines", "write_text", "write_bytes"}:
        return seen.receiver
    return seen.args[0] if seen.args and seen.method not in {"write", "writelines"} else NOTHING


_TO_SECOND: Final = frozenset(
    {
        "copyFile",
        "copyFileSync",
        "copy",
        "copy2",
        "copyfile",
        "rename",
        "renameSync",
        "dump",
        "symlink",
        "symlinkSync",
        "move",
        "cpSync",
    }
)
_PLACES: Final = frozenset({"secret", "client", "startup", "environment"})


def _opens_to_write(seen: Seen) -> bool:
    if seen.method not in {"open", "openSync", "fopen"}:
        return False
    modes = [*seen.args[0 if seen.receiver.text else 1 :], *([seen.named["mode"]] if "mode" in seen.named else [])]
    return any(len(mode.text or "xxxx") < 4 and set(mode.text or "") & set("wax+") for mode in modes)
