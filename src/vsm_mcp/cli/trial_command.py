"""``vsm-mcp trial REF``: a server tried in full, and nothing of it kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.session import Session, common
from vsm_mcp.cli.settings_options import PROGRAM, reach_from, reach_options
from vsm_mcp.errors import HomeError
from vsm_mcp.model.counted import counted

_STYLES: Final = {"admit": "green", "admit with care": "yellow", "reject": "red"}
_MARKS: Final = {"pass": "ok", "warn": "warn", "fail": "FAIL", "skipped": "-", "unavailable": "-"}
_VERDICTS: Final = {"admit": "pass", "quarantine": "review", "reject": "rejected"}


@click.command("trial")
@click.argument("ref")
@click.option("--arg", "args", multiple=True, metavar="A", help="An argument for the server; --arg=--flag for flags.")
@PROGRAM
@reach_options
@click.option("--allow-scripts", is_flag=True, help="Let install scripts run, inside the sandbox.")
@click.option(
    "--html", "page", type=click.Path(path_type=Path, dir_okay=False), help="Write the report to this file as one page."
)
@common
def command(
    session: Session,
    ref: str,
    *,
    args: tuple[str, ...],
    program: str,
    allow_scripts: bool,
    page: Path | None,
    **options: Any,
) -> None:
    """Vet and try REF without admitting it: can it serve, does it keep to the protocol, what does it do.

    REF is a reference as for add, or the name of a server that is there. It runs in the sandbox, without network and
    with stand-ins for its secrets, but for what the options give it. Nothing of it stays. Exit code 0: it can be
    served; 1: it cannot; 3: vetting rejects it.
    """
    settings = reach_from(options, interactive=session.interactive)
    settings |= {"args": list(args), "program": program, "allow_scripts": allow_scripts}
    document = session.run("trial", ref=ref, settings=settings)
    if page is not None:
        _write(page, document)
    session.show(document, _human)
    sys.exit(exit_code(document))


def exit_code(document: dict[str, Any]) -> int:
    """Return the exit code that a report amounts to."""
    vetting, trial = document["vetting"], document["trial"]
    if vetting is not None and vetting["judgement"] == "reject":
        return 3
    return 0 if trial is not None and trial["passed"] else 1


def _write(page: Path, document: dict[str, Any]) -> None:
    from vsm_mcp.cli.trial_page import page_of  # noqa: PLC0415 - only where it is asked for

    try:
        page.write_text(page_of(document), "utf-8")
    except OSError as error:
        raise HomeError(f"{page} cannot be written: {error.strerror}", "name another file after --html") from error


def _human(document: dict[str, Any]) -> None:
    advice = document["advice"]
    word = advice["recommendation"]
    output.one_line(f"{document['ref']}: {word}", style=_STYLES[word])
    for reason in advice["reasons"]:
        output.one_line(f"  {reason}")
    if document["stand_ins"]:
        output.one_line(f"  stand-ins were given for: {output.some(document['stand_ins'])}")
    if document["vetting"] is not None:
        _vetting(document["vetting"])
    if document["trial"] is not None:
        _trial(document["trial"])
    for era in dict.fromkeys(row["era"] for row in document["compliance"]):
        _era(era, [row for row in document["compliance"] if row["era"] == era])
    _figures(document["figures"])


def _vetting(vetting: dict[str, Any]) -> None:
    output.one_line(f"vetting: {_VERDICTS[vetting['judgement']]}", style="bold")
    for check in vetting["checks"]:
        looked = counted(check["looked_at"], check["unit"])
        output.one_line(f"  {_MARKS[check['status']]:<5}{check['check']:<18}{looked} {check['detail']}")
        for finding in check["findings"]:
            output.one_line(f"       {finding['severity']}: {finding['rule']} in {finding['where']}: {finding['text']}")


def _trial(trial: dict[str, Any]) -> None:
    how = f"{trial['era']} era, {trial['protocol']}, tier {trial['tier']}" if trial["era"] else "it did not come up"
    output.one_line(f"trial: {'passed' if trial['passed'] else 'failed'} ({how})", style="bold")
    for probe in trial["probes"]:
        output.one_line(f"  {_MARKS[probe['verdict']]:<5}{probe['name']:<18}{probe['detail']}")


def _era(era: str, rows: list[dict[str, Any]]) -> None:
    asked = [row for row in rows if row["status"] != "unavailable"]
    if not asked:
        output.one_line(f"protocol, {era} era: not looked at: {rows[0]['detail']}", style="bold")
        return
    kept = sum(row["status"] == "pass" for row in asked)
    output.one_line(f"protocol, {era} era: {kept} of {counted(len(asked), 'rules')} kept", style="bold")
    for row in rows:
        style = "red" if row["status"] == "fail" and row["severity"] != "note" else ""
        output.one_line(f"  {_MARKS[row['status']]:<5}{row['check']:<18}{row['detail']}", style=style)
        if row["status"] == "fail":
            output.one_line(f"       {row['severity']}: {row['meaning']} ({row['source']})")


def _figures(figures: dict[str, Any]) -> None:
    for label, value in shown_figures(figures):
        output.one_line(f"{label:<25}{value}")


def shown_figures(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a person reads of the figures: what each is, and how much."""
    rows = []
    if figures["start_seconds"]:
        rows.append(("start", ", ".join(f"{each:.2f} s" for each in figures["start_seconds"])))
    if figures["latency_ms"] is not None:
        rows.append(("latency", f"{figures['latency_ms']:.2f} ms (95 of 100 below {figures['latency_p95_ms']:.2f} ms)"))
    if figures["requests_per_second"] is not None:
        rows.append(("throughput", f"{figures['requests_per_second']:.0f} requests a second"))
    if figures["peak_memory"] is not None:
        rows.append(("memory", output.size(figures["peak_memory"])))
    return rows
