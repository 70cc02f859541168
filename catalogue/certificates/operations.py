"""Registering and drawing certificates, changing their status by two people, looking them up."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import structlog
from cryptography import x509
from flask import current_app
from sqlalchemy import and_, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import joinedload

from catalogue import keys
from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.applications.operations import advance, next_number, when
from catalogue.audit.log import append
from catalogue.audit.operations import record
from catalogue.certificates import answer, rules, signing, wording
from catalogue.certificates.models import Certificate, CertificateStatus, Signer
from catalogue.certificates.pdf import draw as draw_pdf
from catalogue.certificates.verify import Answer, signature_fault, verify
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents import paper
from catalogue.documents.fonts import prepare
from catalogue.documents.operations import store_generated
from catalogue.enterprises.models import enterprise_id_of
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
STATUS_FORMAT = "certificate-status/1"
ASKERS = ("reviewer", "approver")
CONFIRMERS = ("approver",)
# Ours are under 200 kB; a larger file is answered by its hash alone and never parsed.
MAX_PARSED = 2 * 2**20

Listener = Callable[[Certificate, CertificateStatus, User], None]
_listeners: list[Listener] = []


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
    place = (year, next_number(SERIES, year))
    token = secrets.token_urlsafe(16)
    words = _words(application, place, token, (valid_from, valid_until), now)
    return _add(application, words, token, now)


def _add(
    application: Application,
    words: wording.Wording,
    token: str,
    now: datetime,
    replaces: Certificate | None = None,
) -> Certificate:
    """Keep number and words, and ask for the file."""
    certificate = Certificate(
        number=words.number,
        application=application,
        replaces=replaces,
        scheme=application.scheme,
        token=token,
        wording=words.as_json(),
        wording_sha256=words.sha256,
        valid_from=date.fromisoformat(words.valid_from),
        valid_until=date.fromisoformat(words.valid_until),
        registered_at=now,
        changes=[],
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


def _marks(scheme: str, place: tuple[int, int], token: str, now: datetime) -> dict[str, Any]:
    """What is this certificate's own in its words: numbers, addresses, moment and signer."""
    specimen = current_app.config["MODE"] != "production"
    number = wording.number_of(*place)
    address = f"{current_app.config['BASE_URL']}/certificates/{number}"
    return {
        "number": number,
        "formal_number": wording.formal_number(scheme, *place, specimen=specimen),
        "specimen": specimen,
        "signed_at": now.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        "signer": signatory().label,
        "check_url": f"{address}?t={token}",
        "status_url": f"{address}/status.json",
        "issuer": wording.ISSUER,
    }


def _words(
    application: Application,
    place: tuple[int, int],
    token: str,
    validity: tuple[date, date],
    now: datetime,
) -> wording.Wording:
    product, enterprise = application.product, application.enterprise
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
        **_marks(application.scheme, place, token, now),
        scheme=application.scheme,
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
        codes={
            "kind": product.kind,
            "domain": product.domain,
            "novelty": product.novelty,
            "advancement": product.advancement,
            "district": enterprise.district,
            "year": term,
            "batch": batch,
        },
    )


def _term(application: Application) -> tuple[int, bool]:
    """Years of validity, and whether no public text gives them."""
    stated = document_of(application.policy).validity_years
    return (stated.value, stated.placeholder) if stated else (DEFAULT_YEARS, True)


def draw(certificate_id: int) -> None:
    """The job: draw, sign, verify what was signed, keep it, issue. Running twice is harmless."""
    certificate = db.session.get(Certificate, certificate_id, with_for_update=True)
    if certificate is None or certificate.state != "registered" or certificate.status == "revoked":
        return
    signs = signatory()
    _remember(signs)
    fonts = prepare(current_app.config["FONTS_DIR"])
    data = signing.sign(draw_pdf(certificate.words, fonts), signs)
    fault = signature_fault(data, [signs.root])
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


