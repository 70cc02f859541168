"""What is open of notices, rounds, policies, awards and certificates: each as one plain record.

Nothing stands here that no public page shows; addresses are paths on this site.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import contains_eager, lazyload

from catalogue.certificates.models import Certificate
from catalogue.database import SHANGHAI
from catalogue.funds.models import Award
from catalogue.listings import api_schema as shape
from catalogue.listings.api import day_text, moment_text, path_of
from catalogue.notices import rules as notice_rules
from catalogue.notices.models import Notice, NoticeItem, NoticeVersion, Objection
from catalogue.policies.document import SCHEMES
from catalogue.policies.models import Policy, Round
from catalogue.policies.operations import document_of

Json = shape.Json

SCHEME = shape.text("事项的代码", enum=list(SCHEMES))

# ---------------------------------------------------------------- notices

_NOTICE: Json = {
    "id": shape.whole("公示的号，不再改变"),
    "number": shape.text("公示文号"),
    "version": shape.whole("第几版；更正后加一"),
    "title": shape.text("标题"),
    "scheme": SCHEME,
    "round": shape.whole("申报批次的号"),
    "published_at": shape.moment("第一版的发布时刻"),
    "opens_at": shape.moment("公示开始"),
    "closes_at": shape.moment("公示截止"),
    "working_days": shape.whole("公示几个工作日"),
    "placeholder": shape.yes_no("工作日数是否示范参数，即没有公开文字规定"),
    "closed_at": shape.moment("公示办结的时刻；还没有办结时为 null", null=True),
    "sha256": shape.text("这一版内容的哈希"),
    "url": shape.text("网页的地址"),
}
_ITEM: Json = {
    "position": shape.whole("公示里的第几件"),
    "name": shape.text("产品名称"),
    "firm": shape.text("单位名称"),
    "model": shape.text("型号"),
    "amount_fen": shape.fen("公示的金额；不涉及资金的为 null", null=True),
    "outcome": shape.text(
        "cleared 公示无异议或异议不成立；struck 异议成立；还没有结果时为 null", null=True
    ),
}
_DECIDED: Json = {
    "position": shape.whole("针对公示里的第几件"),
    "ground": shape.text("异议的理由"),
    "state": shape.text("处理结果", enum=["upheld", "dismissed"]),
    "decided_on": shape.day("处理之日"),
    "reason": shape.text("处理的理由"),
}
NOTICE = shape.named("Notice", shape.record("一份公示", _NOTICE))
NOTICE_ITEM = shape.named(
    "NoticeItem",
    shape.record(
        "公示里的一件产品",
        {
            "id": shape.text("公示的号与件号，如 12-3"),
            "notice": shape.whole("公示的号"),
            **_ITEM,
        },
    ),
)
WHOLE_NOTICE = shape.named(
    "WholeNotice",
    shape.record(
        "一份公示与其中的产品、已处理的异议",
        {
            **_NOTICE,
            "items": shape.several("公示的产品", shape.record("一件产品", _ITEM)),
            "decided": shape.several("已处理的异议", shape.record("一件异议", _DECIDED)),
        },
    ),
)


def notices() -> Any:
    """Every notice with its newest version."""
    newest = (NoticeVersion.notice_id == Notice.id) & (NoticeVersion.version == Notice.version)
    return select(Notice, NoticeVersion).join(NoticeVersion, newest)


def notice_items() -> Select[Any]:
    """Every product that stands on a notice."""
    return select(NoticeItem)


def notice_record(notice: Notice, version: NoticeVersion) -> Json:
    """In the shape ``NOTICE``."""
    return {
        "id": notice.id,
        "number": notice.number,
        "version": version.version,
        "title": notice.title,
        "scheme": notice.round.scheme,
        "round": notice.round_id,
        "published_at": moment_text(notice.published_at),
        "opens_at": moment_text(notice.opens_at),
        "closes_at": moment_text(notice.closes_at),
        "working_days": version.body["working_days"],
        "placeholder": version.body["placeholder"],
        "closed_at": moment_text(notice.closed_at),
        "sha256": version.sha256,
        "url": path_of("notices.show", notice_id=notice.id),
    }


def _item(item: NoticeItem) -> Json:
    return {name: getattr(item, name) for name in _ITEM}


def item_record(item: NoticeItem) -> Json:
    """In the shape ``NOTICE_ITEM``."""
    return {"id": f"{item.notice_id}-{item.position}", "notice": item.notice_id, **_item(item)}


def whole_notice(notice: Notice, version: NoticeVersion, decided: list[Objection]) -> Json:
    """In the shape ``WHOLE_NOTICE``; who objected is nowhere in it."""
    return {
        **notice_record(notice, version),
        "items": [_item(item) for item in notice.items],
        "decided": [
            {
                "position": objection.item.position,
                "ground": notice_rules.GROUNDS[objection.ground],
                "state": objection.state,
                "decided_on": day_text(_day(objection.decided_at)),
                "reason": objection.decision_reason,
            }
            for objection in decided
        ],
    }


def _day(at: Any) -> date | None:
    return at.astimezone(SHANGHAI).date() if at else None


# ---------------------------------------------------------------- schemes, policies, rounds

POLICY = shape.named(
    "Policy",
    shape.record(
        "一个政策版本，发布后不再改变",
        {
            "id": shape.text("事项与版本，如 first_version/2020-1"),
            "scheme": SCHEME,
            "version": shape.text("版本"),
            "title": shape.text("标题"),
            "effective_from": shape.day("施行之日"),
            "effective_to": shape.day("有效期的最后一日；没有写明时为 null", null=True),
            "published_at": shape.moment("在本平台发布的时刻"),
            "placeholders": shape.several(
                "示范参数，即没有公开文字规定的数", shape.text("参数的名称")
            ),
            "sha256": shape.text("政策文本的哈希"),
            "text_url": shape.text("政策文本（YAML）的地址"),
            "url": shape.text("网页的地址"),
        },
    ),
)
WHOLE_POLICY = shape.named(
    "WholePolicy",
    shape.record(
        "一个政策版本与它的全部规则",
        {
            **shape.SCHEMAS[POLICY]["properties"],
            "document": {
                "type": "object",
                "description": "政策文本，内容与 YAML 相同：条文、参数、规则、材料、测算",
            },
        },
    ),
)
SCHEME_OF = shape.named(
    "Scheme",
    shape.record(
        "一个事项",
        {
            "id": SCHEME,
            "name": shape.text("名称"),
            "governing": shape.text("今天适用的版本；没有时为 null", null=True),
            "versions": shape.several("各个版本，新的在前", shape.ref(POLICY)),
        },
    ),
)
SCHEMES_ANSWER = shape.named(
    "Schemes",
    shape.record("全部事项", {"items": shape.several("各个事项", shape.ref(SCHEME_OF))}),
)
ROUND = shape.named(
    "Round",
    shape.record(
        "一个申报批次",
        {
            "id": shape.whole("批次的号，不再改变"),
            "scheme": SCHEME,
            "title": shape.text("标题"),
            "year": shape.whole("年度"),
            "batch": shape.whole("该年度第几批"),
            "opens_at": shape.moment("开始受理"),
            "closes_at": shape.moment("截止"),
            "policy_version": shape.text("适用的政策版本"),
        },
    ),
)


def policies() -> Select[Any]:
    """Every version of every scheme."""
    return select(Policy)


def policy_record(policy: Policy) -> Json:
    """In the shape ``POLICY``."""
    named: dict[str, Any] = {"scheme": policy.scheme, "version": policy.version}
    parameters = document_of(policy).parameters.values()
    return {
        "id": f"{policy.scheme}/{policy.version}",
        **named,
        "title": policy.title,
        "effective_from": day_text(policy.effective_from),
        "effective_to": day_text(policy.effective_to),
        "published_at": moment_text(policy.published_at),
        "placeholders": [each.label for each in parameters if each.placeholder],
        "sha256": policy.sha256,
        "text_url": path_of("policies.text", **named),
        "url": path_of("policies.version", **named),
    }


def whole_policy(policy: Policy) -> Json:
    """In the shape ``WHOLE_POLICY``."""
    return {**policy_record(policy), "document": policy.document}


def scheme_record(scheme: str, versions: list[Policy], governing: Policy | None) -> Json:
    """In the shape ``SCHEME_OF``."""
    return {
        "id": scheme,
        "name": SCHEMES[scheme],
        "governing": governing.version if governing else None,
        "versions": [policy_record(policy) for policy in versions],
    }


def rounds() -> Select[Any]:
    """Every round."""
    return select(Round)


def round_record(opened: Round) -> Json:
    """In the shape ``ROUND``."""
    return {
        "id": opened.id,
        "scheme": opened.scheme,
        "title": opened.title,
        "year": opened.year,
        "batch": opened.batch,
        "opens_at": moment_text(opened.opens_at),
        "closes_at": moment_text(opened.closes_at),
        "policy_version": opened.policy.version,
    }


# ---------------------------------------------------------------- awards

AWARD = shape.named(
    "Award",
    shape.record(
        "一笔公示后核定的资金",
        {
            "id": shape.whole("核定的号，不再改变"),
            "scheme": SCHEME,
            "year": shape.whole("预算年度"),
            "firm": shape.text("单位名称"),
            "credit_code": shape.text("统一社会信用代码"),
            "product": shape.text("产品名称"),
            "amount_fen": shape.fen("核定金额"),
            "placeholder": shape.yes_no("测算是否用了示范参数"),
            "state": shape.text("committed 待拨付；paid 已拨付", enum=["committed", "paid"]),
            "decided_on": shape.day("核定之日"),
            "policy_version": shape.text("依据的政策版本"),
            "notice": shape.whole("公示的号"),
            "notice_url": shape.text("公示的地址"),
        },
    ),
)


def awards() -> Select[Any]:
    """The awards that stand after a public notice, each with the id of its newest notice.

    What is only reserved, or was given back, is none.
    """
    notice = (
        select(func.max(NoticeItem.notice_id))
        .where(NoticeItem.application_id == Award.application_id)
        .scalar_subquery()
    )
    return (
        select(Award, notice)
        .join(Award.budget)
        .options(contains_eager(Award.budget), lazyload(Award.account))
        .where(Award.state.in_(("committed", "paid")), notice.is_not(None))
    )


def award_record(award: Award, notice_id: int) -> Json:
    """In the shape ``AWARD``."""
    return {
        "id": award.id,
        "scheme": award.budget.scheme,
        "year": award.budget.year,
        "firm": award.firm,
        "credit_code": award.credit_code,
        "product": award.product,
        "amount_fen": award.amount_fen,
        "placeholder": any(line.get("placeholder") for line in award.worksheet),
        "state": award.state,
        "decided_on": day_text(_day(award.committed_at)),
        "policy_version": award.policy_version,
        "notice": notice_id,
        "notice_url": path_of("notices.show", notice_id=notice_id),
    }


# ---------------------------------------------------------------- certificates

CERTIFICATE = shape.named(
    "Certificate",
    shape.record(
        "一份证书在某一天的状态",
        {
            "number": shape.text("证书编号"),
            "formal_number": shape.text("文号"),
            "scheme": SCHEME,
            "product": shape.text("产品名称"),
            "model": shape.text("型号"),
            "enterprise": shape.text("单位名称"),
            "credit_code": shape.text("统一社会信用代码"),
            "specimen": shape.yes_no("是否示范样张"),
            "valid_from": shape.day("有效期起"),
            "valid_until": shape.day("有效期止"),
            "validity_placeholder": shape.yes_no("有效期的长短是否示范参数"),
            "on": shape.day("问的是哪一天"),
            "status": shape.text(
                "那一天的状态：valid 有效；early 尚未生效；expired 已到期；suspended 已暂停；"
                "replaced 已换发；revoked 已撤销；registered 正在签发"
            ),
            "valid": shape.yes_no("那一天是否有效"),
            "sentence": shape.text("状态的说明"),
            "file_sha256": shape.text("证书文件的哈希；还没有签发时为 null", null=True),
            "url": shape.text("网页的地址"),
        },
    ),
)


def certificate_record(certificate: Certificate, on: date) -> Json:
    """In the shape ``CERTIFICATE``, as of the day ``on``."""
    words, standing = certificate.words, certificate.standing(on)
    return {
        "number": certificate.number,
        "formal_number": words.formal_number,
        "scheme": certificate.scheme,
        "product": words.product,
        "model": words.model,
        "enterprise": words.enterprise,
        "credit_code": words.credit_code,
        "specimen": words.specimen,
        "valid_from": day_text(certificate.valid_from),
        "valid_until": day_text(certificate.valid_until),
        "validity_placeholder": words.validity_placeholder,
        "on": day_text(on),
        "status": standing.id,
        "valid": standing.valid,
        "sentence": standing.sentence,
        "file_sha256": certificate.file_sha256,
        "url": path_of("certificates.show", number=certificate.number),
    }


# ---------------------------------------------------------------- figures of the overrides

OVERRIDES = shape.named(
    "Overrides",
    shape.record(
        "不予采用的核验项",
        {
            "items": shape.several(
                "按政策版本和规则",
                shape.record(
                    "一条规则的次数，每件申报按最近一次核验计一次",
                    {
                        "scheme": SCHEME,
                        "policy_version": shape.text("政策版本"),
                        "rule": shape.text("规则的代码"),
                        "title": shape.text("规则"),
                        "article": shape.text("依据的条文"),
                        "checked": shape.whole("核验几件"),
                        "failed": shape.whole("其中不符"),
                        "unknown": shape.whole("其中无法判定"),
                        "asked": shape.whole("申请不予采用几次"),
                        "set_aside": shape.whole("两人确认不予采用几次"),
                        "refused": shape.whole("第二人不同意几次"),
                    },
                ),
            )
        },
    ),
)


def override_records(figures: list[dict[str, Any]]) -> Json:
    """In the shape ``OVERRIDES``, from what the reviews room counted."""
    return {
        "items": [
            {
                "scheme": version["policy"].scheme,
                "policy_version": version["policy"].version,
                "rule": row["rule"],
                "title": row["title"],
                "article": row["article"],
                "checked": row["checks"],
                "failed": row["fails"],
                "unknown": row["unknowns"],
                "asked": row["asked"],
                "set_aside": row["set_aside"],
                "refused": row["refused"],
            }
            for version in figures
            for row in version["rows"]
        ]
    }
