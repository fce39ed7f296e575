"""Packages built by the tests: npm tarballs and wheels with harmless stand-ins for what incidents did."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vsm_mcp.install.archive import Limits, unpack_tarball, unpack_zip
from vsm_mcp.model.finding import CheckResult
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.vetting.archive import ArchiveCheck
from vsm_mcp.vetting.check import Stage, Subject, run_checks
from vsm_mcp.vetting.code.check import CodeCheck
from vsm_mcp.vetting.code.scan import Scan, scan

_LIMITS = Limits(size=1 << 30, files=10_000)


def npm_package(folder: Path, files: Mapping[str, str], manifest: Mapping[str, Any] | None = None) -> Subject:
    """Build a tarball, unpack it as the installer does, and return it as checks see it."""
    told = {"name": "x-mcp", "version": "1.0.0", "bin": "index.mjs", **(manifest or {})}
    archive = folder / "x-mcp-1.0.0.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in {"package.json": json.dumps(told), **files}.items():
            data = text.encode()
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    root = folder / "package"
    members = unpack_tarball(archive, root, _LIMITS)
    return Subject(ref=parse_ref("npm:x-mcp@1.0.0"), version="1.0.0", root=root, members=members, manifest=told)


def wheel(folder: Path, files: Mapping[str, str]) -> Subject:
    """Build a wheel, unpack it as the installer does, and return it as checks see it."""
    archive = folder / "x_mcp-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    root = folder / "wheel"
    members = unpack_zip(archive, root, _LIMITS)
    told = {"name": "x-mcp", "version": "1.0.0", "requires_dist": []}
    return Subject(ref=parse_ref("pypi:x-mcp==1.0.0"), version="1.0.0", root=root, members=members, manifest=told)


async def judged(subject: Subject) -> tuple[CheckResult, ...]:
    """Return what the checks say that look at files before an installation."""
    return await run_checks((ArchiveCheck(), CodeCheck()), subject, Stage.BEFORE_INSTALL)


def scanned(folder: Path, name: str, source: str) -> Scan:
    """Scan one source in this process."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, "utf-8")
    return scan(folder)
