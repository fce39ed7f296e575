"""The texts that the static model is taught on: what public packages hold, no text of any retrieval set.

Package summaries from the two lists that the index is built from, the tools that those packages declare, the operations
of two large families of APIs (``botocore``, ``google-api-python-client``), the glosses and examples of WordNet, and our
own sample needs. All in a fixed order.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tools.build_index import cells
from tools.declared_tools import Declared
from tools.wordnet import meanings

from vsm_mcp.discovery.index_file import IndexRow
from vsm_mcp.matching.wording import ToolText, described, of_tool

_TAG: Final = re.compile(r"<[^>]+>")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LONGEST: Final = 300
_ALL: Final = 1_000_000
_MEASURED_GOOGLE, _MEASURED_BOTOCORE = 24, 16
_CLAUSE: Final = re.compile(
    r"[.,;:!?()\[\]{}\"|/<>=*#`]|\s[-\u2013\u2014]\s"
    r"|\b(?:using|via|with|which|that|based|written|built|supporting)\b",
    re.IGNORECASE,
)
_OF_KIND: Final = re.compile(
    r"^(?:(?:an?|the|simple|small|tiny|fast|lightweight|easy|python|node|javascript|typescript|react|package|library"
    r"|module|tool|plugin|client|wrapper|utility|utilities|cli|api|sdk|app|framework|to|for|of|and)\s+)+",
    re.IGNORECASE,
)
_THIRD: Final = re.compile(
    r"^(add|convert|create|delete|describe|enable|fetch|find|generate|get|list|make|manage|provide|read|remove|retrieve"
    r"|return|search|send|set|start|stop|update|write)e?s\b"
)
_NEED_WORDS: Final = (2, 9)
_NEED_OF_TOOL: Final = 14
SHORTEST: Final = 12
"""Characters: what is shorter says nothing."""
_FRAMES: Final = (
    "I want to {}", "I need to {}", "can you {}?", "could you please {}", "how do I {}?", "help me {}", "please {}",
    "what is {}?", "is there something for {}?", "I am looking for {}", "we would like {}", "show me {}",
    "tell me about {}", "find out {} for me", "give me {}", "I have to {} today", "let me {}",
    "what can I do about {}?", "where do I find {}?", "my boss wants {}", "I'd like to know {}",
    "which of them has {}?", "set up {} for our team", "are there any {}?", "why is {} not working?", "when was {}?",
    "how many {} are there?", "who has {}?", "I forgot {}", "check {} now", "does it do {}?",
    "a way for me to get {}",
)  # fmt: skip


def of_package(row: IndexRow) -> str:
    """Return the text of a package of the index."""
    return described(row.name, row.summary)


def summaries(npm: Path, pypi: Path, most: int = 524_288) -> list[str]:
    """Return summaries of other packages, chosen by their hash."""
    texts = (cell.get("summary", "") for path in (npm, pypi) for cell in cells(path))
    return some((text for text in texts if 25 <= len(text) <= _LONGEST and text.isascii()), most)


def of_tools(tools: Iterable[Declared], most: int) -> list[str]:
    """Return names and first sentences of tools that say in English what they do."""
    return some((of_tool(ToolText("", *tool)) for tool in tools if says_something(tool)), most)


def needs_of_tools(tools: Iterable[Declared], most: int) -> list[str]:
    """Return what tools do as it would be asked for; about every second one in a frame, as :func:`needs` has it."""
    return some((_put(need) for tool in tools if says_something(tool) and (need := need_of(tool.description))), most)


def need_of(description: str) -> str:
    """Return what a tool of this description is needed for, in a few words; "" for what is too long or too short."""
    need = _clause(f"x. {_SENTENCE.split(description, maxsplit=1)[0]}")
    return need if _NEED_WORDS[0] <= len(need.split()) <= _NEED_OF_TOOL else ""


def says_something(tool: Declared) -> bool:
    """Return whether a tool says in English what it does."""
    return len(tool.description) >= SHORTEST and tool.description.isascii()


def operations(botocore: Path, google: Path, most: int) -> list[str]:
    """Return names and first sentences of API operations from the two wheels.

    Those that ``benchmarks/operations.tsv`` is measured among are left out: the first of each API.
    """
    return some({*_botocore(botocore), *_google(google)}, most)


def glosses(wordnet: Path, most: int) -> list[str]:
    """Return definitions and example sentences from WordNet's ``data.*`` files."""
    found: list[str] = []
    for each in (each for part in ("noun", "verb", "adj", "adv") for each in meanings(wordnet, part)):
        said, *examples = each.gloss.strip().split('; "')
        found += [f"{', '.join(each.words)}: {said}", *(text.strip(' "') for text in examples)]
    return some((text for text in found if len(text) >= SHORTEST), most)


def needs(texts: Iterable[str], most: int) -> list[str]:
    """Return what is asked for in a few words: the first clause of each text without "a Python library for".

    About every second one stands in a frame of a request: its hash says in which, so that others do not change it.
    """
    clauses = (_clause(text) for text in texts)
    least, longest = _NEED_WORDS
    return [_put(text) for text in some((text for text in clauses if least <= len(text.split()) <= longest), most)]


def _put(need: str) -> str:
    place = digest(need)[-2] % (2 * len(_FRAMES))
    return _FRAMES[place].format(need) if place < len(_FRAMES) else need


def _clause(text: str) -> str:
    begins = _OF_KIND.sub("", _CLAUSE.split(_named(text).strip(), maxsplit=1)[0].strip())
    return _THIRD.sub(r"\1", " ".join(begins.split()).lower())


def _named(text: str) -> str:
    plain = text.split(". ", maxsplit=1)[-1].rstrip(".")
    return plain[:1].lower() + plain[1:] if plain[1:2].islower() else plain


def some(texts: Iterable[str], most: int = _ALL) -> list[str]:
    """Return up to ``most`` different texts, the ones with the least hashes, none longer than 300 characters."""
    cut = {text[:_LONGEST] for text in texts if text}
    return sorted(cut, key=digest)[:most]


def digest(text: str) -> bytes:
    """Return what decides by lot about a text, the same on every machine: its SHA-256."""
    return hashlib.sha256(text.encode()).digest()


def _sentence(html: str) -> str:
    return _SENTENCE.split(" ".join(_TAG.sub(" ", html).split()), maxsplit=1)[0]


def _operation(name: str, text: str, service: str) -> str:
    words = " ".join(_CAMEL.sub(" ", name).replace("_", " ").split()).lower()
    return f"{words}. {_sentence(text)} {service}".strip()


def _botocore(wheel: Path) -> Iterator[str]:
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            if name.endswith("/service-2.json.gz"):
                model: dict[str, Any] = json.loads(gzip.decompress(files.read(name)))
                service = model["metadata"].get("serviceId", "")
                for called, operation in [*model["operations"].items()][_MEASURED_BOTOCORE:]:
                    yield _operation(called, operation.get("documentation", ""), service)


def _google(wheel: Path) -> Iterator[str]:
    with zipfile.ZipFile(wheel) as files:
        for name in files.namelist():
            if "/discovery_cache/documents/" in name and name.endswith(".json"):
                document: dict[str, Any] = json.loads(files.read(name))
                for called, text in [*_methods(document.get("resources", {}))][_MEASURED_GOOGLE:]:
                    yield _operation(called, text, document.get("title", "").removesuffix(" API"))


def _methods(resources: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, resource in resources.items():
        for called, method in resource.get("methods", {}).items():
            yield f"{called} {name}", method.get("description", "")
        yield from _methods(resource.get("resources", {}))
