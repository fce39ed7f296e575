"""What an install script would do, judged by its command and the files that it names; nothing is run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 2 * 1024 * 1024
_MAX_FILES: Final = 12
_SUFFIXES: Final = ("", ".js", ".cjs", ".mjs", "/index.js")
_IMPORT: Final = re.compile(r"(?:require\(|import\(|from\s+|import\s+)['\"](?P<path>\.{1,2}/[^'\"\n]{1,200})['\"]")
# Building native parts is what install scripts are for.
_BUILDERS: Final = re.compile(
    r"^(?:node-gyp(?:-build)?|prebuild-install|node-pre-gyp|cmake-js|napi|husky|patch-package|is-ci|tsc|exit|echo"
    r"|true|node-gyp-build-test|opencollective|only-allow|npx only-allow)\b"
)
_DOWNLOAD_AND_RUN: Final = re.compile(
    r"(?:curl|wget)\b[^\n]{0,300}\|\s*(?:sudo )?(?:ba|z|da)?sh\b|(?:ba)?sh -c ['\"]?\$\((?:curl|wget)"
    r"|powershell[^\n]{0,100}(?:iex|downloadstring|-e(?:nc)?\b)"
    r"|(?:ba|z)?sh\s+<\(\s*(?:curl|wget)|/dev/tcp/|\bnc\b[^\n]{0,60}\s-e\b",
    re.IGNORECASE,
)
_SIGNS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "network",
        re.compile(
            r"require\(['\"](?:node:)?(?:https?|http2|net|dns|dgram|tls)['\"]\)|from ['\"](?:node:)?(?:https?|http2"
            r"|net|dns|dgram|tls)['\"]"
            r"|\bfetch\s*\(|\baxios\b|\bgot\(|XMLHttpRequest|\burllib\b|\brequests\.(?:get|post)|\bcurl\b|\bwget\b"
            r"|new WebSocket|\bundici\b"
        ),
    ),
    (
        "programs",
        re.compile(
            r"child_process|\bexecSync\b|\bspawnSync\b|\bspawn\s*\(|\bexecFile|\bsubprocess\b|os\.system|\bBun\.spawn"
            r"|\bexeca\b"
        ),
    ),
    (
        "environment",
        re.compile(
            r"JSON\.stringify\(\s*(?:\{\s*\.\.\.)?process\.env|Object\.(?:entries|keys|values"
            r"|assign)\([^)]{0,20}process\.env(?!\.)"
            r"|\.\.\.process\.env\s*[,}][^\n]{0,200}(?:post|send|write|fetch)|(?:body|data"
            r"|env)\s*[:=]\s*process\.env\b(?!\.)|dict\(os\.environ\)|os\.environ\.copy\(\)"
        ),
    ),
    (
        "secrets",
        re.compile(
            r"\.ssh\b['\"/]|id_rsa|id_ed25519|\.npmrc|\.aws['\"/]|\.netrc|\.git-credentials|\.kube['\"/]|wallet\.dat"
            r"|\.gnupg|login data|"
            r"keychain|/etc/shadow|_authtoken|npm_token|github_token|aws_secret|trufflehog|\.docker/config",
            re.IGNORECASE,
        ),
    ),
    (
        "planting",
        re.compile(
            r"\.bashrc|\.zshrc|\.profile\b|\.bash_profile|crontab|authorized_keys|LaunchAgents|systemd/(?:user"
            r"|system)|autostart"
            r"|claude_desktop_config|\.cursor/mcp|\.claude(?:\.json|['\"/])|\.codeium|windsurf|\.vscode/(?:mcp"
            r"|settings|tasks)|\bmcp\.json|CLAUDE\.md|\.cursorrules"
            r"|\.github/workflows"
        ),
    ),
    ("spreading", re.compile(r"npm (?:publish|token|whoami|owner)|twine upload|git push|-/npm/v1/(?:user|tokens)")),
    (
        "hiding",
        re.compile(
            r"\beval\s*\(\s*(?:atob|Buffer\.from|unescape|decodeURI|String\.fromCharCode)|new Function\s*\(\s*(?:atob"
            r"|Buffer)|_0x[0-9a-f]{4,}\b[^\n]{0,400}_0x[0-9a-f]{4,}"
            r"|Function\(['\"]return|exec\(\s*(?:base64|zlib|codecs|bytes\.fromhex)|(?:\\x[0-9a-f]{2}){40,}"
            r"|String\.fromCharCode\((?:\d{1,3},\s*){20,}"
        ),
    ),
    (
        "exfiltration",
        re.compile(
            r"webhook\.site|discord(?:app)?\.com/api/webhooks|api\.telegram\.org|pastebin\.com|transfer\.sh"
            r"|requestbin|\.ngrok(?:-free)?\.|\.oast\.|interact\.sh"
            r"|burpcollaborator|\bhttps?://\d{1,3}(?:\.\d{1,3}){3}(?!\.\d)(?<!127\.0\.0\.1)(?<!0\.0\.0\.0)|\.icp0\.io"
            r"|pipedream\.net|beeceptor",
            re.IGNORECASE,
        ),
    ),
)  # fmt: skip
# A literal that is printed is done by nobody, unless printing was made something else.
_PRINTED: Final = re.compile(
    r"\bconsole\.(?:log|error|warn|info|debug)\(\s*(?:'[^'\n\\]*'|\"[^\"\n\\]*\"|`[^`$\\]*`)\s*\)"
)
_REPLACED: Final = re.compile(r"\bconsole\b(?!\s*\.\s*(?:log|error|warn|info|debug|table|dir|trace)\s*\()")
_INLINE: Final = re.compile(r"\bnode\s+(?:-e|--eval|-p)\b|\bpython3?\s+-c\b")
_ALWAYS_HOSTILE: Final = frozenset({"exfiltration", "hiding", "spreading", "planting"})
_HOSTILE_WITH_NETWORK: Final = frozenset({"environment", "secrets"})


def weigh(command: str, sources: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Return ``(level, signs)``: level is ``plain``, ``unusual`` or ``hostile``; signs are words for a person.

    ``sources`` maps the files the command runs to their text. Network and programs together are unusual, not hostile:
    fetching a released binary is how many honest wrappers install. What makes a script hostile is what it takes or
    leaves behind.
    """
    if _DOWNLOAD_AND_RUN.search(command):
        return "hostile", ("fetches code and runs it",)
    signs: dict[str, str] = {}
    for file, text in {"command": command, **{file: _done(text) for file, text in sources.items()}}.items():
        for sign, pattern in _SIGNS:
            if sign not in signs and pattern.search(text):
                signs[sign] = sign if file == "command" else f"{sign} in {file}"
        if _DOWNLOAD_AND_RUN.search(text):
            return "hostile", ("fetches code and runs it",)
    reasons = tuple(signs.values())
    if signs.keys() & _ALWAYS_HOSTILE or ("network" in signs and signs.keys() & _HOSTILE_WITH_NETWORK):
        return "hostile", reasons
    own = [sign for sign in signs.values() if " in " not in sign]
    if own and _INLINE.search(command):
        return "hostile", (*reasons, "code in the command itself")
    if signs.keys() & {"network", "programs", "environment", "secrets"}:
        return "unusual", reasons
    return "plain" if all(_BUILDERS.match(part) for part in _parts(command)) or not signs else "unusual", reasons


