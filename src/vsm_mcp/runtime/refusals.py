"""What a server that failed had reached for, by the record of its contacts: that is known, not guessed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from vsm_mcp.model.contact import Contact
from vsm_mcp.model.trial import Cause

_UNEXPLAINED: Final = frozenset({"crashed", "hung", "not_a_server"})
_SHOWN: Final = 4


def informed(found: Cause, contacts: Sequence[Contact]) -> Cause:
    """Return the cause with what the record knows of it.

    A guess at the network is replaced. A failure without a reason gets the refusal for one, unless there was none: most
    servers end when they cannot reach what they need, and few say so.
    """
    refused = _refused(contacts, found)
    if found.code == "network_refused":
        return _refusal(refused, found) if refused else _unreachable(contacts) or found
    if found.code in _UNEXPLAINED and refused:
        told = _refusal(refused, found)
        return msgspec.structs.replace(told, message=f"{found.message}; before that, {told.message}")
    return found


def _refused(contacts: Sequence[Contact], found: Cause) -> dict[str, Contact]:
    """Return what was refused, by the grant that would allow it: as exact as the name server and stderr together."""
    said = found.inputs[0] if found.code == "network_refused" and found.inputs else ""
    refused = {}
    for contact in contacts:
        if not contact.allowed and contact.grant:
            exact = contact.port == 0 and said.startswith(f"{contact.host}:")
            refused[said if exact else contact.grant] = contact
    return refused


def _refusal(refused: dict[str, Contact], found: Cause) -> Cause:
    grants = list(refused)[:_SHOWN]
    what = ", ".join(
        _place(contact) + ("" if contact.reason == "not allowed" else f" ({contact.reason})")
        for contact in list(refused.values())[:_SHOWN]
    )
    return Cause(
        code="network_refused",
        message=f"the server was not allowed to reach {what}",
        hint=f"if it may: {' '.join(f'--allow-host {grant}' for grant in grants)}",
        inputs=tuple(grants),
        remedies=found.remedies,
    )


def _unreachable(contacts: Sequence[Contact]) -> Cause | None:
    for contact in contacts:
        if contact.allowed and contact.reason:
            return Cause(
                code="host_unreachable",
                message=f"the server may reach {_place(contact)}, but it {contact.reason}",
                hint="look whether it runs, and whether this machine itself reaches it (without a proxy)",
                inputs=(_place(contact),),
            )
    return None


def _place(contact: Contact) -> str:
    return f"{contact.host} port {contact.port}" if contact.port else contact.host
