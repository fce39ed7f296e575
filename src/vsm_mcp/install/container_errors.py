"""Maps what podman and docker say about images into our errors; they have no machine-readable form of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from vsm_mcp.errors import InstallFailed, RegistryUnavailable, UnknownPackage, VsmError
from vsm_mcp.install.files import disk_full
from vsm_mcp.install.tools import clean
from vsm_mcp.sandbox.confinement import Completed
from vsm_mcp.sandbox.engine import last_line

_FULL: Final = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_HASH: Final = re.compile(
    r"digest (?:did not|does not) match|unexpected digest|failed to verify|mismatch", re.IGNORECASE
)
_BROKEN: Final = re.compile(r"unexpected EOF|invalid tar header|gzip: invalid|archive/tar|corrupt", re.IGNORECASE)
_SHORT: Final = re.compile(r"short-name|unqualified-search|no registries", re.IGNORECASE)
_REFUSED: Final = re.compile(r"unauthorized|denied|authentication required|forbidden|status 40[13]", re.IGNORECASE)
_MISSING: Final = re.compile(r"manifest unknown|not found|no such image|name unknown|does not exist", re.IGNORECASE)
_NETWORK: Final = re.compile(
    r"connection (?:refused|reset)|no such host|timeout|dial tcp|server misbehaving|EOF|TLS|x509|http response to https"
    r"|toomanyrequests|status 5\d\d|received unexpected HTTP status",
    re.IGNORECASE,
)


def explain(image: str, done: Completed, home: Path) -> VsmError:
    """Return the error for a command of an engine about ``image`` that failed."""
    said = clean(done.stderr.decode("utf-8", "replace"))
    reason = clean(last_line(done))
    if done.timed_out:
        return RegistryUnavailable(
            f"{image} did not arrive in time", "try again, or raise [install] build_timeout_seconds"
        )
    if _FULL.search(said):
        return disk_full(home)
    if _SHORT.search(said):
        return InstallFailed(f"{image} does not say where it is: {reason}", "write oci:HOST/NAME:TAG")
    if _HASH.search(said):
        return InstallFailed(
            f"what the registry sent for {image} does not match its digest: {reason}",
            "the registry sent other bytes; do not trust it",
        )
    if _REFUSED.search(said):
        return RegistryUnavailable(
            f"the registry refuses access to {image}: {reason}", "log in with podman or docker, or look at the name"
        )
    if _MISSING.search(said):
        return UnknownPackage(f"there is no image {image}", "check the name and the tag")
    if _BROKEN.search(said) and "EOF" not in reason:
        return InstallFailed(f"{image} cannot be unpacked: {reason}", "the image is broken; choose another one")
    if _NETWORK.search(said):
        return RegistryUnavailable(
            f"the registry of {image} does not answer: {reason}", "check the network, then try again"
        )
    return InstallFailed(f"{image} cannot be had: {reason}", "see the engine's message above")
