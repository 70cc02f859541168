"""Stories told with the real verbs: an application driven to any state of its lifecycle."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from flask import current_app
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from catalogue import jobs
from catalogue.accounts.models import User
from catalogue.applications import operations as applications
from catalogue.applications.models import Application
from catalogue.certificates import operations as certificates
from catalogue.certificates.models import CertificateStatus
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents.operations import receive
from catalogue.notices import operations as notices
from catalogue.notices.models import Notice, NoticeItem
from catalogue.notices.wording import changes_of
from catalogue.policies.models import Round
from catalogue.policies.operations import document_of
from catalogue.products.models import Product
from catalogue.reviews import operations as reviews
from catalogue.reviews.rules import Opinion
from catalogue.working_days import UnknownYear, add_working_days
from seeds.firms import signatory_of
from workers.tasks import HANDLERS

BUYERS = (
    "示范集成电路制造（上海）有限公司",
    "虚构存储器（上海）股份有限公司",
    "样例微电子（上海）有限公司",
)
BUYER_CODES = ("91310115MA1DEM10X7", "91310115MA1DEM11X8", "91310115MA1DEM12X9")
# Contracts that pass each scheme's thresholds, in fen.
AMOUNTS = {
    "first_set": (12_870_000_00,),
    "first_version": (186_000_00, 328_500_00, 412_000_00),
    "first_batch": (620_000_00, 815_000_50),
    "insurance_equipment": (9_600_000_00,),
    "insurance_material": (6_400_000_00,),
}
# Sums asked for by their question, in fen; what a firm may leave open stays open.
SUMS = {"premium_paid": 400_000_00, "approved_quota": 350_000_00}
NEGATIVE = {"by_batch", "special_class"}


@cache
def sample_pdf(title: str) -> bytes:
    """One page that says what it stands for; equal titles give equal bytes."""
    target = BytesIO()
    page = Canvas(target, invariant=1)
    page.setFont("Helvetica", 14)
    page.drawString(72, 760, f"SAMPLE EVIDENCE  {title.encode('ascii', 'replace').decode()}")
    page.drawString(72, 736, "Demonstration only.")
    page.showPage()
    page.save()
    return target.getvalue()


@cache
def _typeface() -> str:
    """A face that has Chinese, for papers that say something; ReportLab's own where none is cut."""
    found = sorted(Path(current_app.config["FONTS_DIR"]).glob("sans-*-400.ttf"))
    if not found:
        return "Helvetica"
    pdfmetrics.registerFont(TTFont("sample", found[0]))
    return "sample"


def written_pdf(application: Application, title: str) -> bytes:
    """A paper that says what the firm typed, but for one day that it leaves blank."""
    product = application.product
    lines = [
        ("产品名称", product.name),
        ("版本号" if product.kind == "software" else "型号", product.model),
        ("委托单位", application.enterprise.name),
    ]
    for contract in application.contracts:
        lines += [
            ("合同编号", contract.number),
            ("买方", contract.buyer_name),
            ("金额", f"人民币 {contract.amount_fen // 100:,}.{contract.amount_fen % 100:02d} 元"),
            ("签订日期", f"{contract.signed_on:%Y 年 %m 月 %d 日}"),
            ("发票日期", ""),
        ]
    target = BytesIO()
    page = Canvas(target, invariant=1)
    page.setFont(_typeface(), 18)
    page.drawCentredString(297, 770, title)
    page.setFont(_typeface(), 11)
    for place, (label, value) in enumerate(lines):
        y = 720 - 28 * place
        page.rect(72, y - 9, 110, 28)
        page.rect(182, y - 9, 340, 28)
        page.drawString(82, y, label)
        page.drawString(192, y, value)
    page.drawString(72, 72, "样张，仅供演示")
    page.save()
    return target.getvalue()


def contract_rows(
    year: int,
    closes_on: date,
    amounts_fen: tuple[int, ...],
    prefix: str,
    *,
    received: bool = True,
) -> list[dict[str, Any]]:
    """Contracts a month apart, the newest six weeks before the round closes.

    Invoices are of the round's own ``year``, as 首批次 wants them, whatever the day it closes on.
    """
    first, last = date(year, 1, 1), date(year, 12, 31)
    rows = []
    for position, amount in enumerate(amounts_fen):
        signed = closes_on - timedelta(days=45 + 30 * (len(amounts_fen) - 1 - position))
        rows.append(
            {
                "number": f"{prefix}-{position + 1}",
                "buyer_name": BUYERS[position % len(BUYERS)],
                "buyer_credit_code": BUYER_CODES[position % len(BUYER_CODES)],
                "signed_on": signed,
                "invoiced_on": min(max(signed + timedelta(days=5), first), last),
                "amount_fen": amount,
                "received_fen": amount if received else None,
                "quantity": 1,
                "buyer_is_trader": False,
            }
        )
    return rows


def answers_of(application: Application) -> dict[str, Any]:
    """An answer to every question that makes the application eligible."""
    given: dict[str, Any] = {}
    opened_on = application.round.opens_at.astimezone(SHANGHAI).date()
    for answer in document_of(application.policy).answers:
        if answer.type == "boolean":
            given[answer.id] = answer.id not in NEGATIVE
        elif answer.type == "choice":
            given[answer.id] = next(iter(answer.options))
        elif answer.type == "date" and answer.required:
            given[answer.id] = opened_on.isoformat()
        elif answer.id in SUMS:
            given[answer.id] = SUMS[answer.id]
        elif answer.type == "text":
            given[answer.id] = f"示例{answer.label}"
        elif answer.type == "textarea":
            given[answer.id] = (
                f"{answer.label}：示例填写，主要指标比同类提高 35%，见检测报告第 2 页。"
            )
    return given


