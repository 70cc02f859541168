"""The verbs of an application; `advance` is the one door through the table of states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, BinaryIO

from sqlalchemy import select, text

from catalogue.accounts.models import User
from catalogue.applications import drafts, states
from catalogue.applications.facts import facts_of
from catalogue.applications.models import (
    Application,
    Contract,
    Correction,
    EligibilityReport,
    Evidence,
)
from catalogue.audit.log import append
from catalogue.audit.operations import record
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents.models import Document
from catalogue.documents.operations import store
from catalogue.enterprises.models import enterprise_id_of
from catalogue.errors import Refused
from catalogue.jobs import enqueue
from catalogue.policies.models import Round
from catalogue.policies.operations import document_of, keep_record
from catalogue.policies.rules import evaluate
from catalogue.products.models import Product
from catalogue.products.operations import locked_by

MAX_EVIDENCE = 60

Listener = Callable[[Application, User | None, str | None], None]
_listeners: dict[str, list[Listener]] = defaultdict(list)


def when(action: str) -> Callable[[Listener], Listener]:
    """Let a higher room act in the same transaction whenever ``action`` is done."""
    if not states.sources_of(action):
        raise states.UnknownMove(action)

    def listen(listener: Listener) -> Listener:
        if listener not in _listeners[action]:
            _listeners[action].append(listener)
        return listener

    return listen


Remarks = Callable[[Application], dict[str, dict[str, Any]]]
_remarks: list[Remarks] = []


def remarks_on_findings(teller: Remarks) -> Remarks:
    """Decorate the function of a higher room that knows what people did to findings.

    It gives rule → waiting, counts_as, result, reason and at, for whoever reads the finding.
    """
    if teller not in _remarks:
        _remarks.append(teller)
    return teller


def finding_remarks(application: Application) -> dict[str, dict[str, Any]]:
    """Rule → what people did to its finding; shown wherever the finding is."""
    return {rule: said for teller in _remarks for rule, said in teller(application).items()}


def advance(
    application: Application, action: str, actor: User | None, reason: str | None = None
) -> None:
    """Make one move: lock, look up, check, set, record, enqueue, tell the listeners.

    ``actor`` None is the system. Raises Refused when the move is not open to this person or
    from this state, or when a reason is missing.
    """
    db.session.flush()
    db.session.refresh(application, with_for_update={"of": Application})
    try:
        move = states.find(application.state, action, document_of(application.policy).stages)
    except states.UnknownMove as error:
        raise Refused(
            f"这件申报现在是“{application.standing.inside}”，不能这样办。请刷新后再看"
        ) from error
    _check_actor(application, move, actor)
    reason = (reason or "").strip() or None
    if move.needs_reason and reason is None:
        raise Refused("请写明理由", field="reason", status=422)
    now = utc_now()
    application.last_action = action
    application.last_actor_id = actor.id if actor else None
    application.state_since = now
    application.version += 1
    application.state = move.target
    record(
        f"application.{action}",
        application,
        actor,
        source=move.source,
        target=move.target,
        reason=reason,
    )
    if move.job:
        enqueue(move.job, application.id)
    for listener in _listeners[action]:
        listener(application, actor, reason)
    db.session.flush()


def _check_actor(application: Application, move: states.Move, actor: User | None) -> None:
    if actor is None:
        if states.SYSTEM not in move.roles:
            raise Refused("这一步要由人来办", status=403)
        return
    if not actor.has_role(*move.roles):
        raise Refused("这一步不在您的权限内", status=403)
    firm = enterprise_id_of(actor)
    if move.roles == states.APPLICANT or "applicant" in move.roles or "signatory" in move.roles:
        if firm != application.enterprise_id:
            raise Refused("这不是本单位的申报", status=403)
    elif firm is not None and firm == application.enterprise_id:
        raise Refused("不能审查自己单位的申报", status=403)


def open_moves(application: Application, user: User) -> list[states.Move]:
    """The moves that this person may make now; buttons read it."""
    moves = []
    for move in states.moves_from(application.state, user.roles):
        try:
            _check_actor(application, move, user)
        except Refused:
            continue
        moves.append(move)
    return moves


def next_number(series: str, year: int) -> int:
    """The next number of a yearly series; gapless, since the row stays locked until commit."""
    return db.session.execute(
        text(
            "INSERT INTO number_year (series, year, last) VALUES (:series, :year, 1)"
            " ON CONFLICT (series, year) DO UPDATE SET last = number_year.last + 1"
            " RETURNING last"
        ),
        {"series": series, "year": year},
    ).scalar_one()


def start(opened: Round, product: Product, actor: User) -> Application:
    """A new draft; raises Refused when the round is closed or the product already has one."""
    _require_open(opened)
    if product.enterprise_id != enterprise_id_of(actor):
        raise Refused("这不是本单位的产品", field="product", status=403)
    _require_kind(opened, product)
    twin = db.session.scalar(
        select(Application.number).where(
            Application.round_id == opened.id,
            Application.product_id == product.id,
            Application.state.not_in(("withdrawn", "rejected", "revoked")),
        )
    )
    if twin:
        raise Refused(f"这个产品在本批次已有申报 {twin}，请接着办", field="product")
    year = utc_now().astimezone(SHANGHAI).year
    application = Application(
        number=f"SB-{year}-{next_number('SB', year):04d}",
        round=opened,
        policy=opened.policy,
        enterprise=product.enterprise,
        product=product,
        created_by_id=actor.id,
        last_actor_id=actor.id,
        answers={},
    )
    db.session.add(application)
    record("application.start", application, actor, round=opened.id, product=product.id)
    return application


KIND_OF_SCHEME = {
    "first_set": "equipment",
    "first_version": "software",
    "first_batch": "material",
    "insurance_equipment": "equipment",
    "insurance_material": "material",
}
KIND_WORDS = {"equipment": "装备", "software": "软件", "material": "新材料"}


def _require_kind(opened: Round, product: Product) -> None:
    kind = KIND_OF_SCHEME.get(opened.policy.scheme)
    if kind is not None and product.kind != kind:
        raise Refused(f"这个事项只收{KIND_WORDS[kind]}，请另选产品", field="product", status=422)


def _require_open(opened: Round, now: datetime | None = None) -> None:
    now = now or utc_now()
    if now < opened.opens_at:
        raise Refused("本批次还没有开放")
    if now > opened.closes_at:
        raise Refused("本批次已经截止。草稿仍可查看，不能再提交")


def _require_editable(application: Application, actor: User, field: str) -> None:
    if application.enterprise_id != enterprise_id_of(actor):
        raise Refused("这不是本单位的申报", status=403)
    if application.state == "draft":
        return
    correction = application.open_correction
    if application.state == "correcting" and correction is not None:
        if correction.allows(field):
            return
        raise Refused("这一项没有要求补正，不能改动", field=field)
    raise Refused(f"这件申报现在是“{application.standing.inside}”，不能改动内容")


@locked_by
def _held_by_review(product: Product) -> str | None:
    """Why a product may not change: what is under review must stay as it was submitted."""
    held = db.session.scalars(
        select(Application).where(
            Application.product_id == product.id,
            Application.state.not_in(("draft", "signing", "ineligible")),
            Application.state.not_in([s.id for s in states.STATES.values() if s.ended]),
        )
    ).all()
    for application in held:
        correction = application.open_correction
        if application.state == "correcting" and correction and correction.allows("product"):
            continue
        return f"{application.number} 正在审查，产品资料不能改；要改请先撤回申报"
    return None


def save_answers(
    application: Application,
    answers: dict[str, Any],
    actor: User,
    *,
    typed: Mapping[str, str] | None = None,
    seen: str | None = None,
) -> None:
    """Keep answers as given, complete or not; only fields that are open may change.

    ``typed`` is text that is not right yet: it is kept letter by letter, and the answer counts
    as missing. ``seen`` is what the page carried (drafts.seen); raises Conflict when the same
    answers were changed elsewhere since.
    """
    _hold(application)
    typed = typed or {}
    before = answers_content(application)
    stored = {name: before[name] for name in before if name in answers}
    posted = drafts.content(answers, typed)
    fields = _decided(seen, stored, posted)
    changed = sorted(n for n in {*stored, *fields} if stored.get(n) != fields.get(n))
    for name in changed:
        _require_editable(application, actor, f"answers.{name}")
    if not changed:
        return
    values = {name: fields.get(name, {}).get("kept") for name in changed}
    faulty = {n: text for n, text in _typed_answers(application).items() if n not in changed}
    faulty |= {name: fields[name]["typed"] for name in changed if "typed" in fields.get(name, {})}
    application.answers = {**application.answers, **values}
    application.typed = {**application.typed, "answers": faulty}
    application.saved_at = utc_now()
    record("application.save", application, actor, fields=changed)


def answers_content(application: Application) -> dict[str, Any]:
    """The answers as their page shows them; drafts.seen() of it goes with the page."""
    return drafts.content(application.answers, _typed_answers(application))


def _typed_answers(application: Application) -> dict[str, str]:
    return application.typed.get("answers", {})


def _hold(application: Application) -> None:
    """Lock the row, so that two saves come one after the other."""
    db.session.flush()
    db.session.refresh(application, with_for_update={"of": Application})


def _decided(seen: str | None, stored: dict[str, Any], posted: dict[str, Any]) -> dict[str, Any]:
    if seen is None:
        return posted
    merge = drafts.merged(seen, stored, posted)
    if merge.conflicts:
        raise drafts.Conflict(merge.conflicts)
    return merge.fields


def save_contracts(
    application: Application,
    rows: Sequence[dict[str, Any]],
    actor: User,
    *,
    typed: Mapping[int, Mapping[str, str]] | None = None,
    seen: str | None = None,
) -> None:
    """Replace the contracts; each row holds the columns of Contract without keys.

    A row may say its ``position`` on the form. ``typed`` holds the rows that are not right yet,
    by position, letter by letter; they count as missing. ``seen`` is as in save_answers.
    """
    _require_editable(application, actor, "contracts")
    _hold(application)
    posted = contracts_posted(application, rows, typed or {})
    stored = contracts_content(application)
    fields = _decided(seen, stored, posted)
    _require_few_and_distinct(application, fields)
    if fields == stored:
        return
    application.contracts = [
        Contract(position=int(at), **_columns(fields[at]["kept"]))
        for at in sorted(fields, key=int)
        if "kept" in fields[at]
    ]
    application.typed = {
        **application.typed,
        "contracts": {at: row["typed"] for at, row in fields.items() if "typed" in row},
    }
    application.saved_at = utc_now()
    record("application.save", application, actor, fields=["contracts"], count=len(fields))


def contracts_posted(
    application: Application,
    rows: Sequence[dict[str, Any]],
    typed: Mapping[int, Mapping[str, str]],
) -> dict[str, Any]:
    """Rows as a page sends them, in the form of contracts_content.

    What the page did not ask of a contract stays as it is stored.
    """
    stored = {contract.position: contract for contract in application.contracts}
    kept = {}
    for at, row in enumerate(rows, start=1):
        position = row.get("position", at)
        same = stored.get(position)
        if same is not None and same.number == row["number"]:
            row = {**{name: getattr(same, name) for name in ROW_COLUMNS}, **row}
        kept[str(position)] = _plain({n: v for n, v in row.items() if n != "position"})
    return drafts.content(kept, {str(at): dict(row) for at, row in typed.items()})


def _require_few_and_distinct(application: Application, fields: Mapping[str, Any]) -> None:
    wanted = document_of(application.policy).contracts
    most = wanted.max if wanted else 0
    if len(fields) > most:
        raise Refused(f"本事项最多填 {most} 份合同", field="contracts", status=422)
    numbers = [row["kept"]["number"] for row in fields.values() if "kept" in row]
    if len(set(numbers)) != len(numbers):
        raise Refused("合同编号重复了，每份合同只填一次", field="contracts", status=422)


def contracts_content(application: Application) -> dict[str, Any]:
    """The rows of the contracts page by their number; see answers_content."""
    kept = {
        str(contract.position): _plain({name: getattr(contract, name) for name in ROW_COLUMNS})
        for contract in application.contracts
    }
    return drafts.content(kept, application.typed.get("contracts", {}))


ROW_COLUMNS = tuple(
    column.name
    for column in Contract.__table__.columns
    if column.name not in ("id", "application_id", "position")
)
ROW_DAYS = ("signed_on", "invoiced_on", "accepted_on")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A contract's columns as plain JSON, the unset ones left out."""
    plain = {n: v.isoformat() if isinstance(v, date) else v for n, v in row.items()}
    return {name: value for name, value in plain.items() if value not in (None, {})}


