"""What must hold in every template: it compiles, carries nothing inline and every part is used."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, nodes

from catalogue.security import KEEPS_NOTHING

FOLDER = Path(__file__).resolve().parents[2] / "templates"
TEMPLATES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.html"))
ENVIRONMENT = Environment(loader=FileSystemLoader(FOLDER), autoescape=True)

FORBIDDEN = {
    "inline style": re.compile(r"""<[a-z][^>]*\sstyle\s*=|<style\b""", re.IGNORECASE),
    "inline handler": re.compile(r"""<[a-z][^>]*\son[a-z]+\s*=""", re.IGNORECASE),
    # A block of data (JSON-LD) is no script: nothing in it runs.
    "script without src": re.compile(
        r"""<script\b(?![^>]*\ssrc=)(?! type="application/ld\+json">)""", re.IGNORECASE
    ),
    "javascript address": re.compile(r"javascript:", re.IGNORECASE),
    "unescaped text": re.compile(
        r"\|\s*safe\b|\bMarkup\(|\{%-?\s*autoescape\s+false", re.IGNORECASE
    ),
    "htmx evaluation": re.compile(r"\bhx-on[:=]|\bhx-vars\b", re.IGNORECASE),
}
LOADED = re.compile(
    r"""\b(?:src|srcset|action|data|poster)\s*=\s*["'](?:https?:)?//""", re.IGNORECASE
)
LOADED_LINK = re.compile(r"""<link\b[^>]*href\s*=\s*["'](?:https?:)?//""", re.IGNORECASE)


def source(name: str) -> str:
    """Return the text of one template."""
    return (FOLDER / name).read_text(encoding="utf-8")


def test_there_are_templates() -> None:
    assert TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_compiles(name: str) -> None:
    ENVIRONMENT.parse(source(name))


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name.startswith("ui/")])
def test_part_opens_with_its_purpose(name: str) -> None:
    assert re.match(r"\{#-?\s+\S.*?-?#\}", source(name), re.DOTALL), (
        f"{name} says nothing of itself"
    )


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_carries_nothing_inline(name: str) -> None:
    # tags may break over lines, so one line of text is searched
    text = source(name).replace("\n", " ")
    found = [what for what, pattern in FORBIDDEN.items() if pattern.search(text)]
    assert not found, f"{name}: {', '.join(found)}"


@pytest.mark.parametrize("name", TEMPLATES)
def test_template_loads_from_this_host_only(name: str) -> None:
    text = source(name)
    assert not LOADED.search(text)
    assert not LOADED_LINK.search(text)


@pytest.mark.parametrize("name", TEMPLATES)
def test_posted_form_carries_its_token(name: str) -> None:
    for form in re.findall(
        r"<form\b[^>]*method=.post.*?</form>", source(name), re.DOTALL | re.IGNORECASE
    ):
        if any(f"url_for('{endpoint}'" in form.replace('"', "'") for endpoint in KEEPS_NOTHING):
            continue
        assert re.search(r"csrf_token|hidden_tag\(\)", form), f"{name}: a form without token"


def imports_of(name: str) -> list[tuple[str, str, str]]:
    """Return (template, macro, local name) for every from-import of one template."""
    tree = ENVIRONMENT.parse(source(name))
    return [
        (node.template.value, *((imported,) * 2 if isinstance(imported, str) else imported))
        for node in tree.find_all(nodes.FromImport)
        if isinstance(node.template, nodes.Const)
        for imported in node.names
    ]


def macros_of(name: str) -> set[str]:
    """Return the names of the macros that one template defines."""
    return {node.name for node in ENVIRONMENT.parse(source(name)).find_all(nodes.Macro)}


def calls_of(name: str) -> set[str]:
    """Return the plain names that one template calls."""
    return {
        node.node.name
        for node in ENVIRONMENT.parse(source(name)).find_all(nodes.Call)
        if isinstance(node.node, nodes.Name)
    }


@pytest.mark.parametrize("name", TEMPLATES)
def test_imported_macros_exist_and_are_called(name: str) -> None:
    called = calls_of(name)
    for template, macro, local in imports_of(name):
        assert macro in macros_of(template), f"{name} imports {macro}, which {template} lacks"
        assert local in called, f"{name} imports {macro} and never calls it"


def test_every_part_is_used() -> None:
    used = {found[:2] for name in TEMPLATES for found in imports_of(name)}
    unused = [
        f"{name}: {macro}"
        for name in TEMPLATES
        if name.startswith("ui/")
        for macro in sorted(macros_of(name))
        if (name, macro) not in used and macro not in calls_of(name)
    ]
    assert not unused, "parts that no page uses:\n" + "\n".join(unused)


def test_nothing_moves_on_any_page() -> None:
    """Nothing to stop for those who asked their system for less motion."""
    styles = sorted((FOLDER.parent / "catalogue" / "static" / "css").glob("*.css"))
    moving = re.compile(r"transition|animation|@keyframes|scroll-behavior", re.IGNORECASE)
    assert styles and not [path.name for path in styles if moving.search(path.read_text("utf-8"))]
