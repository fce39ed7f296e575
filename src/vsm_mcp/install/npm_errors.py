"""Maps what npm says into our errors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec

from vsm_mcp.errors import HomeError, InstallFailed, RegistryUnavailable, UnknownPackage, VsmError
from vsm_mcp.install.files import disk_full
from vsm_mcp.install.tools import clean, tail
from vsm_mcp.sandbox.confinement import Completed

_NETWORK: Final = frozenset(
    {"ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EPIPE"}
    | {"ERR_SOCKET_TIMEOUT", "EIDLETIMEOUT", "FETCH_ERROR", "E429", "E500", "E502", "E503", "E504", "EINVALIDRESPONSE"}
    | {"UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "SELF_SIGNED_CERT_IN_CHAIN", "CERT_HAS_EXPIRED", "EPROTO"}
)
_CHECK: Final = "check the network and `npm config get registry`, then try again"


class LockRefused(InstallFailed):
    """npm finds that its lock does not fit the package (``EUSAGE`` of ``npm ci``)."""


def unpacking_failed(done: Completed) -> bool:
    """Whether npm could not write a file that it unpacked: it only warns of that, and leaves the file cut off."""
    return b"TAR_ENTRY_ERROR" in done.stderr


def explain(package: str, done: Completed, home: Path) -> VsmError:
    """Return the error for an npm command on ``package`` (``name@version``) that failed."""
    if unpacking_failed(done):
        said = clean(done.stderr.decode("utf-8", "replace").split("TAR_ENTRY_ERROR", 1)[1].split("\n", 1)[0])
        full = said.startswith(("ENOSPC", "EDQUOT"))
        return disk_full(home) if full else InstallFailed(f"npm cannot unpack {package}: {said[:300]}", "try again")
    code, summary, detail = _said(done)
    if code in _NETWORK:
        return RegistryUnavailable(f"the npm registry does not answer: {summary}", _CHECK)
    if code in {"E401", "E403"}:
        return RegistryUnavailable(f"the npm registry refuses access: {summary}", "log in to it in ~/.npmrc")
    if code in {"ETARGET", "ENOVERSIONS"}:
        return _no_version(package, summary)
    if code == "E404":
        missing = re.search(r"'([^']+)'", detail)
        return _not_there(package, clean(missing.group(1)) if missing else summary)
    if code in {"EACCES", "EROFS", "EPERM"}:
        return HomeError(f"npm may not write: {summary}", f"make {home} and npm's cache writable for you")
    if code == "EUSAGE":
        return LockRefused(f"npm cannot install {package} as it was locked: {summary[:300]}", "resolve it again")
    return InstallFailed(f"npm cannot install {package}: {summary}", _ADVICE.get(code, "see the npm message above"))


_MALFORMED: Final = "the archive is malformed or hostile; do not install this version"
_ADVICE: Final = {
    **dict.fromkeys(("TAR_ABORT", "TAR_BAD_ARCHIVE", "Z_BUF_ERROR", "Z_DATA_ERROR"), _MALFORMED),
    "EINTEGRITY": "the registry sent other bytes than its own hash says; try again later, and do not trust this copy",
    "EBADPLATFORM": "the package is not made for this operating system or processor",
    "EALLOWGIT": "it takes a dependency from git, which cannot be pinned by hash; choose another version",
    "EALLOWREMOTE": "it takes a dependency from outside the registry; choose another version",
    "ERESOLVE": "its dependencies contradict each other; choose another version",
    "EOVERRIDE": "the constraint contradicts what the package itself asks for",
}


def _said(done: Completed) -> tuple[str, str, str]:
    """Return npm's code, summary and detail: from its JSON, else from the lines ``npm error …``."""
    text = done.stdout.decode("utf-8", "replace")
    start = text.find("{")
    try:
        answer: Any = msgspec.json.decode(text[start:]) if start >= 0 else {}
    except msgspec.DecodeError:
        answer = {}
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        code, summary = str(error.get("code", "")), clean(str(error.get("summary", "")))[:600]
        return code, summary or tail(done), str(error.get("detail", ""))
    found = re.search(r"npm (?:error|ERR!) code (\w+)", done.stderr.decode("utf-8", "replace"))
    return (found.group(1) if found else ""), tail(done) or done.exit.describe(), ""


def _no_version(package: str, summary: str) -> VsmError:
    none_at_all = re.search(r"No versions available for (\S+)", summary)
    if none_at_all is not None:
        return InstallFailed(
            f"{package} cannot be resolved: of {none_at_all[1]} there is no version, or none that is old enough",
            "if a cool-down is set ([install] min_release_age_days): wait, or take an older version",
        )
    wanted = re.search(r"for (\S+?)(?: with a date before (.+?))?\.?$", summary)
    name = wanted.group(1).rstrip(".") if wanted else summary
    when = f" that is older than {wanted.group(2)}" if wanted and wanted.group(2) else ""
    own = package.rpartition("@")[0] or package
    if name.rpartition("@")[0] == own:
        return UnknownPackage(f"the npm registry has no version {name}{when}", "choose another version")
    return InstallFailed(
        f"{package} cannot be resolved (ETARGET): it depends on {name}, and the registry has no such version{when}",
        "this version of the package is broken there; choose another version or package"
        if not when
        else "wait, or take an older version: its dependency is within the cool-down of [install] min_release_age_days",
    )


def _not_there(package: str, missing: str) -> VsmError:
    own = package.rpartition("@")[0] or package
    if missing == own or missing.startswith(f"{own}@"):
        return UnknownPackage(f"npm package {missing} does not exist", "check the spelling")
    return InstallFailed(
        f"{package} cannot be resolved (E404): it depends on {missing}, which the registry does not have",
        "this version of the package is broken there; choose another version or package",
    )
