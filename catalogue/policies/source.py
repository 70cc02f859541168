"""Safe reading of a policy file: plain YAML with line numbers, exact decimals and hard limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import yaml

# The C parser, when the wheel has it, reads a hostile file ten times sooner.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_BYTES = 128 * 1024
MAX_DEPTH = 16
MAX_DIGITS = 18

_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}", re.ASCII)
_WHOLE = re.compile(r"[-+]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[-+]?\d+\.\d+", re.ASCII)
# YAML dialects disagree on whether 010 is ten or eight, and a code would lose its nought.
_NOUGHT = re.compile(r"[-+]?0\d", re.ASCII)
# Control and direction-turning characters make a reader see another text than the engine reads.
_UNSEEN = re.compile(
    r"[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200b\u202a-\u202e\u2066-\u2069\ufeff]"
)
_NOT_NUMBERS = frozenset({".nan", ".inf", "-.inf", "+.inf", "nan", "inf", "-inf", "infinity"})


@dataclass(frozen=True)
class Problem:
    """One reason why a policy file is refused, with the line where it stands."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"第 {self.line} 行：{self.reason}"


class PolicyRefused(ValueError):
    """A policy file was refused; ``problems`` name line and reason, and nothing was loaded."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: p.line))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass
class Source:
    """The data of a file and the line of every key and item in it, by path."""

    data: dict[str, Any]
    lines: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def line(self, *path: Any) -> int:
        """The line of ``path``, or of its nearest parent that has one."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return 1


def _plainly(error: yaml.MarkedYAMLError) -> str:
    """What to look for; the parser's own words follow, since they are what one searches for."""
    found = error.problem or ""
    if "mapping values" in found:
        cure = "一行里有两个“: ”，含“: ”的句子要整句加引号"
    elif "expected" in found:
        cure = "花括号、方括号要成对，缩进要对齐；花括号里的句子带逗号或 { 的，整句加引号"
    elif "tab" in found or "token" in found:
        cure = "缩进用空格，不用制表符；以 @、`、%、| 开头的句子要加引号"
    else:
        cure = "请对照上下几行的写法"
    return f"{cure}（{found}）"


def _guard(text: str) -> None:
    """Refuse anchors, tags and deep nesting before anything is built from them."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise PolicyRefused([Problem(line, "不支持锚点和引用（& 与 *），请直接写出内容")])
        if getattr(event, "tag", None):
            raise PolicyRefused([Problem(line, "不支持类型标签（!），请直接写值")])
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise PolicyRefused([Problem(line, f"嵌套超过 {MAX_DEPTH} 层")])


def _require_seen(text: str) -> None:
    """Raise ValueError in words when a text, escapes resolved, has characters nobody sees."""
    if found := _UNSEEN.search(text):
        raise ValueError(f"含有看不见的字符 U+{ord(found[0]):04X}，请删掉")


def _plain(node: yaml.ScalarNode) -> Any:
    """The value of a scalar: quoted is text; else true, false, null, whole, decimal or date."""
    text = node.value
    _require_seen(text)
    if node.style in ("'", '"', "|", ">"):
        return text
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "null", "~"):
        return None
    if text.lower() in _NOT_NUMBERS:
        raise ValueError(f"{text} 不是一个数")
    if _WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text):
        if _NOUGHT.match(text):
            raise ValueError(f"数字不以 0 开头；{text} 要是代号，请加引号")
        if len(text) > MAX_DIGITS:
            raise ValueError(f"数字超过 {MAX_DIGITS} 位")
        return Decimal(text) if "." in text else int(text)
    if _DATE.fullmatch(text):
        try:
            return date(*(int(part) for part in text.split("-")))
        except ValueError:
            raise ValueError(f"没有 {text} 这一天") from None
    return text


def _build(node: yaml.Node, path: tuple[Any, ...], source: Source, bad: list[Problem]) -> Any:
    line = node.start_mark.line + 1
    source.lines.setdefault(path, line)
    if isinstance(node, yaml.ScalarNode):
        try:
            return _plain(node)
        except ValueError as error:
            bad.append(Problem(line, str(error)))
            return None
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, i), source, bad) for i, item in enumerate(node.value)]
    return _build_mapping(node, path, source, bad)


def _build_mapping(
    node: yaml.Node, path: tuple[Any, ...], source: Source, bad: list[Problem]
) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            bad.append(Problem(line, "键必须是文字"))
            continue
        key = key_node.value
        try:
            _require_seen(key)
        except ValueError as error:
            bad.append(Problem(line, str(error)))
            continue
        if key in built:
            bad.append(Problem(line, f"键“{key}”写了两次"))
            continue
        source.lines[(*path, key)] = line
        built[key] = _build(value_node, (*path, key), source, bad)
    return built


def read(text: str) -> Source:
    """Parse the text of a policy file; raises PolicyRefused with line and reason."""
    try:
        size = len(text) if len(text) > MAX_BYTES else len(text.encode())
    except UnicodeEncodeError:
        raise PolicyRefused([Problem(1, "文件里有不成文字的字符，请存成 UTF-8")]) from None
    if size > MAX_BYTES:
        raise PolicyRefused([Problem(1, f"文件超过 {MAX_BYTES // 1024} kB")])
    # A byte-order mark at the head is how some editors save UTF-8.
    if found := _UNSEEN.search(text, int(text.startswith("\ufeff"))):
        line = text.count("\n", 0, found.start()) + 1
        raise PolicyRefused([Problem(line, f"含有看不见的字符 U+{ord(found[0]):04X}，请删掉")])
    try:
        _guard(text)
        node = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise PolicyRefused([Problem(line, f"YAML 写法有误：{_plainly(error)}")]) from None
    except (yaml.YAMLError, RecursionError):
        raise PolicyRefused([Problem(1, "YAML 写法有误")]) from None
    if not isinstance(node, yaml.MappingNode):
        raise PolicyRefused([Problem(1, "文件应是“键: 值”的列表")])
    source = Source({})
    bad: list[Problem] = []
    source.data = _build(node, (), source, bad)
    if bad:
        raise PolicyRefused(bad)
    return source
