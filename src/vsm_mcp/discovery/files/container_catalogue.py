"""The form of Docker's MCP catalogue → candidates. Pure.

Source: docker/mcp-gateway, ``docs/catalog.md`` and ``docs/server-entry-spec.md``: servers by name under ``registry``,
each of the type ``server`` (an image), ``remote`` (a URL) or ``poci`` (a container for each call; none of ours).
``{{NAME.KEY}}`` in a value stands for what the user configures.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from vsm_mcp.discovery.loose import rows, table, text
from vsm_mcp.errors import BadReference
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.client_file import Unfit
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts, names_secret
from vsm_mcp.model.ref import Ref, parse_ref
from vsm_mcp.model.secretive import address_holds_secret

_ASKED: Final = re.compile(r"\{\{([^{}|]{1,200})(?:\|[^{}]*)?\}\}")
_MOST: Final = 5_000


def servers_in(document: Any) -> tuple[list[Candidate], list[str]]:
    """Return the servers of a catalogue (or one server by itself), and what of it cannot be used.

    Raises ``ValueError`` for what is no catalogue.
    """
    found = table(document)
    registry = found.get("registry")
    if registry is None and ("image" in found or "remote" in found):
        registry = {text(found.get("name")) or "server": found}
    if not isinstance(registry, Mapping):
        raise ValueError("it is no catalogue: it has no registry")
    candidates, troubles = [], []
    for name, entry in list(registry.items())[:_MOST]:
        try:
            candidate = _server(str(name), table(entry))
        except (Unfit, BadReference) as error:
            troubles.append(f"{str(name)[:40]}: {error}")
            continue
        candidates += [candidate] if candidate else []
    return candidates, troubles


def _server(name: str, entry: Mapping[str, Any]) -> Candidate | None:
    if text(entry.get("type")) == "poci":
        return None
    tools = [(text(tool.get("name")), text(tool.get("description"))) for tool in map(table, rows(entry.get("tools")))]
    metadata = table(entry.get("metadata"))
    words = [text(metadata.get("category")), *(text(tag) for tag in rows(metadata.get("tags")))]
    return Candidate(
        ref=_ref(entry),
        name=text(entry.get("title")) or name,
        description=text(entry.get("description")),
        terms=" ".join([name, *words, *chain.from_iterable(tools)]),
        tools=tuple(tools),
        launch=_launch(entry),
        facts=PackageFacts(
            licence=text(metadata.get("license")) or None,
            repository=text(entry.get("upstream")) or text(entry.get("source")) or None,
            homepage=text(entry.get("readme")) or None,
        ),
    )


def _ref(entry: Mapping[str, Any]) -> Ref:
    image, url = text(entry.get("image")), text(table(entry.get("remote")).get("url")) or text(entry.get("sseEndpoint"))
    if text(entry.get("type")) != "remote" and image:
        return parse_ref(f"oci:{image}")
    if not url.startswith("https://") or _ASKED.search(url) or address_holds_secret(url):
        raise Unfit("it names neither an image nor a usable address")
    return parse_ref(url)


def _launch(entry: Mapping[str, Any]) -> LaunchFacts:
    fixed: dict[str, str] = {}
    inputs = [*_secrets(entry)]
    questions = dict(_questions(entry))
    for one in map(table, rows(entry.get("env"))):
        name, value = text(one.get("name")), text(one.get("value"))
        asked = _ASKED.search(value[:1000])
        if name and asked:
            inputs.append(_question(name, questions.get(asked[1].strip(), {})))
        elif name:
            fixed[name] = value
    args = [text(word) for word in rows(entry.get("command"))]
    hosts = rows(entry.get("allowHosts"))
    return LaunchFacts(
        args=() if any(_ASKED.search(word[:1000]) for word in args) else tuple(args),
        env=fixed,
        inputs=tuple(inputs),
        network=False if entry.get("disableNetwork") is True else True if hosts else None,
    )


def _secrets(entry: Mapping[str, Any]) -> Iterator[Input]:
    for one in map(table, rows(entry.get("secrets"))):
        if text(one.get("env")):
            purpose = text(one.get("description"))
            yield Input(kind=InputKind.SECRET, name=text(one.get("env")), purpose=purpose, required=True)


def _questions(entry: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what the user configures, by how values refer to it (``NAME.KEY``)."""
    for one in map(table, rows(entry.get("config"))):
        needed = {text(key) for key in rows(one.get("required"))}
        for key, schema in table(one.get("properties")).items():
            yield f"{text(one.get('name'))}.{key}", {**table(schema), "needed": key in needed}


def _question(name: str, schema: Mapping[str, Any]) -> Input:
    default = schema.get("default")
    return Input(
        kind=InputKind.SECRET if names_secret(name) else InputKind.ENV,
        name=name,
        purpose=text(schema.get("description")),
        required=schema.get("needed") is True,
        default=str(default) if isinstance(default, (str, int)) and not names_secret(name) else "",
    )
