"""Causes: what real failures print, by kind, and the option that each hint must name."""

from __future__ import annotations

import pytest

from vsm_mcp.model.retry import AS_RELEASED
from vsm_mcp.runtime.cause import ended_by, explain
from vsm_mcp.runtime.last_words import mask, read
from vsm_mcp.sandbox.confinement import Exit

PYTHON = (
    "Traceback (most recent call last):\n"
    '  File "/i/bin/x", line 4, in <module>\n'
    "    from x.server import main\n"
    '  File "/i/lib/python3.11/site-packages/x/server.py", line 9, in <module>\n'
)
NODE = '/i/node_modules/x/dist/index.js:12\n    throw new Error("x");\n    ^\n\n'
STACK = (
    "\n    at Object.<anonymous> (/i/node_modules/x/dist/index.js:12:11)\n"
    "    at Module._compile (node:internal/modules/cjs/loader:1521:14)\n\nNode.js v20.20.2"
)
CASES: list[tuple[str, tuple[str, ...], str]] = [
    ("image_gone", (), "Error: 358f61710a4e: image not known"),
    ("image_gone", (), "docker: Error response from daemon: No such image: sha256:358f."),
    ("engine_failed", (), "Error: OCI runtime error: crun: cgroups in hybrid mode not supported"),
    ("broken_entry", (), "Error: crun: executable file `x` not found in $PATH: OCI runtime attempted"),
    (
        "missing_env",
        ("STRIPE_SECRET_KEY",),
        (
            "Error: Stripe API key not provided. Please either pass it as an argument --api-key=$KEY or set the "
            "STRIPE_SECRET_KEY environment variable."
        ),
    ),
    (
        "missing_env",
        ("SENTRY_ACCESS_TOKEN",),
        (
            "Error: No access token was provided.\nRun `sentry-mcp auth login` interactively first, or pass "
            "`--access-token` / `SENTRY_ACCESS_TOKEN`.\nUsage: x [--access-token=<token>] [--host=<host>]"
        ),
    ),
    (
        "missing_env",
        ("MYSQL_USER",),
        "2026-11-21 12:09 - ERROR - Missing database configuration: MYSQL_USER is required",
    ),
    ("python_sdk_2", (), PYTHON + "ModuleNotFoundError: No module named 'httpx'"),
    ("python_sdk_2", (), "Error starting the server: 'Server' object has no attribute 'list_tools'"),
    ("missing_dependency", (), PYTHON + "ModuleNotFoundError: No module named 'mcp'"),
    (
        "crashed",
        (),
        "Error: unable to create the target provider: no context is set\nUsage:\n  demo [command] [flags]",
    ),
    ("missing_arg", ("file",), "Error: a file must be given\nUsage:\n  demo <file>"),
    ("missing_arg", ("directory",), "Error: Please give a directory\nUsage: demo <directory>"),
    ("missing_arg", ("directory",), "Error: No directory given\nUsage: demo <directory>"),
    ("missing_arg", ("path",), "Error: At least one allowed path must be provided"),
    ("missing_env", ("INSTANT_ACCESS_TOKEN",), "Provide a token using --token or set INSTANT_ACCESS_TOKEN variable"),
    ("missing_env", ("GITHUB_TOKEN",), "--token or GITHUB_TOKEN must be set"),
    ("missing_env", ("DOCMOST_URL",), "ERROR: define DOCMOST_URL (see .env.example)"),
    ("missing_env", ("AWS_DEFAULT_REGION",), PYTHON + "botocore.exceptions.NoRegionError: You must specify a region."),
    ("runtime_version", (), "TypeError: webidl.util.markAsUncloneable is not a function\n    at x (/i/y.js:1:1)"),
    ("crashed", (), "the cache is cold, set CACHE_WARM to see more"),
    ("missing_arg", ("--facebook-token",), "Usage: python ads.py --facebook-token YOUR_TOKEN"),
    ("python_sdk_2", (), "MCP SDK not installed. Run: pip install 'mcp[cli]'"),
    ("missing_arg", ("--prompt",), "[x] Fatal: Error: Provide --prompt or --prompt-file to specify the prompt"),
    ("missing_env", ("GOOGLE_FILE",), "Error: 請設定環境變數: GOOGLE_FILE=/path/to/file"),
    (
        "missing_env",
        ("REDIS_HOST", "REDIS_PORT"),
        PYTHON
        + (
            "ValueError: Failed to load settings: 2 validation errors for RedisSettings\n"
            "REDIS_HOST\n  Field required [type=missing, input_value={}, input_type=dict]\n"
            "    For further information visit https://errors.pydantic.dev/2.14/v/missing\n"
            "REDIS_PORT\n  Field required [type=missing, input_value={}, input_type=dict]"
        ),
    ),
    (
        "broken_entry",
        (),
        '  File "/i/bin/x-server", line 4\n    from x-y.server import main\n         ^\nSyntaxError: invalid syntax',
    ),
    (
        "missing_arg",
        ("command",),
        "Usage: x [OPTIONS] COMMAND [ARGS]...\nTry 'x --help' for help.\n\u2502 Missing command. \u2502",
    ),
    (
        "missing_arg",
        ("command",),
        "Usage:\n    x serve   # Start MCP server\n    x pilot   # wizard\nCommands: serve, pilot, setup",
    ),
    ("missing_arg", ("https://server-url",), "[2] Usage: mcp-remote <https://server-url> [callback-port] [--debug]"),
    (
        "incompatible_dependency",
        (),
        PYTHON
        + "ImportError: cannot import name 'eval_type_backport' from 'pydantic._internal._typing_extra' (/i/p.py)",
    ),
    (
        "network_refused",
        (),
        (
            "2026-11-21 12:09:03.183 | ERROR | fastembed.common.model:download_model:712 - Could not download model: "
            "[Errno -3] Temporary failure in name resolution"
        ),
    ),
    ("path_missing", ("/home/mcp/.gmail-mcp/keys.json",), "Error: File /home/mcp/.gmail-mcp/keys.json not found"),
    (
        "missing_env",
        ("API_KEY",),
        PYTHON
        + ("    KEY = os.environ['API_KEY']\n  File \"<frozen os>\", line 679, in __getitem__\nKeyError: 'API_KEY'"),
    ),
    (
        "missing_env",
        ("TOKEN",),
        PYTHON
        + (
            "    KEY = os.environ['TOKEN']\n"
            "          ~~~~~~~~~~^^^^^^^^^\n"
            '  File "<frozen os>", line 679, in __getitem__\n'
            "KeyError: 'TOKEN'"
        ),
    ),
    (
        "missing_env",
        ("API_KEY", "BASE_URL"),
        PYTHON
        + (
            "pydantic_core._pydantic_core.ValidationError: 2 validation errors for Settings\n"
            "api_key\n"
            "  Field required [type=missing, input_value={}, input_type=dict]\n"
            "    For further information visit https://errors.pydantic.dev/2.12/v/missing\n"
            "base_url\n"
            "  Field required [type=missing, input_value={}, input_type=dict]\n"
            "    For further information visit https://errors.pydantic.dev/2.12/v/missing"
        ),
    ),
    (
        "missing_env",
        ("SLACK_BOT_TOKEN", "SLACK_TEAM_ID"),
        "Please set SLACK_BOT_TOKEN and SLACK_TEAM_ID environment variables",
    ),
    (
        "missing_env",
        ("BRAVE_API_KEY",),
        "Error: BRAVE_API_KEY environment variable is required",
    ),
    (
        "missing_env",
        ("EXA_API_KEY",),
        NODE + "Error: EXA_API_KEY is not set" + STACK,
    ),
    (
        "missing_env",
        ("NOTION_TOKEN",),
        "Missing required environment variable: NOTION_TOKEN",
    ),
    (
        "missing_env",
        ("A_KEY", "B_URL"),
        "Missing required environment variables: A_KEY, B_URL",
    ),
    (
        "missing_env",
        ("FOO_KEY", "BAR_ID"),
        ("Error: Missing required environment variables:\n  - FOO_KEY: your key\n  - BAR_ID"),
    ),
    (
        "missing_env",
        ("GRAFANA_URL",),
        "2026/11/21 10:00:00 ERROR GRAFANA_URL must be set",
    ),
    (
        "missing_env",
        ("OPENAI_API_KEY",),
        PYTHON
        + (
            "openai.OpenAIError: The api_key client option must be set either by passing api_key to "
            "the client or by setting the OPENAI_API_KEY environment variable"
        ),
    ),
    (
        "missing_env",
        ("OPENAI_API_KEY",),
        NODE
        + (
            "OpenAIError: Missing credentials. Please pass an `apiKey`, or set the `OPENAI_API_KEY` "
            "environment variable."
        )
        + STACK,
    ),
    (
        "missing_env",
        ("API_TOKEN",),
        NODE
        + (
            "ZodError: [\n"
            "  {\n"
            '    "code": "invalid_type",\n'
            '    "expected": "string",\n'
            '    "received": "undefined",\n'
            '    "path": [\n'
            '      "API_TOKEN"\n'
            "    ],\n"
            '    "message": "Required"\n'
            "  }\n"
            "]"
        )
        + STACK,
    ),
    (
        "missing_env",
        ("API_KEY",),
        NODE
        + (
            "ZodError: [\n"
            "  {\n"
            '    "expected": "string",\n'
            '    "code": "invalid_type",\n'
            '    "path": [\n'
            '      "apiKey"\n'
            "    ],\n"
            '    "message": "Invalid input: expected string, received undefined"\n'
            "  }\n"
            "]"
        )
        + STACK,
    ),
    (
        "missing_env",
        ("SECRET_KEY",),
        PYTHON
        + ("decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a default value."),
    ),
    (
        "missing_env",
        ("DB_PATH",),
        PYTHON + 'environs.exceptions.EnvError: Environment variable "DB_PATH" not set',
    ),
    (
        "missing_env",
        ("DISCORD_TOKEN",),
        NODE + 'EnvVarError: env-var: "DISCORD_TOKEN" is a required variable, but it was not set' + STACK,
    ),
    (
        "missing_env",
        ("JIRA_URL", "JIRA_EMAIL"),
        ("❌ Invalid environment variables: {\n  JIRA_URL: [ 'Required' ],\n  JIRA_EMAIL: [ 'Required' ]\n}"),
    ),
    (
        "missing_env",
        ("GITHUB_TOKEN", "GH_TOKEN"),
        PYTHON + "ValueError: Either GITHUB_TOKEN or GH_TOKEN must be set",
    ),
    (
        "missing_env",
        ("TWILIO_SID",),
        PYTHON + "RuntimeError: TWILIO_SID is missing",
    ),
    (
        "missing_env",
        ("TAVILY_API_KEY",),
        PYTHON + "ValueError: No TAVILY_API_KEY provided",
    ),
    (
        "missing_env",
        ("REDIS_URL",),
        (
            "thread 'main' panicked at src/main.rs:10:5:\n"
            "REDIS_URL must be set: NotPresent\n"
            "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"
        ),
    ),
    (
        "missing_env",
        ("LINEAR_API_KEY",),
        ("panic: required key LINEAR_API_KEY missing value\n\ngoroutine 1 [running]:\nmain.main()"),
    ),
    (
        "missing_env",
        ("DSN",),
        (
            "ERROR: Database connection configuration is required.\n"
            "Please provide configuration in one of these ways (in priority order):\n"
            "\n"
            "1. Use demo mode: --demo (uses in-memory SQLite)\n"
            '3. Command line argument: --dsn="your-connection-string"\n'
            '4. Environment variable: export DSN="your-connection-string"\n'
            "5. .env file: DSN=your-connection-string\n"
            "\n"
            "See documentation for more details."
        ),
    ),
    (
        "missing_arg",
        ("--db-path",),
        ("usage: x [-h] --db-path DB_PATH\nx: error: the following arguments are required: --db-path"),
    ),
    (
        "missing_arg",
        ("path",),
        ("usage: x [-h] path\nx: error: the following arguments are required: path"),
    ),
    (
        "missing_arg",
        ("command",),
        (
            "x <command>\n\nCommands:\n  x stdio  Start the server using stdio\n  x http   Start it using HTTP\n\n"
            "Options:\n  --help  Show help  [boolean]\n\nNot enough non-option arguments: got 0, need at least 1"
        ),
    ),
    (
        "missing_arg",
        ("command",),
        (
            "Usage: x [options] [command]\n\nOptions:\n  -h, --help  display help\n\nCommands:\n"
            "  serve [options]  start the server\n  login            sign in\n  help [command]   display help"
        ),
    ),
    (
        "missing_arg",
        ("command",),
        "usage: x [-h] {stdio,http} ...\nx: error: the following arguments are required: transport",
    ),
    (
        "missing_arg",
        ("--api-base-url",),
        "error: required option '--api-base-url <url>' not specified",
    ),
    (
        "missing_arg",
        ("path",),
        "error: missing required argument 'path'",
    ),
    (
        "missing_arg",
        ("root",),
        ("x.js --root <dir>\n\nOptions:\n  --help  Show help\n\nMissing required argument: root"),
    ),
    (
        "missing_arg",
        ("--token",),
        ("Usage: x [OPTIONS]\nTry 'x --help' for help.\n\nError: Missing option '--token'."),
    ),
    (
        "missing_arg",
        ("allowed-directory",),
        "Usage: mcp-server-filesystem <allowed-directory> [additional-directories...]",
    ),
    (
        "missing_arg",
        ("--db",),
        (
            "error: the following required arguments were not provided:\n"
            "  --db <DB>\n"
            "\n"
            "Usage: x --db <DB>\n"
            "\n"
            "For more information, try '--help'."
        ),
    ),
    (
        "missing_arg",
        ("database URL",),
        "Please provide a database URL as a command-line argument",
    ),
    (
        "bad_arg",
        (),
        ("usage: x [-h]\nx: error: unrecognized arguments: --foo"),
    ),
    (
        "bad_arg",
        (),
        "error: unknown option '--foo'",
    ),
    (
        "python_sdk_2",
        (),
        PYTHON
        + ("    from mcp.server.fastmcp import FastMCP\nModuleNotFoundError: No module named 'mcp.server.fastmcp'"),
    ),
    (
        "python_sdk_2",
        (),
        PYTHON
        + (
            "ImportError: cannot import name 'FastMCP' from 'mcp.server' "
            "(/i/lib/python3.11/site-packages/mcp/server/__init__.py)"
        ),
    ),
    (
        "python_sdk_2",
        (),
        PYTHON + "TypeError: Server.run() missing 1 required positional argument: 'initialization_options'",
    ),
    (
        "python_sdk_2",
        (),
        PYTHON + "TypeError: FastMCP.__init__() got an unexpected keyword argument 'description'",
    ),
    (
        "python_sdk_2",
        (),
        PYTHON + "AttributeError: 'FastMCP' object has no attribute '_tool_manager'",
    ),
    (
        "python_sdk_2",
        (),
        PYTHON + "AttributeError: 'Server' object has no attribute 'request_context'",
    ),
    (
        "python_sdk_2",
        (),
        PYTHON
        + (
            "ImportError: cannot import name 'streamablehttp_client' from "
            "'mcp.client.streamable_http' "
            "(/i/lib/python3.11/site-packages/mcp/client/streamable_http.py)"
        ),
    ),
    (
        "python_sdk_2",
        (),
        PYTHON + "AttributeError: module 'mcp.types' has no attribute 'JSONRPCMessage2'",
    ),
    (
        "python_sdk_2",
        (),
        (
            "  + Exception Group Traceback (most recent call last):\n"
            '  |   File "/i/bin/x", line 8, in <module>\n'
            "  |     sys.exit(main())\n"
            "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n"
            "  +-+---------------- 1 ----------------\n"
            "    | Traceback (most recent call last):\n"
            '    |   File "/i/lib/python3.11/site-packages/x/server.py", line 30, in serve\n'
            "    |     @server.call_tool()\n"
            "    | AttributeError: 'Server' object has no attribute 'call_tool'\n"
            "    +------------------------------------"
        ),
    ),
    (
        "broken_entry",
        (),
        (
            "Traceback (most recent call last):\n"
            '  File "/i/bin/x", line 4, in <module>\n'
            "    from x import cli\n"
            "ImportError: cannot import name 'cli' from 'x' "
            "(/i/lib/python3.11/site-packages/x/__init__.py)"
        ),
    ),
    (
        "broken_entry",
        (),
        (
            "Traceback (most recent call last):\n"
            '  File "/i/bin/x", line 4, in <module>\n'
            "    from src.server import main\n"
            "ModuleNotFoundError: No module named 'src'"
        ),
    ),
    (
        "missing_dependency",
        (),
        PYTHON + "ModuleNotFoundError: No module named 'requests'",
    ),
    (
        "broken_entry",
        (),
        (
            "node:internal/modules/cjs/loader:1210\n"
            "  throw err;\n"
            "  ^\n"
            "\n"
            "Error: Cannot find module '/i/node_modules/x/dist/index.js'\n"
            "    at Module._resolveFilename (node:internal)\n"
            "{\n"
            "  code: 'MODULE_NOT_FOUND',\n"
            "  requireStack: []\n"
            "}\n"
            "\n"
            "Node.js v20.20.2"
        ),
    ),
    (
        "missing_dependency",
        (),
        (
            "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'zod' imported from "
            "/i/node_modules/x/dist/index.js\n"
            "    at x\n"
            "{\n"
            "  code: 'ERR_MODULE_NOT_FOUND'\n"
            "}\n"
            "\n"
            "Node.js v20"
        ),
    ),
    (
        "native_module_missing",
        ("sharp",),
        (
            'Error: Could not load the "sharp" module using the linux-x64 runtime\n'
            "Possible solutions:\n"
            "- Ensure optional dependencies can be installed:\n"
            "    npm install --include=optional sharp\n"
            "    at Object.<anonymous> (/i/node_modules/sharp/lib/sharp.js:113:9)"
        ),
    ),
    (
        "native_module_missing",
        ("canvas",),
        (
            "Error: Cannot find module '../build/Release/canvas.node'\n"
            "Require stack:\n"
            "- /i/node_modules/canvas/lib/bindings.js\n"
            "    at Module._resolve (node:x)\n"
            "\n"
            "Node.js v20.20.2"
        ),
    ),
    (
        "native_module_missing",
        ("bufferutil",),
        (
            "Error: No native build was found for platform=linux arch=x64 runtime=node abi=115 uv=1 "
            "libc=glibc node=20.20.2\n"
            "    loaded from: /i/node_modules/bufferutil\n"
            "\n"
            "    at load.resolve (/i/node_modules/node-gyp-build/node-gyp-build.js:60:9)"
        ),
    ),
    (
        "native_module_missing",
        (),
        ("Error: Cannot find module '@rollup/rollup-linux-x64-gnu'. npm has a bug related to optional dependencies"),
    ),
    (
        "runtime_version",
        (),
        PYTHON + "RuntimeError: x requires Python >=3.12",
    ),
    (
        "runtime_version",
        (),
        (
            "npm error code EBADENGINE\n"
            "npm error engine Unsupported engine\n"
            "npm error Not compatible with your version of node/npm: x\n"
            'npm error notsup Required: {"node":">=22"}'
        ),
    ),
    (
        "runtime_version",
        (),
        "Node.js version 22 or higher is required. You are running 20.20.2",
    ),
    (
        "runtime_version",
        (),
        (
            "Traceback (most recent call last):\n"
            '  File "/i/bin/x", line 4, in <module>\n'
            "    from x import main\n"
            '  File "/i/lib/python3.11/site-packages/x/__init__.py", line 3\n'
            "    type A = int\n"
            "         ^\n"
            "SyntaxError: invalid syntax"
        ),
    ),
    (
        "runtime_version",
        (),
        (
            "file:///i/node_modules/x/dist/index.js:3\n"
            "import { globSync } from 'node:fs';\n"
            "         ^^^^^^^^\n"
            "SyntaxError: The requested module 'node:fs' does not provide an export named 'globSync'\n"
            "    at ModuleJob._instantiate (node:internal)\n"
            "\n"
            "Node.js v20.20.2"
        ),
    ),
    (
        "network_refused",
        (),
        (
            "error: Failed to fetch: client error (Connect)\n"
            "  Caused by: dns error\n"
            "  Caused by: failed to lookup address information: Temporary failure in name resolution"
        ),
    ),
    (
        "network_refused",
        ("api.example.com",),
        (
            "TypeError: fetch failed\n"
            "    at node:internal/deps/undici/undici:13510:13 {\n"
            "  [cause]: Error: getaddrinfo EAI_AGAIN api.example.com\n"
            "      at GetAddrInfoReqWrap.onlookupall [as oncomplete] (node:dns:122:26) {\n"
            "    errno: -3001,\n"
            "    code: 'EAI_AGAIN',\n"
            "    syscall: 'getaddrinfo',\n"
            "    hostname: 'api.example.com'\n"
            "  }\n"
            "}\n"
            "\n"
            "Node.js v20.20.2"
        ),
    ),
    (
        "network_refused",
        ("127.0.0.1:5432",),
        NODE + "Error: connect ECONNREFUSED 127.0.0.1:5432" + STACK,
    ),
    (
        "network_refused",
        ("pypi.example",),
        PYTHON
        + (
            "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='pypi.example', "
            'port=443): Max retries exceeded with url: / (Caused by NameResolutionError("<x>: Failed '
            "to resolve 'pypi.example' ([Errno -3] Temporary failure in name resolution)\"))"
        ),
    ),
    (
        "network_refused",
        (),
        PYTHON + "httpx.ConnectError: [Errno -3] Temporary failure in name resolution",
    ),
    (
        "network_refused",
        ("localhost:5432",),
        PYTHON
        + (
            'psycopg2.OperationalError: connection to server at "localhost" (127.0.0.1), port 5432 '
            "failed: Connection refused\n"
            "\tIs the server running on that host and accepting TCP/IP connections?"
        ),
    ),
    (
        "network_refused",
        ("api.github.com",),
        ('2026/11/21 fatal: Get "https://api.github.com/user": dial tcp: lookup api.github.com: no such host'),
    ),
    (
        "path_not_allowed",
        ("/data/x",),
        NODE + "Error: EACCES: permission denied, mkdir '/data/x'" + STACK,
    ),
    (
        "path_not_allowed",
        ("/i/x/log.txt",),
        NODE + "Error: EROFS: read-only file system, open '/i/x/log.txt'" + STACK,
    ),
    (
        "path_not_allowed",
        ("/var/lib/x",),
        PYTHON + "PermissionError: [Errno 13] Permission denied: '/var/lib/x'",
    ),
    (
        "path_not_allowed",
        ("/i/cache",),
        PYTHON + "OSError: [Errno 30] Read-only file system: '/i/cache'",
    ),
    (
        "path_missing",
        ("/home/u/kube/config",),
        NODE + "Error: ENOENT: no such file or directory, open '/home/u/kube/config'" + STACK,
    ),
    (
        "path_missing",
        ("/home/u/p",),
        "Error: Directory /home/u/p does not exist",
    ),
    (
        "missing_program",
        ("git",),
        NODE + "Error: spawn git ENOENT" + STACK,
    ),
    (
        "missing_program",
        ("chromium",),
        (
            "Traceback (most recent call last):\n"
            '  File "/i/lib/python3.11/site-packages/x/b.py", line 9, in go\n'
            '    subprocess.run(["chromium"])\n'
            '  File "/usr/lib/python3.11/subprocess.py", line 1955, in _execute_child\n'
            "    raise child_exception_type(errno_num, err_msg, err_filename)\n"
            "FileNotFoundError: [Errno 2] No such file or directory: 'chromium'"
        ),
    ),
    (
        "missing_program",
        ("git",),
        PYTHON
        + (
            "ImportError: Bad git executable.\n"
            "The git executable must be specified in one of the following ways:\n"
            "    - be included in your $PATH"
        ),
    ),
    (
        "missing_program",
        ("ffmpeg",),
        PYTHON + "RuntimeError: ffmpeg is not installed",
    ),
    (
        "missing_program",
        ("docker",),
        ("Error: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"),
    ),
    (
        "missing_library",
        (),
        PYTHON + "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
    ),
    (
        "out_of_memory",
        (),
        ("<--- Last few GCs --->\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
    ),
    (
        "limit_reached",
        (),
        PYTHON + "RuntimeError: can't start new thread",
    ),
    (
        "port_in_use",
        (),
        NODE + "Error: listen EADDRINUSE: address already in use :::3000" + STACK,
    ),
    (
        "credential_refused",
        (),
        NODE + "Error: Request failed with status code 401" + STACK,
    ),
    (
        "asks_terminal",
        (),
        (
            "Enter your API key: \n"
            "Traceback (most recent call last):\n"
            '  File "/i/bin/x", line 4, in <module>\n'
            "    from x.server import main\n"
            '  File "/i/lib/python3.11/site-packages/x/server.py", line 9, in <module>\n'
            "EOFError: EOF when reading a line"
        ),
    ),
    (
        "crashed",
        (),
        PYTHON + "ZeroDivisionError: division by zero",
    ),
]
HINTS = {
    "missing_env": "--env|--secret",
    "missing_arg": "--arg",
    "bad_arg": "--arg",
    "native_module_missing": "--allow-scripts",
    "network_refused": "--allow-host",
    "path_not_allowed": "--allow-path",
    "path_missing": "--allow-path",
    "out_of_memory": "memory_bytes",
    "limit_reached": "vsm-mcp.toml",
}


@pytest.mark.parametrize(("code", "inputs", "text"), CASES, ids=[f"{code}-{n}" for n, (code, _, _) in enumerate(CASES)])
def test_a_failure_is_named(code: str, inputs: tuple[str, ...], text: str) -> None:
    cause = explain(Exit(code=1), text.split("\n"))
    assert cause.code == code
    assert not inputs or cause.inputs == inputs
    assert any(option in cause.hint for option in HINTS.get(code, "").split("|"))
    assert "Traceback" not in cause.message
    older = [("mcp<2",), ("mcp<2", "fastmcp<3"), (AS_RELEASED,)]
    assert ([each.constraints for each in cause.remedies] == older) == (code == "python_sdk_2")


@pytest.mark.parametrize(("code", "inputs", "text"), CASES, ids=[f"{code}-{n}" for n, (code, _, _) in enumerate(CASES)])
def test_only_the_tail_is_needed(code: str, inputs: tuple[str, ...], text: str) -> None:
    """Noise before the failure (a log line, a warning of a missing optional key) does not change the cause."""
    noise = ["2026-11-21 INFO starting up", "(node:7) ExperimentalWarning: x is experimental", "loaded 3 plugins"]
    assert explain(Exit(code=1), [*noise, *text.split("\n")]).code == code


@pytest.mark.parametrize(
    ("ended", "lines", "code"),
    [
        (None, ["INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)"], "not_a_server"),
        (None, ["MCP server listening on http://localhost:3001/mcp"], "not_a_server"),
        (None, ["Server listening on port 3000"], "not_a_server"),
        (None, ["connecting to https://api.x.io ...", "getaddrinfo ENOTFOUND api.x.io"], "network_refused"),
        (None, [], "hung"),
        (None, ["loading model"], "hung"),
        (Exit(code=0), [], "not_a_server"),
        (Exit(code=0), ["x 1.2.3"], "not_a_server"),
        (Exit(signal=31), [], "system_call_refused"),
        (Exit(code=159), [], "system_call_refused"),
        (Exit(signal=9, oom=True), ["KeyError: 'API_KEY'"], "out_of_memory"),
        (Exit(signal=9, limit="processes"), [], "limit_reached"),
        (Exit(signal=9, limit="scratch"), ["KeyError: 'API_KEY'"], "limit_reached"),
        (Exit(signal=11), [], "crashed"),
        (Exit(code=3), [], "crashed"),
    ],
)
def test_without_an_error_in_words_the_exit_speaks(ended: Exit | None, lines: list[str], code: str) -> None:
    cause = explain(ended, lines, phase="start", timeout=5)
    assert cause.code == code
    assert cause.message
    assert cause.hint


def test_a_hung_server_says_how_long_it_was_waited_for() -> None:
    cause = explain(None, [], phase="start", timeout=12.5)
    assert "12.5 s" in cause.message
    assert "VSM_MCP_RUNTIME_START_TIMEOUT_SECONDS" in cause.hint


def test_what_it_printed_on_stdout_counts() -> None:
    cause = explain(Exit(code=1), [], stdout_tail=["Error: BRAVE_API_KEY environment variable is required"])
    assert cause.inputs == ("BRAVE_API_KEY",)


def test_keys_are_asked_for_as_secrets() -> None:
    cause = explain(Exit(code=1), ["Error: Missing required environment variables: A_TOKEN, B_URL"])
    assert cause.hint.startswith("give --secret A_TOKEN --env B_URL=…")


def test_a_warning_of_an_optional_key_does_not_hide_the_failure() -> None:
    lines = ["Warning: OPTIONAL_API_KEY is not set, some tools are off", *PYTHON.split("\n"), "ZeroDivisionError: x"]
    assert explain(Exit(code=1), lines).code == "missing_env" or explain(Exit(code=1), lines).code == "crashed"
    native = ["Warning: OPTIONAL_API_KEY is not set", "Error: Could not locate the bindings file. Tried:"]
    assert explain(Exit(code=1), native).code == "native_module_missing"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("API_KEY=abc123def", "abc123def"),
        ("connecting to postgres://me:hunter22@db/x", "hunter22"),
        ('{"password": "hunter22"}', "hunter22"),
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("token: ghp_abcdefghijklmnopqrst", "ghp_abcdefghijklmnopqrst"),
        ("key sk-proj-abcdefghijklmnopqrst is invalid", "sk-proj-abcdefghijklmnopqrst"),
    ],
)
def test_nothing_that_looks_like_a_secret_gets_out(text: str, secret: str) -> None:
    assert secret not in mask(text)
    cause = explain(Exit(code=1), [f"ValueError: cannot start: {text}"])
    assert secret not in cause.message + cause.hint + "".join(cause.inputs)


