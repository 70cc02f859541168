"""The shapes of the open data as JSON Schema, in few words; the data dictionary reads them too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

# Every named shape, by which the document, the dictionary and the tests know it.
SCHEMAS: dict[str, Json] = {}


def named(name: str, described: Json) -> str:
    """Name a shape; the name, by which `ref` and a resource refer to it."""
    SCHEMAS[name] = described
    return name


def text(about: str, *, null: bool = False, **more: Any) -> Json:
    """A string; ``null`` when it may be missing."""
    if null and "enum" in more:
        more["enum"] = [*more["enum"], None]
    return {"type": ["string", "null"] if null else "string", "description": about, **more}


def day(about: str, *, null: bool = False) -> Json:
    """A day in Shanghai."""
    return text(about, null=null, format="date")


def moment(about: str, *, null: bool = False) -> Json:
    """A moment with its offset."""
    return text(about, null=null, format="date-time")


def whole(about: str, *, null: bool = False, **more: Any) -> Json:
    """A whole number."""
    return {"type": ["integer", "null"] if null else "integer", "description": about, **more}


def fen(about: str, *, null: bool = False) -> Json:
    """An amount in fen."""
    return whole(f"{about}，单位：分", null=null, minimum=0)


def yes_no(about: str) -> Json:
    """A truth value."""
    return {"type": "boolean", "description": about}


def record(about: str, fields: Json, *, without: Sequence[str] = ()) -> Json:
    """An object that has these fields and no others; ``without`` may be missing."""
    return {
        "type": "object",
        "description": about,
        "properties": fields,
        "required": [name for name in fields if name not in without],
        "additionalProperties": False,
    }


def ref(name: str) -> Json:
    """A named shape."""
    return {"$ref": f"#/components/schemas/{name}"}


def several(about: str, of: Json) -> Json:
    """A list."""
    return {"type": "array", "description": about, "items": of}


def page_of(name: str) -> str:
    """The answer of a list of named things, named itself."""
    return named(
        f"{name}Page",
        record(
            "一页",
            {
                "items": several("本页各条", ref(name)),
                "next": text("下一页的地址；没有下一页时为 null", null=True),
            },
        ),
    )


def kind_words(described: Json) -> str:
    """The type of a field for a reader of the data dictionary."""
    kind = described.get("type", "object")
    names = [kind] if isinstance(kind, str) else list(kind)
    words = {
        "string": {"date": "日期", "date-time": "时刻"}.get(described.get("format", ""), "文字"),
        "integer": "整数",
        "number": "数",
        "boolean": "是否",
        "array": "列表",
        "object": "对象",
    }
    shown = words[names[0]]
    return f"{shown}，可空" if "null" in names else shown