# ---------------------------------------------------------------- status, by two people


def on_change(listener: Listener) -> Listener:
    """Let a higher room act in the same transaction whenever a change is confirmed."""
    if listener not in _listeners:
        _listeners.append(listener)
    return listener


def ask_change(
    certificate: Certificate,
    status: str,
    reason: str,
    actor: User,
    words: Mapping[str, str] | None = None,
) -> CertificateStatus:
    """Ask for another status; nothing changes until another person confirms it.

    ``words`` are what a replacement is to say (rules.NAMES). Raises Refused without a reason, for
    a status that does not follow, for words that change nothing, and while another change waits.
    """
    db.session.refresh(certificate, with_for_update={"of": Certificate})
    _require_stranger(certificate, actor, ASKERS)
    _require_next(certificate, status)
    if certificate.open_change is not None:
        raise Refused("已有一项变更等另一人确认，先办完那一项")
    if not reason.strip():
        raise Refused("请写明理由", field="reason", status=422)
    change = CertificateStatus(
        status=status,
        reason=reason.strip(),
        words=_changed_words(certificate, words or {}) if status == "replaced" else None,
        asked_by=actor,
        asked_at=utc_now(),
    )
    certificate.changes.append(change)
    record(
        "certificate.ask_change",
        certificate,
        actor,
        number=certificate.number,
        status=status,
        reason=change.reason,
        words=change.words,
    )
    return change


def _changed_words(certificate: Certificate, words: Mapping[str, str]) -> dict[str, str]:
    given = {name: " ".join(words.get(name, "").split()) for name in rules.NAMES}
    for name, (label, limit, needed) in rules.NAMES.items():
        if needed and not given[name]:
            raise Refused(f"请填{label}", field=name, status=422)
        if len(given[name]) > limit:
            raise Refused(f"{label}最多 {limit} 字", field=name, status=422)
    now = certificate.words
    if all(given[name] == (getattr(now, name) or "") for name in rules.NAMES):
        raise Refused("新证书和现在的一样，没有可换发的", field="enterprise", status=422)
    return given


def answer_change(
    change: CertificateStatus, actor: User, answer: str | None = None, *, confirmed: bool
) -> None:
    """Confirm or refuse what another person asked; final, and in force at once.

    A revocation takes the application with it, a replacement registers the new certificate.
    Every confirmed change is entered in the public log. A refusal needs its reason.
    """
    certificate = change.certificate
    db.session.refresh(certificate, with_for_update={"of": Certificate})
    db.session.refresh(change)
    if change.answered_at is not None:
        raise Refused("这项变更已经答复过")
    _require_stranger(certificate, actor, CONFIRMERS)
    if change.asked_by_id == actor.id:
        raise Refused("这是您自己提的，须由另一人确认（两人办理规则）", status=403)
    answer = (answer or "").strip() or None
    if not confirmed and answer is None:
        raise Refused("不同意请写明理由", field="answer", status=422)
    if confirmed:
        _require_next(certificate, change.status)
    change.answered_by, change.answered_at = actor, utc_now()
    change.confirmed, change.answer = confirmed, answer
    db.session.flush()
    record(
        "certificate.confirm_change" if confirmed else "certificate.refuse_change",
        certificate,
        actor,
        number=certificate.number,
        status=change.status,
        reason=change.reason,
        answer=answer,
    )
    if confirmed:
        _take_effect(certificate, change, actor)


def _take_effect(certificate: Certificate, change: CertificateStatus, actor: User) -> None:
    if change.status == "replaced":
        _replace(certificate, change)
    if change.status == "revoked":
        advance(certificate.application, "revoke", actor, change.reason)
    for listener in _listeners:
        listener(certificate, change, actor)
    append("certificate_status", certificate.number, published_sha256(change))


