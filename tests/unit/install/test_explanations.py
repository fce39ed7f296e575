from __future__ import annotations

import json
from pathlib import Path

import pytest

from vsm_mcp.errors import HomeError, InstallFailed, RegistryUnavailable, UnknownPackage, VsmError
from vsm_mcp.install import npm_errors, pypi_errors
from vsm_mcp.install.tools import clean
from vsm_mcp.sandbox.confinement import Completed, Exit


def _npm(code: str, summary: str, detail: str = "") -> VsmError:
    said = json.dumps({"error": {"code": code, "summary": summary, "detail": detail}}).encode()
    return npm_errors.explain("p@1.0.0", Completed(exit=Exit(code=1), stdout=said), Path("/home/x"))


@pytest.mark.parametrize(
    ("code", "summary", "detail", "kind", "said"),
    [
        ("ETARGET", "No matching version found for dep@^9.0.0.", "", InstallFailed, "it depends on dep@^9.0.0"),
        ("ETARGET", "No matching version found for p@1.0.0.", "", UnknownPackage, "no version p@1.0.0"),
        (
            "ETARGET",
            "No matching version found for dep@1 with a date before 1/2/2026, 3:04:05 AM.",
            "",
            InstallFailed,
            "that is older than 1/2/2026",
        ),
        ("ENOVERSIONS", "No versions available for dep", "", InstallFailed, "none that is old enough"),
        ("E404", "Not Found", "The requested resource 'dep@1' could not be found", InstallFailed, "depends on dep@1"),
        ("E404", "Not Found", "'p@1.0.0' is not in this registry", UnknownPackage, "p@1.0.0 does not exist"),
        ("ECONNREFUSED", "connect ECONNREFUSED", "", RegistryUnavailable, "does not answer"),
        ("E401", "who are you", "", RegistryUnavailable, "refuses access"),
        ("EINTEGRITY", "sha512 mismatch", "", InstallFailed, "sha512 mismatch"),
        ("EACCES", "permission denied", "", HomeError, "may not write"),
        ("EUSAGE", "not in sync", "", npm_errors.LockRefused, "not in sync"),
        ("EWHATEVER", "odd", "", InstallFailed, "odd"),
    ],
)
def test_what_npm_says(code: str, summary: str, detail: str, kind: type[VsmError], said: str) -> None:
    error = _npm(code, summary, detail)
    assert type(error) is kind
    assert said in error.message
    assert error.hint


def test_npm_without_json_is_read_from_its_lines() -> None:
    stderr = b"npm error code ECONNRESET\nnpm error network aborted\n"
    error = npm_errors.explain("p@1", Completed(exit=Exit(code=1), stderr=stderr), Path("/x"))
    assert isinstance(error, RegistryUnavailable)
    error = npm_errors.explain("p@1", Completed(exit=Exit(signal=9), stdout=b"{broken"), Path("/x"))
    assert isinstance(error, InstallFailed) and error.message


def test_a_file_that_npm_could_not_write_is_no_success() -> None:
    """npm warns, exits with 0 and leaves a file cut off."""
    full = Completed(exit=Exit(code=0), stderr=b"npm warn tar TAR_ENTRY_ERROR ENOSPC: no space left on device, write\n")
    assert npm_errors.unpacking_failed(full)
    assert "no space is left" in npm_errors.explain("p@1", full, Path("/x")).message
    other = Completed(exit=Exit(code=0), stderr=b"npm warn tar TAR_ENTRY_ERROR EIO: i/o error, write\n")
    assert "EIO: i/o error" in npm_errors.explain("p@1", other, Path("/x")).message
    assert not npm_errors.unpacking_failed(Completed(exit=Exit(code=0), stderr=b"npm warn deprecated x@1\n"))


UV = {
    "refused": "error: Request failed after 3 retries\n  cause: Failed to fetch: http://127.0.0.1:9/simple/mcp/",
    "python": "error: No solution found\n  cause: Because the requested Python version (>=3.11) does not satisfy "
    "Python>=3.13 and all versions of p depend on Python>=3.13, we can conclude …\n\nhint: try higher",
    "missing": "  cause: Because dep was not found in the package registry and p==1.0 depends on dep, …",
    "source": "  cause: Because dep==2.0 has no usable wheels and p==1.0 depends on dep …\n\n"
    "hint: Wheels are required for `dep` because building from source is disabled",
    "marked": "  cause: Because mappy{sys_platform != 'win32'}>=2.26 has no usable wheels and p depends on it …\n\n"
    "hint: Wheels are required for `mappy` because building from source is disabled",
    "hash": "error: Failed to download p\n  cause: Hash mismatch for `p==1.0`",
    "conflict": "error: No solution found when resolving dependencies\n"
    "  cause: Because p depends on mcp>=2 and mcp<2 …",
}


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        ("refused", RegistryUnavailable, "does not answer"),
        ("python", pypi_errors.PythonTooOld, "needs Python >=3.13"),
        ("missing", InstallFailed, "depends on dep"),
        ("source", pypi_errors.SourceOnly, "dep is published as source only"),
        ("marked", pypi_errors.SourceOnly, "mappy is published as source only"),
        ("hash", InstallFailed, "does not match its hash"),
        ("conflict", InstallFailed, "Because p depends on mcp>=2 and mcp<2"),
    ],
)
def test_what_uv_says(said: str, kind: type[VsmError], told: str) -> None:
    error = pypi_errors.explain("p==1.0", Completed(exit=Exit(code=1), stderr=UV[said].encode()))
    assert type(error) is kind
    assert told in error.message
    assert "hint:" not in error.message
    assert error.hint


def test_messages_hold_no_login_and_no_control_characters() -> None:
    assert clean("GET https://user:secret@h/x \x1b[31mred") == "GET https://h/x [31mred"


def test_an_index_without_dates_is_told_apart() -> None:
    said = (
        b"warning: `my_pkg-1.17.0-py2.py3-none-any.whl` is missing an upload date, but user provided: 2026-11-02\n"
        b"warning: `old-style-2.0.tar.gz` is missing an upload date, but user provided: 2026-11-02\n"
        b"error: No solution found when resolving dependencies\n  cause: Because there are no versions of my-pkg\n"
    )
    error = pypi_errors.explain("my-pkg==1.17.0", Completed(exit=Exit(code=1), stderr=said))
    assert isinstance(error, pypi_errors.Undated)
    assert error.packages == {"my-pkg", "old-style"}
    assert error.source_only == ""


def test_what_has_no_wheel_is_named_beside_what_has_no_date() -> None:
    undated = b"warning: `new-2.0-py3-none-any.whl` is missing an upload date, but user provided: 2025-08-15\n"
    said = undated + b"error: No solution found when resolving dependencies\n" + UV["source"].encode()
    error = pypi_errors.explain("p==1.0", Completed(exit=Exit(code=1), stderr=said))
    assert isinstance(error, pypi_errors.Undated)
    assert error.packages == {"new"}
    assert error.source_only == "dep"