def _done(text: str) -> str:
    """Return a script without what it merely prints."""
    return text if _REPLACED.search(text) else _PRINTED.sub("", text)


def _parts(command: str) -> list[str]:
    return [part.strip(" ()") for part in re.split(r"&&|\|\||;", command) if part.strip(" ()")]


def read_files(root: Path | None, command: str) -> dict[str, str]:
    """Return the text of the files below ``root`` that ``command`` runs, and of those they import, at most twelve.

    Files over 2 MiB are read up to that. A path that leads out of ``root`` is not followed.
    """
    if root is None:
        return {}
    found: dict[str, str] = {}
    queue = list(_named_files(root, command))
    while queue and len(found) < _MAX_FILES:
        path = queue.pop(0)
        name = path.relative_to(root.resolve()).as_posix()
        if name in found:
            continue
        with path.open("rb") as file:
            found[name] = file.read(MAX_BYTES).decode("utf-8", "replace")
        for match in _IMPORT.finditer(found[name]):
            target = _inside(root, path.parent / match["path"])
            if target is not None:
                queue.append(target)
    return found


def _named_files(root: Path, command: str) -> Iterator[Path]:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    for word in words:
        if re.fullmatch(r"[\w@.][\w@./-]{0,200}", word):
            path = _inside(root, root / word)
            if path is not None:
                yield path


def _inside(root: Path, path: Path) -> Path | None:
    base = root.resolve()
    for suffix in _SUFFIXES:
        candidate = Path(f"{path}{suffix}").resolve()
        if candidate.is_relative_to(base) and candidate.is_file():
            return candidate
    return None