def _columns(plain: dict[str, Any]) -> dict[str, Any]:
    return {n: date.fromisoformat(v) if n in ROW_DAYS else v for n, v in plain.items()}


def add_evidence(
    application: Application, material: str, stream: BinaryIO, filename: str, actor: User
) -> tuple[Evidence, str | None]:
    """Attach an uploaded file to a material; the second value notes a file already in use."""
    _require_editable(application, actor, f"material.{material}")
    known = {item.id for item in document_of(application.policy).materials}
    if material not in known:
        raise Refused("本事项不收这种材料", field=material, status=422)
    if len(application.evidence) >= MAX_EVIDENCE:
        raise Refused(f"材料最多 {MAX_EVIDENCE} 件", field=material, status=422)
    document = store(stream, filename, actor, application.enterprise_id, field=material)
    db.session.flush()
    twins = [e for e in application.evidence if e.document_id == document.id]
    if any(e.material == material for e in twins):
        raise Refused("这份文件在这一项里已经有了", field=material, status=422)
    evidence = Evidence(material=material, document=document)
    application.evidence.append(evidence)
    application.saved_at = utc_now()
    record("application.add_evidence", application, actor, material=material, document=document.id)
    return evidence, "这份文件在本申报的另一项里也用了" if twins else None


def reuse_evidence(
    application: Application, material: str, document: Document, actor: User
) -> Evidence:
    """Attach a file that the firm has stored before."""
    _require_editable(application, actor, f"material.{material}")
    if document.enterprise_id != application.enterprise_id:
        raise Refused("这不是本单位的文件", field=material, status=403)
    evidence = Evidence(material=material, document=document)
    application.evidence.append(evidence)
    record("application.add_evidence", application, actor, material=material, document=document.id)
    return evidence


