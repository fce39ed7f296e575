"""Why a process failed: its exit and its last words → one :class:`Cause` with a hint that names the option. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from vsm_mcp.model.contact import Contact
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime import breakages, commands, engine_words, missing_values, surroundings, ways
from vsm_mcp.runtime.last_words import LastWords, mask, read
from vsm_mcp.runtime.refusals import informed


class Ended(Protocol):
    """How a process ended: what :class:`vsm_mcp.sandbox.child.Exit` offers."""

    @property
    def code(self) -> int | None:
        """The exit code, or ``None`` when a signal ended it."""

    @property
    def signal(self) -> int | None:
        """The signal that ended it, or ``None``."""

    @property
    def oom(self) -> bool:
        """Whether the memory limit ended it."""

    @property
    def limit(self) -> str:
        """Another limit that ended it, or ""."""


Reader = Callable[[LastWords, str], Cause | None]

# The order is the decision: what is most specific comes first, what any text might mention by the way comes last.
_FATAL: Final[tuple[Reader, ...]] = (
    engine_words.container,
    breakages.python_sdk,
    surroundings.memory,
    surroundings.limit,
    breakages.native_module,
    missing_values.missing_variables,
    commands.missing_command,
    missing_values.missing_arguments,
    missing_values.unknown_arguments,
    surroundings.program,
    breakages.runtime_version,
    breakages.broken_code,
    surroundings.port_taken,
    surroundings.network,
    surroundings.path,
    surroundings.credential,
    surroundings.asks,
)
_SILENT: Final[tuple[Reader, ...]] = (
    surroundings.listens,
    surroundings.asks,
    missing_values.missing_variables,
    commands.missing_command,
    missing_values.missing_arguments,
    surroundings.network,
    surroundings.program,
)
_SHELL_OFFSET: Final = 128


def explain(
    exit: Ended | None,  # noqa: A002 - the contract's word
    stderr_tail: Sequence[str],
    *,
    phase: str = "start",
    timeout: float = 0.0,
    stdout_tail: Sequence[str] = (),
    contacts: Sequence[Contact] = (),
) -> Cause:
    """Return why a process failed.

    ``exit`` is how it ended, or ``None`` when it still ran as ``timeout`` (seconds) passed in ``phase`` (a word for a
    person: ``start``, ``trial``, ``call``). ``stderr_tail`` and ``stdout_tail`` are its last lines, newest last (what
    it printed on stdout that was not MCP); ``contacts`` are what it reached for over the network. Nothing in the
    result holds a value that looks like a secret.
    """
    words = read([*stdout_tail, *stderr_tail])
    found = _from_exit(exit) or _from_words(exit, words) or _unexplained(exit, words, phase, timeout)
    found = informed(found, contacts)
    remedies = (*ways.by_extra(words.text), *found.remedies)
    return msgspec.structs.replace(found, message=mask(found.message), remedies=remedies)


def ended_by(ended: Ended, stderr_tail: Sequence[str]) -> str:
    """Return which wall a process in service ran into, as a clause; "" where neither its exit nor its end says so.

    Only its last error counts, or its last line: what it printed before, it survived.
    """
    if ended.oom or ended.code == 0:
        return ""  # the exit says it already, or it ended of its own will
    words = read(stderr_tail)
    last = words.fatal if words.message else "".join(words.lines[-1:])
    found = _from_exit(ended) or surroundings.memory(words, last) or surroundings.limit(words, last)
    return mask(found.message) if found else ""


def _from_exit(ended: Ended | None) -> Cause | None:
    if ended is None:
        return None
    if ended.oom:
        return surroundings.out_of_memory()
    if ended.limit:
        return surroundings.over(ended.limit)
    if _signal_of(ended) == signal.SIGSYS:
        return Cause(
            code="system_call_refused",
            message="the server made a system call that the sandbox refuses, and was stopped",
            hint="choose another server; --allow-unsandboxed would run it without any protection",
        )
    return None


def _signal_of(ended: Ended) -> int | None:
    if ended.signal is not None:
        return ended.signal
    if ended.code is not None and _SHELL_OFFSET < ended.code <= _SHELL_OFFSET + 64:
        return ended.code - _SHELL_OFFSET
    return None


def _from_words(ended: Ended | None, words: LastWords) -> Cause | None:
    if not words.lines:
        return None
    running = ended is None or (ended.code == 0 and not words.type)
    readers = (*_SILENT, *_FATAL) if running else _FATAL
    for text in dict.fromkeys((words.fatal, words.text)):
        for reader in readers:
            found = reader(words, text)
            if found:
                return found
    return surroundings.listens(words, words.text)


def _unexplained(ended: Ended | None, words: LastWords, phase: str, timeout: float) -> Cause:
    said = _last_said(words)
    quoted = f'; its last words: "{said}"' if said else "; it printed nothing"
    if ended is None:
        return Cause(
            code="hung",
            message=f"the server did not answer within {timeout:g} s ({phase}){quoted}",
            hint="it may wait for the network (--allow-host), for an argument (--arg=--stdio, --arg stdio) or need"
            " longer "
            "(VSM_MCP_RUNTIME_START_TIMEOUT_SECONDS)",
        )
    number = _signal_of(ended)
    if number is not None:
        return Cause(code="crashed", message=f"the server was ended by {_signal_name(number)}{quoted}", hint=_SEE_LOG)
    if ended.code == 0:
        return Cause(
            code="not_a_server",
            message=f"the program ended by itself without speaking MCP{quoted}",
            hint="it may need an argument that makes it serve (--arg=--stdio, --arg stdio, --arg serve), or be no MCP"
            " server",
            remedies=ways.by_switch(words.text),
        )
    said = f"the server ended with exit code {ended.code}{quoted}"
    return Cause(code="crashed", message=said, hint=_SEE_LOG, remedies=breakages.outdated(words))


_SEE_LOG: Final = "its whole output is in its log; its documentation may name an option it needs (--arg, --env)"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_QUOTED: Final = 300


def _last_said(words: LastWords) -> str:
    if words.type:
        return mask(f"{words.type}: {words.message}".split("\n")[0])[:_QUOTED]
    said = ""
    for line in reversed(words.lines):
        if re.search(r"\w", line) and not re.match(r"\s+at |Node\.js v|\s*[\]})]", line):
            longer = f"{line.strip()} / {said}" if said else line.strip()
            if said and len(longer) > _QUOTED:
                break
            said = longer
    return mask(said)[:_QUOTED]
