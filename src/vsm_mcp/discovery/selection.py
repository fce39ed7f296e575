"""Which packages call themselves MCP servers: a rule over name and summary, for lists that hold everything."""

from __future__ import annotations

import re
from typing import Final

from vsm_mcp.matching.tokens import name_stems

_BEGINNING: Final = "2024-11"
_NAMES_MCP: Final = re.compile(
    r"(?<![a-z])mcp(?!\d{2,})(?![a-z](?!erver))|model[ -]context[ -]protocol|mcp-?server|(?<=[a-z])mcp\b", re.IGNORECASE
)
# What helps to build, run or reach servers is none itself, unless it says that it is one.
_BUILDS: Final = re.compile(
    r"\b(?:sdk|frameworks?|boilerplate|scaffold\w*|templates?|middleware|inspector|instrumentation|adapters?|client|"
    r"test(?:ing)? (?:tool|framework|library)|type definitions|typings|schema conversion)\b"
    r"|(?:build|creat|develop|writ|generat|deploy|host|publish|register|manag|install|test|discover)\w*"
    r" (?:\w+ ){0,3}(?:mcp|model context protocol)(?: \(mcp\))? (?:\w+ )?servers"
    r"|\b(?:library|toolkit|utilities|utils|helpers?|types|decorators?) (?:for|to) (?:\w+ ){0,4}"
    r"(?:mcp|model context protocol)",
    re.IGNORECASE,
)
_SAYS_SERVER: Final = re.compile(r"\b(?:mcp|model context protocol(?: \(mcp\))?)[ -]server\b", re.IGNORECASE)
_FOR_SERVER: Final = re.compile(
    r"\b(?:client|sdk|library|wrapper|adapter|framework|toolkit|template|boilerplate|inspector|utilities)\b"
    r"[^.]{0,60}\b(?:for|to|with|of|by)\b[^.]{0,40}\bserver",
    re.IGNORECASE,
)
_BUILDER_NAME: Final = re.compile(
    r"(?:^|[-_/@.])(?:sdk|client|clients|framework|adapters?|types|utils|inspector|transport|template|boilerplate|"
    r"scaffold|middleware|instrumentation|create|eslint|handler|core|auth)(?:$|[-_/.])",
    re.IGNORECASE,
)
_MCP_SERVER_NAME: Final = re.compile("mcp[-_]?server(?!s|[-_](?:sdk|core|utils))", re.IGNORECASE)
# A part of something else: the binary of one platform, or what a build tool cut off and gave a UUID for a name.
_PART_NAME: Final = re.compile(
    r"(?:darwin|linux(?:musl)?|win32|windows|freebsd)[-_](?:x64|arm64|amd64|x86_64|ia32|arm)"
    r"|[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}",
    re.IGNORECASE,
)


_ALSO_SERVER: Final = re.compile(r"(?:and|&|\+|,|/|or) (?:an? |the )?(?:\w+ )?mcp[ -]server\b", re.IGNORECASE)
_NAMED_SERVER: Final = re.compile(r"(?:^|[-_/])mcp(?:[-_]server)?$|^mcp[-_]server", re.IGNORECASE)
_BUILDS_SERVERS: Final = re.compile(r"\bmcp\b.{0,40}\bservers\b|frameworks? for|boilerplate|scaffold", re.IGNORECASE)


def calls_itself_server(name: str, summary: str, month: str = "") -> bool:
    """Return whether a package with this name and summary is, by its own words, a server a person could add.

    ``month`` (``YYYY-MM``) is that of its last release, where known: what is older than the protocol serves it not.
    """
    if month and month < _BEGINNING:
        return False
    if not (_NAMES_MCP.search(name) or _NAMES_MCP.search(summary)) or _PART_NAME.search(name):
        return False
    builder = _BUILDER_NAME.search(name) and not _MCP_SERVER_NAME.search(name)
    if not builder and not _BUILDS.search(summary):
        return True
    if _ALSO_SERVER.search(summary) or (_SAYS_SERVER.search(summary) and not _FOR_SERVER.search(summary)):
        return True
    return not builder and bool(_NAMED_SERVER.search(name) and name_stems(name)) and not _BUILDS_SERVERS.search(summary)
