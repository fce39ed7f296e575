"""What a server reached for and could not have: network, files, programs, memory, ports. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime import ways
from vsm_mcp.runtime.last_words import LastWords, mask

_HOST: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){0,8}[A-Za-z0-9-]{1,62}"
_NETWORK: Final = re.compile(
    r"ENOTFOUND|EAI_AGAIN|EAI_FAIL|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED|ECONNRESET|ETIMEDOUT|getaddrinfo"
    r"|UND_ERR_CONNECT"
    r"|Temporary failure in name resolution|Name or service not known|Failed to resolve|name resolution"
    r"|Network is unreachable|No route to host|Connection refused|Connection timed out|Max retries exceeded"
    r"|fetch failed|could not translate host name|Cannot connect to host|All connection attempts failed"
    r"|no such host|network request failed|Can't connect to MySQL|ServerSelectionTimeoutError|Could not resolve host"
    r"|Error \d+ connecting to|dial tcp|dns error|error sending request for url|NewConnectionError|socket hang up",
    re.IGNORECASE,
)
_WHERE: Final = (
    re.compile(rf"(?:ENOTFOUND|EAI_AGAIN|EAI_FAIL) (?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?"),
    re.compile(
        r"(?:ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ECONNRESET) (?P<host>[\w.:\[\]-]+?):(?P<port>\d{1,5})\b"
    ),
    re.compile(rf"host='(?P<host>{_HOST})', port=(?P<port>\d{{1,5}})"),
    re.compile(rf"Failed to resolve '(?P<host>{_HOST})'"),
    re.compile(rf"Cannot connect to host (?P<host>{_HOST}):(?P<port>\d{{1,5}})"),
    re.compile(rf"could not translate host name \"(?P<host>{_HOST})\""),
    re.compile(rf"server at \"(?P<host>{_HOST})\"[^\n]{{0,60}}port (?P<port>\d{{1,5}})"),
    re.compile(rf"connecting to (?P<host>{_HOST}):(?P<port>\d{{1,5}})"),
    re.compile(rf"(?:lookup|Could not resolve host:|MySQL server on) '?(?!address\b)(?P<host>{_HOST})'?"),
    re.compile(rf"dial tcp (?P<host>{_HOST}):(?P<port>\d{{1,5}})"),
    re.compile(rf"\bhttps?://(?:[^/\s@]{{1,200}}@)?(?P<host>{_HOST})(?::(?P<port>\d{{1,5}}))?"),
    re.compile(
        rf"\b(?:to|at|from|host|server|reach) ['\"]?(?P<host>(?=[^:\s]*[A-Za-z]"
        rf"|\d+\.\d+\.\d+\.){_HOST}):(?P<port>\d{{2,5}})\b"
    ),
)
_PATH: Final = r"(?P<path>~?/[^'\"\s,:;()\]]{0,300})"
_DENIED: Final = re.compile(
    r"\bEACCES\b|\bEROFS\b|\bEPERM\b|PermissionError|Permission denied|Read-only file system|operation not permitted"
    r"|readonly database|unable to open database file",
    re.IGNORECASE,
)
_READ_ONLY: Final = re.compile(
    r"\bEROFS\b|Read-only|mkdir|open '[^']*' for writing|write|unlink|rename|readonly|makedirs|copyfile"
    r"|unable to open database",
    re.IGNORECASE,
)
_ABSENT: Final = re.compile(
    r"\bENOENT\b|FileNotFoundError|No such file or directory|NotADirectoryError|\bENOTDIR\b|(?:file|directory|folder"
    r"|path|dir)"
    r"[^\n]{0,200}?(?:does not exist|doesn't exist|not found|not accessible|is not a directory|could not be found"
    r"|no such)"
    r"|(?:cannot|could not|can't|failed to|unable to) (?:access|find|open|read|stat|load) (?:the )?(?:\w+ )?(?:file"
    r"|directory|path|folder)",
    re.IGNORECASE,
)
_ANY_PATH: Final = re.compile(rf"(?:['\"`: =]|^){_PATH}", re.MULTILINE)
_SPAWN: Final = re.compile(
    r"spawn(?:Sync)? (?P<spawn>[\w./+-]{1,200}) (?:ENOENT|EACCES)|(?P<shell>[\w.+-]{1,80}): (?:command )?not found\b"
    r"|exec: \"(?P<go>[\w./+-]{1,80})\": executable file not found|env: ['‘]?(?P<env>[\w.+-]{1,80})['’]?: No such file"
)
_EXECUTE_CHILD: Final = re.compile(r"_execute_child|subprocess\.py")
_NO_FILE: Final = re.compile(r"No such file or directory: '(?P<name>[^'\n]{1,300})'")
_PROGRAM_SAID: Final = re.compile(
    r"(?P<git>Bad git executable)|Executable doesn't exist at (?P<browser>\S{1,300})|Could not find (?P<chrome>Chrome|"
    r"Chromium|Firefox|browser)\b[^\n]{0,60}|(?:Failed to launch|no) (?:the )?(?P<launch>browser)\b"
    r"|(?P<which>[\w.+-]{2,60}) (?:is not|not|isn't) "
    r"(?:installed|found|available) (?:in|on)(?: your| the)?(?: system)? ?\$?(?:PATH|path|system)|"
    r"(?P<installed>docker|git|ffmpeg|chromium|chrome|pandoc|java|go|rust|cargo|kubectl|adb|psql|mysql|node|npm|npx|uv|"
    r"python3?|tesseract|libreoffice|soffice|gh|terraform|aws|az|gcloud|helm|sqlite3|rg|ripgrep|pdftotext|graphviz"
    r"|dot|R|Rscript)"
    r"(?: CLI| executable| binary| command)?['\"]? (?:is not installed|not installed|not found|could not be found"
    r"|is required but)"
    r"|(?:cannot|could not|unable to) (?:find|locate) (?:the )?(?P<found>[\w.+-]{2,40}) (?:executable|binary|command"
    r"|program)",
    re.IGNORECASE,
)
_DOCKER: Final = re.compile(r"docker\.sock|Cannot connect to the Docker daemon|docker daemon", re.IGNORECASE)
_LISTENS: Final = re.compile(
    r"Uvicorn running|\blistening (?:on|at)\b|server (?:is )?(?:running|started|listening|ready|available) (?:on|at) "
    r"(?:http|port|:?\d|0\.0\.0\.0|localhost|127\.)|\b(?:running|serving|started|available|listening|ready|live"
    r"|up)\b[^\n]{0,40}"
    r"(?:https?://|\bport:? ?\d{2,5}|0\.0\.0\.0|localhost:\d|127\.0\.0\.1:\d)|Application startup complete"
    r"|transport ['\"]?(?:sse|streamable-http|http)['\"]?|SSE endpoint|Hypercorn running|Press CTRL\+C to quit"
    r"|waitress|Serving Flask",
    re.IGNORECASE,
)
_PORT_TAKEN: Final = re.compile(r"EADDRINUSE|Address already in use|address in use", re.IGNORECASE)
_MEMORY: Final = re.compile(
    r"JavaScript heap out of memory|\bMemoryError\b|Cannot allocate memory|\bENOMEM\b|out of memory|std::bad_alloc"
    r"|Allocation failed|memory allocation of \d+ bytes failed",
    re.IGNORECASE,
)
_SOFT: Final = {"scratch": ("scratch_bytes", "private files"), "home": ("home_bytes", "files in its home")}
_LIMIT: Final = re.compile(
    r"can't start new thread|Resource temporarily unavailable|\bEMFILE\b|Too many open files|\bENOSPC\b"
    r"|No space left on device"
    r"|pthread_create|\bENFILE\b|uv_thread_create|Thread creation failed"
    r"|\bspawn(?:Sync)?\b[^\n]{0,200} EAGAIN|cannot fork|fork: retry",
    re.IGNORECASE,
)
_CREDENTIAL: Final = re.compile(
    r"\b401\b|\b403\b|Unauthorized|invalid (?:api[ _-]?key|token|credentials)|authentication (?:failed|error|required)"
    r"|bad credentials|access denied for user|login failed|Unable to locate credentials|NoCredentialsError"
    r"|not authenticated"
    r"|could not load the default credentials|DefaultCredentialsError|password authentication failed",
    re.IGNORECASE,
)
_ASKS: Final = re.compile(
    r"EOFError: EOF when reading a line|EOFError|(?:enter|type|paste)\b[^\n]{0,60}(?:key|token|password|url|name|path"
    r"|code)[^\n]{0,30}[:?>]\s*$"
    r"|\[y/n\]|\(y/n\)|not a (?:tty|terminal)|press any key",
    re.IGNORECASE | re.MULTILINE,
)


def network(_words: LastWords, text: str) -> Cause | None:
    """A host that could not be reached: servers have no network unless it was allowed."""
    if not _NETWORK.search(text):
        return None
    for pattern in _WHERE:
        found = pattern.search(text)
        if found:
            port = found.groupdict().get("port")
            host = found["host"] + (f":{port}" if port and port not in {"443", "80"} else "")
            break
    else:
        host = ""
    return Cause(
        code="network_refused",
        message=f"the server could not reach {host or 'the network'} while starting; the sandbox has no network"
        f" unless allowed",
        hint=f"allow it with --allow-host {host or 'HOST[:PORT]'}",
        inputs=(host,) if host else (),
    )


def path(words: LastWords, text: str) -> Cause | None:
    """A file or directory that the sandbox does not show, or shows without leave to write."""
    denied, absent = _DENIED.search(text), _ABSENT.search(text)
    if not denied and not absent:
        return None
    named = _named_path(words, text)
    if denied:
        mode = ":rw" if _READ_ONLY.search(text) else ""
        verb = "write" if mode else "read"
        return Cause(
            code="path_not_allowed",
            message=f"the server may not {verb} {named or 'a path it needs'}",
            hint=f"allow it with --allow-path {named or 'PATH'}{mode}, or point the server elsewhere with --arg or"
            f" --env",
            inputs=(named,) if named else (),
        )
    if not named:
        return None
    return Cause(
        code="path_missing",
        message=f"the server found no {named}: it does not exist, or the sandbox does not show it",
        hint=_where_to_put(named),
        inputs=(named,),
    )


def _where_to_put(named: str) -> str:
    if named.startswith(("/home/mcp", "~")):
        return (
            "the sandbox's home is empty at every start: name another place with --env or --arg, "
            "and allow it with --allow-path"
        )
    return f"create it and allow it with --allow-path {named} (:rw to write), or name another with --arg or --env"


def _named_path(words: LastWords, text: str) -> str:
    quoted = re.findall(r"['\"`](~?/[^'\"`\n]{1,300})['\"`]", words.message or text)
    for candidate in [*quoted, *(match["path"].strip() for match in _ANY_PATH.finditer(words.message or text))]:
        if len(candidate) > 1 and not candidate.startswith("//"):
            return mask(candidate)
    return ""


def program(words: LastWords, text: str) -> Cause | None:
    """A program the server wanted to run that is not there."""
    name = _program_name(words, text)
    if not name:
        return None
    if name == "docker":
        hint = "the sandbox offers no container engine to servers; choose another server, or run it unsandboxed at"
        " your own risk"
    else:
        hint = f"install {name} on this machine (a system package), or name its place with --arg or --env"
    return Cause(
        code="missing_program",
        message=f"the server needs the program {name}, which is not there",
        hint=hint,
        inputs=(name,),
    )


def _program_name(words: LastWords, text: str) -> str:
    if _DOCKER.search(text):
        return "docker"
    found = _SPAWN.search(text)
    if found:
        return next(value for value in found.groups() if value)
    file = _NO_FILE.search(words.message)
    if file and (any(_EXECUTE_CHILD.search(f"{frame.file} {frame.where}") for frame in words.frames[-3:])):
        return file["name"]
    said = _PROGRAM_SAID.search(text)
    if not said:
        return ""
    if said["git"]:
        return "git"
    if said["browser"]:
        return "chromium"
    name = next(value for key, value in said.groupdict().items() if value)
    return {"chrome": "chromium", "browser": "chromium"}.get(name.lower(), name)


def says_it_listens(lines: Sequence[str]) -> bool:
    """Whether a program that runs has said that it listens on a port, and which one."""
    text = "\n".join(lines)
    return _LISTENS.search(text) is not None and bool(ways.by_address(text))


def listens(_words: LastWords, text: str) -> Cause | None:
    """A server that opened a port instead of speaking on its standard streams."""
    if not _LISTENS.search(text):
        return None
    return Cause(
        code="not_a_server",
        message="the program listens on a port (HTTP) instead of speaking MCP on its standard input and output",
        hint="tell it to use stdio, usually one of: --arg=--stdio, --arg stdio, --arg=--transport --arg stdio, "
        "--env TRANSPORT=stdio, --env MCP_MODE=stdio; or have it listen: --listens http",
        remedies=(*ways.by_switch(text), *ways.by_address(text)),
    )


def port_taken(_words: LastWords, text: str) -> Cause | None:
    """A port the server wants to listen on is in use."""
    if not _PORT_TAKEN.search(text):
        return None
    found = re.search(r":(\d{2,5})\b|port (\d{2,5})", text)
    number = (found[1] or found[2]) if found else ""
    return Cause(
        code="port_in_use",
        message=f"the server wants to listen on port {number or '(unknown)'}, which is in use",
        hint="tell it to use stdio or another port, usually --arg=--stdio or --env PORT=…",
    )


def memory(_words: LastWords, text: str) -> Cause | None:
    """A server that ran out of memory and said so."""
    return out_of_memory() if _MEMORY.search(text) else None


def out_of_memory() -> Cause:
    """Return the cause for a process that was stopped at its memory limit."""
    return Cause(
        code="out_of_memory",
        message="the server ran out of memory and was stopped",
        hint="raise [sandbox] memory_bytes in vsm-mcp.toml (or VSM_MCP_SANDBOX_MEMORY_BYTES)",
    )


def limit(_words: LastWords, text: str) -> Cause | None:
    """A server that ran into the limit of threads, open files or scratch space."""
    found = _LIMIT.search(text)
    if not found:
        return None
    said = found[0].lower()
    field = "scratch_bytes" if "space" in said or "enospc" in said else "open_files" if "file" in said else "processes"
    return _reached(field, f"ran into the sandbox's limit of {field.replace('_', ' ')} ({found[0]})")


def over(limit: str) -> Cause:
    """Return the cause for a process that was ended because it took more than a limit that the kernel did not hold."""
    field, what = _SOFT.get(limit, (limit, limit))
    return _reached(field, f"was ended: it had more {what} than the sandbox's limit")


def _reached(field: str, what: str) -> Cause:
    return Cause(
        code="limit_reached",
        message=f"the server {what}",
        hint=f"raise [sandbox] {field} in vsm-mcp.toml (or VSM_MCP_SANDBOX_{field.upper()})",
    )


def credential(_words: LastWords, text: str) -> Cause | None:
    """A key or password that the other side does not accept."""
    found = _CREDENTIAL.search(text)
    if not found:
        return None
    return Cause(
        code="credential_refused",
        message=f"the server's credentials are missing or were refused ({mask(found[0])})",
        hint="give the right ones with --secret NAME (its documentation names the variable)",
    )


def asks(_words: LastWords, text: str) -> Cause | None:
    """A program that wants to talk to a person at a terminal."""
    if not _ASKS.search(text):
        return None
    return Cause(
        code="asks_terminal",
        message="the program asks a question on a terminal instead of speaking MCP",
        hint="give what it asks for with --arg, --env or --secret, or run its set-up once by hand",
    )
