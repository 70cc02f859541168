"""What every page is given: navigation, account, clock, and the words for codes and amounts."""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    redirect,
    render_template,
    request,
    send_from_directory,
    session,
    url_for,
)
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

from catalogue.accounts.access import public
from catalogue.accounts.views import local_target
from catalogue.applications.states import STATES
from catalogue.database import SHANGHAI, utc_now
from catalogue.enterprises.models import SIZES
from catalogue.enterprises.taxonomies import district_name, honour_name
from catalogue.forms import percent_text
from catalogue.messages.operations import count_waiting
from catalogue.money import money_words
from catalogue.products.taxonomies import advancement_name, domain_name, novelty_name

SCHEMES = {
    "catalogue": "创新产品推荐目录",
    "first_set": "首台套装备",
    "first_version": "首版次软件",
    "first_batch": "首批次新材料",
    "insurance_equipment": "首台套保险补偿",
    "insurance_material": "首批次保险补偿",
    "first_purchase": "首购资格",
    "first_use_risk": "首购首用风险补偿",
}

PUBLIC_NAVIGATION = (
    ("产品目录", "listings.catalogue"),
    ("申报事项", "policies.schemes"),
    ("公示公告", "notices.notices"),
    ("证书核验", "certificates.check"),
)
FIRM_NAVIGATION = (
    ("申报", "applications.index"),
    ("适合我", "applications.fitting.fits"),
    ("产品", "products.index"),
    ("资金", "funds.mine"),
    ("单位资料", "enterprises.profile"),
    ("产品目录", "listings.catalogue"),
)
ROOM_NAMES = {
    "enterprises": "管理",
    "reviews": "审查",
    "notices": "审查",
    "notices.corrections": "审查",
    "funds": "资金",
    "policies": "管理",
    "policies.desk": "管理",
    "listings.synonyms": "管理",
    "certificates.status": "审查",
    "policies.simulator": "管理",
}
STAFF_NAVIGATION = {
    "reviewer": (
        ("我的队列", "reviews.queue"),
        ("公示更正", "notices.corrections.index"),
        ("证书状态", "certificates.status.index"),
        ("同义词", "listings.synonyms.index"),
    ),
    "approver": (
        ("审定队列", "reviews.queue"),
        ("异议", "notices.objections"),
        ("证书状态", "certificates.status.index"),
        ("公示更正", "notices.corrections.index"),
        ("政策模拟", "policies.simulator.page"),
    ),
    "finance": (
        ("概览", "funds.overview"),
        ("资金清单", "funds.lists"),
        ("预算", "funds.budgets"),
    ),
    "administrator": (
        ("政策工作台", "policies.desk.index"),
        ("政策模拟", "policies.simulator.page"),
        ("开批次", "policies.new_round"),
        ("申报事项", "policies.schemes"),
        ("禁止申报", "enterprises.exclusions"),
        ("同义词", "listings.synonyms.index"),
    ),
    "buyer": (
        ("产品目录", "listings.catalogue"),
        ("按需求找", "listings.need.page"),
        ("采购档案", "listings.frozen.index"),
        ("公示公告", "notices.notices"),
    ),
}
# The entry for those pages of a room that have none of their own.
STANDS_FOR = {"funds": "funds.lists", "policies": "policies.schemes"}

HYPHENED = re.compile(r"(?<![\w-])(?=[\w-]{3,18}(?![\w-]))(\w+(?:-\w+)+)", re.ASCII)

bp = Blueprint("pages", __name__)


def money(fen: int | None) -> str:
    """Fen as yuan with two decimals and thousands separated."""
    if fen is None:
        return "—"
    sign, fen = ("−", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100:,}.{fen % 100:02d}"


def day(value: date | datetime | None) -> str:
    """A calendar day in Shanghai."""
    if value is None:
        return "—"
    if isinstance(value, datetime):
        value = value.astimezone(SHANGHAI).date()
    return value.isoformat()


def moment(value: datetime | None) -> str:
    """A minute in Shanghai."""
    return "—" if value is None else value.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def scheme_name(scheme: str) -> str:
    """The page word of a scheme."""
    return SCHEMES.get(scheme, scheme)


def unbroken(text: str) -> Markup:
    """The text, escaped, with every date and number of up to 18 signs kept on one line.

    Browsers break 2026-11-24 and HZ-2026-000017 at their hyphens.
    """
    parts = HYPHENED.split(text)
    return Markup("").join(
        Markup('<span class="nowrap">{}</span>').format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )


def asset(path: str) -> str:
    """The address of a static file with its content's hash, so that it may be cached for good."""
    return url_for("static", filename=path, v=_digest(Path(current_app.static_folder or "") / path))


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@cache
def _htmx() -> tuple[str, str]:
    folder = Path(str(files("js_lib_htmx"))) / "static" / "htmx"
    return str(folder), _digest(folder / "htmx.min.js")


@bp.get("/library/htmx.min.js")
@public
def library() -> Response:
    """The htmx file out of its package."""
    return send_from_directory(_htmx()[0], "htmx.min.js", max_age=31_536_000)


