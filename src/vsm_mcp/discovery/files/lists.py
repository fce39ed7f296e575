"""Sources that are documents at an address: catalogues of containers, kits and lists that the user subscribes to.

An address may be a file, too. A document from the network is kept, and asked for again only whether it has changed;
while nobody answers the kept one counts, and the source says so.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from vsm_mcp.discovery.files.container_catalogue import servers_in
from vsm_mcp.discovery.files.file_source import Finds, fitting, summary
from vsm_mcp.discovery.files.kits import take
from vsm_mcp.discovery.files.places import Places
from vsm_mcp.discovery.files.reading import Unreadable, parse_document, read_bytes
from vsm_mcp.discovery.network.limits import Limits, limits_of, patient
from vsm_mcp.discovery.network.web import Web
from vsm_mcp.discovery.source import Context, SourceOff, SourceState
from vsm_mcp.errors import BadReference, ConfigError, SourceUnavailable, VsmError
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.client_shapes import entries_of
from vsm_mcp.model.counted import counted
from vsm_mcp.model.kit import Kit, kit_of
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.registries.addresses import shown

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_LINES: Final = 5_000
_YAML: Final = (".yaml", ".yml")

Read = Callable[[bytes, str], Finds]
"""Reads a document; the text is its address. Raises :class:`Unreadable`."""


class ListSource:
    """A source over some addresses. ``off`` is what to say where there is none."""

    state = SourceState.OK

    def __init__(self, context: Context, name: str, addresses: Sequence[str], read: Read, off: str) -> None:
        self.name = name
        self.detail = ""
        self._context = context
        self._addresses = addresses
        self._read = read
        self._off = off
        self._limits: Limits = limits_of(context.config.discovery)
        self._parsed: dict[str, tuple[bytes, Finds]] = {}

    @property
    def remote(self) -> bool:
        """Whether all that is named lies elsewhere."""
        return bool(self._addresses) and all("://" in address for address in self._addresses)

    async def search(self, need: str, limit: int) -> list[Candidate]:
        """Return what the documents have for the need.

        Raises :class:`SourceOff` where none is named, and :class:`SourceUnavailable` where none can be had.
        """
        if not self._addresses:
            raise SourceOff(self._off, "see docs/reference/sources.md")
        told = await asyncio.gather(*(self._told(address, self._limits) for address in self._addresses))
        troubles = [trouble for _, some, _ in told for trouble in some]
        if all(finds is None for finds, _, _ in told):
            raise SourceUnavailable(summary(troubles))
        self.state = SourceState.STALE if any(old for _, _, old in told) else SourceState.OK
        self.detail = summary(troubles)
        found = [candidate for finds, _, _ in told if finds is not None for candidate in finds.candidates]
        return await asyncio.to_thread(fitting, found, self.name, need, limit, self._context.matcher)

    async def refresh(self) -> str:
        """Ask whether what is kept of the network has changed. Raises :class:`SourceUnavailable`."""
        elsewhere = [address for address in self._addresses if "://" in address]
        told = await asyncio.gather(*(self._told(address, patient(self._limits)) for address in elsewhere))
        if failed := [trouble for finds, some, old in told if finds is None or old for trouble in some]:
            raise SourceUnavailable(summary(failed))
        return counted(sum(len(finds.candidates) for finds, _, _ in told if finds is not None), "servers")

    async def _told(self, address: str, limits: Limits) -> tuple[Finds | None, list[str], bool]:
        """Return what a document holds, what is wrong with it, and whether it is an old copy."""
        try:
            if "://" not in address:
                finds = await asyncio.to_thread(self._from_file, address)
                return finds, finds.troubles, False
            told = await self._web(address).ask(address, lambda body: self._of_web(body, address), limits)
            trouble = [told.trouble] if told.trouble else []
            return told.answer, [*trouble, *told.answer.troubles], bool(trouble)
        except VsmError as error:
            return None, [error.message], False

    def _from_file(self, address: str) -> Finds:
        path = Places(self._context.config.environ).path(address)
        data = read_bytes(path) if path is not None else None
        if data is None:
            raise Unreadable(f"{address}: it is not there")
        return self._once(data, address)

    def _once(self, body: bytes, address: str) -> Finds:
        """Read a document, or take what was read before of the very same."""
        digest = hashlib.sha256(body).digest()
        known = self._parsed.get(address)
        if known is None or known[0] != digest:
            known = self._parsed[address] = (digest, self._read(body, address))
        return known[1]

    def _of_web(self, body: bytes, address: str) -> Finds:
        """Read the same, as the network wants it: what cannot be used is then not kept."""
        try:
            return self._once(body, address)
        except Unreadable as error:
            raise ValueError(error.message) from error

    def _web(self, address: str) -> Web:
        parts = urlsplit(address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ConfigError(f"{shown(address)}: a list comes by https, or from this machine", "write https://…")
        return self._context.network


def read_catalogue(body: bytes, address: str) -> Finds:
    """Read a catalogue of containers."""
    document = parse_document(body, _suffix(address, ".yaml"), shown(address))
    finds = Finds()
    try:
        finds.candidates, finds.troubles = servers_in(document)
    except ValueError as error:
        raise Unreadable(f"{shown(address)}: {error}") from error
    return finds


def read_recommendations(body: bytes, address: str) -> Finds:
    """Read a kit, an ``mcpServers`` document, or a list: a reference a line, with words on it after a space."""
    finds = Finds()
    if body.lstrip()[:1] not in (b"{", b"["):
        _read_lines(body, address, finds)
        return finds
    document = parse_document(body, ".json", shown(address))
    stem = PurePosixPath(urlsplit(address).path).stem
    try:
        take(kit_of(document, stem), shown(address), finds)
    except ValueError:
        entries = entries_of(document)
        if not isinstance(entries, dict):
            raise Unreadable(f"{shown(address)}: it is neither a kit nor a list of servers") from None
        take(Kit(stem, {"servers": entries}), shown(address), finds)
    return finds


def _read_lines(body: bytes, address: str, finds: Finds) -> None:
    if b"\0" in body[:1000] or body.lstrip()[:1] == b"<":
        raise Unreadable(f"{shown(address)}: it is no list of servers")
    lines = [line.split("#", 1)[0].strip() for line in body.decode("utf-8", "replace").splitlines()[:_MOST_LINES]]
    for number, line in enumerate(lines, 1):
        ref, _, words = line.partition(" ")
        try:
            if ref:
                parsed = parse_ref(ref)
                finds.candidates.append(Candidate(ref=parsed, name=parsed.name, description=words.strip()))
        except BadReference:
            finds.troubles.append(f"{shown(address)}: line {number} begins with no reference")


def _suffix(address: str, default: str) -> str:
    suffix = PurePosixPath(urlsplit(address).path if "://" in address else address).suffix
    return suffix if suffix in (*_YAML, ".json") else default


def build_containers(context: Context) -> ListSource:
    """Build the source (entry point ``vsm_mcp.sources: containers``)."""
    settings = context.config.discovery.files
    return ListSource(context, "containers", settings.catalogues, read_catalogue, "no catalogue is named")


def build_community(context: Context) -> ListSource:
    """Build the source (entry point ``vsm_mcp.sources: community``)."""
    settings = context.config.discovery.files
    return ListSource(context, "community", settings.subscriptions, read_recommendations, "nothing is subscribed to")
