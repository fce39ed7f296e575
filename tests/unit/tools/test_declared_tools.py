"""Which tools the source of a server declares, in the ways in which people write them."""

from __future__ import annotations

import pytest
from tools.declared_tools import MOST, Declared, declared

FORMS = {
    "a decorator": ("@mcp.tool\ndef add(a: int) -> int:\n    'Adds.'", "add", "Adds."),
    "a decorator that is called": ("@mcp.tool()\nasync def add() -> int:\n    '''Adds.'''", "add", "Adds."),
    "a name of its own": ("@server.tool(name='sum', description='Adds up.')\ndef add(): ...", "sum", "Adds up."),
    "by place": ("@server.tool('sum', 'Adds up.')\ndef add():\n    'Not this.'", "sum", "Adds up."),
    "a decorator of their own": ("@readonly_tool\ndef add():\n    'Adds.'", "add", "Adds."),
    "handed over": ("def add():\n    'Adds.'\nmcp.tool()(add)", "add", "Adds."),
    "handed over by name": ("def add():\n    'Adds.'\nmcp.add_tool(add, name='sum')", "sum", "Adds."),
    "an object": ("types.Tool(name='add', description='Adds ' 'up.', inputSchema={})", "add", "Adds up."),
    "a name in a variable": ("NAME = 'add'\nTool(name=NAME, description=f'Adds {x} up.')", "add", "Adds up."),
    "a member of an enumeration": ("class T(str, Enum):\n    ADD = 'add'\nTool(name=T.ADD, inputSchema={})", "add", ""),
    "a mapping": ("{'name': 'add', 'description': dedent('''\n  Adds.'''), 'inputSchema': {}}", "add", "Adds."),
}
SCRIPTS = {
    "a call": ("server.tool('add', 'Adds.', {a: z.number()}, f)", "add", "Adds."),
    "a registration": ('s.registerTool("add", {title: "T", description: "Adds \\"up\\"."}, f)', "add", 'Adds "up".'),
    "a constant": ("server.tool(TOOLS.list_teams, `Lists\nteams.`, {}, f)", "list_teams", "Lists teams."),
    "of an app": ('registerAppTool(server, "add", {description: "Adds."}, f)', "add", "Adds."),
    "of a bundle": ('j(server, "add", {title: "T", description: "Adds."}, f)', "add", "Adds."),
    "said elsewhere": ("server.tool('add', TEXTS['add'], {}, f)", "add", ""),
    "an object": ("const t = {name: 'add', description: 'Adds.', inputSchema: {}}", "add", "Adds."),
    "minified": ('e=[{name:"add",description:"Adds.",inputSchema:{type:"object"}}]', "add", "Adds."),
    "JSON": ('{"name": "add",\n "description": "Adds.",\n "inputSchema": {}}', "add", "Adds."),
    "an object handed over": ("s.addTool({name: 'add', description: 'Adds.', execute: f})", "add", "Adds."),
}


@pytest.mark.parametrize(("source", "name", "said"), FORMS.values(), ids=FORMS)
def test_python(source: str, name: str, said: str) -> None:
    assert declared({"pkg/server.py": source.encode()}) == [Declared(name, said)]


@pytest.mark.parametrize(("source", "name", "said"), SCRIPTS.values(), ids=SCRIPTS)
def test_javascript(source: str, name: str, said: str) -> None:
    assert declared({"package/dist/index.js": source.encode()}) == [Declared(name, said)]


def test_a_function_that_is_not_in_the_package_is_known_by_its_name() -> None:
    assert declared({"a.py": b"from other import add as plus\nmcp.tool()(plus)"}) == [Declared("add")]


def test_a_function_of_another_module_is_found_under_the_name_it_is_imported_by() -> None:
    files = {
        "pkg/maths.py": b"def add():\n    'Adds.'",
        "pkg/server.py": b"from pkg.maths import add as tool_add\nmcp.tool()(tool_add)",
    }
    assert declared(files) == [Declared("add", "Adds.")]


@pytest.mark.parametrize(
    "source",
    [
        "@server.call_tool()\nasync def handle(name): 'Calls.'",
        "@server.list_tools()\nasync def listed(): 'Lists.'",
        "@app.get('/tool')\ndef page(): 'Shows.'",
        "for fn in registered:\n    mcp.tool()(fn)",
        "{'name': 'Bob', 'description': 'A man.'}",
        "Tool(name=who(), description='Says.')",
        "def f(:",
        "@mcp.tool(name='$(rm -rf ~)')\ndef f(): ...",
    ],
)
def test_what_declares_none(source: str) -> None:
    assert declared({"pkg/server.py": source.encode()}) == []


def test_the_fullest_of_several_is_kept_and_tests_are_no_part_of_it() -> None:
    tool = "@mcp.tool\ndef {}():\n    '{}'"
    files = {
        "pkg/a.py": tool.format("add", "Adds.").encode(),
        "pkg/b.py": tool.format("add", "Adds two numbers.").encode(),
        "tests/test_a.py": tool.format("fake", "Fakes.").encode(),
        "node_modules/sdk/index.js": b"server.tool('demo', 'Shows.', {}, f)",
    }
    assert declared(files) == [Declared("add", "Adds two numbers.")]


def test_no_more_than_an_api_wrapped_whole_is_worth() -> None:
    source = "\n".join(f"@mcp.tool\ndef tool_{number}(): ..." for number in range(2 * MOST))
    assert len(declared({"pkg/server.py": source.encode()})) == MOST
