"""A frozen search on paper: page one of a purchase file, as PDF rows and as XLSX.

Equal data make equal bytes: nothing in it depends on when it is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, NamedTuple

import xlsxwriter

from catalogue.database import SHANGHAI
from catalogue.documents.cells import looks_like_formula
from catalogue.documents.paper import INK_2, RULE, WIDTH, Cell, Papers, Row
from catalogue.listings.frozen import KIND_NAMES

ISSUER = "创新产品推荐目录平台"
TITLE = "采购档案首页：所见产品"
LABEL_WIDTH = 108.0
VERDICTS = {"meets": "符合", "unknown": ""}
HEAD = (
    ("序号", 6), ("目录编号", 16), ("产品", 30), ("单位", 34), ("型号", 16), ("类别", 14),
    ("当日状态", 12), ("有效期至", 12), ("直接首购", 10), ("技术指标", 50), ("逐项结果", 60),
)  # fmt: skip


class Told(NamedTuple):
    """What the paper says beside the frozen content: who, for what, the hash, where to check."""

    who: str
    purpose: str
    sha256: str
    check_url: str
    address: str
    specimen: bool


def about(content: Mapping[str, Any], told: Told) -> list[tuple[str, str]]:
    """Who, when, what was asked, how to check: the same lines on paper and in the sheet."""
    moment = datetime.fromisoformat(content["frozen_at"]).astimezone(SHANGHAI)
    count = len(content["results"])
    found = f"{content['total']} 件" + (f"，列出前 {count} 件" if count < content["total"] else "")
    return [
        ("冻结编号", content["number"]),
        ("冻结人", told.who),
        ("用途", told.purpose or "没有填"),
        ("冻结时间", f"{moment:%Y-%m-%d %H:%M:%S}（北京时间）"),
        ("方式", KIND_NAMES[content["kind"]]),
        ("条件", "；".join(content["asked"]["words"])),
        ("地址", told.address),
        ("当时找到", found),
        ("内容的 SHA-256", told.sha256),
        ("核验地址", told.check_url),
    ]


def papers_of(content: Mapping[str, Any], told: Told) -> Papers:
    """The rows of the PDF."""
    rows = [
        Row(
            (Cell(f"采购档案首页　{KIND_NAMES[content['kind']]}", colour=INK_2),), pad=2, keep=True
        ),
        Row((Cell(told.purpose or "当日所见的推荐产品", size=20, bold=True),), pad=4, keep=True),
        Row((Cell("", size=1),), pad=0, space=8, rule=3),
        *_pairs(about(content, told)),
        Row(
            (
                Cell(
                    "所列均为冻结当时平台所示，数值照各单位所填。凭编号或哈希可在核验地址核对，"
                    "并看此后的变化。" + ("示范环境，不作任何证明。" if told.specimen else ""),
                    size=9,
                    colour=INK_2,
                ),
            ),
        ),
        *_results(content["results"]),
    ]
    return Papers(
        title=f"{TITLE} {content['number']}",
        rows=tuple(rows),
        running=f"{ISSUER}　{TITLE}" + ("　示范环境，不作任何证明" if told.specimen else ""),
        foot=content["number"],
        author=ISSUER,
    )


def _pairs(pairs: list[tuple[str, str]]) -> Iterator[Row]:
    for index, (label, value) in enumerate(pairs):
        yield Row(
            (
                Cell(label, width=LABEL_WIDTH - 12, size=9.5, colour=INK_2),
                Cell(value, x=LABEL_WIDTH, width=WIDTH - LABEL_WIDTH),
            ),
            rule=0.5 if index else 0,
            rule_colour=RULE,
        )


def _results(results: list[Mapping[str, Any]]) -> Iterator[Row]:
    yield Row(
        (
            Cell("所见产品", width=140, size=13, bold=True),
            Cell(
                f"{len(results)} 件，次序如当时",
                x=140,
                width=WIDTH - 140,
                size=9,
                colour=INK_2,
                align="right",
            ),
        ),
        space=18,
        rule=2,
        pad=5,
        keep=True,
    )
    for place, result in enumerate(results, start=1):
        yield from _result(place, result)


def _result(place: int, result: Mapping[str, Any]) -> Iterator[Row]:
    lines = ["　".join(filter(None, (result["firm"], result["model"], result["kind"])))]
    lines.append(_standing(result))
    lines += [figures] if (figures := figures_of(result)) else []
    lines += [answers] if (answers := answers_of(result)) else []
    yield Row(
        (
            Cell(str(place), width=20, size=9, colour=INK_2),
            Cell(result["name"], x=24, width=330, size=10.5, bold=True),
            Cell(result["number"], x=360, width=WIDTH - 360, size=9, align="right"),
        ),
        rule=0.5,
        rule_colour=RULE,
        pad=3,
        keep=True,
    )
    yield Row((Cell("\n".join(lines), x=24, width=WIDTH - 24, size=9),), pad=2)


def _standing(result: Mapping[str, Any]) -> str:
    until = result["valid_until"] or "没有写明"
    return f"{result['state']}　有效期至 {until}　直接首购：{purchase_of(result)}"


def purchase_of(result: Mapping[str, Any]) -> str:
    """The word for the first-purchase right."""
    return "可以" if result["first_purchase"] else "不适用"


def figures_of(result: Mapping[str, Any]) -> str:
    """The stated figures on one line."""
    return "；".join(f"{f['name']} {f['value']} {f['unit']}".strip() for f in result["figures"])


def answers_of(result: Mapping[str, Any]) -> str:
    """The answers of a need on lines of their own; nothing for other kinds."""
    told = []
    for answer in result.get("answers", ()):
        word = VERDICTS.get(answer["verdict"]) or answer["gap"]
        stated = f"（写明 {answer['stated']}）" if answer["stated"] else ""
        told.append(f"{answer['asked']}：{word}{stated}")
    return "\n".join(told)


def sheet_of(content: Mapping[str, Any], told: Told) -> bytes:
    """The same as a workbook: one sheet about it, one of the products; text stays text."""
    buffer = BytesIO()
    book = xlsxwriter.Workbook(buffer, {"strings_to_formulas": False, "strings_to_urls": False})
    moment = datetime.fromisoformat(content["frozen_at"]).astimezone(UTC).replace(tzinfo=None)
    book.set_properties({"title": f"{TITLE} {content['number']}", "created": moment})
    head = book.add_format({"bold": True, "bottom": 2, "bg_color": "#F7F6F2"})
    wrap = {"text_wrap": True, "valign": "top"}
    plain = book.add_format(wrap)
    # The format's own mark for "this is text", kept when a person edits the cell.
    kept = book.add_format({**wrap, "quote_prefix": True, "num_format": "@"})

    def write(page: Any, row: int, column: int, value: str) -> None:
        page.write_string(row, column, value, kept if looks_like_formula(value) else plain)

    first = book.add_worksheet("说明")
    first.set_column(0, 0, 18)
    first.set_column(1, 1, 90)
    for row, (label, value) in enumerate(about(content, told)):
        first.write_string(row, 0, label, head)
        write(first, row, 1, value)
    page = book.add_worksheet("所见产品")
    page.freeze_panes(1, 3)
    page.repeat_rows(0)
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    page.set_footer("&L&F&R第 &P 页，共 &N 页")
    for column, (name, width) in enumerate(HEAD):
        page.set_column(column, column, width)
        page.write_string(0, column, name, head)
    for row, result in enumerate(content["results"], start=1):
        page.write_number(row, 0, row, plain)
        for column, value in enumerate(_cells(result), start=1):
            write(page, row, column, value)
    book.close()
    return buffer.getvalue()


def _cells(result: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        result["number"],
        result["name"],
        result["firm"],
        result["model"],
        result["kind"],
        result["state"],
        result["valid_until"],
        purchase_of(result),
        figures_of(result),
        answers_of(result),
    )
