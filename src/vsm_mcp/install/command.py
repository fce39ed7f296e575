"""Programs that are on this machine already (``cmd:PROGRAM ARGS``)."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.archive import digest_of
from vsm_mcp.install.executable import interpreter_of
from vsm_mcp.install.installer import Bench, Built, Fetched, Options, Resolved
from vsm_mcp.install.roots import roots_of
from vsm_mcp.install.tools import real_path
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.ref import Ref, RefKind


class CommandInstaller:
    """Takes a program of this machine into the catalogue. Nothing is copied; its own files are its roots."""

    kind: Final = RefKind.CMD

    def __init__(self, bench: Bench) -> None:
        self._environ = bench.registries.addresses.environ

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """Find the program. Raises :class:`InstallFailed`."""
        argv = self._argv(ref)
        digest = digest_of(Path(real_path(argv[0])), "sha256")
        return Resolved(ref=ref, version=digest.split(":", 1)[1][:12], interpreter=argv[0])

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """Fetch nothing; the digest is that of the program."""
        program = real_path(resolved.interpreter)
        return Fetched(manifest={"name": Path(program).name}, archive_sha=digest_of(Path(program), "sha256"))

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """Return the entry: the program, its arguments and the directories it needs."""
        return Built(entry=entry_of(self._argv(resolved.ref), self._environ), integrity=fetched.archive_sha)

    def _argv(self, ref: Ref) -> tuple[str, ...]:
        # It can be split, and is not empty: parse_ref has seen to that.
        return found_program(shlex.split(ref.name), self._environ)


def found_program(words: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a command with the absolute path of its program. Raises :class:`InstallFailed`."""
    program = shutil.which(os.path.expanduser(words[0]), path=environ.get("PATH"))  # noqa: PTH111
    if program is None:
        raise InstallFailed(f"there is no program {words[0]!r} on this machine", "give its absolute path")
    return (str(Path(program).absolute()), *words[1:])


def entry_of(argv: tuple[str, ...], environ: Mapping[str, str]) -> Entry:
    """Return the entry of a command."""
    words = interpreter_of(Path(real_path(argv[0])))
    runtime = "native" if words in {(), ("native",)} else "python" if words[0].startswith("python") else "node"
    return Entry(argv=argv, runtime=runtime, roots=roots_of(argv, environ.get("HOME", "")))
