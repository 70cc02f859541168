"""The catalogue for programs: the same search as the page's, and one entry with its figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, request
from sqlalchemy import select

from catalogue.database import db
from catalogue.listings import api_schema as shape
from catalogue.listings import filters, presenting
from catalogue.listings.api import (
    CURSOR,
    Asked,
    Parameter,
    as_response,
    day_text,
    linked,
    path_of,
    resource,
    unreadable,
)
from catalogue.listings.ask import ask
from catalogue.listings.models import KINDS, NUMBER, Listing
from catalogue.listings.operations import shanghai_day
from catalogue.listings.search import (
    MAX_HITS,
    MAX_PAGE,
    MAX_QUESTION,
    PER_PAGE,
    SORT_NAMES,
    STATUSES,
    Page,
    Search,
)

bp = Blueprint("api", __name__)

_FACTS: shape.Json = {
    "number": shape.text("目录编号，不再改变"),
    "name": shape.text("产品名称"),
    "firm_name": shape.text("单位名称"),
    "model": shape.text("型号", null=True),
    "kind": shape.text("类别", enum=list(KINDS)),
    "domain": shape.text("领域的代码", null=True),
    "novelty": shape.text("档次的代码", null=True),
    "advancement": shape.text("技术水平的代码", null=True),
    "district": shape.text("所在区的行政区划代码", null=True),
    "region": shape.text("地区的名称；没有时为空"),
    "year": shape.whole("年度", null=True),
    "summary": shape.text("简介；没有时为空"),
    "specifications": shape.several(
        "技术指标，按填报的次序",
        {
            "type": "object",
            "description": "一项指标：name 名称、value 数值、unit 单位",
            "additionalProperties": {"type": ["string", "null"]},
        },
    ),
    "listed_on": shape.day("列入目录之日"),
    "valid_until": shape.day("有效期的最后一日；原名单没有写明时为 null", null=True),
    "first_purchase": shape.yes_no("列入时是否适用首购"),
    "sample": shape.yes_no("是否示例数据"),
    "source_list": shape.text("出自哪一份公开名单；本平台列入的为 null", null=True),
}
LISTING = shape.named(
    "Listing",
    shape.record(
        "目录条目",
        {
            **_FACTS,
            "state": shape.text("listed 在目录；removed 已移出；suspended 暂停推荐"),
            "removed_on": shape.day("移出之日", null=True),
            "removed_reason": shape.text("移出的理由", null=True),
            "url": shape.text("网页的地址"),
        },
    ),
)
FOUND = shape.named(
    "FoundListing",
    shape.record(
        "查到的一件产品",
        {
            **_FACTS,
            "status": shape.text("今天的状态", enum=list(STATUSES)),
            "url": shape.text("网页的地址"),
            "why": shape.several(
                "为什么在这里",
                shape.record(
                    "一条理由",
                    {
                        "field": shape.text("在哪一项里"),
                        "words": shape.several("哪些字", shape.text("字")),
                        "how": shape.text("word 原字；spoken 读音；synonym 同义词；slip 一字之差"),
                        "of": shape.text("您输入的字"),
                    },
                    without=("of",),
                ),
            ),
        },
    ),
)
_NEAR = shape.record(
    "没有完全相符的，改按什么查",
    {
        "how": shape.text("slip 容许一字之差；fewer 少用几个词"),
        "kept": shape.several("第一件合的词", shape.text("词")),
        "dropped": shape.several("第一件缺的词", shape.text("词")),
        "least": shape.whole("每一件至少合几个词"),
    },
)
_OPTION = shape.record(
    "一个选项",
    {
        "value": shape.text("参数的值"),
        "label": shape.text("页面上的名称"),
        "count": shape.whole("件数"),
        "selected": shape.yes_no("是否已选"),
    },
)
ANSWER = shape.named(
    "Search",
    shape.record(
        "查找的回答",
        {
            "total": shape.whole("共几件"),
            "page": shape.whole("第几页；由 cursor 读到的页，为所在的页"),
            "complete": shape.yes_no("否时索引正在重建，回答可能不全"),
            "near": {**_NEAR, "type": ["object", "null"]},
            "items": shape.several("本页各件", shape.ref(FOUND)),
            "facets": {
                "type": "object",
                "description": "每一组筛选的各个选项与件数",
                "additionalProperties": shape.several("选项", _OPTION),
            },
            "next": shape.text(
                f"下一页的地址，最多读到第 {MAX_HITS} 件；要全部条目请取每日文件", null=True
            ),
        },
    ),
)


def _text(
    name: str, about: str, most: int, *, many: bool = False, example: Any = None
) -> Parameter:
    schema = {"type": "string", "maxLength": most}
    return Parameter(name, about, schema, example, many=many, read=False)


def _filter(each: filters.Filter) -> Parameter:
    values: shape.Json = {"type": "string"}
    about = f"{each.title}；可给几个，合其一即可"
    unknown = [filters.NONE] if each.accepts(filters.NONE) else []
    if unknown:
        about += f"；{filters.NONE} 为{filters.UNKNOWN}"
    if each.open_ended is not None:
        values["pattern"] = f"^({each.open_ended.pattern}|{filters.NONE})$"
    else:
        values["enum"] = [*each.names(), *unknown]
    example = {"kind": "equipment", "status": "valid"}.get(each.name)
    return Parameter(each.name, about, values, example, many=True, read=False)


def _newest_number() -> str | None:
    return db.session.scalar(select(Listing.number).order_by(Listing.id.desc()).limit(1))


@resource(
    bp,
    "/listings",
    "查找目录里的产品，与网页同一个索引",
    ANSWER,
    _text("q", "要找的字：名称、型号、单位、指标，也可用拼音", MAX_QUESTION, example="变压器"),
    *(_filter(each) for each in filters.FILTERS),
    _text(filters.LIMIT, "指标的限度，例如 波长 ≤ 193 nm", 100, many=True),
    _text(filters.DROP, "不要当同义词用的词", filters.MAX_WORD, many=True),
    Parameter(
        "sort",
        "排序：" + "；".join(f"{name} {filters.SORT_LABELS[name]}" for name in SORT_NAMES),
        {"type": "string", "enum": list(SORT_NAMES)},
        "newest",
        read=False,
    ),
    Parameter(
        "page",
        f"页码，每页 {PER_PAGE} 件；逐页往下读请用 cursor，新列入的产品不会使它重复或漏读",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
        read=False,
    ),
    CURSOR,
)
def listings(asked: Asked) -> Response:
    """The results with total, items and facets."""
    wanted = filters.read(request.args)
    if wanted.faults:
        raise unreadable(wanted.faults)
    day = shanghai_day()
    start = (wanted.search.page - 1) * PER_PAGE
    if asked.place is not None:
        start = _place_of(wanted.search, day, *asked.place) + 1
    page = _from(wanted.search, day, start)
    end = start + len(page.hits)
    more = None
    if page.hits and end < page.reachable:
        more = asked.next_url([page.hits[-1].number, end - 1])
    return linked(as_response({**presenting.as_json(page, day), "next": more}), more)


def _place_of(search: Search, day: date, number: str, place: int) -> int:
    """Where the product ``number`` stands now that stood at ``place`` (from 0).

    New entries move it by a page or two; one that left the answer leaves its old place.
    """
    first = place // PER_PAGE + 1
    for at in (first, first + 1, first - 1, first + 2):
        if 1 <= at <= MAX_PAGE:
            for here, hit in enumerate(ask(replace(search, page=at), day).hits):
                if hit.number == number:
                    return (at - 1) * PER_PAGE + here
    return place - 1


def _from(search: Search, day: date, start: int) -> Page:
    """The products from ``start`` on, as many as fill a page."""
    at, cut = start // PER_PAGE + 1, start % PER_PAGE
    page = ask(replace(search, page=min(at, MAX_PAGE)), day)
    if at > MAX_PAGE:
        return replace(page, hits=())
    hits = page.hits[cut:]
    if cut and at < MAX_PAGE:
        hits += ask(replace(search, page=at + 1), day).hits[:cut]
    return replace(page, hits=hits)


@resource(
    bp,
    "/listings/{number}",
    "一件产品，包括已移出目录的",
    LISTING,
    Parameter(
        "number",
        "目录编号",
        {"type": "string", "pattern": f"^{NUMBER.pattern}$"},
        _newest_number,
        place="path",
    ),
)
def listing(asked: Asked) -> shape.Json:
    """One entry as it stands."""
    found = db.session.scalar(select(Listing).where(Listing.number == asked["number"]))
    return as_record(found) if found is not None else abort(404)


def as_record(entry: Listing) -> shape.Json:
    """The public facts of an entry, in the shape ``LISTING``; the daily files hold the same."""
    facts = {name: getattr(entry, name) for name in _FACTS}
    return {
        **facts,
        "listed_on": day_text(entry.listed_on),
        "valid_until": day_text(entry.valid_until),
        "state": entry.status,
        "removed_on": day_text(entry.removed_on),
        "removed_reason": entry.removed_reason,
        "url": path_of("listings.product", number=entry.number),
    }
