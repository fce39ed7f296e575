from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.wiring import glossary
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.glossary import Glossary, folded, parse

UNIT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("need", "english"),
    [
        ("Zeitzone umrechnen", "time zone convert"),
        ("Tabellen lesen und bearbeiten", "spreadsheet read edit"),
        ("lire des fichiers PDF", "read files pdf"),
        ("enviar un mensaje a un canal de Slack", "send message a canal slack"),
        ("cercare nel web", "search nel web"),
        ("clima de Lima", "weather lima"),
        ("bestanden lezen", "files read"),
        ("przetłumacz tekst", "translate text"),
        ("Отправить сообщение", "send message"),
        ("查询 PostgreSQL 数据库", "query database postgresql"),
        ("画像を生成する", "image generate"),
        ("웹 검색", "web search"),
    ],
)
def test_what_is_known_of_a_language_is_put_into_english(need: str, english: str) -> None:
    assert glossary().english(need) == english


def test_english_stays_as_it_is() -> None:
    needs = tomllib.loads((UNIT / "discovery" / "needs.toml").read_text("utf-8"))
    everyday = tomllib.loads((UNIT / "discovery" / "everyday.toml").read_text("utf-8"))["needs"]
    texts = [*everyday, *(need for half in needs.values() for kind in half.values() for need in kind)]
    assert [text for text in texts if glossary().english(text) != text] == []


def test_a_language_that_is_not_known_stays_as_it_is() -> None:
    assert glossary().english("Hogyan váltsam át az időzónát") == "Hogyan váltsam át az időzónát"


def test_of_two_languages_the_one_that_explains_more_is_taken() -> None:
    both = Glossary({"weather": {"de": "wetter", "nl": "wetter"}, "map": {"nl": "kaart"}}, {"de": "im", "nl": ""})
    assert both.english("wetter im kaart") == "weather im map"
    assert both.english("wetter im norden") == "weather norden"


@given(st.text(max_size=200))
def test_any_text_can_be_put(text: str) -> None:
    assert glossary().english(text) == glossary().english(text)
    assert folded(folded(text)) == folded(text) or not text.isascii()


@pytest.mark.parametrize("text", ["[[", "skip = 1", "[skip]\n[words]\n'a' = 'b'"])
def test_a_glossary_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="glossary"):
        parse(text)
