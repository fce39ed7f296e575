"""The modern era's envelope: what every request says about itself, in ``_meta`` and again in HTTP headers.

Specification 2026-07-28, "Overview: _meta", "Transports: Streamable HTTP" (request headers) and "Error codes". The
order of the checks is that of the reference implementations: first failure wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, encode, text_or_none
from vsm_mcp.gateway.param_headers import PREFIX, decoded_value, disagreement
from vsm_mcp.gateway.view import View
from vsm_mcp.wire import era

VERSION: Final = b"mcp-protocol-version"
METHOD: Final = b"mcp-method"
NAME: Final = b"mcp-name"
SESSION: Final = b"mcp-session-id"
ROUTING: Final = (VERSION, METHOD, NAME)

STATUS: Final[Mapping[int, int]] = {
    era.PARSE_ERROR: 400,
    era.INVALID_REQUEST: 400,
    era.INVALID_PARAMS: 400,
    era.HEADER_MISMATCH: 400,
    era.MISSING_CLIENT_CAPABILITY: 400,
    era.UNSUPPORTED_VERSION: 400,
    era.METHOD_NOT_FOUND: 404,
}
"""JSON-RPC error code → HTTP status in the modern era; any other code is answered with 200."""

_PARAM: Final = PREFIX.encode()
_LEGACY: Final = frozenset(version.encode() for version in era.HANDSHAKE)


def check_meta(request: Request) -> None:
    """Check what ``_meta`` has to hold; raises :class:`Fault` (-32602, -32022)."""
    _required(request)
    check_version(_version(request))


def check(request: Request, headers: Mapping[bytes, bytes], pairs: Sequence[tuple[bytes, bytes]]) -> None:
    """Check ``_meta`` and the headers that repeat parts of the body; raises :class:`Fault`.

    ``headers`` maps lower-case names to (last) values; ``pairs`` are all of them, for finding duplicates.
    """
    if len(headers) != len(pairs):
        _refuse_duplicates(pairs)
    said, header = request.said, headers.get(VERSION)
    if said is None or not said.whole or header != _MODERN_BYTES:
        _required(request)
        _check_versions(header, request)
    if headers.get(METHOD) != request.method.encode("utf-8", "surrogatepass"):
        raise Fault(era.HEADER_MISMATCH, "the Mcp-Method header is missing or differs from the body's method")
    member = era.NAMED_BY.get(request.method)
    if member is not None:
        _check_name(headers.get(NAME), request, member)


def check_param_headers(request: Request, view: View, pairs: Sequence[tuple[bytes, bytes]]) -> None:
    """Check the headers that repeat arguments of a tool; raises :class:`Fault` (-32020)."""
    if request.method != "tools/call" or not view.catalogue.rules:
        return
    rules = view.catalogue.rules.get(request.name or "")
    if rules:
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            if name.startswith(_PARAM):
                given.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        if view.catalogue.searching:  # a client that was not given the definition knows of no header: none is missed
            rules = tuple(rule for rule in rules if rule.header in given)
        wrong = disagreement(rules, request.params.get("arguments"), given)
        if wrong:
            raise Fault(era.HEADER_MISMATCH, wrong)


def is_modern(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request is of the modern era: it names a version, and none of the handshake's."""
    version = headers.get(VERSION)
    return version is not None and version not in _LEGACY


def check_version(version: str) -> None:
    """Raise :class:`Fault` (-32022) for a version that is not served in the modern way."""
    if version != era.MODERN:
        data = encode({"supported": [era.MODERN], "requested": version})
        raise Fault(era.UNSUPPORTED_VERSION, "Unsupported protocol version", data)


_MODERN_BYTES: Final = era.MODERN.encode()


def _required(request: Request) -> None:
    meta = request.meta
    if meta is None:
        raise Fault(
            era.INVALID_PARAMS,
            f"params._meta has to hold {era.META_PROTOCOL} and {era.META_CLIENT_CAPABILITIES}",
        )
    missing = [key for key in (era.META_PROTOCOL, era.META_CLIENT_CAPABILITIES) if key not in meta]
    if missing:
        raise Fault(era.INVALID_PARAMS, f"params._meta lacks {' and '.join(missing)}")


def _version(request: Request) -> str:
    version = text_or_none((request.meta or {}).get(era.META_PROTOCOL))
    if version is None:
        raise Fault(era.INVALID_PARAMS, f"{era.META_PROTOCOL} is a string")
    return version


def _check_versions(header: bytes | None, request: Request) -> None:
    version = _version(request)
    if header is None or header != version.encode("utf-8", "surrogatepass"):
        raise Fault(
            era.HEADER_MISMATCH,
            "the MCP-Protocol-Version header is missing or differs from the version in params._meta",
        )
    check_version(version)


def _check_name(header: bytes | None, request: Request, member: str) -> None:
    wanted = request.text_or_none(member)
    if wanted is None:
        return  # the method itself says what is missing
    given = None if header is None else decoded_value(header.decode("latin-1"))
    if given != wanted:
        raise Fault(era.HEADER_MISMATCH, f"the Mcp-Name header is missing or differs from the body's {member}")


def _refuse_duplicates(pairs: Sequence[tuple[bytes, bytes]]) -> None:
    seen: set[bytes] = set()
    for name, _ in pairs:
        if name in ROUTING:
            if name in seen:
                raise Fault(era.HEADER_MISMATCH, f"the {name.decode()} header is given more than once")
            seen.add(name)
