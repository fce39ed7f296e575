"""Old settings against new ones: which fields differ, and how each comes into force. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from vsm_mcp.config import NAMED, SECTIONS, Config


class How(StrEnum):
    """How a new value comes into force.

    ``applied``: at once, around what runs where that can be done, else with a new start of the servers that it is
    about. ``restarts``: with a new start of every server. ``daemon``: with the next start of the daemon.
    """

    APPLIED = "applied"
    RESTARTS = "restarts"
    DAEMON = "daemon"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs; ``before`` or ``after`` is ``None`` for a named section that is new, or is no more."""

    item: str
    before: Any
    after: Any
    how: How


RULES: Final[Mapping[How, Mapping[str, str]]] = {
    How.APPLIED: {
        "gateway": "max_sessions session_idle_seconds call_timeout_seconds call_limit_seconds mode tool_limit acquire"
        " hidden_prompts",
        "policy": "autonomy autonomy_for guarded_risk guarded_sources ask_through_clients allow deny deny_tools"
        " changed_items new_items changed_resources new_resources profile"
        " allow_unsandboxed allow_network allow_scripts permissions_unasked",
        "vetting": "required source_timeout_seconds licences publishers deny_publishers young_days hosts advisories"
        " signatures",
        "sandbox": "memory_bytes build_memory_bytes cpus processes open_files scratch_bytes shared_memory_bytes"
        " home_bytes",
        "runtime": "start_timeout_seconds stop_grace_seconds request_timeout_seconds relist_seconds starts_at_once lazy"
        " idle_stop_seconds instances_per_server session_idle_seconds restart_limit restart_period_seconds log_bytes"
        " drain_seconds watch_seconds",
        "discovery": "sources source_timeout_seconds describe_best cache_seconds deadline_seconds need_cache_seconds"
        " refresh_seconds requests_per_minute tries pause_seconds max_answer_bytes semantic mcp_registry github files"
        " research",
        "appraisal": "priority weights no_key no_network offline licences runtime",
        "install": "resolve_timeout_seconds build_timeout_seconds max_package_bytes max_unpacked_bytes max_files"
        " min_release_age_days trusted_publishers confined hosts at_once quota_bytes cache_bytes container_engine",
        "rollout": "enabled stages stage_seconds stage_calls check_seconds least_success most_errors slower"
        " false_alarms shadow",
        "routing": "retries failover failover_deny affinity breakers breaker_window_seconds breaker_calls"
        " breaker_error_rate breaker_in_a_row breaker_open_seconds breaker_longest_seconds cache_seconds cache_bytes"
        " cache_tools",
        "health": "every_seconds idle_factor checks doubt_seconds failures answer_seconds slow_seconds error_share"
        " resource_share horizon_seconds heal remedies backoff_seconds longest_backoff_seconds lasting_seconds"
        " knock_seconds degraded_weight restarts_per_minute restarts_at_once",
        "autopilot": "every_seconds needs window_days least_count installs_per_day disk_bytes_per_day"
        " memory_bytes_per_day tokens_per_day cooldown_seconds unused_days notice_days rest_days failing_seconds",
        "telemetry": "metrics metrics_public metric_tools events events_kept otlp_seconds trace_ratio",
        "log": "level format calls",
        "profiles": "description servers tools deny_tools mode tool_limit plain_names acquire",
        "permissions": "description paths hosts named_paths memory_bytes cpus processes open_files scratch_bytes"
        " shared_memory_bytes home_bytes",
    },
    How.RESTARTS: {"runtime": "max_line_bytes"},
    How.DAEMON: {
        "gateway": "host port max_body_bytes allowed_hosts allowed_origins",
        "auth": "mode public_url issuer audience jwks_url required_scopes claim algorithms leeway_seconds token_rate"
        " token_concurrency",
        "sandbox": "least_tier",
        "telemetry": "otlp_endpoint",
        "": "home environ",
    },
}
"""How each field of each section comes into force; every field is here, exactly once."""

_HOW: Final = {
    (section, field): how
    for how, sections in RULES.items()
    for section, fields in sections.items()
    for field in fields.split()
}


def rule(section: str, field: str) -> How:
    """Return how a field of a section comes into force."""
    return _HOW.get((section, field), How.DAEMON)


def changes(old: Config, new: Config) -> tuple[Change, ...]:
    """Return every field that differs, in the order of the settings."""
    return tuple(_changes(old, new))


def effective(old: Config, new: Config) -> Config:
    """Return the new settings, less those that take a new start of the daemon: these stay as they were."""
    sections = {}
    for name in SECTIONS:
        before, after = getattr(old, name), getattr(new, name)
        kept = {field: getattr(before, field) for field in _fields(after) if rule(name, field) is How.DAEMON}
        sections[name] = msgspec.structs.replace(after, **kept)
    return msgspec.structs.replace(new, home=old.home, environ=old.environ, **sections)


def _changes(old: Config, new: Config) -> Iterator[Change]:
    for name in SECTIONS:
        yield from _between(name, name, getattr(old, name), getattr(new, name))
    for name in NAMED:
        before, after = getattr(old, name), getattr(new, name)
        for each in sorted(before.keys() | after.keys()):
            title = f"{name}.{each}"
            if each in before and each in after:
                yield from _between(title, name, before[each], after[each])
            else:
                sides = (_plain(side.get(each)) for side in (before, after))
                yield Change(item=title, how=How.APPLIED, **dict(zip(("before", "after"), sides, strict=True)))


def _between(title: str, section: str, before: msgspec.Struct, after: msgspec.Struct) -> Iterator[Change]:
    for field in _fields(after):
        was, now = getattr(before, field), getattr(after, field)
        if was != now:
            yield Change(item=f"{title}.{field}", before=_plain(was), after=_plain(now), how=rule(section, field))


def _fields(section: msgspec.Struct) -> tuple[str, ...]:
    return section.__struct_fields__


def _plain(value: Any) -> Any:
    return None if value is None else msgspec.to_builtins(value)
