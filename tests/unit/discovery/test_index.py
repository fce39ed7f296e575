from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.index import IndexSource, ShippedIndex, shipped
from vsm_mcp.discovery.index_file import MAGIC, IndexFile, IndexRow, encode, place_of
from vsm_mcp.discovery.meaning import meaning
from vsm_mcp.discovery.package_index import PackageIndex
from vsm_mcp.discovery.republication import collapse
from vsm_mcp.discovery.selection import calls_itself_server
from vsm_mcp.discovery.wiring import matcher
from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.conversion import turns
from vsm_mcp.matching.meaning import Table
from vsm_mcp.matching.wording import described
from vsm_mcp.model.ref import Ref, RefKind, normalise_pypi

NPM, PYPI = RefKind.NPM, RefKind.PYPI
ROWS = [
    IndexRow(
        kind=NPM, name="@org/time-mcp", version="1.2.0", summary="Convert time between time zones", downloads=90_000
    ),
    IndexRow(kind=PYPI, name="time-mcp", version="0.1", summary="Timezones", month="2025-03", variants=300),
    IndexRow(kind=PYPI, name="hash-mcp", version="2.0", summary="Cryptographic hashes", rank=5000, month="2026-01"),
    IndexRow(kind=PYPI, name="polynomialmcp", summary=""),
]


def index(rows: list[IndexRow]) -> PackageIndex:
    return PackageIndex(IndexFile(encode(rows, {"made": "here"})))


def test_what_was_written_is_read() -> None:
    built = index(ROWS)
    place = built.find(Ref(PYPI, "Time.MCP"))
    assert place is not None
    candidate = built.candidate(place)
    assert candidate is not None
    assert str(candidate.ref) == "pypi:time-mcp"
    assert (candidate.facts.version, candidate.facts.published, candidate.facts.download_rank) == ("0.1", "2025-03", 0)
    assert candidate.variants == 255
    other = built.candidate(built.find(Ref(NPM, "@org/time-mcp")) or 0)
    assert other is not None
    assert (other.facts.downloads, other.facts.download_rank) == (90_000, None)
    assert built.find(Ref(RefKind.OCI, "time-mcp")) is None
    assert built.find(Ref(PYPI, "unknown")) is None


def test_the_file_holds_stems_and_no_sentences() -> None:
    candidate = index(ROWS).candidate(0)
    assert candidate is not None
    assert candidate.terms.split() == sorted(set(candidate.terms.split()))
    assert "between" not in candidate.terms
    assert candidate.description == ""


def test_words_rank_and_use_breaks_near_ties() -> None:
    built = index(ROWS)
    names = [built.key(place) for place, _ in built.search({"time": 1.0, "timezon": 1.0}, 5)]
    assert set(names) == {"time-mcp", "@org/time-mcp"}
    assert [built.key(place) for place, _ in built.search({"hash": 1.0}, 5)] == ["hash-mcp"]
    assert built.search({"banana": 1.0}, 5) == []
    assert built.search({}, 5) == []


def test_the_most_used_of_equals_comes_first() -> None:
    twins = [IndexRow(kind=NPM, name=f"zip-{n}", summary="zip", downloads=n) for n in (1_000, 500_000, 20_000)]
    built = index(twins)
    assert [built.key(place) for place, _ in built.search({"zip": 1.0}, 3)] == ["zip-500000", "zip-20000", "zip-1000"]


def test_what_turns_things_the_other_way_round_goes_down() -> None:
    names = ["pdf-to-markdown-mcp", "pdf2md", "x-markdown-to-pdf-mcp"]
    built = index([IndexRow(kind=PYPI, name=name, summary="pdf markdown") for name in names])
    query = {"markdown": 1.0, "pdf": 1.0}
    assert [built.key(place) for place, _ in built.search(query, 1)] != ["x-markdown-to-pdf-mcp"]
    ranked = built.search(query, 3, wanted=turns("turn markdown into pdf"))
    assert built.key(ranked[0][0]) == "x-markdown-to-pdf-mcp"
    assert len(ranked) == 3


def test_meaning_finds_what_shares_no_word() -> None:
    rows = sorted(ROWS, key=place_of)
    vectors = meaning().embed([described(row.name, row.summary) for row in rows])
    built = PackageIndex(IndexFile(encode(rows, {})), Table(vectors))
    (asked,) = meaning().embed(["fingerprint of a file, checksum"])
    assert [built.key(place) for place, _ in built.search({}, 1, asked)] == ["hash-mcp"]
    near = built.vector_of("pypi:hash-mcp")
    assert near is not None
    assert near @ asked == pytest.approx(max(vectors @ asked))


def test_tools_are_known_by_name_and_find_their_package() -> None:
    rows = [
        IndexRow(kind=PYPI, name="puzzles", summary="Games for the evening", tools=("solve_sudoku", "newCrossword")),
        IndexRow(kind=PYPI, name="games", summary="Games for the evening"),
    ]
    built = index(rows)
    (found,) = [place for place, _ in built.search({"sudoku": 1.0}, 3)]
    candidate = built.candidate(found)
    assert candidate is not None
    assert (candidate.name, candidate.tools) == ("puzzles", (("solve_sudoku", ""), ("newCrossword", "")))
    assert "sudoku" not in candidate.terms
    assert built.holding("sudoku") == 0  # how rare a word is, is told by what packages say of themselves
    other = built.candidate(1 - found)
    assert other is not None
    assert other.tools == ()


