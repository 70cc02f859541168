"""The words of the policy language, and a reader that names every fault by its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from catalogue.policies.document import CONFIDENCE, Article
from catalogue.policies.kinds import Names
from catalogue.policies.source import PolicyRefused, Problem, Source
from catalogue.policies.syntax import BadExpression

Made = TypeVar("Made")
Path = tuple[Any, ...]

# Every section and the keys of its entries, those that must stand first up to the stroke.
REQUIRED = (
    "scheme",
    "version",
    "title",
    "effective",
    "articles",
    "rules",
    "stages",
    "notice",
    "examples",
)
SECTIONS = {
    "scheme": "",
    "version": "",
    "title": "",
    "summary": "",
    "documents": "no title | confidence source",
    "effective": "from | to note",
    "continued": "from placeholder note | parameters",
    "articles": "text source confidence",
    "parameters": (
        "label article confidence | value formula words unit from_unit placeholder note"
    ),
    "terms": "",
    "rules": (
        "id title article require words otherwise"
        " | read threshold says gap remedy applies applies_words unknown placeholder"
    ),
    "people": "article text",
    "gaps": "",
    "answers": "id label type article | hint max_length required options",
    "materials": "id name article | required hint placeholder",
    "contracts": "min max article | columns",
    "columns": "id label type | required hint options",
    "stages": "",
    "notice": "working_days | restart_on_correction placeholder note",
    "validity_years": "years | placeholder note",
    "promised_days": "working_days | placeholder note",
    "pays": "",
    "worksheet": "id label value article | words operands note placeholder",
    "split": "id label article | value placeholder",
    "base_facts": "",
    "examples": "name | facts today expect verdict amount shares",
}
# A section that stands within another one.
INNER = frozenset({"columns"})
ID = re.compile(r"[a-z][a-z0-9_-]{0,40}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,30}")
MAX_ENTRIES = 200
MAX_OPTIONS = 50
# Checking takes some microseconds a character; so a whole file is checked within a second.
MAX_WRITTEN = 40_000


def keys_of(section: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys that an entry of a section must have, and those that it may have."""
    must, _, may = SECTIONS[section].partition("|")
    return tuple(must.split()), tuple(may.split())


class Reader:
    """Reads one file; collects problems, so that an author sees all of them at once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.written = 0

    def fault(self, reason: str, *path: Any) -> None:
        """Note a problem at the line of ``path``."""
        self.problems.append(Problem(self.source.line(*path), reason))

    def stop_if_faulty(self) -> None:
        """Raise PolicyRefused when there are problems so far."""
        if self.problems:
            raise PolicyRefused(self.problems)

    def typed(self, value: Any, kind: type[Made], what: str, default: Made, path: Path) -> Made:
        """``value`` when it is of ``kind``; absent gives the default, else a problem."""
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fault(f"{what} 的写法不对", *path)
            return default
        return value

    def text(
        self, entry: Mapping[str, Any], key: str, path: Path, default: str | None = None
    ) -> str:
        """A text; numbers and dates are not silently taken for text."""
        value = entry.get(key)
        if value is None:
            if default is None:
                self.fault(f"缺 {key}", *path)
            return default or ""
        return self.typed(value, str, key, "", (*path, key))

    @staticmethod
    def known(value: Any, choices: Collection[str]) -> bool:
        """Whether a value of any form is one of some words."""
        return isinstance(value, str) and value in choices

    def flag(self, entry: Mapping[str, Any], key: str, path: Path) -> bool:
        """A yes or no; absent means no."""
        return self.typed(entry.get(key), bool, key, False, (*path, key))

    def entries(self, key: str) -> list[tuple[Path, Mapping[str, Any]]]:
        """The mappings of a list section, each with its path, its keys checked."""
        items = self.typed(self.source.data.get(key), list, key, [], (key,))
        if len(items) > MAX_ENTRIES:
            self.fault(f"{key} 超过 {MAX_ENTRIES} 项", key)
            items = []
        return [
            ((key, i), item) for i, item in enumerate(items) if self.keys_fit(item, key, (key, i))
        ]

    def named(self, key: str, *parents: str) -> list[tuple[str, Path, Mapping[str, Any]]]:
        """The mappings of a section that is itself a mapping: name, path, entry."""
        section: Any = self.source.data
        for part in (*parents, key):
            section = section.get(part) or {} if isinstance(section, dict) else {}
        path = (*parents, key)
        if not isinstance(section, dict) or len(section) > MAX_ENTRIES:
            self.fault(f"{key} 应是至多 {MAX_ENTRIES} 项的“名: 内容”", *path)
            return []
        return [
            (name, (*path, name), entry)
            for name, entry in section.items()
            if self.keys_fit(entry, key, (*path, name))
        ]

    def keys_fit(self, entry: Any, section: str, path: Path) -> bool:
        """Whether ``entry`` is a mapping; keys that its section does not have are problems."""
        if not isinstance(entry, dict):
            self.fault(f"{section} 的这一项应是“键: 值”", *path)
            return False
        for key in entry.keys() - set(sum(keys_of(section), ())):
            self.fault(f"{section} 里没有 {key} 这个键", *path, key)
        return True

    def compile(
        self, make: Callable[[str, Names], Made], text: str, names: Names, path: Path
    ) -> Any:
        """An expression or sentence, or None with a problem noted."""
        self.written += len(text)
        if self.written > MAX_WRITTEN:
            if self.written - len(text) <= MAX_WRITTEN:
                self.fault(f"表达式和句子一共超过 {MAX_WRITTEN} 个字", *path)
            return None
        try:
            return make(text, names)
        except BadExpression as error:
            self.fault(str(error), *path)
            return None

    def article(self, entry: Mapping[str, Any], articles: Mapping[str, Article], path: Path) -> str:
        """The article that an entry names; it must be one of the file."""
        key = self.text(entry, "article", path)
        if key and key not in articles:
            self.fault(f"没有条文“{key}”", *path, "article")
        return key

    def confidence(self, entry: Mapping[str, Any], path: Path) -> str:
        """How sure the text is: one of CONFIDENCE."""
        value = self.text(entry, "confidence", path)
        if value and value not in CONFIDENCE:
            self.fault(f"confidence 只能是 {'、'.join(CONFIDENCE)}", *path, "confidence")
        return value

    def options(self, entry: Mapping[str, Any], path: Path) -> dict[str, str]:
        """The choices of a question: id and label; only a choice has any, and must."""
        given = self.typed(entry.get("options"), dict, "options", {}, (*path, "options"))
        if bool(given) != (entry.get("type") == "choice"):
            self.fault("type: choice 要写 options（代号: 名称），别的类型不写", *path)
        if len(given) > MAX_OPTIONS:
            self.fault(f"options 超过 {MAX_OPTIONS} 项", *path, "options")
            return {}
        for key, label in given.items():
            if not isinstance(label, str):
                self.fault(f"选项 {key} 的名称应是文字", *path, "options", key)
                return {}
        return given
