"""A reference (REF): how a person or a source names one server.

Grammar (``docs/reference/references.md``)::

    npm:NAME[@VERSION] | pypi:NAME[==VERSION] | git+URL[@REV][#subdirectory=FOLDER] | dir:PATH | oci:IMAGE
    oci:/FOLDER | mcpb:FILE-or-URL[#sha256=HEX] | cmd:PROGRAM ARGS…
    SCHEME://HOST[:PORT][/PATH] (http, https, ws, wss, tcp)
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import msgspec

from vsm_mcp.errors import BadReference
from vsm_mcp.model.runners import meant


class RefKind(StrEnum):
    """Where a reference points."""

    NPM = "npm"
    PYPI = "pypi"
    GIT = "git"
    DIR = "dir"
    OCI = "oci"
    MCPB = "mcpb"
    REMOTE = "remote"
    CMD = "cmd"


# npm: validate-npm-package-name (lower case, url-safe, at most 214); old upper-case names are not accepted.
_NPM_NAME: Final = re.compile(r"(?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*\Z")
# PyPI: the name rule of the core metadata specification.
_PYPI_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]*\Z")
_OCI: Final = re.compile(r"[a-z0-9][A-Za-z0-9._/:@-]*\Z")
# Which schemes can be spoken is known where they are (the plug-in point `transports`), not here.
_SCHEME: Final = re.compile(r"[a-z][a-z0-9.+-]*://")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_MAX_LENGTH: Final = 2048
# git: what check-ref-format allows, less what a command line could mistake; a folder, as pip writes it.
_REV: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,254}\Z")
_FOLDER: Final = re.compile(r"subdirectory=(?![/.])(?!.*(?:^|/)\.\.(?:/|\Z))[^\s#&]+\Z")
_SHA256: Final = re.compile(r"sha256=[0-9a-f]{64}\Z")


class Ref(msgspec.Struct, frozen=True, order=True):
    """One reference: ``kind``, the ``name`` within it, and the exact ``version`` where one was given."""

    kind: RefKind
    name: str
    version: str = ""

    def __str__(self) -> str:
        match self.kind:
            case RefKind.NPM:
                return f"npm:{self.name}" + (f"@{self.version}" if self.version else "")
            case RefKind.PYPI:
                return f"pypi:{self.name}" + (f"=={self.version}" if self.version else "")
            case RefKind.GIT:
                url, hash_, folder = self.name.partition("#")
                return f"git+{url}" + (f"@{self.version}" if self.version else "") + hash_ + folder
            case RefKind.MCPB:
                return f"mcpb:{self.name}" + (f"#{self.version}" if self.version else "")
            case RefKind.REMOTE:
                return self.name
            case _:
                return f"{self.kind.value}:{self.name}"

    @property
    def identity(self) -> str:
        """The reference without its version: what two sources mean when they mean the same server."""
        if self.kind is RefKind.PYPI:
            return f"pypi:{normalise_pypi(self.name)}"
        return str(msgspec.structs.replace(self, version=""))

    def at(self, version: str) -> Ref:
        """Return the same reference pinned to ``version``."""
        return msgspec.structs.replace(self, version=version)


def normalise_pypi(name: str) -> str:
    """Return the normalised form of a PyPI project name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse_ref(text: str) -> Ref:
    """Read a reference. Raises :class:`BadReference` with a hint that names the accepted forms."""
    text = text.strip()
    if not text or len(text) > _MAX_LENGTH or _CONTROL.search(text):
        raise BadReference("the reference is empty, too long or holds control characters", _HINT)
    if text.startswith("git+"):
        return _git(text)
    if _SCHEME.match(text):
        return _remote(text)
    kind, colon, rest = text.partition(":")
    reader = _READERS.get(kind)
    if not colon or reader is None:
        raise BadReference(f"{_shown(text)} is not a reference", _HINT)
    return reader(rest)


_HINT: Final = (
    "write npm:NAME[@VERSION], pypi:NAME[==VERSION], git+URL[@REV], dir:PATH, oci:IMAGE, mcpb:FILE, "
    'https://HOST/PATH, wss://HOST/PATH, tcp://HOST:PORT or cmd:"PROGRAM ARGS"'
)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "…")


def _npm(rest: str) -> Ref:
    cut = rest.find("@", 1)
    name, version = (rest, "") if cut < 0 else (rest[:cut], rest[cut + 1 :])
    if not _NPM_NAME.match(name) or len(name) > 214:
        raise BadReference(
            f"{_shown(name)} is not an npm package name", "npm names are lower case: npm:NAME or npm:@SCOPE/NAME"
        )
    return Ref(RefKind.NPM, name, _version(version, given=cut >= 0))


