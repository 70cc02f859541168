"""Registering, drawing and revoking certificates, and looking them up."""

from __future__ import annotations

import hashlib
import secrets
from datetime import date, datetime

import structlog
from flask import current_app
from sqlalchemy import exists, select

from catalogue import keys
from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.applications.operations import next_number, when
from catalogue.audit.log import append
from catalogue.audit.operations import record
from catalogue.certificates import rules, signing, wording
from catalogue.certificates.models import Certificate
from catalogue.certificates.pdf import draw as draw_pdf
from catalogue.certificates.verify import Answer, signature_fault, verify
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents.fonts import prepare
from catalogue.documents.operations import store_generated
from catalogue.errors import Refused
from catalogue.jobs import enqueue, live_subjects
from catalogue.notices.models import Objection
from catalogue.policies.operations import document_of
from catalogue.products.taxonomies import advancement_name, novelty_name

log = structlog.get_logger(__name__)

DRAW = "draw_certificate"
SERIES = "SHCP"
# Where no policy names a term: inferred from the 2017 call (rules.md, catalogue.validity_years).
DEFAULT_YEARS = 2
# Ours are under 200 kB; a larger file is answered by its hash alone and never parsed.
MAX_PARSED = 2 * 2**20


class SelfCheckFailed(RuntimeError):
    """A file that we just signed does not verify; nothing is issued and the job tries again."""


@when("conclude")
def certify(application: Application, actor: User | None, reason: str | None = None) -> None:
    """A concluded application gets its certificate, in force from today (Shanghai)."""
    today = utc_now().astimezone(SHANGHAI).date()
    years, _ = _term(application)
    register(application, today, wording.last_day(today, years))


def register(application: Application, valid_from: date, valid_until: date) -> Certificate:
    """Give an application its number and freeze the words; the file follows as a job.

    Twice is once: the certificate that exists is returned.
    """
    known = of_application(application.id)
    if known is not None:
        return known
    now = utc_now()
    year = now.astimezone(SHANGHAI).year
    sequence = next_number(SERIES, year)
    token = secrets.token_urlsafe(16)
    words = _words(application, (year, sequence), token, (valid_from, valid_until), now)
    certificate = Certificate(
        number=words.number,
        application=application,
        scheme=application.scheme,
        token=token,
        wording=words.as_json(),
        wording_sha256=words.sha256,
        valid_from=valid_from,
        valid_until=valid_until,
        registered_at=now,
    )
    db.session.add(certificate)
    record(
        "certificate.register",
        certificate,
        None,
        number=certificate.number,
        application=application.number,
        wording_sha256=certificate.wording_sha256,
    )
    enqueue(DRAW, certificate.id)
    return certificate


def _words(
    application: Application,
    place: tuple[int, int],
    token: str,
    validity: tuple[date, date],
    now: datetime,
) -> wording.Wording:
    product, enterprise = application.product, application.enterprise
    specimen = current_app.config["MODE"] != "production"
    number = wording.number_of(*place)
    term, batch = application.round.year, application.round.batch
    objected = bool(
        db.session.scalar(select(exists().where(Objection.application_id == application.id)))
    )
    statement, statement_english = rules.statement(
        application.scheme, term, batch, objected=objected
    )
    batch_chinese, batch_english = rules.batch_words(term, batch)
    tier, tier_english = rules.tier_words(
        product.novelty,
        novelty_name(product.novelty),
        product.advancement,
        advancement_name(product.advancement),
    )
    # 首购 is open to listed products that have not been on the market yet (rules.md §6).
    first_purchase = application.scheme == "catalogue" and product.first_sold_on is None
    return wording.Wording(
        number=number,
        formal_number=wording.formal_number(application.scheme, *place, specimen=specimen),
        scheme=application.scheme,
        specimen=specimen,
        statement=statement,
        statement_english=statement_english,
        product=product.name,
        product_english=product.english_name or None,
        enterprise=enterprise.name,
        enterprise_english=enterprise.english_name or None,
        credit_code=enterprise.credit_code,
        model=product.model,
        batch=batch_chinese,
        batch_english=batch_english,
        tier=tier,
        tier_english=tier_english,
        valid_from=validity[0].isoformat(),
        valid_until=validity[1].isoformat(),
        validity_placeholder=_term(application)[1],
        first_purchase_until=validity[1].isoformat() if first_purchase else None,
        signed_at=now.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        signer=signatory().label,
        check_url=f"{current_app.config['BASE_URL']}/certificates/{number}?t={token}",
    )


