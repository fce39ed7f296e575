"""Check ``archive``: what the fetched package would do to a machine by being unpacked or installed."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from vsm_mcp.config import Config
from vsm_mcp.model.finding import CheckResult, Finding, Severity
from vsm_mcp.model.ref import RefKind
from vsm_mcp.vetting import builds, install_script
from vsm_mcp.vetting.check import Member, Rule, Script, Stage, Subject, result, unavailable
from vsm_mcp.vetting.folding import hidden_characters
from vsm_mcp.vetting.startup_hook import NAMES

ESCAPE: Final = Rule("archive.path_escape", Severity.BLOCK, "an entry's path leads out of the archive")
LINK: Final = Rule("archive.link", Severity.BLOCK, "it holds a symbolic or hard link")
SPECIAL: Final = Rule("archive.special_file", Severity.BLOCK, "it holds a device, a pipe or another special file")
SETUID: Final = Rule("archive.setuid", Severity.BLOCK, "an entry asks for the set-user-id or set-group-id bit")
STARTUP_HOOK: Final = Rule(
    "archive.startup_hook", Severity.BLOCK, "it holds code that every Python start of its environment would run"
)
HIDDEN_NAME: Final = Rule("archive.hidden_name", Severity.REVIEW, "a file name holds characters that cannot be seen")
TWICE: Final = Rule(
    "archive.entry_twice", Severity.REVIEW, "two entries write the same path: the later one wins unseen"
)
NATIVE: Final = Rule("archive.native_code", Severity.REVIEW, "it holds a program in machine code without its source")
NATIVE_ELSEWHERE: Final = Rule(
    "archive.native_elsewhere", Severity.NOTE, "it holds programs in machine code for other systems than this one"
)
NATIVE_PART: Final = Rule("archive.native_part", Severity.NOTE, "it holds native libraries or WebAssembly")
BINDING: Final = Rule(
    "archive.implicit_build", Severity.NOTE, "npm would compile it on install although it names no install script"
)
# what its own lock file names is in the lock that is checked, and what it bundles is read like the rest of its code
SHRINKWRAP: Final = Rule("archive.shrinkwrap", Severity.NOTE, "it brings its own lock file for its dependencies")
BUNDLED: Final = Rule(
    "archive.bundled_dependencies", Severity.NOTE, "it brings dependencies that no registry vouches for"
)
FOREIGN_SOURCE: Final = Rule(
    "archive.foreign_source",
    Severity.BLOCK,
    "a dependency comes from git, an address or a path instead of the registry",
)
SCRIPT: Final = Rule("archive.install_script", Severity.NOTE, "an install script is there; it runs only if allowed")
SCRIPT_IDLE: Final = Rule(
    "archive.install_script_idle",
    Severity.NOTE,
    "its install script reaches for the network or starts programs, and is not allowed to run",
)
SCRIPT_UNUSUAL: Final = Rule(
    "archive.install_script_unusual", Severity.REVIEW, "its install script reaches for the network or starts programs"
)
SCRIPT_ARMED: Final = Rule(
    "archive.install_script_armed",
    Severity.BLOCK,
    "its install script reaches for the network or starts programs, and was allowed to run",
)
SCRIPT_HOSTILE: Final = Rule(
    "archive.install_script_hostile",
    Severity.BLOCK,
    "its install script fetches and runs code, or reads secrets, hides itself or plants something",
)
RULES: Final = (
    ESCAPE, LINK, SPECIAL, SETUID, STARTUP_HOOK, HIDDEN_NAME, TWICE, NATIVE, NATIVE_ELSEWHERE, NATIVE_PART, BINDING,
    SHRINKWRAP, BUNDLED, FOREIGN_SOURCE, SCRIPT, SCRIPT_IDLE, SCRIPT_UNUSUAL, SCRIPT_ARMED, SCRIPT_HOSTILE,
)  # fmt: skip
_NAME: Final = "archive"
_SETUID_BITS: Final = 0o6000
_LINKS: Final = frozenset({"symlink", "hardlink", "link"})
_ORDINARY: Final = frozenset({"file", "dir", "directory"})
_HOOKS: Final = re.compile(rf"(?:^|/){NAMES}")
# Of a wheel, only what lands at the root of the place for packages is read by Python; of a source, nobody knows where.
_HOOKS_OF_WHEEL: Final = re.compile(rf"^(?:\./)?(?:[^/]+\.data/(?:.*/)?)?{NAMES}")
_PROGRAM: Final = re.compile(r"\.(?:exe|com|scr|msi|jar|app)$", re.IGNORECASE)
_NATIVE_PART: Final = re.compile(r"\.(?:node|so(?:\.\d+)*|dylib|dll|pyd|wasm)$", re.IGNORECASE)
_MAGIC: Final = {
    b"\x7fELF": "linux", b"MZ": "win32", b"\xd0\xcf\x11\xe0": "win32",
    b"\xcf\xfa\xed\xfe": "darwin", b"\xce\xfa\xed\xfe": "darwin", b"\xca\xfe\xba\xbe": "darwin",
    b"\xfe\xed\xfa": "darwin",
}  # fmt: skip
_FOR: Final = {"win32": " for Windows", "darwin": " for macOS", "linux": " for Linux"}
_NPM_LISTS: Final = ("dependencies", "optionalDependencies", "peerDependencies")
_SOURCES: Final = (".tar.gz", ".zip")
_INSTALL_WORDS: Final = ("preinstall", "install", "postinstall", "prepare")
_FOREIGN_NPM: Final = re.compile(
    r"^(?:git(?:\+\w+)?:|git@|https?:|file:|link:|github:|gitlab:|bitbucket:|gist:|\.{0,2}/|~/|[\w.-]+/[\w.-]+(?:#|$))",
    re.IGNORECASE,
)
_FOREIGN_PYTHON: Final = re.compile(r"@\s*(?:git\+|https?:|file:|ssh:|\.{0,2}/)", re.IGNORECASE)
_MAX_MAGIC_FILES: Final = 3000
_SHOWN: Final = 20


class ArchiveCheck:
    """Reads the archive's list of entries, the manifest and the install scripts; unpacks and runs nothing."""

    name = _NAME
    stage = Stage.BEFORE_INSTALL

    async def check(self, subject: Subject) -> CheckResult:
        """Look at the fetched package. Nothing to look at is a pass for a remote or a command, else *unavailable*."""
        if subject.ref.kind in {RefKind.REMOTE, RefKind.CMD}:
            return result(_NAME, 0, "entries", (), "nothing is fetched for this kind of reference")
        if not subject.members and not subject.manifest:
            return unavailable(_NAME, "entries", "there is no list of what was fetched")
        findings = await asyncio.to_thread(examine, subject)
        return result(_NAME, len(subject.members), "entries", findings)


