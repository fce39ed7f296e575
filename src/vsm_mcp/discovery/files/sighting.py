"""An entry of somebody's file → a candidate: which server it names, and nothing that the file keeps to itself. Pure.

Of variables and headers only the names are taken. Arguments belong to whoever wrote them and stay behind, but for a
program of this machine, whose command line is its reference; if that looks as if it held a secret, the entry is left
out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from vsm_mcp.errors import BadReference
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.client_file import Unfit
from vsm_mcp.model.containers import container_run
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts, names_secret
from vsm_mcp.model.ref import Ref, parse_ref
from vsm_mcp.model.runners import package_of
from vsm_mcp.model.secretive import address_holds_secret, holds_secret

# A program that only passes on what a server elsewhere says: the server is what is meant.
_BRIDGES: Final = frozenset({"mcp-remote", "supergateway", "mcp-proxy"})
_OURS: Final = "vsm-mcp"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,119}")


def sighted(title: str, entry: Any, folder: Path | None = None) -> Candidate:
    """Return the server that an entry in the ``mcpServers`` form names; paths in it count from ``folder``.

    Raises :class:`Unfit`.
    """
    if not isinstance(entry, Mapping):
        raise Unfit("it is no object")
    names = [*_names(entry.get("env")), *_names(entry.get("headers"))]
    ref = _remote(entry["url"]) if isinstance(entry.get("url"), str) else _command(entry, folder)
    inputs = tuple(
        Input(kind=InputKind.SECRET if names_secret(name) else InputKind.ENV, name=name)
        for name in dict.fromkeys(names)
    )
    said = [entry.get("description"), entry.get("notes")]
    return Candidate(
        ref=ref,
        name=title,
        description=next((text for text in said if isinstance(text, str) and text), ""),
        launch=LaunchFacts(inputs=inputs) if inputs else None,
    )


def argv_of(entry: Mapping[str, Any]) -> list[str]:
    """Return the command line of an entry. Raises :class:`Unfit`."""
    command, args = entry.get("command"), entry.get("args") or []
    words = [*(command if isinstance(command, list) else [command]), *(args if isinstance(args, list) else [None])]
    if not all(isinstance(word, str) for word in words) or not any(words[:1]):
        raise Unfit("it has neither a command nor a url")
    return words


def _command(entry: Mapping[str, Any], folder: Path | None) -> Ref:
    argv = argv_of(entry)
    program = argv[0].replace("\\", "/").rpartition("/")[2]
    if program == _OURS:
        raise Unfit("it is this gateway itself")
    package = package_of(argv)
    if package is not None:
        if package.name in _BRIDGES:
            return _remote(next((word for word in package.args if "://" in word), ""))
        return _parsed(package.ref)
    run = container_run(argv)
    if run is not None:
        return _parsed(f"oci:{run.image}")
    if any("${" in word for word in argv):
        raise Unfit("its command line holds variables of its client")
    if holds_secret(argv):
        raise Unfit("its command line looks as if it held a secret")
    return _parsed(f"cmd:{shlex.join(_absolute(argv, entry.get('cwd'), folder))}")


def _absolute(argv: Sequence[str], cwd: Any, folder: Path | None) -> list[str]:
    """Return the words with those made absolute that name a file from where the program would be started."""
    start = Path(cwd) if isinstance(cwd, str) and Path(cwd).is_absolute() else folder
    if start is None or "\0" in "".join(argv):
        return list(argv)
    return [str(start / word) if _names_file(word, start) else word for word in argv]


def _names_file(word: str, start: Path) -> bool:
    return not word.startswith("-") and ("/" in word or "." in word) and len(word) < 1024 and (start / word).is_file()


def _remote(url: str) -> Ref:
    bare = url.partition("#")[0]
    if "${" in bare:
        raise Unfit("its address holds variables of its client")
    if address_holds_secret(bare):
        raise Unfit("its address looks as if it held a secret")
    return _parsed(bare)


def _parsed(text: str) -> Ref:
    try:
        return parse_ref(text)
    except BadReference as error:
        raise Unfit("it names no server that a reference could name") from error


def _names(value: Any) -> list[str]:
    return (
        [name for name in value if isinstance(name, str) and _VARIABLE.fullmatch(name)]
        if isinstance(value, Mapping)
        else []
    )