def _term(application: Application) -> tuple[int, bool]:
    """Years of validity, and whether no public text gives them."""
    stated = document_of(application.policy).validity_years
    return (stated.value, stated.placeholder) if stated else (DEFAULT_YEARS, True)


def draw(certificate_id: int) -> None:
    """The job: draw, sign, verify what was signed, keep it, issue. Running twice is harmless."""
    certificate = db.session.get(Certificate, certificate_id, with_for_update=True)
    if certificate is None or certificate.state != "registered":
        return
    signs = signatory()
    fonts = prepare(current_app.config["FONTS_DIR"])
    data = signing.sign(draw_pdf(certificate.words, fonts), signs)
    fault = signature_fault(data, signs.root)
    if fault is not None:
        raise SelfCheckFailed(f"{certificate.number}: {fault}")
    firm = certificate.application.enterprise_id
    document = store_generated(data, f"{certificate.number}.pdf", "application/pdf", firm)
    db.session.flush()
    certificate.document_id = document.id
    certificate.file_sha256 = hashlib.sha256(data).hexdigest()
    certificate.issued_at = utc_now()
    certificate.state = "issued"
    record(
        "certificate.issue",
        certificate,
        None,
        number=certificate.number,
        file_sha256=certificate.file_sha256,
    )
    append("certificate", certificate.number, certificate.file_sha256)


@when("revoke")
def revoke_with(application: Application, actor: User | None, reason: str | None = None) -> None:
    """A revoked application takes its certificate with it."""
    certificate = of_application(application.id)
    if certificate is not None:
        revoke(certificate, actor, reason or "")


def revoke(certificate: Certificate, actor: User | None, reason: str) -> None:
    """End a certificate now. Raises Refused without a reason; a revoked one stays as it is."""
    if not reason.strip():
        raise Refused("请写明撤销的理由", field="reason", status=422)
    db.session.refresh(certificate, with_for_update={"of": Certificate})
    if certificate.state == "revoked":
        return
    certificate.state = "revoked"
    certificate.revoked_at = utc_now()
    certificate.revoked_reason = reason.strip()
    record(
        "certificate.revoke",
        certificate,
        actor,
        number=certificate.number,
        reason=certificate.revoked_reason,
    )


def status_on(certificate: Certificate, day: date) -> rules.Standing:
    """What the certificate is worth on ``day``."""
    return certificate.standing(day)


def of_application(application_id: int) -> Certificate | None:
    """The certificate of an application."""
    return db.session.scalar(
        select(Certificate).where(Certificate.application_id == application_id)
    )


def check_number(number: str) -> Certificate | None:
    """The certificate of a number, in either spelling."""
    normal = rules.normal_number(number)
    if normal is None:
        return None
    return db.session.scalar(select(Certificate).where(Certificate.number == normal))


def check_file(data: bytes) -> Answer:
    """Whether a file is one of ours, byte for byte. A misuse of our key raises an alarm."""
    if len(data) > MAX_PARSED:
        sha256 = hashlib.sha256(data).hexdigest()
        return Answer("unknown", sha256)
    answer = verify(data, _by_hash, check_number, signatory().root)
    if answer.kind == "misuse":
        log.critical("signed_but_never_issued", sha256=answer.sha256)
    return answer


def _by_hash(sha256: str) -> Certificate | None:
    return db.session.scalar(select(Certificate).where(Certificate.file_sha256 == sha256))


def signatory() -> keys.SigningKey:
    """Who signs here; loaded once per process."""
    return keys.of(current_app.config)


def without_file() -> list[str]:
    """Certificates that are registered, not drawn, and have no live job: each is a breach."""
    waiting = set(live_subjects(DRAW))
    rows = db.session.execute(
        select(Certificate.id, Certificate.number).where(Certificate.state == "registered")
    )
    return [
        f"certificates: {number} is registered without a live job"
        for certificate_id, number in rows
        if certificate_id not in waiting
    ]