def build(_config: Config) -> ArchiveCheck:
    """Make the check: the entry point."""
    return ArchiveCheck()


def examine(subject: Subject) -> list[Finding]:
    """Return what is wrong with a fetched package; reads files below ``subject.root`` only."""
    findings = [*_entries(subject.members), *_native(subject)]
    if subject.ref.kind is RefKind.PYPI:
        findings += _python_sources(subject.manifest)
        findings += _hooks(subject.members, wheel=subject.archive_name.endswith(".whl"))
        findings += _setup_script(subject)
    else:
        findings += _npm_sources(subject.manifest)
        findings += _npm_files(subject)
        findings += _scripts(subject)
        findings += _setup_script(subject)
    return _capped(findings)


def _capped(findings: Sequence[Finding]) -> list[Finding]:
    """Keep at most twenty findings of one rule: a hostile archive has a hundred thousand entries."""
    counts: dict[str, int] = {}
    kept: list[Finding] = []
    for finding in findings:
        counts[finding.rule] = counts.get(finding.rule, 0) + 1
        if counts[finding.rule] <= _SHOWN:
            kept.append(finding)
    return kept


def _entries(members: Sequence[Member]) -> Iterator[Finding]:
    seen: set[str] = set()
    for member in members:
        shown = ascii(member.name[:200])[1:-1]
        if _escapes(member.name):
            yield ESCAPE.found(shown, "an absolute path or one with '..'")
        if member.kind in _LINKS:
            yield LINK.found(shown, f"a {member.kind}")
        elif member.kind not in _ORDINARY:
            yield SPECIAL.found(shown, f"a {member.kind!a}")
        if member.mode & _SETUID_BITS:
            yield SETUID.found(shown, f"mode {member.mode:o}")
        if hidden_characters(member.name):
            yield HIDDEN_NAME.found(shown, "hidden characters in its name")
        if member.kind == "file" and member.name in seen:
            yield TWICE.found(shown, "the same path twice")
        seen.add(member.name)


def _escapes(name: str) -> bool:
    plain = name.replace("\\", "/")
    return (
        plain.startswith("/") or ".." in plain.split("/") or re.match(r"[A-Za-z]:", plain) is not None or "\x00" in name
    )


def _hooks(members: Sequence[Member], *, wheel: bool) -> Iterator[Finding]:
    hooks = _HOOKS_OF_WHEEL if wheel else _HOOKS
    for member in members:
        if hooks.search(member.name.replace("\\", "/")):
            yield STARTUP_HOOK.found(ascii(member.name[:200])[1:-1], "run at every start of Python")


def _native(subject: Subject) -> Iterator[Finding]:
    """Programs in machine code: ordinary in a wheel built for one platform, a thing to look at anywhere else.

    What is made for another system cannot run here; it is vetted again where it can.
    """
    parts = [member.name for member in subject.members if _NATIVE_PART.search(member.name)]
    if parts:
        yield NATIVE_PART.found(ascii(parts[0][:200])[1:-1], f"{len(parts)} native libraries or WebAssembly modules")
    programs = dict(_programs(subject))
    wheel = subject.ref.kind is RefKind.PYPI and bool(parts or programs)
    for name, system in programs.items():
        rule = NATIVE_PART if wheel else NATIVE if system in {sys.platform, ""} else NATIVE_ELSEWHERE
        yield rule.found(ascii(name[:200])[1:-1], f"a program in machine code{_FOR.get(system, '')}")