def fill(
    application: Application,
    clerk: User,
    *,
    amounts_fen: tuple[int, ...] | None = None,
    received: bool = True,
    papers: bool = False,
) -> None:
    """Answers, contracts and one file per required material, as a firm would give them.

    With ``papers`` the contracts and reports say what was typed.
    """
    document = document_of(application.policy)
    applications.save_answers(application, answers_of(application), clerk)
    if document.contracts:
        closes_on = application.round.closes_at.astimezone(SHANGHAI).date()
        amounts = amounts_fen or AMOUNTS[application.scheme]
        prefix = f"HT-{application.number[3:]}"
        year = application.round.year
        rows = contract_rows(year, closes_on, amounts, prefix, received=received)
        applications.save_contracts(application, rows, clerk)
    for material in document.materials:
        if material.required:
            applications.add_evidence(
                application,
                material.id,
                BytesIO(
                    written_pdf(application, material.name)
                    if papers and ("合同" in material.name or "报告" in material.name)
                    else sample_pdf(material.id)
                ),
                f"{material.name}.pdf",
                clerk,
            )


def start(opened: Round, product: Product, clerk: User, **filling: Any) -> Application:
    """A complete draft."""
    application = applications.start(opened, product, clerk)
    fill(application, clerk, **filling)
    return application


def submit(application: Application, clerk: User) -> None:
    """Submitted by whom the policy says."""
    if "signing" in document_of(application.policy).stages:
        applications.send_for_signing(application, clerk)
        applications.submit(application, signatory_of(application.enterprise))
    else:
        applications.submit(application, clerk)
    db.session.commit()


def run_jobs() -> None:
    """Do every due job here, as a worker would."""
    while waiting := jobs.due():
        done = [jobs.perform(job_id, HANDLERS) for _, job_id in waiting]
        if not any(done):
            return


def check_formally(application: Application, reviewer: User) -> None:
    """Taken up and passed by the reviewer."""
    reviews.take(application, reviewer)
    reviews.pass_formal(application, reviewer)
    db.session.commit()


def conclude_review(application: Application, officer: User) -> None:
    """The experts' opinion recorded, five for and one against, where the policy asks for it."""
    if application.state != "expert_review":
        return
    today = utc_now().astimezone(SHANGHAI).date()
    opinion = Opinion(
        met_on=today,
        experts=7,
        votes_for=5,
        votes_against=1,
        summary="示例：专家组认为产品属首个版本，主要指标领先，建议支持。",
        lines={
            criterion.key: (True, "示例：查阅了测试报告与合同，符合。")
            for criterion in reviews.criteria_of(application)
        },
    )
    reviews.conclude_review(application, officer, opinion, today)
    db.session.commit()


def announced_on(today: date, working_days: int) -> date:
    """``today``, or the last day before it whose notice ends in a year with a known calendar."""
    while True:
        try:
            add_working_days(today, working_days)
        except UnknownYear:
            today -= timedelta(days=1)
        else:
            return today


def approve(chosen: list[Application], approver: User, days_ago: int = 0) -> Notice:
    """Approved and put on notice, now or some days ago."""
    today = utc_now().astimezone(SHANGHAI).date() - timedelta(days=days_ago)
    days = document_of(chosen[0].policy).notice_working_days.value
    days_ago += (today - announced_on(today, days)).days
    now = utc_now() - timedelta(days=days_ago) if days_ago else None
    notice = reviews.approve(chosen, approver, now=now)
    db.session.commit()
    return notice


def ask_correction(notice: Notice, person: User) -> Any:
    """The model of the first product, which the notice got wrong."""
    body = notice.newest.body
    model = f"{body['items'][0]['model']}（改进型）"
    changes = changes_of(body, {"items": {"1": {"model": model}}})
    reason = "示例：型号漏写了“改进型”，据申报书第 2 页更正。"
    correction = notices.ask_correction(notice, person, changes, reason)
    db.session.commit()
    return correction


def correct(notice: Notice, person: User, approver: User) -> None:
    """Corrected by two people the day after, or at once where the next day's end is unknown."""
    later = notice.published_at + timedelta(days=1)
    try:
        add_working_days(later.astimezone(SHANGHAI).date(), notice.newest.body["working_days"])
    except UnknownYear:
        later = notice.published_at + timedelta(seconds=1)
    notices.confirm_correction(ask_correction(notice, person), approver, later)
    db.session.commit()


def close_quietly(now: datetime | None = None) -> None:
    """The daily job, then whatever it asked for: conclusions and certificates."""
    notices.close_due(now or utc_now())
    db.session.commit()
    run_jobs()


def object_to(application: Application) -> Any:
    """An objection by someone without an account."""
    item = db.session.scalars(
        db.select(NoticeItem).where(NoticeItem.application_id == application.id)
    ).one()
    objection = notices.file_objection(
        item,
        notices.Filing(
            ground=next(iter(notices.rules.GROUNDS)),
            argument="示例异议：同类产品两年前已经销售，请核对首次销售时间。",
            remedy="请核查后再决定是否列入。",
            contact="示例联系人",
        ),
        [receive(BytesIO(sample_pdf("示例证明材料")), "同类产品销售记录.pdf")],
    )
    db.session.commit()
    return objection


def change_certificate(
    application: Application,
    status: str,
    people: tuple[User, User],
    reason: str,
    words: dict[str, str] | None = None,
) -> CertificateStatus:
    """Its certificate's status changed: asked by the first person, confirmed by the second."""
    certificate = certificates.of_application(application.id)
    assert certificate is not None
    change = certificates.ask_change(certificate, status, reason, people[0], words)
    db.session.flush()
    certificates.answer_change(change, people[1], confirmed=True)
    db.session.flush()
    return change
