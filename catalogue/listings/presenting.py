"""Presenting: search results and entries as the plain facts that pages and the API print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import url_for

from catalogue.listings import filters
from catalogue.listings.compare import Row, figure_rows, ordered
from catalogue.listings.filters import DROP, FILTERS, LIMIT, UNKNOWN, total_without, without
from catalogue.listings.models import KINDS, Listing
from catalogue.listings.need import Need
from catalogue.listings.product import SAMPLE, TAGS, days_left, first_purchase, state_of
from catalogue.listings.search import Hit, Page, Piece, Reason, Search, status_of
from catalogue.listings.words import figure_text
from catalogue.products.taxonomies import advancement_name, domain_name, novelty_name

HOW = {
    "spoken": "，读音与您输入的相同",
    "synonym": "，是“{of}”的同义词",
    "slip": "，与您输入的“{of}”相近",
    "amount": "，换算后等于您输入的“{of}”",
}
FIELDS = {
    "name": "名称",
    "firm_name": "单位",
    "model": "型号",
    "number": "目录编号",
    "summary": "说明",
    "specifications": "技术指标",
    "region": "地区",
}


def catalogue_url(search: Search, **changes: Any) -> str:
    """The address of a search; ``changes`` replace single parameters."""
    return url_for("listings.catalogue", **{**filters.grouped(search), **changes})


def panel(page: Page) -> list[dict[str, Any]]:
    """The side panel: one group per filter, with counts."""
    groups = []
    for each in FILTERS:
        options = filters.options(page, each)
        if options:
            groups.append({"name": each.name, "title": each.title, "options": options})
    return groups


def chips(search: Search) -> list[dict[str, str]]:
    """Every chosen value with the address that drops it."""
    chosen = [
        (each.name, value, each.label(value))
        for each in FILTERS
        for value in search.chosen.get(each.name, ())
    ]
    chosen += [(LIMIT, str(limit), str(limit)) for limit in search.limits]
    chosen += [(DROP, word, f"不用同义词“{word}”") for word in search.dropped]
    return [
        {"label": label, "remove_url": catalogue_url(without(search, name, value))}
        for name, value, label in chosen
    ]


def chosen_words(search: Search) -> list[str]:
    """What a search asks, each condition in words."""
    words = [f"“{search.q}”"] if search.q else []
    words += [
        f"{each.title}　{'、'.join(each.label(value) for value in search.chosen[each.name])}"
        for each in FILTERS
        if search.chosen.get(each.name)
    ]
    words += [str(limit) for limit in search.limits]
    words += [f"不用同义词“{word}”" for word in search.dropped]
    return words


def need_url(need: Need, endpoint: str = "listings.need.page", **parts: Any) -> str:
    """The one spelling of a need's address, or of another page about it."""
    query = urlencode(need.pairs)
    return url_for(endpoint, **parts) + (f"?{query}" if query else "")


def sorts(search: Search) -> list[dict[str, Any]]:
    """The orders to choose from."""
    changed = without(search, "page")
    return [
        {
            "label": label,
            "current": search.sort == sort,
            "url": catalogue_url(changed, sort=None if sort == "relevance" else sort),
        }
        for sort, label in filters.SORT_LABELS.items()
        if sort != "relevance" or search.q
    ]


def ways_out(
    page: Page, without_words: int, words_only: int, without_limits: Mapping[str, int]
) -> list[dict[str, Any]]:
    """For an empty answer: each condition whose absence would find something, most first.

    ``without_words`` and ``words_only`` are the counts without the question and with nothing
    but the question; ``without_limits`` the count without each limit.
    """
    ways = [
        {
            "label": f"不限“{text}”",
            "count": count,
            "url": catalogue_url(without(page.search, LIMIT, text)),
        }
        for text, count in without_limits.items()
        if count
    ]
    for each in FILTERS:
        values = page.search.chosen.get(each.name, ())
        count = total_without(page, each.name) if values else 0
        if count:
            words = "、".join(each.label(value) for value in values)
            url = catalogue_url(without(page.search, each.name))
            ways.append({"label": f"不限{each.title}（{words}）", "count": count, "url": url})
    if page.search.q and without_words:
        url = catalogue_url(without(page.search, "q"))
        ways.append({"label": f"不用“{page.search.q}”", "count": without_words, "url": url})
    if not ways and words_only:
        url = url_for("listings.catalogue", q=page.search.q)
        label = f"只按“{page.search.q}”，不限其他条件"
        ways.append({"label": label, "count": words_only, "url": url})
    return sorted(ways, key=lambda way: -way["count"])


def near_words(page: Page) -> dict[str, Any] | None:
    """What stands over products that only come near: what was asked instead, and what is lacking.

    ``url`` asks for exactly the words that the first product has.
    """
    near = page.near
    if near is None:
        return None
    if near.how == "slip":
        title = "没有一字不差的，按相差一个字符或读音相同的查找"
        return {"title": title, "text": "", "url": None, "kept": ""}
    kept = " ".join(near.kept)
    text = f"下面的产品各含其中 {near.least} 个词。"
    if kept and near.dropped:
        lacking = "".join(f"“{word}”" for word in near.dropped)
        text += f"最相近的一件含“{kept}”，没有{lacking}。"
    url = catalogue_url(replace(page.search, q=kept, page=1)) if kept else None
    title = f"没有产品完全符合“{page.search.q}”"
    return {"title": title, "text": text, "url": url, "kept": kept}