def _replace(certificate: Certificate, change: CertificateStatus) -> None:
    """The next certificate: the new words, the old term from today on, its own number."""
    now = utc_now()
    year, today = now.astimezone(SHANGHAI).year, now.astimezone(SHANGHAI).date()
    place = (year, next_number(SERIES, year))
    token = secrets.token_urlsafe(16)
    names = {name: value or None for name, value in (change.words or {}).items()}
    valid_from = max(today, certificate.valid_from)
    _add(
        certificate.application,
        replace(
            certificate.words,
            **{**names, "model": (change.words or {}).get("model", "")},
            **_marks(certificate.scheme, place, token, now),
            valid_from=valid_from.isoformat(),
            replaces=certificate.number,
        ),
        token,
        now,
        replaces=certificate,
    )


def published(change: CertificateStatus) -> dict[str, Any]:
    """A confirmed change as everybody may read it; names of persons are not in it."""
    certificate, made = change.certificate, change.as_change
    content: dict[str, Any] = {
        "format": STATUS_FORMAT,
        "number": certificate.number,
        "status": change.status,
        "from": made.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "reason": change.reason,
    }
    return content if made.follower is None else {**content, "replaced_by": made.follower}


def told(certificate: Certificate, day: date) -> dict[str, Any]:
    """What everybody may read of a certificate: its status on ``day`` and how it came to it.

    The status follows from what is known now, also for a day that has not come.
    """
    after, before = certificate.follower, certificate.replaces
    return {
        "number": certificate.number,
        "on": day.isoformat(),
        "status": certificate.standing(day).id,
        "valid_from": certificate.valid_from.isoformat(),
        "valid_until": certificate.valid_until.isoformat(),
        "file_sha256": certificate.file_sha256,
        "replaces": before.number if before else None,
        "replaced_by": after.number if after else None,
        "changes": [
            {**published(change), "sha256": published_sha256(change)}
            for change in certificate.history
        ],
    }


def answer_file(certificate: Certificate, day: date) -> bytes:
    """The answer of the check page for ``day`` as a signed PDF; nothing is kept.

    Drawing and signing take some 100 ms, so the address that asks is limited (security.LIMITS).
    """
    key = signatory()
    papers = answer.papers_of(certificate, day, utc_now(), told(certificate, day), key.label)
    pdf = paper.draw(papers, prepare(current_app.config["FONTS_DIR"]))
    return signing.sign(pdf, key, signing.ANSWER_FIELD)


def published_sha256(change: CertificateStatus) -> str:
    """The hash of a change's canonical form: what the public log holds of it."""
    return hashlib.sha256(wording.canonical(published(change))).hexdigest()


def _require_next(certificate: Certificate, status: str) -> None:
    """Raise Refused unless ``status`` may follow what the certificate is now."""
    today = utc_now().astimezone(SHANGHAI).date()
    problem = rules.why_not(status, certificate.status, certificate.standing(today))
    if problem:
        raise Refused(problem, field="status", status=422)


def _require_stranger(certificate: Certificate, actor: User, roles: Sequence[str]) -> None:
    if not actor.has_role(*roles):
        raise Refused("这一步不在您的权限内", status=403)
    if enterprise_id_of(actor) == certificate.application.enterprise_id:
        raise Refused("不能办理自己单位的证书", status=403)


@when("revoke")
def revoke_with(application: Application, actor: User | None, reason: str | None = None) -> None:
    """An application with a certificate is revoked by way of it, so that two people do it."""
    certificate = of_application(application.id)
    if certificate is not None and certificate.status != "revoked":
        raise Refused("撤销须两人办理：请从证书的状态页提出，由另一人确认")


def waiting_changes(limit: int = 50) -> list[CertificateStatus]:
    """Changes that wait for a second person, the oldest first."""
    return _changes(CertificateStatus.answered_at.is_(None), CertificateStatus.id, limit)