@bp.route("/display", methods=["GET", "POST"])
@public
def display() -> Any:
    """Switch 长者模式 on or off; the same addresses, larger.

    A page of its own, so that the pages that lead here hold no token of the visitor.
    """
    back = local_target(request.values.get("next") or url_for("statistics.front"))
    if request.method == "POST":
        session["elder"] = request.form.get("elder") == "on"
        return redirect(back, code=303)
    return render_template("layout/display.html", back=back, address=back)


@bp.get("/accessibility")
@public
def accessibility() -> Any:
    """The accessibility statement."""
    return render_template("layout/accessibility.html")


def _navigation() -> list[dict[str, Any]]:
    user = current_user
    entries: list[tuple[str, str]] = []
    if not user.is_authenticated:
        entries = list(PUBLIC_NAVIGATION)
    else:
        entries.append(("待办", "messages.home"))
        if user.has_role("applicant", "signatory"):
            entries += FIRM_NAVIGATION
        for role, links in STAFF_NAVIGATION.items():
            if user.has_role(role):
                entries += [link for link in links if link not in entries]
    current = _current([endpoint for _, endpoint in entries])
    items = []
    for label, endpoint in entries:
        item: dict[str, Any] = {"label": label, "url": url_for(endpoint), "count": None}
        item["current"] = endpoint == current
        if endpoint == "messages.home":
            item["count"] = count_waiting(user) or None
        items.append(item)
    return items


def _current(endpoints: list[str]) -> str | None:
    """The one entry that this page belongs to, if any."""
    if request.endpoint in endpoints:
        return request.endpoint
    room = request.blueprint or ""
    # A part of a room without an entry of its own stands under the room's.
    for each in dict.fromkeys((room, room.partition(".")[0])):
        of_room = [endpoint for endpoint in endpoints if endpoint.rpartition(".")[0] == each]
        if of_room:
            return next((e for e in of_room if e == STANDS_FOR.get(each)), of_room[0])
    return None


def _address() -> str:
    """Where the reader is, as an address that can be opened again."""
    rule = request.url_rule
    if rule is None or "GET" not in (rule.methods or ()):
        return url_for("statistics.front")
    return request.full_path.rstrip("?")


def _footer() -> list[dict[str, Any]]:
    def link(label: str, endpoint: str) -> dict[str, str]:
        return {"label": label, "url": url_for(endpoint)}

    return [
        {
            "title": "按什么办",
            "links": [
                link("申报事项与条文", "policies.schemes"),
                link("自测能不能报", "policies.trial.schemes"),
            ],
        },
        {
            "title": "公开",
            "links": [
                link("产品目录", "listings.catalogue"),
                link("公示公告", "notices.notices"),
                link("开放数据", "statistics.open_data.page"),
            ],
        },
        {
            "title": "核验",
            "links": [
                link("证书核验", "certificates.check"),
                link("公开存证簿", "certificates.log.entries"),
                link("采购档案首页核验", "listings.frozen.check"),
                link("离线核验", "certificates.offline.page"),
            ],
        },
        {"title": "无障碍", "links": [link("无障碍说明", "pages.accessibility")]},
    ]


def _keep_for_good(response: Response) -> Response:
    # An address that names the very content never holds anything else. Any other ``v``, as from
    # the page of a host that is newer than this one, is answered but not kept.
    if request.endpoint == "static" and response.status_code in (200, 304):
        path = Path(current_app.static_folder or "") / (request.view_args or {})["filename"]
        if request.args.get("v") == _digest(path):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def register(app: Flask) -> None:
    """Give templates their globals and context."""
    app.register_blueprint(bp)
    app.after_request(_keep_for_good)
    app.jinja_env.globals.update(
        money=money,
        money_words=money_words,
        day=day,
        moment=moment,
        unbroken=unbroken,
        asset=asset,
        csrf_token=generate_csrf,
        district_name=district_name,
        honour_name=honour_name,
        domain_name=domain_name,
        novelty_name=novelty_name,
        advancement_name=advancement_name,
        scheme_name=scheme_name,
        percent=percent_text,
        SIZES=SIZES,
        STATES=STATES,
    )

    @app.context_processor
    def page_context() -> dict[str, Any]:
        plain = {
            "demo": app.config["DEMO"] or app.config["TESTING"],
            "elder": session.get("elder", False),
            "server_time": utc_now().astimezone(SHANGHAI),
            "htmx_url": url_for("pages.library", v=_htmx()[1]),
            "address": _address(),
        }
        if g.get("without_database"):
            return plain
        account = None
        signed = current_user and current_user.is_authenticated
        if signed:
            account = {
                "name": current_user.name,
                "role_label": current_user.role_label,
                "sign_out_url": url_for("accounts.sign_out"),
                "url": url_for("messages.home"),
                "buys": current_user.has_role("buyer"),
            }
        return {
            **plain,
            "navigation": _navigation(),
            "account": account,
            "sign_in_url": url_for("accounts.sign_in"),
            "footer_links": _footer(),
            "strip_links": [{"label": "无障碍说明", "url": url_for("pages.accessibility")}],
            "room_name": ROOM_NAMES.get(request.blueprint or "", ""),
        }
