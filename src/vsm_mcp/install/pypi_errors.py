"""Maps what uv says into our errors; uv has no machine-readable form of them."""

from __future__ import annotations

import re
from typing import Final

from vsm_mcp.errors import InstallFailed, RegistryUnavailable, UnknownPackage, VsmError
from vsm_mcp.install.tools import clean
from vsm_mcp.model.ref import normalise_pypi
from vsm_mcp.sandbox.confinement import Completed

_NETWORK: Final = re.compile(
    r"error sending request|Failed to fetch|tcp connect|dns error|Request failed after|operation timed out|"
    r"HTTP status server error|invalid peer certificate|connection (?:reset|closed)|Failed to parse (?:metadata|JSON)",
    re.IGNORECASE,
)
_PYTHON: Final = re.compile(r"does not satisfy Python\s*([<>=!~0-9.,*]+)")
_MISSING: Final = re.compile(r"([A-Za-z0-9._-]+) was not found in the package registry")
_UNDATED: Final = re.compile(r"`?([A-Za-z0-9._+-]+)`? is missing an upload date")
_WHEEL_WANTED: Final = re.compile(r"Wheels are required for `([A-Za-z0-9._-]+)`")
_NO_WHEEL: Final = re.compile(r"(?:`|Because )?([A-Za-z0-9._-]+)(?:[<>=!~]\S*)?`? has no (?:usable )?wheels")


class PythonTooOld(InstallFailed):
    """No set of versions runs on the Python that was tried; ``requires`` is what uv found missing."""

    def __init__(self, message: str, hint: str, requires: str) -> None:
        super().__init__(message, hint)
        self.requires = requires


class Undated(InstallFailed):
    """An index does not say when the files of ``packages`` were published, and uv takes none of these.

    ``source_only`` is one that has no wheel among the files with a date, "" if there is none.
    """

    def __init__(self, packages: frozenset[str], source_only: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.packages = packages
        self.source_only = source_only


class SourceOnly(InstallFailed):
    """``source_only`` ("" where uv does not say) is needed, and published as source alone: that is never built."""

    def __init__(self, source_only: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.source_only = source_only


def explain(package: str, done: Completed) -> VsmError:
    """Return the error for a uv command on ``package`` (``name==version``) that failed."""
    said = clean(done.stderr.decode("utf-8", "replace"))
    reason = _reason(said)
    undated = frozenset(_project(name) for name in _UNDATED.findall(said))
    if undated and "No solution found" in said:
        return Undated(
            undated,
            _source_only(said),
            f"the index gives no date of publication for {', '.join(sorted(undated))}, and a cool-down is set",
            "[install] min_release_age_days = 0 does without one",
        )
    if "hash mismatch" in said.lower():
        return InstallFailed(
            f"a file of {package} does not match its hash: {reason}", "the registry sent other bytes; do not trust it"
        )
    if (python := _PYTHON.search(said)) is not None:
        requires = python.group(1).rstrip(".,")
        return PythonTooOld(
            f"{package} cannot be resolved: it or a dependency needs Python {requires}", f"install {requires}", requires
        )
    if _NETWORK.search(said):
        return RegistryUnavailable(
            f"the Python package index does not answer: {reason}",
            "check the network and `pip config list`, then try again",
        )
    if "status code 40" in said or "401 Unauthorized" in said or "403 Forbidden" in said:
        return RegistryUnavailable(f"the Python package index refuses access: {reason}", "log in to it")
    return _unsolved(package, said, reason)


def _project(filename: str) -> str:
    """Return the project of a wheel or a source distribution."""
    own = filename.partition("-")[0] if filename.endswith(".whl") else filename.rpartition("-")[0]
    return normalise_pypi(own)


def _source_only(said: str) -> str:
    found = _WHEEL_WANTED.search(said) or _NO_WHEEL.search(said)
    return normalise_pypi(found.group(1)) if found else ""


def _unsolved(package: str, said: str, reason: str) -> VsmError:
    own = package.split("==", 1)[0]
    missing = _MISSING.search(said)
    if missing is not None and missing.group(1) == own:
        return UnknownPackage(f"PyPI project {own} does not exist", "check the spelling")
    if missing is not None:
        return InstallFailed(
            f"{package} cannot be resolved: it depends on {missing.group(1)}, which the index does not have",
            "this version of the package is broken there; choose another version or package",
        )
    if "no usable wheels" in said or "building from source is disabled" in said:
        which = _source_only(said)
        return SourceOnly(
            which,
            f"{package} cannot be installed: {which or 'a dependency'} is published as source only for this Python and"
            " platform",
            "what others need is never built, for that would run its code; choose another version or package",
        )
    return InstallFailed(f"{package} cannot be resolved: {reason}", "choose another version, or loosen the constraints")


def _reason(said: str) -> str:
    """Return the sentence that says why, without the advice that follows it."""
    text = re.sub(r"\s+", " ", said.split("hint:", 1)[0])
    text = re.sub(r"^(?:.*?)(?=error:|× )", "", text)
    text = (
        text.replace("error: No solution found when resolving dependencies", "").replace("cause:", "").strip(" :×╰─▶")
    )
    return text[:500] or "uv gave no reason"