def remove_evidence(application: Application, evidence: Evidence, actor: User) -> None:
    """Take a file out of a material; the stored file itself stays."""
    _require_editable(application, actor, f"material.{evidence.material}")
    application.evidence.remove(evidence)
    application.saved_at = utc_now()
    record(
        "application.remove_evidence",
        application,
        actor,
        material=evidence.material,
        document=evidence.document_id,
    )


def missing_items(application: Application) -> list[dict[str, str]]:
    """What must still be given before submitting: field, label and where it stands."""
    document = document_of(application.policy)
    missing = [
        _missing(f"answers.{answer.id}", answer.label, "answers")
        for answer in document.answers
        if answer.required and application.answers.get(answer.id) in (None, "")
    ]
    missing += [
        _missing(f"answers.{answer.id}", f"{answer.label}（填得不对）", "answers")
        for answer in document.answers
        if answer.id in _typed_answers(application) and not answer.required
    ]
    given = {evidence.material for evidence in application.evidence}
    missing += [
        _missing(f"material.{material.id}", material.name, "materials")
        for material in document.materials
        if material.required and material.id not in given
    ]
    wanted = document.contracts
    if wanted is not None and len(application.contracts) < wanted.min:
        missing.append(_missing("contracts", f"至少 {wanted.min} 份销售合同", "contracts"))
    missing += [
        _missing("contracts", f"合同 {row}（填得不对）", "contracts")
        for row in sorted(application.typed.get("contracts", {}), key=int)
    ]
    return missing


