"""Ways in which code, not configuration, keeps a server from starting: each reads its own kind of last words. Pure."""

from __future__ import annotations

import re
from typing import Final

from vsm_mcp.model.retry import AS_RELEASED, Retry
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime.last_words import LastWords, mask

_IMPORT_ERRORS: Final = frozenset({"ImportError", "ModuleNotFoundError"})
_SHAPE_ERRORS: Final = frozenset({"AttributeError", "TypeError", "NameError", "ValidationError", "PydanticUserError"})
_SDK_MODULE: Final = re.compile(r"(?:No module named|from|module) ['\"](?P<module>mcp|fastmcp)(?:\.[\w.]+)?['\"]")
_SDK_NAMES: Final = (
    r"FastMCP|MCPServer|Server|LowLevelServer|ClientSession|ServerSession|RequestContext|Context|Tool|Resource|Prompt"
    r"|ResourceTemplate|TextContent|ImageContent|EmbeddedResource|CallToolResult|ListToolsResult|ReadResourceResult"
    r"|FunctionTool|ToolManager|NotificationOptions|InitializationOptions|ServerCapabilities|StdioServerParameters"
    r"|ServerRequestContext|McpError|MCPError|ErrorData"
)
_SDK_SHAPE: Final = re.compile(
    rf"(?:'(?:{_SDK_NAMES})' object|type object '(?:{_SDK_NAMES})'|module '(?:mcp|fastmcp)[\w.]*')"
    rf" has no attribute|^(?:{_SDK_NAMES})(?:\.\w+)?(?:\(\)| takes| got| missing|\.__init__\(\))"
    r"|(?:stdio_server|streamablehttp_client|sse_client|create_initialization_options)\(\)"
)
# What mcp 1.x brought along and 2.x does not: servers import it without declaring it.
_CAME_WITH_SDK_1: Final = frozenset({"httpx", "httpx_sse", "pydantic_settings", "dotenv"})
_SDK_FILE: Final = re.compile(r"/site-packages/(?:mcp|fastmcp|mcp_types)/")
_SDK_SAYS: Final = re.compile(
    r"pin ['\"]mcp<2|This is mcp 2\.|removed in (?:FastMCP|mcp) (?:[2-9]|\d\d)"
    # what a server says of itself that caught the error: the decorators of 1.x
    r"|\bMCP (?:Python )?(?:SDK|package|library)(?: is)? not (?:installed|available|found)"
    r"|'Server' object has no attribute '(?:list|call|read|get|set|subscribe|unsubscribe|progress)_?\w*'"
)
# The SDK is not there at all, so no version of it mends that: an extra of the package brings it, perhaps.
_SDK_ABSENT: Final = re.compile(r"No module named ['\"](?:mcp|fastmcp)['\"]\s*\Z")
_OWN_FRAME: Final = re.compile(r"/site-packages/(?!mcp/|fastmcp/|mcp_types/)")