def _pypi(rest: str) -> Ref:
    name, sep, version = rest.partition("==")
    if not _PYPI_NAME.match(name) or len(name) > 214:
        raise BadReference(f"{_shown(name)} is not a PyPI project name", "write pypi:NAME or pypi:NAME==VERSION")
    return Ref(RefKind.PYPI, name, _version(version, given=bool(sep)))


def _version(version: str, *, given: bool) -> str:
    if given and (not _VERSION.match(version) or ".." in version or len(version) > 128):
        raise BadReference(f"{_shown(version)} is not an exact version", "give one exact version, no range and no tag")
    return version


def _remote(text: str) -> Ref:
    host = text.split("://", 1)[1].split("/", 1)[0]
    if not host or "@" in host or any(char.isspace() for char in text):
        shown = _shown(text.rsplit("@", maxsplit=1)[-1])
        raise BadReference(f"{shown} is not a usable address", "write https://HOST/PATH; keys go into --secret")
    return Ref(RefKind.REMOTE, text)


def _git(text: str) -> Ref:
    url = text.removeprefix("git+")
    scheme, sep, rest = url.partition("://")
    if not sep or scheme not in {"https", "http", "ssh", "git", "file"} or any(char.isspace() for char in url):
        raise BadReference(f"{_shown(text)} is not a git reference", "write git+https://HOST/PATH[@REV]")
    place, hash_, folder = rest.partition("#")
    if hash_ and not _FOLDER.match(folder):
        raise BadReference(f"#{_shown(folder)} names no folder", "write git+URL[@REV]#subdirectory=FOLDER")
    if scheme != "ssh" and "@" in place.split("/", 1)[0]:
        raise BadReference("an address may not hold credentials", "for what needs a key: clone it, and add dir:PATH")
    path, at, rev = place.rpartition("@")
    if at and "/" in path and not path.endswith("/"):
        if not _REV.match(rev) or ".." in rev:
            raise BadReference(f"{_shown(rev)} is no branch, tag or commit", "write git+URL[@REV]")
        return Ref(RefKind.GIT, f"{scheme}://{path}{hash_}{folder}", rev)
    return Ref(RefKind.GIT, url)


def _mcpb(rest: str) -> Ref:
    name, hash_, digest = rest.rpartition("#")
    if hash_ and digest.startswith("sha256="):
        if not _SHA256.match(digest):
            raise BadReference(f"{_shown(digest)} is no SHA-256", "write mcpb:FILE-or-URL#sha256= and 64 hex digits")
        return _mcpb_at(name, digest)
    return _mcpb_at(rest, "")


def _mcpb_at(name: str, digest: str) -> Ref:
    if "://" in name and not name.startswith(("https://", "http://")):
        raise BadReference(f"{_shown(name)} is no address of a bundle", "write mcpb:https://HOST/FILE, or mcpb:FILE")
    if name.startswith(("https://", "http://")):
        _remote(name)
    return msgspec.structs.replace(_plain(RefKind.MCPB, name), version=digest)


def _plain(kind: RefKind, form: str) -> Ref:
    if not form:
        raise BadReference(f"{kind.value}: names nothing", _HINT)
    return Ref(kind, form)


def _cmd(rest: str) -> Ref:
    """A command line, kept as it was written. One that fetches a package at each start is named by that package."""
    try:
        argv = shlex.split(rest)
    except ValueError as error:
        raise BadReference(f"{_shown(rest)} is not a command line: {error}", 'write cmd:"PROGRAM ARGS"') from error
    if not argv or not argv[0]:
        raise BadReference("the command is empty", 'write cmd:"PROGRAM ARGS"')
    instead = meant(argv)
    if instead:
        raise BadReference(
            f"{argv[0]} fetches a package anew at every start and runs it unseen", f"name the package: {instead}"
        )
    return Ref(RefKind.CMD, rest)


def _oci(rest: str) -> Ref:
    if rest.startswith("/"):  # a folder with a Containerfile
        return Ref(RefKind.OCI, rest)
    if not _OCI.match(rest) or ".." in rest or "//" in rest:
        raise BadReference(f"{_shown(rest)} is not an image name", "write oci:[HOST/]NAME[:TAG][@sha256:DIGEST]")
    return Ref(RefKind.OCI, rest)


_READERS: Final[dict[str, Callable[[str], Ref]]] = {
    "npm": _npm,
    "pypi": _pypi,
    "oci": _oci,
    "dir": lambda rest: _plain(RefKind.DIR, rest),
    "mcpb": _mcpb,
    "cmd": _cmd,
}