def _missing(field: str, label: str, section: str) -> dict[str, str]:
    return {"field": field, "label": label, "section": section}


def send_for_signing(application: Application, actor: User) -> None:
    """Hand the complete draft to the signatory."""
    _require_complete(application)
    advance(application, "send_for_signing", actor)


def submit(application: Application, actor: User) -> str:
    """Submit within the round's hours and return the receipt number."""
    _require_open(application.round)
    _require_complete(application)
    signs = "signing" in document_of(application.policy).stages
    if signs and application.state == "draft" and not actor.has_role("signatory"):
        raise Refused("本事项要由签章人提交，请先送签章人")
    receipt = application.receipt_number or _new_receipt()
    application.receipt_number = receipt
    application.submitted_at = application.submitted_at or utc_now()
    advance(application, "submit", actor)
    return receipt


def _new_receipt() -> str:
    year = utc_now().astimezone(SHANGHAI).year
    return f"HZ-{year}-{next_number('HZ', year):06d}"


def _require_complete(application: Application) -> None:
    missing = missing_items(application)
    if missing:
        names = "、".join(item["label"] for item in missing[:5])
        more = f"等 {len(missing)} 项" if len(missing) > 5 else ""
        raise Refused(f"还差{names}{more}，补齐后再提交", status=422)


def preview(application: Application) -> Any:
    """The findings and worksheet as they would be if it were submitted now; nothing is kept."""
    return evaluate(
        document_of(application.policy),
        facts_of(application),
        utc_now().astimezone(SHANGHAI).date(),
    )


VERDICT_ACTION = {
    "eligible": "find_eligible",
    "ineligible": "find_ineligible",
    "needs_person": "find_unknown",
}