def test_a_word_among_the_names_of_many_tools_counts_less() -> None:
    many = tuple(f"{word}_{verb}" for word in ("invoice", "parcel", "ledger", "tax") for verb in ("print", "mail"))
    rows = [IndexRow(kind=PYPI, name="a", tools=many), IndexRow(kind=PYPI, name="b", tools=("invoice_print",))]
    built = index(rows)
    assert [built.key(place) for place, _ in built.search({"invoic": 1.0}, 2)] == ["b", "a"]


def test_an_empty_index_finds_nothing() -> None:
    built = index([])
    assert built.documents == 0
    assert built.search({"time": 1.0}, 3) == []
    assert built.search({}, 3, meaning().embed(["time"])[0]) == []


@pytest.mark.parametrize("content", [b"", b"junk", MAGIC, MAGIC + b"\xff\xff\xff\xff{}", MAGIC + b"\x02\0\0\0{}"])
def test_a_damaged_file_is_a_clear_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "index.bin").write_bytes(content)
    with pytest.raises(ConfigError, match="index of packages"):
        ShippedIndex(tmp_path).get().holding("time")


def test_a_missing_file_and_a_cut_one_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        ShippedIndex(tmp_path).get()
    cut = encode(ROWS, {})[:-20]
    with pytest.raises(ConfigError, match="damaged"):
        PackageIndex(IndexFile(cut)).candidate(0)


@given(
    st.lists(
        st.builds(
            IndexRow,
            kind=st.sampled_from([NPM, PYPI]),
            name=st.from_regex(r"[a-z][a-z0-9-]{0,12}[a-z]", fullmatch=True),
            summary=st.text(st.characters(codec="utf-8"), max_size=40),
            downloads=st.integers(0, 2**32 - 1),
            rank=st.integers(0, 15_000),
            tools=st.lists(st.from_regex(r"[A-Za-z][\\w.:/-]{1,9}", fullmatch=True), max_size=3).map(tuple),
        ),
        max_size=8,
        unique_by=lambda row: (row.kind, normalise_pypi(row.name)),
    )
)
def test_every_package_can_be_found_again(rows: list[IndexRow]) -> None:
    built = index(rows)
    assert built.documents == len(rows)
    for row in rows:
        place = built.find(Ref(row.kind, row.name))
        assert place is not None
        assert built.key(place) == (normalise_pypi(row.name) if row.kind is PYPI else row.name)
        candidate = built.candidate(place)
        assert candidate is not None
        for term in candidate.terms.split():
            assert place in {found for found, _ in built.search({term: 1.0}, len(rows))}


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("mcp-server-time", "A Model Context Protocol server for time"),
        ("@playwright/mcp", "Playwright Tools for MCP"),
        ("excelmcp", ""),
        ("postgres-tuner", "PostgreSQL tuning over the Model Context Protocol"),
        ("youtube-ai", "YouTube SDK, CLI, and MCP server without keys"),
        ("pubmed-search-mcp", "MCP SDK v2 server for biomedical research"),
    ],
)
def test_servers_are_chosen(name: str, summary: str) -> None:
    assert calls_itself_server(name, summary)


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("@modelcontextprotocol/sdk", "Model Context Protocol implementation for TypeScript"),
        ("fastmcp", "The fast, Pythonic way to build MCP servers and clients."),
        ("mcp-framework", "Framework for building Model Context Protocol (MCP) servers in Typescript"),
        ("@modelcontextprotocol/inspector", "The Model Context Protocol Inspector"),
        ("langchain-mcp-adapters", "Make MCP tools compatible with LangChain"),
        ("create-fastmcp", "scaffold"),
        ("mcp-x-linux-arm64", "MCP server"),
        ("@x/monaco-mcp-server-01234567-89ab-cdef-0123-456789abcdef-common", ""),
        ("mcp23017", "Driver for the MCP23017 port expander"),
        ("requests", "HTTP for humans"),
    ],
)
def test_what_is_no_server_is_not_chosen(name: str, summary: str) -> None:
    assert not calls_itself_server(name, summary)


def test_what_is_older_than_the_protocol_is_not_chosen() -> None:
    assert not calls_itself_server("winrmcp", "Copy files to remote Windows", "2020-06")
    assert calls_itself_server("winrmcp", "Copy files to remote Windows", "2025-06")


