"""Evidence told as a replay: numbered steps, each with what was known, the rule, and what was decided. Pure.

Kinds that need more than their members in order have a reader here; every other kind is told by the schema
(:mod:`vsm_mcp.model.evidence`), whoever wrote it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

Body = Mapping[str, Any]
_MOST: Final = 12
_WIDE: Final = 160
_DECIDING: Final = ("rule", "decision", "reason", "why", "by", "facts")


class Step(NamedTuple):
    """One step: what happened, what was known (a line each), the rule and the decision, where there were any."""

    title: str
    facts: tuple[str, ...] = ()
    rule: str = ""
    decision: str = ""


def step_of(kind: str, body: Any) -> Step:
    """Return a record as a step; a body that is not as its reader expects it is told as it is."""
    reader = _READERS.get(kind)
    try:
        return _told(kind, body) if reader is None else reader(body)
    except (AttributeError, KeyError, TypeError, ValueError):  # written by another version
        return _told(kind, body)


def _told(kind: str, body: Any) -> Step:
    """Tell a record by its members alone."""
    title = kind.replace("_", " ")
    if not isinstance(body, Mapping):
        return Step(title, tuple(_some(body if isinstance(body, list) else [body])))
    rest = {name: value for name, value in body.items() if name not in _DECIDING}
    facts = body.get("facts")
    known = {**(facts if isinstance(facts, Mapping) else {}), **rest}
    by = [f"wanted by {body['by']}"] if body.get("by") else []
    return Step(title, (*by, *_pairs(known)), str(body.get("rule") or ""), _decision(body))


def _decision(body: Body) -> str:
    parts = (str(body.get("decision") or ""), str(body.get("reason") or body.get("why") or ""))
    return ": ".join(filter(None, parts))


def _policy(body: Body) -> Step:
    told = _told("policy", {**body, "action": "", "subject": ""})
    return told._replace(title=f"the policy was asked: {body['action']} {body['subject']}")


def _request(body: Body) -> Step:
    settings = {name: value for name, value in body["settings"].items() if value}
    need = [f"need: {body['need']}"] if body.get("need") else []
    return Step(f"asked for {body['ref']}", (*need, *_pairs(settings)))


def _ranked(body: list[Body]) -> Step:
    rows = [f"{row['score']:.2f}  {row['ref']}  {'; '.join(row['reasons'][:2])}" for row in body]
    return Step(f"{len(body)} candidates were ranked", tuple(rows))


def _resolved(body: Body) -> Step:
    packages = body["packages"]
    return Step(f"resolved to {body['version']}", (f"packages: {len(packages)}",) if packages else ())


def _checks(title: str) -> Callable[[list[Body]], Step]:
    return lambda body: Step(title, tuple(line for check in body for line in _check(check)))


def _check(check: Body) -> list[str]:
    detail = f", {check['detail']}" if check.get("detail") else ""
    lines = [f"{check['check']}: {check['status']} ({check['looked_at']} {check['unit']}{detail})"]
    found = [f"  {each['severity']}: {each['rule']}: {_placed(each)}" for each in check["findings"]]
    return lines + _some(found)


def _placed(finding: Body) -> str:
    where = finding.get("where")
    return f"{where}: {finding['text']}" if where else str(finding["text"])


def _licences(body: Mapping[str, str]) -> Step:
    """Say what the server itself is under, and how many of its packages are under which."""
    others = Counter(licence for name, licence in body.items() if name)
    facts = [f"itself: {body['']}"] if body.get("") else []
    return Step("licences", (*facts, *(f"{licence}: {count}" for licence, count in others.most_common())))


def _judged(body: Body) -> Step:
    told = [check for check in body["checks"] if check["status"] != "pass" or check["findings"]]
    reasons = "; ".join(body.get("reasons") or ())
    facts = tuple(line for check in told for line in _check(check))
    passed = len(body["checks"]) - len(told)
    return Step(
        "vetting judged",
        (*facts, f"{passed} checks had nothing against it"),
        "vetting",
        _joined(body["judgement"], reasons),
    )


def _trial(body: Body) -> Step:
    report = body["report"]
    probes = [f"{each['name']}: {each['verdict']}, {each['detail']}" for each in report["probes"]]
    where = f"{report['protocol']} over {report['transport']}, sandbox tier {report['tier']}"
    cause = (report.get("cause") or {}).get("message", "")
    return Step(
        "tried in the sandbox", (where, *probes), "", _joined("passed" if report["passed"] else "failed", cause)
    )


def _built(body: Body) -> Step:
    facts = [f"started as: {' '.join(body['entry']['argv'])}", f"hash: {body['integrity']}"]
    facts += [f"scripts run: {', '.join(map(str, body['scripts']))}"] if body.get("scripts") else []
    return Step("installed", tuple(facts))


def _plan(body: Body) -> Step:
    named = ("tier", "network", "hosts", "reads", "writes", "variables", "secrets", "allow_scripts", "permissions")
    return Step("what it may see and reach", tuple(_pairs({name: body[name] for name in named if body.get(name)})))


def _rollback(body: Body) -> Step:
    by = (f"wanted by {body['by']}",) if body.get("by") else ()
    return Step(f"back from {body['from']} to {body['to']}", by, "", str(body.get("why") or ""))


def _difference(body: Body) -> Step:
    before, after = body["version"]
    facts = [f"{item['kind']}: {item['item']}" for item in body["items"]]
    facts += [f"permission {name}: {_short(was)} -> {_short(now)}" for name, (was, now) in body["permissions"].items()]
    facts += [f"finding: {each}" for each in body["findings"]]
    packages = body["dependencies"]
    facts += [f"packages that differ: {len(packages)}"] if packages else []
    return Step(f"compared: {before} -> {after}", tuple(_some(facts)) or ("nothing that matters differs",))


def _outcome(body: Body) -> Step:
    reason = body.get("reason") or {}
    facts = [f"server {body['server']} {body['version']}".rstrip()] if body.get("server") else []
    facts += [f"tools: {_short(body['tools'])}"] if body.get("tools") else []
    facts += [f"note: {warning}" for warning in body.get("warnings") or ()]
    return Step(
        f"ended: {body['outcome']}", tuple(facts), str(reason.get("code") or ""), str(reason.get("message") or "")
    )


_READERS: Final[Mapping[str, Callable[[Any], Step]]] = {
    "policy": _policy,
    "request": _request,
    "ranked": _ranked,
    "resolved": _resolved,
    "vetted": _checks("its files were vetted, nothing of them was run"),
    "walked": _checks("the installed files were vetted"),
    "built": _built,
    "plan": _plan,
    "trial": _trial,
    "judged": _judged,
    "licences": _licences,
    "difference": _difference,
    "rollback": _rollback,
    "outcome": _outcome,
}


def _pairs(values: Mapping[str, Any]) -> list[str]:
    """Return a line for each member that says something."""
    kept = {name: value for name, value in values.items() if value not in (None, "", [], {}, False)}
    return _some([name if value is True else f"{name}: {_short(value)}" for name, value in kept.items()])


def _some(lines: Iterable[Any]) -> list[str]:
    """Return the first lines, and how many more there are."""
    found = [line if isinstance(line, str) else _short(line) for line in lines]
    more = len(found) - _MOST
    return found if more <= 0 else [*found[:_MOST], f"and {more} more (--full shows them)"]


def _short(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        text = ", ".join(value)
    elif isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"


def _joined(word: str, why: str) -> str:
    return f"{word}: {why}" if why else word