_NATIVE: Final = re.compile(
    r"Could not locate the bindings file|No native build was found|was compiled against a different Node\.js version"
    r"|Could not load the \"?(?P<sharp>sharp)\"? module|[\w./@+-]*\.node['\"]?(?::| is not|$| file| not found)"
    r"|node-gyp-build|prebuild-install|node-pre-gyp|Cannot find (?:module|package) ['\"][^'\"\n]*\.node['\"]"
    r"|Cannot find module '@(?:rollup|esbuild|img|swc|napi-rs|parcel|next|tailwindcss|lancedb|libsql|node-rs"
    r"|oxc-[\w-]+)"
    r"/[^']*(?:linux|gnu|musl|x64|arm64)[^']*'|Failed to load native|native (?:binding|module|addon)s? (?:not|is|are"
    r"|could)"
    r"|Cannot find native binding|build/Release/|ERR_DLOPEN_FAILED|esbuild for another platform"
    r"|package \"@esbuild/[^\"]+\" could not be found|The \"?@?esbuild|better[-_]sqlite3[^\n]{0,80}(?:not found"
    r"|missing|rebuild)",
    re.IGNORECASE | re.MULTILINE,
)
_NATIVE_PATH: Final = re.compile(
    r"node_modules/(?P<name>(?:@[\w.-]+/)?[\w.-]+)(?:/|$)(?!.*node_modules/)", re.MULTILINE
)
_NODE_MISSING: Final = re.compile(r"Cannot find (?:module|package) ['\"](?P<name>[^'\"\n]{1,300})['\"]")
_PYTHON_MISSING: Final = re.compile(r"No module named ['\"](?P<name>[\w.]{1,200})['\"]")
_SHARED_LIBRARY: Final = re.compile(r"(?P<name>lib[\w.+-]+\.so[\w.]*): cannot open shared object file")
_VERSION: Final = re.compile(
    r"(?:requires?|needs?|supports?|supported on|must (?:be|use)|minimum(?: required)?|at least|expected)[^\n]{0,60}?"
    r"(?P<what>node(?:\.?js)?|python|bun|deno)(?: version)?s?[ :]*(?P<version>v?[<>=^~ ]*\d+(?:\.\d+){0,2}\+?"
    r"|[<>=^~]+ ?\d[\d.]*)"
    r"|(?P<what2>node(?:\.?js)?|python)(?: version)? (?P<version2>v?[<>=^~ ]*\d+(?:\.\d+){0,2}\+?) (?:or (?:higher"
    r"|later|newer|above)"
    r"|is required|\+|and above)",
    re.IGNORECASE,
)
_ENGINE: Final = re.compile(
    r"(?:EBADENGINE|Unsupported engine)(?:.{0,600}?['\"]?node['\"]?: ?['\"](?P<version>[^'\"\n]{1,40})['\"])?",
    re.DOTALL,
)
_OLD_SYNTAX: Final = re.compile(
    r"does not provide an export named|Unexpected token|Invalid or unexpected|is not a function or its return value"
    r"|Unexpected identifier|node:\w+['\"]? (?:is not|not found)|No such built-in module: (?P<builtin>node:[\w/]+)"
)
_CONSOLE_SCRIPT: Final = re.compile(r"File \"[^\"\n]*/bin/[^\"\n/]+\", line \d+\n\s*from ")
_NEWER_NODE: Final = re.compile(  # what came with Node 20 to 24
    r"\b(?:markAsUncloneable|withResolvers|groupBy|fromAsync|isSubsetOf|symmetricDifference|RegExp\.escape) is not a"
    r" function"
    r"|^(?:File|WebSocket|navigator|CustomEvent|EventSource|CloseEvent) is not defined"
)
_OF_ITS_TIME: Final = (Retry(constraints=(AS_RELEASED,)),)
"""What mends a server whose dependencies went on without it."""
_WITH_SDK: Final = (Retry(constraints=("[mcp]",)),)
"""What mends a package whose server is an extra of it, as many call it."""
_BROKEN: Final = "no option mends this; try another version or another server"
_INCOMPLETE: Final = "the package is incomplete in this version; try another version or another server"


def python_sdk(words: LastWords, text: str) -> Cause | None:
    """A Python server written for ``mcp`` 1.x that was given 2.x (or for an older ``fastmcp``)."""
    if not words.type and not _SDK_SAYS.search(text):
        return None
    if not (_SDK_SAYS.search(text) or _breaks_on_sdk(words)):
        return None
    said = mask(words.message.split("\n")[0])[:200]
    return Cause(
        code="python_sdk_2",
        message=f"the server was written for another version of the MCP Python SDK ({words.type or 'error'}: {said})",
        hint="it is installed again with an older SDK (mcp<2, then also fastmcp<3)",
        remedies=(Retry(constraints=("mcp<2",)), Retry(constraints=("mcp<2", "fastmcp<3")), *_OF_ITS_TIME),
    )


def _breaks_on_sdk(words: LastWords) -> bool:
    if words.type in _IMPORT_ERRORS:
        if _SDK_ABSENT.search(words.message):
            return False
        missing = _PYTHON_MISSING.search(words.message)
        left = missing is not None and missing["name"].split(".")[0] in _CAME_WITH_SDK_1
        return left or _SDK_MODULE.search(words.message) is not None
    if words.type not in _SHAPE_ERRORS:
        return False
    if _SDK_SHAPE.search(words.message):
        return True
    files = [frame.file for frame in words.frames]
    inside = bool(files) and _SDK_FILE.search(files[-1]) is not None
    # A mistake of the server itself also ends inside the SDK when it runs there; at import time it is the SDK's API.
    importing = any(frame.where == "<module>" and _OWN_FRAME.search(frame.file) for frame in words.frames)
    return inside and importing and words.type != "ValidationError"


def native_module(_words: LastWords, text: str) -> Cause | None:
    """A Node package whose native part is built or fetched by an install script that was not run."""
    found = _NATIVE.search(text)
    if not found:
        return None
    paths = [match["name"] for match in _NATIVE_PATH.finditer(text)]
    names = [name for name in paths if name not in {"bindings", "node-gyp-build", "prebuild-install"}]
    named = found["sharp"] or (names[0] if names else "")
    said = f" of {named}" if named else ""
    return Cause(
        code="native_module_missing",
        message=f"the native module{said} is missing: it is built by an install script, and install scripts were not"
        f" run",
        hint="add it again with --allow-scripts (the scripts then run inside the sandbox)",
        inputs=(named,) if named else (),
    )


