from __future__ import annotations

import subprocess
import sys

import pytest


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    return set(done.stdout.split())


def loaded(statement: str) -> set[str]:
    return {name.split(".")[0] for name in modules_after(statement)}


@pytest.mark.parametrize("module", ["vsm_mcp.app.serving", "vsm_mcp.gateway.server", "vsm_mcp.cli.search_command"])
def test_nothing_of_the_sdk_is_loaded(module: str) -> None:
    assert not loaded(f"import {module}") & {"mcp", "mcp_types", "pydantic", "httpx2", "starlette", "fastmcp"}


def test_only_who_uses_oauth_pays_for_it() -> None:
    assert not loaded("import vsm_mcp.app.serving, vsm_mcp.app.access") & {"jwt", "cryptography"}
    assert loaded("import vsm_mcp.gateway.tokens") >= {"jwt", "cryptography"}


def test_help_and_a_running_daemon_are_reached_without_the_heavy_parts() -> None:
    assert not loaded("import vsm_mcp.cli.session, vsm_mcp.cli.call_command") & {
        "aiohttp",
        "sqlite3",
        "uvicorn",
        "jsonschema",
    }


def test_a_search_loads_what_it_needs_and_no_more() -> None:
    modules = modules_after("import vsm_mcp.cli.search_command, vsm_mcp.app.looking")
    assert not modules & {
        "rich",
        "aiohttp.client",
        "bs4",
        "requests",
        "jsonschema",
        "cryptography",
        "psutil",
        "http.client",
    }
    assert not modules & {"vsm_mcp.app.application", "vsm_mcp.runtime.supervisor", "vsm_mcp.sandbox.child"}
    assert not [name for name in modules if name.startswith(("vsm_mcp.gateway", "vsm_mcp.wire", "vsm_mcp.vetting"))]


def test_a_daemon_starts_without_what_explains_failures_and_what_admits_servers() -> None:
    modules = modules_after("import vsm_mcp.app.serving")
    assert not modules & {"numpy", "fractions", "vsm_mcp.runtime.cause", "vsm_mcp.runtime.surroundings", "yara_x"}
    assert not modules & {"email.message", "importlib.metadata", "packaging.specifiers", "psutil._pslinux", "tarfile"}
    assert not modules & {
        "vsm_mcp.app.answering",
        "vsm_mcp.app.locked",
        "vsm_mcp.autopilot.rehearse",
        "vsm_mcp.discovery.research.source",
        "vsm_mcp.runtime.last_words",
        "vsm_mcp.vetting.folding",
        "vsm_mcp.vetting.trial",
    }