def check(application_id: int) -> None:
    """The job: evaluate, keep report and signed record, move on. Running twice is harmless."""
    application = db.session.get(Application, application_id)
    if application is None or application.state not in ("submitted", "formal_check"):
        return
    facts = facts_of(application)
    document = document_of(application.policy)
    today = (application.submitted_at or utc_now()).astimezone(SHANGHAI).date()
    report = evaluate(document, facts, today)
    db.session.add(
        EligibilityReport(
            application_id=application.id,
            verdict=report.verdict,
            findings=[asdict(finding) for finding in report.findings],
            worksheet=[asdict(line) for line in report.worksheet],
            amount_fen=report.amount_fen,
            policy_sha256=application.policy.sha256,
        )
    )
    kept = keep_record(application.number, application.policy, facts, report)
    append("decision", application.number, kept.sha256)
    record(
        "application.check",
        application,
        None,
        verdict=report.verdict,
        amount=report.amount_fen,
        record_sha256=kept.sha256,
    )
    if application.state == "submitted":
        advance(application, VERDICT_ACTION[report.verdict], None)


def conclude(application_id: int) -> None:
    """The job after a quiet notice: higher rooms list, certify and award by listening."""
    application = db.session.get(Application, application_id)
    if application is None or application.state != "cleared":
        return
    advance(application, "conclude", None)


def snapshot(application: Application) -> dict[str, Any]:
    """The content as plain values, field by field, for a correction's before and after."""
    contracts = [
        {
            "number": c.number,
            "buyer": c.buyer_name,
            "signed_on": c.signed_on.isoformat(),
            "invoiced_on": c.invoiced_on.isoformat() if c.invoiced_on else None,
            "amount_fen": c.amount_fen,
            "received_fen": c.received_fen,
            "quantity": c.quantity,
            "accepted_on": c.accepted_on.isoformat() if c.accepted_on else None,
            "buyer_district": c.buyer_district,
            "buyer_is_trader": c.buyer_is_trader,
            "details": c.details,
        }
        for c in application.contracts
    ]
    content: dict[str, Any] = {f"answers.{k}": v for k, v in application.answers.items()}
    for evidence in application.evidence:
        content.setdefault(f"material.{evidence.material}", []).append(
            {"document": evidence.document_id, "name": evidence.document.filename}
        )
    product = application.product
    content["product"] = {
        "name": product.name,
        "model": product.model,
        "summary": product.summary,
    }
    return {**content, "contracts": contracts}


def open_correction(
    application: Application, officer: User, items: list[dict[str, str]], due_on: date
) -> Correction:
    """Send the named fields back, all at once (一次性告知); each item: field, label, note."""
    if not items:
        raise Refused("请至少选一处要补正的内容", field="items", status=422)
    told = {item["field"] for earlier in application.corrections for item in earlier.items}
    if application.corrections:
        late = [item["label"] for item in items if item["field"] not in told]
        if late:
            raise Refused(f"{'、'.join(late)}上次没有提出，补正只告知一次", field="items")
    correction = Correction(
        items=items, asked_by_id=officer.id, due_on=due_on, before=snapshot(application)
    )
    application.corrections.append(correction)
    advance(application, "return_for_correction", officer)
    return correction


def correct(application: Application, actor: User) -> None:
    """Return the corrected fields; the officer sees only what changed."""
    correction = application.open_correction
    if correction is None:
        raise Refused("这件申报没有待补正的内容")
    _require_complete(application)
    now = snapshot(application)
    labels = {item["field"]: item["label"] for item in correction.items}
    changes = [
        {"field": f, "label": labels[f], "before": correction.before.get(f), "after": now.get(f)}
        for f in labels
        if correction.before.get(f) != now.get(f)
    ]
    if not changes:
        raise Refused("要补正的内容还没有改动", status=422)
    correction.changes = changes
    correction.returned_at = utc_now()
    advance(application, "correct", actor)


def waiting_without_job() -> list[str]:
    """Applications whose state awaits work that no live job will do."""
    rows = db.session.execute(
        text(
            "SELECT a.number, a.state FROM application a WHERE a.state = ANY(:states)"
            " AND NOT EXISTS (SELECT 1 FROM job j WHERE j.subject_id = a.id"
            " AND j.kind = ANY(:kinds) AND j.state IN ('waiting','leased'))"
        ),
        {
            "states": list(states.AWAITS_JOB),
            "kinds": list(set(states.AWAITS_JOB.values())),
        },
    )
    return [f"applications: {number} is {state} without a live job" for number, state in rows]
