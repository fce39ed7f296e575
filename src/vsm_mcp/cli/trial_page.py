"""The report of a trial as one page for people. Pure.

The page asks for nothing from elsewhere and holds no script, and says so to the browser (a content security policy).
Everything in it is text that was escaped: what a server says about itself is hostile.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any, Final

from vsm_mcp.cli.output import flat
from vsm_mcp.cli.trial_command import shown_figures
from vsm_mcp.model.counted import counted

_STYLE: Final = """
:root { color-scheme: light dark; --page: #fff; --ink: #1a1d21; --dim: #5b636e; --line: #d9dde2; --card: #f6f7f9;
  --good: #17713a; --care: #8a5a00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --ink: #e6e8eb; --dim: #9aa3ad; --line: #333a41;
  --card: #1d2226; --good: #6fd195; --care: #f0bf5b; --bad: #ff8f86; } }
* { box-sizing: border-box; }
body { background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 68rem; padding: 2rem 1.2rem 4rem; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .dim { color: var(--dim); } code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; margin: 1rem 0; padding: 1rem; }
.card ul { margin: .4rem 0 0; padding-left: 1.2rem; } .word { font-size: 1.25rem; font-weight: 650; }
.good { color: var(--good); } .care { color: var(--care); } .bad { color: var(--bad); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .8rem .35rem 0; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; } th { color: var(--dim); font-weight: 600; } td:first-child { white-space: nowrap; }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_CLASS: Final = {"admit": "good", "pass": "good", "admit with care": "care", "warn": "care", "quarantine": "care"}
_CLASS_OF_BAD: Final = {"reject": "bad", "fail": "bad", "block": "bad", "review": "care"}


def page_of(document: dict[str, Any]) -> str:
    """Return the page of a report (the document of ``vsm-mcp trial --json``)."""
    parts = [_head(document), _advice(document)]
    if document["vetting"] is not None:
        parts.append(_vetting(document["vetting"]))
    if document["trial"] is not None:
        parts.append(_trial(document["trial"]))
    eras = dict.fromkeys(row["era"] for row in document["compliance"])
    parts += [_era(era, [row for row in document["compliance"] if row["era"] == era]) for era in eras]
    parts.append(_figures(document["figures"]))
    if document["trial"] is not None:
        parts.append(_behaviour(document))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(document['ref'])}: trial</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, parts))
        + "\n</body>\n</html>\n"
    )


def _text(value: object) -> str:
    """Return hostile text as one line that can stand anywhere between tags or in an attribute."""
    return html.escape(flat(value), quote=True)


def _marked(word: str) -> str:
    kind = _CLASS.get(word) or _CLASS_OF_BAD.get(word, "dim")
    return f'<span class="{kind}">{_text(word)}</span>'


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are escaped already."""
    head = "".join(f"<th>{_text(each)}</th>" for each in headings)
    body = "\n".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'


def _head(document: dict[str, Any]) -> str:
    seconds = f"{document['seconds']:.0f}"
    return f'<h1>{_text(document["ref"])}</h1>\n<p class="dim">Tried by vsm-mcp in {_text(seconds)} s</p>'


def _advice(document: dict[str, Any]) -> str:
    advice = document["advice"]
    word = advice["recommendation"]
    reasons = "".join(f"<li>{_text(reason)}</li>" for reason in advice["reasons"])
    lent = (
        f"<p>Stand-ins were given for {_text(', '.join(document['stand_ins']))}.</p>" if document["stand_ins"] else ""
    )
    kind = _CLASS.get(word) or _CLASS_OF_BAD[word]
    return f'<div class="card"><span class="word {kind}">{_text(word)}</span>\n<ul>{reasons}</ul>{lent}</div>'


def _vetting(vetting: dict[str, Any]) -> str:
    rows = []
    for check in vetting["checks"]:
        found = "".join(f"<br>{_marked(each['severity'])} {_finding(each)}" for each in check["findings"])
        looked = _text(counted(check["looked_at"], check["unit"]))
        rows.append((_text(check["check"]), _marked(check["status"]), looked, _text(check["detail"]) + found))
    return "<h2>Vetting</h2>\n" + _table(("check", "result", "looked at", "findings"), rows)


def _finding(finding: dict[str, Any]) -> str:
    return f"<code>{_text(finding['rule'])}</code> in {_text(finding['where'])}: {_text(finding['text'])}"


def _trial(trial: dict[str, Any]) -> str:
    how = f"{trial['era']} era, protocol {trial['protocol']}, over {trial['transport']}, sandbox tier {trial['tier']}"
    rows = [(_text(each["name"]), _marked(each["verdict"]), _text(each["detail"])) for each in trial["probes"]]
    offer = "".join(f"<p>{_text(kind)}: {_text(', '.join(names))}</p>" for kind, names in trial["offer"].items())
    said = f'<p class="dim">{_text(how)}</p>' if trial["era"] else ""
    return f"<h2>Can it serve</h2>\n{said}{_table(('probe', 'result', 'seen'), rows)}\n<h2>What it offers</h2>\n{offer}"


def _era(era: str, rows: list[dict[str, Any]]) -> str:
    title = f"<h2>Protocol, {_text(era)} era</h2>\n"
    if all(row["status"] == "unavailable" for row in rows):
        return f'{title}<p class="dim">Not looked at: {_text(rows[0]["detail"])}</p>'
    shown = [
        (
            _text(row["check"]),
            _marked(row["status"]) + (f" ({_text(row['severity'])})" if row["status"] == "fail" else ""),
            _text(row["meaning"]),
            _text(row["detail"]),
            f'<span class="dim">{_text(row["source"])}</span>',
        )
        for row in rows
    ]
    return title + _table(("check", "result", "what is asked", "seen", "source"), shown)


def _figures(figures: dict[str, Any]) -> str:
    rows = [(_text(label), _text(value)) for label, value in shown_figures(figures)]
    return "<h2>Figures, of this machine, once</h2>\n" + _table(("what", "how much"), rows) if rows else ""


def _behaviour(document: dict[str, Any]) -> str:
    trial = document["trial"]
    rows = []
    for when, check in (("in its trial", trial["watch"]), ("when it was called", document["calls_watch"])):
        if check is not None:
            found = "".join(f"<br>{_marked(each['severity'])} {_finding(each)}" for each in check["findings"])
            looked = f"{counted(check['looked_at'], check['unit'])} {check['detail']}"
            rows.append((_text(when), _marked(check["status"]), _text(looked) + found))
    for kind, seen in (trial["behaviour"] or {}).items():
        if kind != "calls" and seen:
            rows.append((_text(kind), "", _text(", ".join(map(str, seen)))))
    return "<h2>What it did</h2>\n" + _table(("when", "result", "seen"), rows) if rows else ""