def _programs(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield each program and the system it is for: by its first bytes, and by its name where it has one that tells."""
    looked_into = 0
    for member in subject.members:
        named = _PROGRAM.search(member.name) is not None
        if member.kind != "file" or not (named or (not PurePosixPath(member.name).suffix and member.size > 4096)):
            continue
        looked_into += not named
        system = _system(subject.root, member.name) if looked_into <= _MAX_MAGIC_FILES else ""
        if named or system:
            yield member.name, system


def _system(root: Path | None, name: str) -> str:
    path = locate(root, name) if root is not None else None
    if path is None:
        return ""
    with path.open("rb") as file:
        first = file.read(4)
    return next((system for magic, system in _MAGIC.items() if first.startswith(magic)), "")


def locate(root: Path, name: str) -> Path | None:
    """Return the ordinary file of an entry below ``root`` (npm archives have one folder more), or ``None``."""
    for candidate in (name, name.partition("/")[2]):
        if candidate and not _escapes(candidate):
            path = root / candidate
            if path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(root.resolve()):
                return path
    return None


def _npm_sources(manifest: Mapping[str, Any]) -> Iterator[Finding]:
    for field in _NPM_LISTS:
        wanted = manifest.get(field)
        if not isinstance(wanted, dict):
            continue
        for name, version in wanted.items():
            if isinstance(version, str) and _FOREIGN_NPM.match(version.strip()):
                yield FOREIGN_SOURCE.found(f"package.json {field}", f"{name[:80]!a}: {version[:120]!a}")


def _python_sources(manifest: Mapping[str, Any]) -> Iterator[Finding]:
    wanted = manifest.get("requires_dist")
    for line in wanted if isinstance(wanted, (list, tuple)) else ():
        if isinstance(line, str) and _FOREIGN_PYTHON.search(line.partition(";")[0]):
            yield FOREIGN_SOURCE.found("Requires-Dist", ascii(line[:160]))


def _npm_files(subject: Subject) -> Iterator[Finding]:
    names = {member.name.partition("/")[2] or member.name for member in subject.members}
    if "npm-shrinkwrap.json" in names:
        yield SHRINKWRAP.found("npm-shrinkwrap.json", "it decides the versions of its dependencies")
    bundled = subject.manifest.get("bundleDependencies") or subject.manifest.get("bundledDependencies")
    if bundled and any("node_modules/" in member.name for member in subject.members):
        count = len(bundled) if isinstance(bundled, list) else "all"
        yield BUNDLED.found("package.json bundleDependencies", f"{count} packages inside the archive")
    scripts = subject.manifest.get("scripts")
    if "binding.gyp" in names and not (isinstance(scripts, dict) and (scripts.keys() & {"install", "preinstall"})):
        yield BINDING.found("binding.gyp", "npm would run node-gyp rebuild")


def _scripts(subject: Subject) -> Iterator[Finding]:
    """Judge the top-level package's scripts by their files, those of dependencies by their command."""
    own = subject.manifest.get("scripts")
    # what lies in a folder of this machine is its owner's: allowing it to run is a word about one's own scripts
    own_folder = subject.ref.kind is RefKind.DIR
    unusual = SCRIPT_IDLE if not subject.runs_scripts else SCRIPT_UNUSUAL if own_folder else SCRIPT_ARMED
    for name in _INSTALL_WORDS[:3] + (builds.SCRIPTS if builds.of_tree(subject) else ()):
        command = own.get(name) if isinstance(own, dict) else None
        if isinstance(command, str):
            sources = install_script.read_files(subject.root, command)
            weight = SCRIPT_UNUSUAL if name in builds.SCRIPTS else unusual
            yield _judged(f"package.json {name}", command, sources, weight)
    top = subject.manifest.get("name")
    for script in subject.scripts:
        if script.package != top:
            yield _dependency(script)


def _setup_script(subject: Subject) -> Iterator[Finding]:
    """Judge what the build of a source distribution or of a tree runs; a wheel may hold such files, unused.

    That is setup.py, and the build backend that a project brings along (PEP 517, "In-tree build backends").
    """
    if not (subject.archive_name.endswith(_SOURCES) or builds.of_tree(subject)):
        return
    for file in builds.files(subject.root):
        # a build has no network and its files are its own: to start programs there is usual, and a person looks
        yield _judged(file, f"python {file}", install_script.read_files(subject.root, file), SCRIPT_UNUSUAL)


def _judged(where: str, command: str, sources: Mapping[str, str], unusual: Rule) -> Finding:
    level, reasons = install_script.weigh(command, sources)
    rule = {"hostile": SCRIPT_HOSTILE, "unusual": unusual}.get(level, SCRIPT)
    said = f" ({', '.join(reasons)})" if reasons else ""
    return rule.found(where, f"{command[:160]!a}{said}")


def _dependency(script: Script) -> Finding:
    level, reasons = install_script.weigh(script.command, {})
    rule = SCRIPT_HOSTILE if level == "hostile" else SCRIPT
    said = f" ({', '.join(reasons)})" if reasons else ""
    return rule.found(f"{ascii(script.package)[1:-1]} {script.name}", f"{script.command[:160]!a}{said}")