def test_masking_leaves_ordinary_words() -> None:
    said = "ValueError: the file is broken: not found at /srv/data.json (line: 3)"
    assert mask(said) == said


def test_escape_sequences_and_control_characters_are_dropped() -> None:
    words = read(["\x1b[31mError: \x1b[1mX_KEY is not set\x1b[0m\x07"])
    assert words.lines == ("Error: X_KEY is not set",)


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "at " * 50_000, "x_" * 60_000, "'" * 100_000, "<" * 100_000, ": " * 80_000]
)
def test_hostile_output_is_read_in_no_time(text: str) -> None:
    """Quadratic patterns would take minutes here; the time-out of the test run is the judge."""
    assert explain(Exit(code=1), [text] * 50).code


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("OSError: [Errno 24] Too many open files: '/dev/null'", "limit of open files"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", "limit of processes"),
        ("Error: spawn /usr/bin/git EAGAIN", "limit of processes"),
        ("sh: 1: Cannot fork", "limit of processes"),
        ("bash: fork: retry: Resource temporarily unavailable", "limit of processes"),
        ("Error: ENOSPC: no space left on device, write", "limit of scratch bytes"),
        ("RangeError: Array buffer allocation failed\nMemoryError", "ran out of memory"),
        ("ValueError: no such unit", ""),
    ],
)
def test_the_limit_that_ended_a_running_server(said: str, expected: str) -> None:
    why = ended_by(Exit(code=1), ["Too many open files, but that was an hour ago", said])
    assert expected in why
    assert bool(why) is bool(expected)


def test_what_the_exit_says_already_is_not_said_twice() -> None:
    assert ended_by(Exit(signal=9, oom=True), ["MemoryError"]) == ""
    assert ended_by(Exit(code=0), ["OSError: Too many open files"]) == ""
    assert "system call" in ended_by(Exit(signal=31), [])
