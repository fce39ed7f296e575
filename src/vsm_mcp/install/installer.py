"""What an installer is: resolve exactly, fetch without executing, build.

The three steps hand plain values on, so that each can be journalled, vetted in between, and undone by name.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.model.launch import Entry, Input
from vsm_mcp.model.moments import moment
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.model.retry import AS_RELEASED
from vsm_mcp.registries.client import Registries
from vsm_mcp.sandbox.confinement import Command, Completed, Confinement

_EXTRA: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]*)\[(?P<extra>[A-Za-z0-9][A-Za-z0-9._-]*)\]")
_DAY: Final = datetime.timedelta(days=1)


def bounds(constraints: Iterable[str]) -> tuple[str, ...]:
    """Return those constraints that bound a single dependency."""
    return tuple(each for each in constraints if each != AS_RELEASED and extra_of(each) is None)


def extra_of(constraint: str) -> tuple[str, str] | None:
    """Return the package (``""``: the one that is installed) and its extra, where a constraint asks for one."""
    found = _EXTRA.fullmatch(constraint)
    return None if found is None else (found["name"], found["extra"])


def extras(constraints: Iterable[str]) -> str:
    """Return the extras that constraints ask for, as a requirement has them: ``[cli,mcp]``, or ``""``."""
    named = sorted({found[1] for each in constraints if (found := extra_of(each)) is not None})
    return f"[{','.join(named)}]" if named else ""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a person or a remedy asks of an installation.

    ``constraints`` bound dependencies (``mcp<2`` for Python, ``zod@3`` for npm), have them as they were
    (:data:`~vsm_mcp.model.retry.AS_RELEASED`), or ask for an extra (``demo[mcp]``). Nothing published after
    ``not_after`` is taken (npm takes it from trusted publishers all the same). ``min_release_age_days`` is the
    cool-down: nothing published later is taken, but for packages that ``trusted_publishers`` (patterns over
    references) name. ``executable`` names one of several programs of a package. ``given`` are the values that were
    given for the server, by name (of secrets the name alone, with no value). ``locked`` is the tool's lock of an
    earlier resolution: exactly that is taken, and no cool-down applies; ``builders`` is the same for what builds it.
    ``before_scripts`` looks at an installation, by its folder, before the first of its scripts runs, and raises where
    none may.
    """

    constraints: tuple[str, ...] = ()
    not_after: datetime.datetime | None = None
    min_release_age_days: float = 0.0
    trusted_publishers: tuple[str, ...] = ()
    allow_scripts: bool = False
    executable: str = ""
    given: Mapping[str, str] = {}
    locked: str = ""
    builders: str = ""
    before_scripts: Callable[[Path], Awaitable[None]] | None = None

    def of_release(self, published: Iterable[str]) -> Options:
        """Return the same for a release whose files came out at these times (ISO 8601, perhaps empty).

        Its dependencies may be a day younger where they are to be as it found them: what belongs together comes out
        one after the other.
        """
        times = [time for text in published if (time := moment(text)) is not None]
        if AS_RELEASED not in self.constraints or not times:
            return self
        return msgspec.structs.replace(self, not_after=(max(times) + _DAY).replace(microsecond=0))

    async def clear_scripts(self, into: Path) -> None:
        """Have it looked at what was installed into a folder. Raises what ``before_scripts`` does."""
        if self.before_scripts is not None:
            await self.before_scripts(into)


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """The published file of the top-level package; ``digest`` is ``algorithm:hex``, ``size`` in bytes or ``None``."""

    filename: str
    url: str
    digest: str
    size: int | None = None


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """Exact versions and hashes of everything an installation takes.

    ``lock`` is the tool's own lock file as text; ``packages`` maps each package to its version; ``requires`` is what
    the package says it needs of Python or node; ``interpreter`` is the absolute path of the program that will run it;
    ``scripts`` are the packages that the lock says run install scripts (building looks for itself). ``build_lock``
    locks what builds the package, where building was allowed; ``inputs`` are the values that the server asks for.
    ``undated`` are the packages for which an index gives no date of publication: no cool-down could be held to.
    ``notes`` are what a person should know of how it was resolved.
    """

    ref: Ref
    version: str
    lock: str = ""
    packages: dict[str, str] = {}
    archive: Archive | None = None
    requires: str = ""
    interpreter: str = ""
    scripts: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    build_lock: str = ""
    inputs: tuple[Input, ...] = ()
    undated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class ArchiveMember(msgspec.Struct, frozen=True):
    """One entry of an archive: ``mode`` are the permission bits it asks for, ``kind`` is file or dir."""

    name: str
    size: int
    mode: int
    kind: str


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """The top-level package, unpacked at ``root`` and not executed.

    ``manifest`` is package.json, that of a bundle, or for Python ``{"name", "version", "summary", "license",
    "requires_python", "requires_dist", "console_scripts": {name: target}, "scripts": [name, …], "modules": [name, …]}``
    (packages that ``python -m`` runs); ``archive_sha`` is ``algorithm:hex`` of the file ``archive``, whose entries are
    ``members``.
    """

    root: Path | None = None
    manifest: dict[str, Any] = {}
    archive_sha: str = ""
    archive: Path | None = None
    members: tuple[ArchiveMember, ...] = ()


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """An install script of a package, and whether it was ``ran`` (in the sandbox, because someone allowed it)."""

    package: str
    name: str
    command: str
    ran: bool


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """A finished installation; ``integrity`` is ``algorithm:hex`` of the top-level archive (empty for remotes).

    ``confined`` says whether the tools that made it ran in the sandbox, ``unconfined`` why they did not, where they
    ran outside.
    """

    entry: Entry
    confined: bool = False
    unconfined: str = ""
    packages: dict[str, str] = {}
    scripts: tuple[Script, ...] = ()
    integrity: str = ""


class ToolRunner(Protocol):
    """Runs one of our own tools (npm, uv) to completion: ``vsm_mcp.sandbox.tool.run_tool``."""

    def __call__(
        self, argv: tuple[str, ...], *, env: Mapping[str, str], cwd: str, timeout: float, max_output: int
    ) -> Awaitable[Completed]:
        """Return how it ended; ``timeout`` in seconds, ``max_output`` in bytes per stream."""


class SandboxRunner(Protocol):
    """Runs a package's own code to completion in the sandbox: ``vsm_mcp.sandbox.child.Sandbox.run``."""

    def __call__(
        self, command: Command, confinement: Confinement, *, name: str, timeout: float, max_output: int = ...
    ) -> Awaitable[Completed]:
        """Return how it ended; ``timeout`` in seconds, ``max_output`` in bytes per stream."""


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """What installers work with. Without ``run_sandboxed`` no install script can be allowed."""

    config: Config
    registries: Registries
    run_tool: ToolRunner
    run_sandboxed: SandboxRunner | None = None


class Installer(Protocol):
    """Turns references of one kind into installations.

    Every step raises errors of ``vsm_mcp.errors`` only: ``UnknownPackage``, ``RegistryUnavailable``,
    ``InstallFailed``, ``HomeError``, ``BadArgument``.
    """

    @property
    def kind(self) -> RefKind:
        """The kind of references it takes."""

    async def resolve(self, ref: Ref, options: Options) -> Resolved:
        """Find the exact versions and hashes of a reference and all it depends on; downloads no code it need not."""

    async def fetch(self, resolved: Resolved, into: Path) -> Fetched:
        """Download the top-level package into the empty directory ``into``, verify it and unpack it."""

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, options: Options) -> Built:
        """Install everything into the empty directory ``into``, its final place."""
