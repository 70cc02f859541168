"""From the need to the product: limits typed in, and how near each product comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template, request, url_for

from catalogue.accounts.access import public
from catalogue.listings import filters, product
from catalogue.listings.ask import nearest
from catalogue.listings.candidates import COMPARED, SHOWN, Candidates
from catalogue.listings.figures import MEETS, MISSES, UNKNOWN
from catalogue.listings.models import KINDS
from catalogue.listings.need import MAX_ROWS, RELATIONS, Answer, Candidate, Need, read
from catalogue.listings.operations import shanghai_day
from catalogue.listings.presenting import need_url
from catalogue.listings.search import status_of
from catalogue.products.taxonomies import domains

bp = Blueprint("need", __name__)

VERDICTS = {
    MEETS: ("ok", "都符合"),
    MISSES: ("fail", "有不符"),
    UNKNOWN: ("unknown", "有没写明的"),
}


@bp.get("/catalogue/need")
@public
def page() -> Any:
    """The form and, once a row is filled, the nearest products; the address is the need."""
    asked = read(request.args, KINDS)
    need, day = asked.need, shanghai_day()
    found = nearest(need, day) if need.wishes else None
    faulty = any(row.faults for row in asked.rows)
    body = render_template(
        "listings/need.html",
        asked=asked,
        need=need,
        found=found,
        results=[result(candidate, day) for candidate in found.shown] if found else [],
        relations=RELATIONS,
        kinds=KINDS,
        domains=domains(),
        most=MAX_ROWS,
        compared=COMPARED,
        shown=SHOWN,
        exact_url=_exact_url(need, found),
        freeze_url=need_url(need, "listings.frozen.new", of="need"),
    )
    return body, 422 if faulty else 200


def _exact_url(need: Need, found: Candidates | None) -> str | None:
    """The search for those that meet everything, when there are more of them than are shown."""
    if found is None or found.meeting <= len(found.shown):
        return None
    # A search names figures without spaces, and finds them all the same.
    limits = [
        str(replace(limit, name="".join(limit.name.split())))
        for wish in need.wishes
        for limit in wish.limits
    ]
    chosen: dict[str, Any] = {key: list(values) for key, values in need.chosen.items()}
    return url_for("listings.catalogue", **{**chosen, filters.LIMIT: limits})


def result(candidate: Candidate, day: Any) -> dict[str, Any]:
    """A candidate as the page prints it."""
    hit = candidate.product
    kind, state = product.TAGS[status_of(hit.valid_until, day)]
    tag, words = VERDICTS[candidate.verdict]
    return {
        "number": hit.number,
        "url": url_for("listings.product", number=hit.number),
        "name": hit.facts["name"],
        "firm": hit.facts["firm_name"],
        "model": hit.facts["model"],
        "kind": kind,
        "state": state,
        "days_left": product.days_left(hit.valid_until, day),
        "tag": tag,
        "verdict": words,
        "answers": [_cell(answer) for answer in candidate.answers],
    }


def _cell(answer: Answer) -> dict[str, str]:
    words = "符合" if answer.verdict == MEETS else answer.gap
    return {"verdict": answer.verdict, "words": words, "stated": answer.stated}
