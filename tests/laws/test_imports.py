"""A room imports only what stands before it; catalogue never sees the workers."""

from __future__ import annotations

import ast
from pathlib import Path

from catalogue import ROOMS

# The rooms in their order stand in one place only, with create_app.
ORDER = [
    "config",
    "tokens",
    "keys",
    "money",
    "embedded",
    "database",
    "errors",
    "forms",
    "working_days",
    "jobs",
    "mail",
    "audit",
    *ROOMS,
    "logs",
    "security",
    "health",
    "pages",
    "cli",
]
PURE = {"rules.py", "states.py"}
ROOT = Path("catalogue")


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _modules() -> list[Path]:
    return [p for p in ROOT.rglob("*.py") if "migrations" not in p.parts and p.parent != ROOT]


def test_a_room_imports_only_leftwards() -> None:
    wrong = []
    for path in _modules():
        room = path.relative_to(ROOT).parts[0]
        for name in _imports(path):
            parts = name.split(".")
            if parts[0] != "catalogue" or len(parts) < 2 or parts[1] not in ORDER:
                continue
            if parts[1] != room and ORDER.index(parts[1]) > ORDER.index(room):
                wrong.append(f"{path} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_room_has_a_place_in_the_order() -> None:
    rooms = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert rooms <= set(ORDER), rooms - set(ORDER)


def test_catalogue_never_imports_celery_or_workers() -> None:
    wrong = [
        f"{path} imports {name}"
        for path in ROOT.rglob("*.py")
        for name in _imports(path)
        if name.split(".")[0] in ("celery", "workers")
    ]
    assert not wrong, "\n".join(wrong)


def test_rules_know_neither_flask_nor_the_database() -> None:
    wrong = [
        f"{path} imports {name}"
        for path in _modules()
        if path.name in PURE
        for name in _imports(path)
        if name.split(".")[0] in ("flask", "sqlalchemy", "flask_login")
        or name == "catalogue.database"
    ]
    assert not wrong, "\n".join(wrong)


def test_every_file_opens_with_what_lives_there() -> None:
    bare = [
        str(path)
        for folder in ("catalogue", "workers", "seeds", "tests")
        for path in Path(folder).rglob("*.py")
        if path.read_text("utf-8").strip()
        and ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None
    ]
    assert not bare, bare