def made_changes(limit: int = 30) -> list[CertificateStatus]:
    """Changes that were answered, the newest first."""
    newest = CertificateStatus.answered_at.desc()
    return _changes(CertificateStatus.answered_at.is_not(None), newest, limit)


def _changes(condition: Any, order: Any, limit: int) -> list[CertificateStatus]:
    wanted = select(CertificateStatus).where(condition).order_by(order).limit(limit)
    seen = (
        joinedload(CertificateStatus.certificate),
        joinedload(CertificateStatus.asked_by),
        joinedload(CertificateStatus.answered_by),
    )
    return list(db.session.scalars(wanted.options(*seen)))


def valid_of(enterprise_id: int, today: date, limit: int = 5) -> list[Certificate]:
    """The firm's newest certificates that one may rely on today."""
    rows = db.session.scalars(
        select(Certificate)
        .join(Application)
        .where(
            Application.enterprise_id == enterprise_id,
            Certificate.state == "issued",
            Certificate.valid_until >= today,
            ~exists(
                select(CertificateStatus.id).where(
                    CertificateStatus.certificate_id == Certificate.id,
                    CertificateStatus.confirmed.is_(True),
                    CertificateStatus.status.in_(("revoked", "replaced")),
                )
            ),
        )
        .order_by(Certificate.id.desc())
        .limit(limit)
    )
    return [certificate for certificate in rows if certificate.standing(today).valid]


# ---------------------------------------------------------------- looking up


def status_on(certificate: Certificate, day: date) -> rules.Standing:
    """What the certificate is worth on ``day``."""
    return certificate.standing(day)


def of_application(application_id: int) -> Certificate | None:
    """The certificate of an application; the newest, when names have changed."""
    return db.session.scalar(
        select(Certificate)
        .where(Certificate.application_id == application_id)
        .order_by(Certificate.id.desc())
        .limit(1)
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
    answer = verify(data, _by_hash, check_number, roots())
    if answer.kind == "misuse":
        log.critical("signed_but_never_issued", sha256=answer.sha256)
    return answer


def _by_hash(sha256: str) -> Certificate | None:
    return db.session.scalar(select(Certificate).where(Certificate.file_sha256 == sha256))


def signatory() -> keys.SigningKey:
    """Who signs here; loaded once per process."""
    return keys.of(current_app.config)


def _remember(key: keys.SigningKey) -> None:
    """Keep the public half of a key that signs, so that rotation loses nobody."""
    db.session.execute(
        insert(Signer)
        .values(
            fingerprint=key.fingerprint,
            label=key.label,
            pem=key.pem,
            root_pem=key.root_pem,
            valid_from=key.certificate.not_valid_before_utc,
            valid_until=key.certificate.not_valid_after_utc,
            first_used_at=utc_now(),
        )
        .on_conflict_do_nothing(index_elements=[Signer.fingerprint])
    )


def signers() -> list[Signer]:
    """Every key that ever signed a certificate here, the newest first."""
    return list(db.session.scalars(select(Signer).order_by(Signer.id.desc())))


def roots() -> list[x509.Certificate]:
    """The roots that signatures may lead to: today's first, then those of earlier keys."""
    known = [signatory().root]
    for pem in db.session.scalars(select(Signer.root_pem).order_by(Signer.id.desc())):
        root = x509.load_pem_x509_certificate(pem.encode())
        if root not in known:
            known.append(root)
    return known


def without_file() -> list[str]:
    """Certificates that are registered, not drawn, and have no live job: each is a breach."""
    waiting = set(live_subjects(DRAW))
    rows = db.session.execute(
        select(Certificate.id, Certificate.number).where(
            Certificate.state == "registered",
            ~Certificate.changes.any(
                and_(CertificateStatus.confirmed.is_(True), CertificateStatus.status == "revoked")
            ),
        )
    )
    return [
        f"certificates: {number} is registered without a live job"
        for certificate_id, number in rows
        if certificate_id not in waiting
    ]