def test_republications_are_counted_and_left_out() -> None:
    same = "Reads tables from scanned invoices precisely"
    rows = [
        IndexRow(kind=PYPI, name="invoice-mcp", summary=same, rank=9000),
        IndexRow(kind=PYPI, name="mirror-invoice-mcp", summary=same),
        IndexRow(kind=PYPI, name="invoice-mcp-copy", summary=same),
        IndexRow(kind=NPM, name="invoice-mcp", summary=same),
        IndexRow(kind=PYPI, name="other-mcp", summary="Add your description here"),
        IndexRow(kind=PYPI, name="another-mcp", summary="Add your description here"),
    ]
    kept = {(row.kind, row.name): row.variants for row in collapse(rows)}
    assert kept == {(PYPI, "invoice-mcp"): 2, (NPM, "invoice-mcp"): 0, (PYPI, "other-mcp"): 0, (PYPI, "another-mcp"): 0}


def test_a_mirror_that_changes_summaries_now_and_then_is_known_by_its_prefix() -> None:
    things = [
        f"{word}-reader-mcp"
        for word in ["ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibex", "jay", "kiwi", "lynx"]
    ]
    texts = {name: f"Reads all about the {name.split('-')[0]} animal thoroughly" for name in things}
    originals = [IndexRow(kind=PYPI, name=name, summary=texts[name]) for name in things]
    mirrored = [IndexRow(kind=PYPI, name=f"zzmirror-{name}", summary=texts[name]) for name in things[:-1]]
    changed = IndexRow(kind=PYPI, name=f"zzmirror-{things[-1]}", summary="")
    kept = [row.name for row in collapse([*originals, *mirrored, changed])]
    assert kept == sorted(things)


def test_one_maker_of_many_servers_is_no_mirror() -> None:
    rows = [IndexRow(kind=PYPI, name=f"{word}-mcp", summary=f"{word} by hand") for word in ("maps", "trends")]
    rows += [IndexRow(kind=PYPI, name=f"google-{word}-mcp", summary=f"Google {word}") for word in ("maps", "trends")]
    assert len(collapse(rows)) == 4


def test_the_shipped_index_is_small_and_full() -> None:
    path = Path(__file__).parents[3] / "src" / "vsm_mcp" / "discovery" / "data" / "index.bin"
    assert path.stat().st_size <= 4 * 1024 * 1024
    assert shipped().documents > 15_000
    for name in ("mcp-server-time", "mcp-server-git", "excel-mcp-server"):
        assert shipped().get().find(Ref(PYPI, name)) is not None
    time = shipped().get().candidate(shipped().get().find(Ref(PYPI, "mcp-server-time")) or 0)
    assert time is not None
    assert {name for name, _ in time.tools} == {"convert_time", "get_current_time"}
    for name in ("mcp", "fastmcp", "langchain-mcp-adapters"):
        assert shipped().get().find(Ref(PYPI, name)) is None


async def test_the_source_answers_with_candidates_and_knows_references() -> None:
    source = IndexSource(shipped(), matcher())
    found = await source.search("convert a time between time zones", 20)
    assert "pypi:mcp-server-time" in {str(each.ref) for each in found}
    assert [str(each.ref) for each in await source.about([Ref(PYPI, "mcp-server-git"), Ref(NPM, "none")])] == [
        "pypi:mcp-server-git"
    ]


def test_nothing_is_read_before_the_first_search() -> None:
    program = (
        "import vsm_mcp.discovery.index as i, vsm_mcp.discovery.wiring as w;"
        "w.matcher(); assert i.shipped()._read is None; assert w.meaning()._read is None;"
        "import sys; assert 'numpy' not in sys.modules and 'rapidfuzz' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_a_warm_search_is_quick() -> None:
    built, need = shipped().get(), matcher().need("read and edit spreadsheets in a folder of local files")
    built.search(need.query, 60)
    took = []
    for _ in range(9):
        began = time.perf_counter()
        built.search(need.query, 60)
        took.append(time.perf_counter() - began)
    # The goal is 10 ms; a machine that is shared and busy gets some room, a scan of all packages would still fail.
    assert sorted(took)[4] < 0.03


def test_packages_of_a_kind_hold_two_of_its_words_the_more_used_first() -> None:
    rows = [
        IndexRow(kind=NPM, name="qr-maker", summary="Make a QR code", downloads=500),
        IndexRow(kind=NPM, name="code-review", summary="Review code", downloads=90_000),
        IndexRow(kind=NPM, name="barcodes", summary="Barcode, EAN and QR code pictures", downloads=10),
        IndexRow(kind=NPM, name="ean-lookup", summary="Look up an EAN", downloads=90_000),
        IndexRow(kind=NPM, name="qr-reader", summary="QR code reading", downloads=800),
    ]
    built = index(rows)
    phrases = [frozenset({"qr", "code"}), frozenset({"barcod"}), frozenset({"ean"}), frozenset({"unheard", "of"})]
    assert [built.key(place) for place in built.of_kind(phrases, 9)] == ["barcodes", "qr-reader", "qr-maker"]
    assert [built.key(place) for place in built.of_kind(phrases, 1)] == ["barcodes"]
    assert built.of_kind([], 9) == []


async def test_what_a_need_calls_for_is_looked_for_whatever_its_words() -> None:
    found = await IndexSource(shipped(), matcher()).search("make a square that guests can scan to join our wifi", 60)
    assert len(found) == len({each.ref for each in found}) <= 60
    assert any("qr" in each.terms.split() for each in found)
