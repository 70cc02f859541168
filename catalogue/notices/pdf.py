"""A version of a notice as an official paper: its frozen content, and nothing that came later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from catalogue.documents.fonts import Fonts
from catalogue.documents.paper import INK_2, RULE, SEAL, WIDTH, Cell, Papers, Row, Tag, draw
from catalogue.money import money_text
from catalogue.notices import wording

ISSUER = "创新产品推荐目录平台"
PLACEHOLDER = Tag("示范参数")
# Papers that one process keeps, some 100 kB each.
KEPT = 32
CONTENT_FILE, SIGNED_FILE = "notice.json", "notice-signed.json"


@lru_cache(maxsize=KEPT)
def drawn(
    content: str, signed: bytes | None, address: str, fonts: Fonts, *, specimen: bool
) -> bytes:
    """The PDF; drawn once, since a long list takes seconds and the paper never changes."""
    return draw(papers_of(content, signed, address, specimen=specimen), fonts)


def papers_of(content: str, signed: bytes | None, address: str, *, specimen: bool) -> Papers:
    """The rows of a notice; the bytes that were hashed travel along, and the signed file.

    ``address`` is where this version stands on the site.
    """
    body = json.loads(content)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    number = f"{body['number']}　第 {wording.version_of(body)} 版"
    files = [(CONTENT_FILE, content.encode())]
    if signed is not None:
        files.append((SIGNED_FILE, signed))
    return Papers(
        title=f"{body['title']} {body['number']}",
        rows=(
            *_head(body, number),
            *_correction(body),
            *_words(body),
            *_items(body),
            *_period(body),
            *_proof(sha256, address),
        ),
        running=f"{ISSUER}　公示" + ("　示范环境，不作任何证明" if specimen else ""),
        foot=f"{number}　{address}",
        author=ISSUER,
        digest=sha256,
        attachments=tuple(files),
    )


def _head(body: Mapping[str, Any], number: str) -> Iterator[Row]:
    yield Row((Cell(number, colour=INK_2, align="centre"),), pad=3, keep=True)
    title = Cell(body["title"], size=20, bold=True, align="centre", serif=True)
    yield Row((title,), pad=6, keep=True)
    blank = Cell("", size=1)
    yield Row((blank,), pad=0, space=6, rule=2.25, rule_colour=SEAL, keep=True)
    yield Row((blank,), pad=0, space=1.5, rule=0.75, rule_colour=SEAL, keep=True)
    tag = PLACEHOLDER if body["placeholder"] else None
    yield Row((Cell(f"公示期　{wording.hours(body)}", align="centre", tag=tag),), pad=8)


def _correction(body: Mapping[str, Any]) -> Iterator[Row]:
    if "corrects" not in body:
        return
    anew = "公示期自本版发布起重新计算" if body["restarted"] else "公示期不变"
    yield from _section("更正")
    yield from _pairs(
        [
            ("更正理由", body["reason"]),
            ("公示期", anew),
            ("被更正的版本", f"第 {wording.version_of(body) - 1} 版　SHA-256 {body['corrects']}"),
        ]
    )


def _words(body: Mapping[str, Any]) -> Iterator[Row]:
    yield Row((Cell(wording.said(body, "text"), size=10.5),), space=6, pad=6)
    yield Row((Cell(f"异议　{wording.said(body, 'contact')}", size=10.5),), pad=2)


def _items(body: Mapping[str, Any]) -> Iterator[Row]:
    items = body["items"]
    amounts = any(item["amount_fen"] is not None for item in items)
    yield from _section("公示名单", f"{len(items)} 件产品" + ("，金额单位：元" if amounts else ""))
    last = 372.0 if amounts else WIDTH
    places = [(0.0, 28.0), (34.0, 142.0), (184.0, 84.0), (276.0, last - 276.0)]
    names = ["序号", "产品", "型号或版本", "申报单位"]
    if amounts:
        places.append((380.0, WIDTH - 380.0))
        names.append("拟支持金额")
    head = _line(places, names, size=8.5, bold=True, rule=0.75, wash=True)
    yield head
    for item in items:
        said = [str(item["position"]), item["product"], item["model"], item["firm"]]
        if amounts:
            fen = item["amount_fen"]
            said.append("" if fen is None else money_text(fen))
        yield _line(places, said, size=9.5, rule=0.5, rule_colour=RULE, head=(head,))


def _line(
    places: list[tuple[float, float]],
    said: list[str],
    *,
    size: float,
    bold: bool = False,
    **around: Any,
) -> Row:
    cells = tuple(
        Cell(text, x=x, width=width, size=size, bold=bold, align="right" if column == 4 else "left")
        for column, (text, (x, width)) in enumerate(zip(said, places, strict=True))
    )
    return Row(cells, keep=bold, **around)


def _period(body: Mapping[str, Any]) -> Iterator[Row]:
    yield from _section("公示期怎样计算")
    days = f"自公示次日起 {body['working_days']} 个工作日，至最后一日 17:00。"
    yield _small(f"{days}按国务院办公厅公布的放假和调休安排逐日计算，发布时已固定。")
    places = [(0.0, 90.0), (96.0, 230.0), (332.0, 80.0)]
    head = _line(
        places, ["日期", "性质", "第几个工作日"], size=8.5, bold=True, rule=0.75, wash=True
    )
    yield head
    for day in body["counted"]:
        said = [day["day"], day["why"], str(day["number"] or "不计")]
        yield _line(places, said, size=8.5, rule=0.5, rule_colour=RULE, head=(head,))


def _proof(sha256: str, address: str) -> Iterator[Row]:
    yield from _section("核对这份公示")
    yield from _pairs(
        [
            ("SHA-256", f"{sha256[:32]}\n{sha256[32:]}"),
            ("网页", address),
            ("附件", f"{CONTENT_FILE} 逐字节的 SHA-256 即上列值；{SIGNED_FILE} 带平台的签名。"),
        ]
    )


def _section(title: str, aside: str = "") -> Iterator[Row]:
    yield Row(
        (
            Cell(title, width=200, size=13, bold=True),
            Cell(aside, x=200, width=WIDTH - 200, size=9, colour=INK_2, align="right"),
        ),
        space=18,
        rule=1.5,
        pad=5,
        keep=True,
    )


def _small(text: str) -> Row:
    return Row((Cell(text, size=9, colour=INK_2),), pad=4)


def _pairs(pairs: list[tuple[str, str]]) -> Iterator[Row]:
    for label, value in pairs:
        yield Row(
            (
                Cell(label, width=84, size=9.5, colour=INK_2),
                Cell(value, x=92, width=WIDTH - 92, size=9.5),
            ),
            rule=0.5,
            rule_colour=RULE,
        )