def suggestion(hit: Hit) -> dict[str, Any]:
    """A product on one line: its name in pieces, its firm, its page."""
    url = url_for("listings.product", number=hit.number)
    return {"name": hit.name, "firm": hit.facts["firm_name"], "url": url}


def result(hit: Hit, today: date, search: Search) -> dict[str, Any]:
    """One hit as `ui/result_item.html` wants it."""
    status = status_of(hit.valid_until, today)
    kind, words = TAGS[status]
    facts = hit.facts
    return {
        "number": hit.number,
        "url": url_for("listings.product", number=hit.number),
        "name": hit.name,
        "firm": facts["firm_name"],
        "facts": fact_words(facts),
        "why": why(hit.reasons),
        "drops": drops(hit.reasons, search),
        "kind": kind,
        "status": words,
        "days_left": days_left(hit.valid_until, today),
        "until": hit.valid_until,
        "first_purchase": "可直接首购" if facts["first_purchase"] else "不适用首购",
        "note": f"{SAMPLE}　{facts['source_list'] or ''}".strip() if facts["sample"] else None,
    }


def fact_words(facts: Mapping[str, Any]) -> list[str]:
    """The line of facts under a result; what nobody stated is named as such."""
    words = [f"型号 {facts['model']}"] if facts["model"] else []
    words.append(KINDS[facts["kind"]])
    words.append(f"领域 {domain_name(facts['domain']) if facts['domain'] else UNKNOWN}")
    if facts["novelty"]:
        words.append(novelty_name(facts["novelty"]))
    if facts["advancement"]:
        words.append(advancement_name(facts["advancement"]))
    words += [figure_text(figure) for figure in (facts["specifications"] or [])[:2]]
    if facts["year"]:
        words.append(f"{facts['year']} 年度")
    return words


def why(reasons: tuple[Reason, ...]) -> list[Piece]:
    """The reasons as pieces of text, the matched words marked."""
    pieces: list[Piece] = []
    for reason in reasons:
        pieces.append((f"{'；' if pieces else ''}{FIELDS[reason.field]}含", False))
        if reason.excerpt:
            pieces += [("“", False), *reason.excerpt, ("”", False)]
        else:
            for word in reason.words:
                pieces += [("“", False), (word, True), ("”", False)]
        if note := HOW.get(reason.how):
            pieces.append((note.format(of=reason.of), False))
    if pieces:
        pieces.append(("。", False))
    return pieces


def drops(reasons: tuple[Reason, ...], search: Search) -> list[dict[str, str]]:
    """Each synonym that brought the product here, with the address that does without it."""
    used = dict.fromkeys(reason.by for reason in reasons if reason.by)
    return [
        {
            "label": f"不用同义词“{word}”",
            "url": catalogue_url(replace(search, dropped=(*search.dropped, word), page=1)),
        }
        for word in used
    ]


def as_json(page: Page, today: date) -> dict[str, Any]:
    """The same answer for machines: total, items and facets."""
    return {
        "total": page.total,
        "page": page.search.page,
        "complete": page.complete,
        "near": page.near._asdict() if page.near else None,
        "items": [_item(hit, today) for hit in page.hits],
        "facets": {each.name: filters.options(page, each) for each in FILTERS},
    }


def _item(hit: Hit, today: date) -> dict[str, Any]:
    reasons = [
        {
            "field": reason.field,
            "words": list(reason.words),
            "how": reason.how,
            **({"of": reason.of} if reason.of else {}),
        }
        for reason in hit.reasons
    ]
    return {
        **hit.facts,
        "status": status_of(hit.valid_until, today),
        "url": url_for("listings.product", number=hit.number),
        "why": reasons,
    }


def compared(listings: Sequence[Listing], today: date) -> list[Row]:
    """The rows of a comparison: what the authority says, then the figures; differences first."""
    told: list[tuple[str, list[str | None]]] = [
        ("单位", [one.firm_name for one in listings]),
        ("状态", [state_of(one, None, today)[1] for one in listings]),
        (
            "有效期至",
            [one.valid_until.isoformat() if one.valid_until else None for one in listings],
        ),
        ("直接首购", [_first_purchase_words(one, today) for one in listings]),
        ("类别", [KINDS[one.kind] for one in listings]),
        ("型号", [one.model for one in listings]),
        ("领域", [one.domain and domain_name(one.domain) for one in listings]),
        ("档次", [one.novelty and novelty_name(one.novelty) for one in listings]),
        ("技术水平", [one.advancement and advancement_name(one.advancement) for one in listings]),
        ("年度", [str(one.year) if one.year else None for one in listings]),
    ]
    rows = [Row(label, tuple(value or None for value in values)) for label, values in told]
    return ordered(rows + figure_rows([one.specifications for one in listings]))


def _first_purchase_words(listing: Listing, today: date) -> str:
    return "可以" if first_purchase(listing, None, today).open else "不适用"
