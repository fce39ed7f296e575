from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.github.lists import Entry, entries
from vsm_mcp.discovery.github.place import Place, below, place_of

HOME = Place("https://github.com", "modelcontextprotocol", "servers")
README = """# Model Context Protocol servers

- [Not a server](https://github.com/a/above-any-category) - is taken: the list may have no categories

## 🌟 Reference Servers
- **[Fetch](src/fetch)** - Web content fetching
- **[Git](./src/git/#readme)** - Tools to search `git` repositories

## 🤝 Third-Party Servers
### 🗄️ <a name="databases"></a>Databases
- <img src="https://x.example/f" /> **[Aiven](https://github.com/Aiven-Open/mcp-aiven)** - your [Aiven](https://a.io)
* [flux/k8s](https://github.com/Flux/K8S.git) [![badge](https://g.ai/b)](https://g.ai/x) 📇 ☁️/🏠 – Kubernetes
1. [deep](https://github.com/o/mono/tree/main/servers/deep "title") no dash
- [Elsewhere](https://example.com/x) - see [code](https://github.com/o/elsewhere)
- [Contents](#databases)
- plain text https://github.com/o/plain
- [again](https://github.com/flux/k8s) - the same once more
- [itself](https://github.com/modelcontextprotocol/servers) - not an entry
- [out](../../../etc/passwd) - no
- [out](https://github.com/../..) - no
- [user](https://github.com/someone) - no
### 📚 Frameworks
- [sdk](https://github.com/o/sdk) - helps to build
## Clients
- [client](https://github.com/o/client)
"""


def test_a_list_of_the_kinds_that_there_are() -> None:
    found = {str(each.place.ref): (each.title, each.words, each.categories) for each in entries(README, HOME)}
    assert found == {
        "git+https://github.com/a/above-any-category": (
            "Not a server",
            "is taken: the list may have no categories",
            (),
        ),
        "git+https://github.com/modelcontextprotocol/servers#subdirectory=src/fetch": (
            "Fetch",
            "Web content fetching",
            ("Reference Servers",),
        ),
        "git+https://github.com/modelcontextprotocol/servers#subdirectory=src/git": (
            "Git",
            "Tools to search git repositories",
            ("Reference Servers",),
        ),
        "git+https://github.com/Aiven-Open/mcp-aiven": (
            "Aiven",
            "your Aiven",
            ("Third-Party Servers", "Databases"),
        ),
        "git+https://github.com/Flux/K8S": ("flux/k8s", "Kubernetes", ("Third-Party Servers", "Databases")),
        "git+https://github.com/o/mono#subdirectory=servers/deep": (
            "deep",
            "no dash",
            ("Third-Party Servers", "Databases"),
        ),
    }


@given(st.text("-*[]()#! \n<>`/.:hgithubcom1", max_size=300))
def test_whatever_a_readme_holds_is_read(markdown: str) -> None:
    assert isinstance(entries(markdown, HOME), list)


@pytest.mark.parametrize("line", ["- " + "[" * 5000, "- " + "[a](" * 2000, "#" * 9000, "- <" * 3000, "- ![" * 3000])
def test_lines_made_to_be_slow_are_not(line: str) -> None:
    assert entries("\n".join([line] * 20), HOME) == []


def test_another_site() -> None:
    home = Place("https://git.corp.example", "a", "list")
    listed = "- [x](https://git.corp.example/o/x) y\n- [z](https://github.com/o/z) w\n"
    assert entries(listed, home) == [Entry(Place("https://git.corp.example", "o", "x"), "x", "y", ())]


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/o",
        "https://github.com/o/..",
        "https://github.com/-o/x",
        "https://github.com.evil.example/o/x",
        "https://evil.example/github.com/o/x",
        "javascript://github.com/o/x",
        "https://github.com/o/x/tree/main/../../../etc",
        "https://github.com/o/x/tree/main/a;b",
        "http://[",
    ],
)
def test_what_is_no_place(url: str) -> None:
    assert place_of(url) is None


@pytest.mark.parametrize("path", ["", ".", "../x", "a/../../b", "a;b", "a b", "$(x)", "a/" * 20])
def test_what_is_no_folder(path: str) -> None:
    assert below(HOME, path) is None
