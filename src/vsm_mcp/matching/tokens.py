"""Text → stems: the same cut for needs, candidates and tools.

camelCase and snake_case are split, accents and case go, English endings are cut (M. F. Porter, *An algorithm for
suffix stripping*, 1980), words that say nothing in this domain are dropped, and scripts written without spaces fall
back to pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final

from vsm_mcp.matching.porter import lasting_stem

MAX_TEXT: Final = 20_000
"""Characters of one text that are looked at; the rest of a longer one is left out."""

_MAX_WORD: Final = 40
_RUN: Final = re.compile(r"[^\W_]+(?:['’][a-z]{1,2}\b)?")
_PLAIN: Final = re.compile(r"[a-z0-9]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PLURAL: Final = re.compile(r"[A-Z]{2,}s\Z")
# A pattern that is slow to compile, and seldom needed.
_UNSPACED: Final = r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+"

# Brands whose inner capital starts no new word.
_BRANDS: Final = """
airtable bigquery bluesky clickhouse clickup cloudflare couchdb duckdb duckduckgo dynamodb elasticsearch facebook
firebase github gitlab graphql hubspot javascript jupyterlab linkedin lancedb mariadb mongodb mysql netsuite nosql
openapi openai opensearch paypal pinecone postgresql powerbi powerpoint powershell pypi quickbooks rabbitmq salesforce
sendgrid servicenow sharepoint soundcloud sqlite stackoverflow tiktok typescript whatsapp wikidata wordpress youtrack
youtube zendesk macos ios iot latex geojson geoip defi
"""
_WHOLE: Final = frozenset(_BRANDS.split())

_FUNCTION_WORDS: Final = """
a about above after again all also am an and any are as at be been before being below between both but by can could
did do does doing down during each etc few for from further get give given gives got had has have having he her here
hers him his how i if in into is it its itself just let lets like may me might more most much must my myself need needs
no nor not now of off on once one only or other our ours out over own per please s same shall she should so some
something such t than that the their theirs them then there these they thing things this those through to too under
until up us use used user users uses using very via want wants was we well were what when where which while who whom
why will with within without would you your yours across along already always another around because ever every never
others onto per since still though three toward towards two upon whether yet
"""
_DOMAIN_WORDS: Final = """
access add agent agents ai allow allowing allows assistant assistants based bridge capabilities capability claude cli
comprehensive cursor description easily enable enabled enables enabling feature featured features here implementation
implements include included includes including integrate integrated integrates integration integrations interact
interacting interaction lightweight llm llms mcp mcps model models official powered powerful protocol provide provided
provides providing seamless seamlessly server servers service services stdio support supports tool tools various
"""
STOP: Final = frozenset(f"{_FUNCTION_WORDS} {_DOMAIN_WORDS}".split())
"""Words dropped on both sides. A need made of nothing else keeps them (:func:`need_stems`)."""

_LIGHT_WORDS: Final = """
ask automate basic best build calculate change check clean client clients code common compute content context control
convert count create current custom daily data delete describe detect different display document draw easy edit explore
extract fast fetch file files find format general generate good handle help info information inspect item items keep
large latest list local look lookup make manage many modify monitor move multiple name names new node npm number
numbers open operate order organise organize package packages perform pick pip plan prepare process produce put pypi
python query quick quickly random read real receive record remove render result results retrieve return run save script
search see send set show simple small solve specific start stop store take tell test text track transform turn type
types typescript understand update validate value values view watch work write
"""
LIGHT: Final = frozenset(map(lasting_stem, _LIGHT_WORDS.split()))
"""Stems of actions and fillers: they say less about what a server is for than the things acted on."""
_LIGHT_WEIGHT: Final = 0.3


def weight_of(stem: str) -> float:
    """Return how much a stem says (0…1): 0.3 for one of :data:`LIGHT`, 1 for any other."""
    return _LIGHT_WEIGHT if stem in LIGHT else 1.0


def words(text: str) -> list[str]:
    """Return the lower-case words of ``text`` in order; camelCase and snake_case split, accents and marks gone."""
    if text.isascii() and "'" not in text and text.lower() == text:
        # Nothing to split, to fold or to cut off: the stems of the index, most names.
        return [word[:_MAX_WORD] for word in _PLAIN.findall(text[:MAX_TEXT])]
    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text[:MAX_TEXT])):
        word = re.split("['’]", run, maxsplit=1)[0]
        if word.isascii():
            found.extend(_ascii(word))
        else:
            found.extend(_other(word))
    return found


def _ascii(word: str) -> Iterable[str]:
    lower = word.lower()[:_MAX_WORD]
    if word == lower or word.isupper() or lower in _WHOLE or lower.removesuffix("s") in _WHOLE:
        return (lower,)
    if _PLURAL.match(word):
        return (lower,)
    parts = [part.lower()[:_MAX_WORD] for part in _CAMEL.split(word)]
    return parts if min(map(len, parts)) > 1 else (lower,)


def _other(word: str) -> Iterable[str]:
    pieces: list[str] = []
    end = 0
    for match in re.finditer(_UNSPACED, word):
        pieces.extend(_plain(word[end : match.start()]))
        run = match.group()
        pieces.extend(run[i : i + 2] for i in range(max(1, len(run) - 1)))
        end = match.end()
    pieces.extend(_plain(word[end:]))
    return pieces


def _plain(word: str) -> Iterable[str]:
    bare = "".join(char for char in unicodedata.normalize("NFKD", word) if not unicodedata.combining(char)).lower()
    return (bare[:_MAX_WORD],) if bare else ()


@lru_cache(maxsize=65_536)
def stem_of(word: str) -> str:
    """Return the stem of one lower-case word; ``""`` for a stop word.

    Endings are cut until nothing changes, so that stems can be read as words again (the index keeps stems only).
    """
    return "" if word in STOP else lasting_stem(word)


def stems(text: str) -> list[str]:
    """Return the stems of ``text`` in order, stop words dropped, repetitions kept."""
    return [cut for word in words(text) if (cut := stem_of(word)) and (len(cut) > 1 or not cut.isascii())]


def need_stems(need: str) -> list[str]:
    """Return the stems of a need; one of stop words only ("use a server") keeps them, so that it is not empty."""
    return stems(need) or [lasting_stem(word) for word in words(need) if len(word) > 1]


def name_stems(name: str) -> list[str]:
    """Return the stems of a package's name; ``mcp`` glued to a word (``excelmcp``) is cut off first."""
    cut: list[str] = []
    for word in words(name):
        bare = word.removesuffix("mcp").removeprefix("mcp") if len(word) > 5 else word
        stemmed = stem_of(bare) if bare else ""
        if stemmed and len(stemmed) > 1:
            cut.append(stemmed)
    return cut


def joined(parts: list[str]) -> list[str]:
    """Return neighbouring stems as the stem of one word: ``time``, ``zone`` → ``timezon``, as names are cut."""
    return [cut for pair in glued(parts) if (cut := stem_of(pair))]


def glued(parts: list[str]) -> list[str]:
    """Return neighbouring stems as one word."""
    return [one + other for one, other in pairwise(parts) if one.isalpha() and other.isalpha()]
