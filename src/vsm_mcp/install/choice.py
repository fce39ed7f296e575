"""How a server is installed: the methods that its references offer, against what this machine has; and the installer.

The order, where nothing is asked for: the reference that was ranked, then packages of a registry (locked, with hashes),
bundles, images, and the source last, which may have to be built. Never instead of these: an address that a person did
not choose, for what runs elsewhere sees everything; a folder or a program of this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from vsm_mcp import plugins
from vsm_mcp.errors import BadArgument, BadReference, InstallFailed
from vsm_mcp.install.installer import Bench, Installer
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.ref import Ref, RefKind, parse_ref

_POINT: Final = "installers"
ORDER: Final = (RefKind.NPM, RefKind.PYPI, RefKind.MCPB, RefKind.OCI, RefKind.GIT)
METHODS: Final = (*ORDER, RefKind.REMOTE, RefKind.DIR, RefKind.CMD)
# One program of each tuple must be there.
NEEDS: Final[dict[RefKind, tuple[tuple[str, ...], ...]]] = {
    RefKind.NPM: (("node",), ("npm",)),
    RefKind.GIT: (("git",),),
    RefKind.OCI: (("podman", "docker"),),
}
_PREFIX: Final = {kind: f"{kind.value}:" for kind in METHODS} | {RefKind.GIT: "git+", RefKind.REMOTE: ""}


def installable() -> frozenset[str]:
    """Return the kinds of references that there is an installer for."""
    return frozenset(plugins.names(_POINT))


def installer_for(ref: Ref, bench: Bench) -> Installer:
    """Return the installer for ``ref``. Raises :class:`InstallFailed` for a kind that none is there for."""
    known = plugins.names(_POINT)
    if ref.kind.value not in known:
        raise InstallFailed(
            f"references of the kind {ref.kind.value} cannot be installed yet", f"use one of {', '.join(known)}"
        )
    installer: Installer = plugins.load(_POINT, [ref.kind.value])[ref.kind.value](bench)
    return installer


def lacking(kind: RefKind, tools: frozenset[str], kinds: frozenset[str]) -> str:
    """Return why a method cannot be used here, as a clause; "" where it can.

    ``tools`` are the programs that this machine has, ``kinds`` what there is an installer for. Pure.
    """
    if kind.value not in kinds:
        return f"{kind.value} servers cannot be installed yet"
    missing = [" or ".join(programs) for programs in NEEDS.get(kind, ()) if not tools.intersection(programs)]
    return f"{kind.value} needs {' and '.join(missing)}, not here" if missing else ""


def ways(candidate: Candidate, method: str = "") -> tuple[Candidate, ...]:
    """Return the candidate under each reference that may be tried, in the order to try them. Pure.

    With ``method`` only that one; its source is then also the repository that it names as its own.
    """
    every = [msgspec.structs.replace(candidate, others=()), *candidate.others]
    if method:
        return tuple(each for each in (*every, *_source(candidate)) if each.ref.kind.value == method)[:1]
    first, *others = every
    usable = [each for each in others if each.ref.kind in ORDER and not _here(each.ref)]
    return (first, *sorted(usable, key=lambda each: ORDER.index(each.ref.kind)))


def referred(text: str, method: str, known: Callable[[Ref], Candidate | None]) -> Ref:
    """Return the reference that is meant by ``text`` where it is to be installed by ``method`` ("": as it is written).

    A bare name, path or address is one of the method's kind; an address may also be one of a repository or a bundle.
    Raises :class:`BadReference`, and :class:`BadArgument` which names the methods that are possible. Pure.
    """
    if not method:
        return parse_ref(text)
    kind = RefKind(method)
    try:
        ref = parse_ref(text)
    except BadReference:
        if text.partition(":")[0] in {each.value for each in METHODS} or text.startswith("git+"):
            raise  # it says its kind itself, and says it badly
        return parse_ref(_PREFIX[kind] + text)
    if ref.kind is kind:
        return ref
    offered = _readings(ref)
    candidate = known(ref)
    if candidate is not None:
        offered |= {each.ref.kind: each.ref for each in (*_source(candidate), *candidate.others)}
    if kind not in offered:
        possible = [each.value for each in METHODS if each in offered or each is ref.kind]
        raise BadArgument(f"{ref} cannot be installed by {method}", f"possible: --method {' | '.join(possible)}")
    return offered[kind]


def _readings(ref: Ref) -> dict[RefKind, Ref]:
    """Return what an address may be besides: a repository, a bundle."""
    if ref.kind is not RefKind.REMOTE or not ref.name.startswith(("https://", "http://")):
        return {}
    return {RefKind.GIT: parse_ref(f"git+{ref.name}"), RefKind.MCPB: parse_ref(f"mcpb:{ref.name}")}


def _source(candidate: Candidate) -> Iterable[Candidate]:
    """Yield the candidate as the repository that it says it comes from."""
    address = candidate.facts.repository or ""
    try:
        ref = parse_ref(f"git+{address.removeprefix('git+')}")
    except BadReference:
        return
    yield msgspec.structs.replace(candidate, ref=ref, others=())


def _here(ref: Ref) -> bool:
    """Whether a reference names a file of this machine: such a one is not taken instead of another."""
    return ref.kind is RefKind.MCPB and "://" not in ref.name