def runtime_version(words: LastWords, text: str) -> Cause | None:
    """A server that wants another version of Python or Node than the one that runs it."""
    found = _VERSION.search(text)
    if found:
        what = (found["what"] or found["what2"]).lower()
        name = "Python" if what == "python" else "Node" if what.startswith("node") else what
        version = (found["version"] or found["version2"]).strip()
        return _other_version(f"the server needs {name} {version}", name)
    if words.type == "SyntaxError" and re.search(r"/site-packages/|\.py\"", text + words.text) and words.frames:
        return _other_version("the server's code is not valid for this Python version", "Python")
    engine = _ENGINE.search(text)
    if engine:
        return _other_version(f"the server needs Node {engine['version'] or 'of another version'}", "Node")
    if words.type in {"TypeError", "ReferenceError"} and _NEWER_NODE.search(words.message):
        return _other_version("the server needs a newer Node", "Node")
    old = _OLD_SYNTAX.search(text)
    if old and (words.type == "SyntaxError" or old["builtin"]):
        return _other_version("the server's code does not run on this Node version", "Node")
    return None


def _other_version(message: str, name: str) -> Cause:
    return Cause(
        code="runtime_version",
        message=message,
        hint=f"install a {name} that fits on this machine, or add an older version of the server",
    )


def broken_code(words: LastWords, text: str) -> Cause | None:
    """Modules that cannot be imported: the server's own (its release is broken) or one that nobody declared."""
    library = _SHARED_LIBRARY.search(text)
    if library:
        return Cause(
            code="missing_library",
            message=f"the server needs the system library {library['name']}, which this machine does not have",
            hint=f"install the system package that holds {library['name']}",
        )
    if words.type in _IMPORT_ERRORS:
        return _broken_python(words)
    if words.type == "SyntaxError" and _CONSOLE_SCRIPT.search(text):
        return Cause(
            code="broken_entry",
            message="the server is broken as published: its console script is no valid Python",
            hint=_BROKEN,
        )
    node = _NODE_MISSING.search(text)
    if node:
        return _broken_node(node["name"])
    return None


def _broken_python(words: LastWords) -> Cause:
    missing = _PYTHON_MISSING.search(words.message)
    script = bool(words.frames) and len(words.frames) == 1 and "/site-packages/" not in words.frames[0].file
    said = mask(words.message.split("\n")[0])[:200]
    own = _own_package(words)
    if missing and not script and missing["name"].split(".")[0] != own:
        return Cause(
            code="missing_dependency",
            message=f"the server imports {missing['name']}, which its package does not declare as a dependency",
            hint=_INCOMPLETE,
            remedies=(*(_WITH_SDK if _SDK_ABSENT.search(words.message) else ()), *_OF_ITS_TIME),
        )
    foreign = re.search(r"cannot import name ['\"]\w+['\"] from ['\"](?P<name>\w+)", words.message)
    if foreign and not script and own and foreign["name"] != own:
        return Cause(
            code="incompatible_dependency",
            message=f"the server does not fit the version of {foreign['name']} that its dependencies allow ({said})",
            hint=_BROKEN,
            remedies=_OF_ITS_TIME,
        )
    where = "its console script" if script else "its own code"
    return Cause(
        code="broken_entry",
        message=f"the server is broken as published: {where} fails to import ({said})",
        hint=_BROKEN,
    )


def outdated(words: LastWords) -> tuple[Retry, ...]:
    """Return what may mend an unexplained crash in which code met other code than it was written for.

    In Python while modules are imported; in Node anywhere, for there it is no other matter.
    """
    python = words.type in _SHAPE_ERRORS | _IMPORT_ERRORS and any(frame.where == "<module>" for frame in words.frames)
    node = words.type in {"TypeError", "ReferenceError", "SyntaxError"} and "/node_modules/" in words.text
    return _OF_ITS_TIME if python or node else ()


def _own_package(words: LastWords) -> str:
    for frame in words.frames:
        found = re.search(r"/site-packages/(?P<name>\w+)", frame.file)
        if found:
            return found["name"]
    return ""


def _broken_node(name: str) -> Cause:
    if name.startswith(("/", ".", "file:")):
        return Cause(
            code="broken_entry",
            message=f"the server is broken as published: the file {name.rpartition('node_modules/')[2]} is missing",
            hint=_BROKEN,
            remedies=_OF_ITS_TIME,
        )
    return Cause(
        code="missing_dependency",
        message=f"the server imports {name}, which its package does not declare as a dependency",
        hint=_INCOMPLETE,
        remedies=_OF_ITS_TIME,
    )
