"""What both fixture servers offer: ``offer.json``, which the legacy server (in JavaScript) reads as well.

A tool or a prompt has a ``definition`` and either a ``result`` or ``rounds`` of questions to the client; on the way it
may log (``logs``), report ``progress`` or change a list (``toggles``). A question is ``{method, params}`` under the key
that the suite looks for. ``stateful``: the questions come with a state that has to come back. ``optional``: what the
client is not able to answer is not asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

Entry = dict[str, Any]

OFFER: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "offer.json").read_text("utf-8"))
CAPABILITY: Final = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
"""Method of a question → the capability of a client that is able to answer it."""


class Shelves:
    """The tools and prompts of one server; one of each comes and goes."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Entry]] = {kind: _by_name(OFFER[kind]) for kind in ("tools", "prompts")}

    def definitions(self, kind: str) -> list[Entry]:
        return [entry["definition"] for entry in self._entries[kind].values()]

    def find(self, kind: str, name: str) -> Entry | None:
        return self._entries[kind].get(name)

    def toggle(self, kind: str) -> None:
        entry = OFFER["toggled"][kind]
        name = entry["definition"]["name"]
        if self._entries[kind].pop(name, None) is None:
            self._entries[kind][name] = entry


def contents(uri: str) -> list[Entry] | None:
    """Return what a resource holds; ``None`` when there is none."""
    for resource in OFFER["resources"]:
        if resource["definition"]["uri"] == uri:
            return [{"uri": uri, **resource["contents"]}]
    before, _, after = OFFER["template"]["definition"]["uriTemplate"].partition("{id}")
    if uri.startswith(before) and uri.endswith(after) and len(uri) > len(before) + len(after):
        filled: Entry = fill(OFFER["template"]["contents"], {"id": uri[len(before) : -len(after)]})
        return [{"uri": uri, **filled}]
    return None


def fill(part: Any, values: Mapping[str, object]) -> Any:
    """Return a copy in which ``{name}`` stands for the value of that name."""
    if isinstance(part, str):
        for name, value in values.items():
            part = part.replace(f"{{{name}}}", str(value))
        return part
    if isinstance(part, dict):
        return {key: fill(value, values) for key, value in part.items()}
    return [fill(value, values) for value in part] if isinstance(part, list) else part


def _by_name(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry["definition"]["name"]: entry for entry in entries}
