from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.vetting.installed import walk
from vsm_mcp.vetting.startup_hook import imported_by_pth

SETUPTOOLS = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
    "enabled and __import__('_distutils_hack').add_shim(); "
)
COLOREDLOGS = (
    'import os; exec(\'try: __import__("coloredlogs").auto_install() if os.environ.get("COLOREDLOGS_AUTO_INSTALL")'
    " else None\\nexcept ImportError: pass')"
)
NAMESPACE = (
    "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals['sitedir'],"
    " *('google',));importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');"
    "m = has_mfs and sys.modules.setdefault('google', importlib.util.module_from_spec("
    "importlib.machinery.PathFinder.find_spec('google', [os.path.dirname(p)])));"
    "m = m or sys.modules.setdefault('google', types.ModuleType('google'));"
    "mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)"
)
HOSTILE = (
    "import os; os.system('true')",
    "import subprocess",
    "import base64, zlib; exec(zlib.decompress(base64.b64decode('eJw=')))",
    "import os; exec(os.environ.get('X'))",
    "import os; exec(\"import os; os.popen('id')\")",
    "import sys; sys.modules['os'].system('true')",
    "import os; open('/etc/passwd')",
    "import os; getattr(os, 'sys' + 'tem')('true')",
    "import sys; sys.__class__.__base__.__subclasses__()",
    "import importlib; importlib.import_module('subprocess').run('id')",
    "import os; (lambda: 0)()",
    "import os; this is no python",
    "import os; mine = os; mine.system('true')",
    "import os as mine; mine.system('true')",
    "import sys; all = sys.modules; all['o'].system('true')",
    "import sys; mine = sys.modules['os']; mine.system('true')",
    "import sys; sys._getframe(1).f_globals['x']('true')",
    "import importlib; mine = importlib.import_module('own'); mine.x()",
    "import mine; mine.x.__class__",
    "import mine; from os import system; system('true')",
    "import mine; mine.run('{}s'.format('o'))",
    "import mine; mine.run('o' + 's')",
    "import mine;\x0cexec('mine')",
    "import \x0cmine",
    "\ufeffimport os; os.system('true')",
    "import mine; builtins.exec('mine')",
    "import mine; io.FileIO('/x', 'w').write(b'x')",
    "import mine; run = exec; run('mine')",
    "import mine; from setuptools import os as mine; mine.system('true')",
    "import mine; from setuptools import os; mine(os)",
    "import mine; mine" + ".a" * 3000,
    "import mine; " + "(" * 500 + ")" * 500,
    "import coloredlogs; coloredlogs.os.system('id')",
    "import sys; x=''; sys.modules[x.join(['o','s'])].system('id')",
    "import importlib.machinery; s=importlib.machinery.PathFinder.find_spec('evil'); s.loader.exec_module(s)",
    "import sys; __import__('importlib.util').import_module('evil')",
    "import sys; sys._getframe(5).f_locals['__builtins__']['exec']('1')",
    "import os; os.environ['LD_PRELOAD']='/x.so'",
    "# " + "x" * 70_000 + "\nimport os; os.system('true')",
)


@pytest.mark.parametrize(
    "text",
    [SETUPTOOLS, COLOREDLOGS, NAMESPACE, "/a/path\nimport _virtualenv", "# no code\n"],
)
def test_what_only_imports_is_told_from_the_rest(text: str) -> None:
    assert imported_by_pth(text) is not None


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hook_that_reaches_further_is_no_mere_import(text: str) -> None:
    assert imported_by_pth(text) is None


def test_what_lies_deeper_is_a_hook_where_a_path_file_names_its_folder(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    deeper = site / "theirs/start"
    (deeper / "usercustomize").mkdir(parents=True)
    (deeper / "some.pth").write_text("import os; os.system('true')")
    (deeper / "sitecustomize.py").write_text("import os\nos.system('true')\n")
    (deeper / "usercustomize/__init__.py").write_text("")
    assert [finding.rule for finding in walk(tmp_path)[1]] == ["installed.known_hook"] * 2
    (site / "theirs.pth").write_text("theirs/start\n")
    assert [finding.rule for finding in walk(tmp_path)[1]] == ["installed.startup_hook"] * 2


@pytest.mark.parametrize("name", ["sitecustomize.pyc", "sitecustomize.abi3.so", "usercustomize/__init__.py"])
def test_a_hook_has_more_forms_than_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / "lib/python3.11/site-packages" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert "installed.startup_hook" in [finding.rule for finding in walk(tmp_path)[1]]


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("coloredlogs.pth", COLOREDLOGS, "installed.known_hook"),
        ("mine.pth", "import mine", "installed.own_hook"),
        ("pywin32.pth", "import os; os.system('true')", "installed.startup_hook"),
        ("coloredlogs.pth", "import mine; mine.run()", "installed.own_hook"),
        ("google-nspkg.pth", NAMESPACE, "installed.known_hook"),
        ("google-nspkg.pth", "import mine", "installed.own_hook"),
        ("sitecustomize.py", "import mine", "installed.startup_hook"),
    ],
)
def test_a_well_known_name_covers_no_other_code(tmp_path: Path, name: str, text: str, rule: str) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    site.mkdir(parents=True)
    (site / name).write_text(text)
    assert [finding.rule for finding in walk(tmp_path)[1]] == [rule]
