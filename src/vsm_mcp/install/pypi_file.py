"""Fetches one file of a Python index and compares its hash."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.files import written
from vsm_mcp.install.installer import Archive, Bench


def archive_of(file: dict[str, Any], package: str) -> Archive:
    """Return a file of a release as it is to be fetched. Raises :class:`InstallFailed` where it has no SHA-256."""
    digest = (file.get("digests") or {}).get("sha256", "")
    if not digest:
        raise InstallFailed(
            f"the index gives no SHA-256 for {file.get('filename')} of {package}",
            "what cannot be verified is not taken",
        )
    url, size = str(file.get("url", "")), file.get("size")
    return Archive(filename=str(file["filename"]), url=url, digest=f"sha256:{digest}", size=size)


async def download(bench: Bench, archive: Archive, path: Path, package: str) -> str:
    """Write a published file to ``path`` and return its digest (``algorithm:hex``), which is the expected one.

    Raises :class:`InstallFailed` for other bytes and for more than ``[install] max_package_bytes``.
    """
    limit = bench.config.install.max_package_bytes
    algorithm = archive.digest.split(":", 1)[0]
    digest, size = hashlib.new(algorithm), 0
    async with bench.registries.open(archive.url) as pieces:
        with written(path) as write:
            async for piece in pieces:
                size += len(piece)
                if size > limit:
                    raise InstallFailed(
                        f"{package} is larger than {limit >> 20} MB", "raise [install] max_package_bytes"
                    )
                digest.update(piece)
                write(piece)
    found = f"{algorithm}:{digest.hexdigest()}"
    if found != archive.digest:
        raise InstallFailed(
            f"the archive of {package} does not match its hash", "the index sent other bytes; do not trust it"
        )
    return found
