"""Registering a firm, admitting its people, keeping its profile, honours and bank account."""

from __future__ import annotations

from datetime import date

from flask import current_app
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from catalogue.accounts.models import User
from catalogue.accounts.operations import create_user, give_role
from catalogue.audit.operations import record
from catalogue.database import db, utc_now
from catalogue.enterprises.cipher import seal, unseal
from catalogue.enterprises.models import (
    GROUNDS,
    MEMBER_ROLES,
    SIZES,
    TIES,
    BankAccount,
    Enterprise,
    Exclusion,
    Honour,
    Membership,
    RelatedParty,
    membership_of,
)
from catalogue.enterprises.rules import (
    MIN_REASON,
    account_digits,
    account_problem,
    same_holder,
)
from catalogue.enterprises.taxonomies import districts, honour_name, honours
from catalogue.errors import Refused
from catalogue.forms import credit_code_problem

MAX_RELATED = 200
HIDDEN_USER_PROBLEM = "这个邮箱不能用来登记。已有账号的请直接登录，或换一个邮箱"


def create_person(email: str, name: str, password: str, role: str) -> User:
    """A new account for somebody of a firm; raises Refused at ``email`` or ``password``.

    What is said about a taken address is the same whoever holds it.
    """
    try:
        with db.session.begin_nested():
            return create_user(email, name, password, {role})
    except IntegrityError as error:
        raise Refused(HIDDEN_USER_PROBLEM, "email", 422) from error
    except Refused as refused:
        if refused.field != "email":
            raise
        raise Refused(HIDDEN_USER_PROBLEM, "email", 422) from refused


def find_enterprise(credit_code: str) -> Enterprise | None:
    """The firm with this 统一社会信用代码, or None."""
    return db.session.scalar(select(Enterprise).where(Enterprise.credit_code == credit_code))


def register_enterprise(credit_code: str, name: str, user: User, role: str) -> Enterprise:
    """Make a firm known, with ``user`` as its first, admitted member.

    Raises Refused at ``credit_code`` when the code is malformed or the firm is known already
    (its second person asks to join), and when ``user`` belongs to a firm.
    """
    if problem := credit_code_problem(credit_code):
        raise Refused(problem, "credit_code", 422)
    _refuse_second_firm(user)
    enterprise = Enterprise(credit_code=credit_code, name=name.strip())
    try:
        with db.session.begin_nested():
            db.session.add(enterprise)
    except IntegrityError as error:
        raise Refused("这个单位已经登记，请申请加入", "credit_code") from error
    now = utc_now()
    db.session.add(
        Membership(
            user_id=user.id,
            enterprise_id=enterprise.id,
            role=role,
            requested_at=now,
            admitted_at=now,
        )
    )
    give_role(user, role, user)
    record(
        "enterprise.register",
        enterprise,
        user,
        credit_code=credit_code,
        person=user.name,
        role=MEMBER_ROLES[role],
    )
    return enterprise


def request_to_join(enterprise: Enterprise, user: User, role: str) -> Membership:
    """Ask a known firm to admit ``user``; nothing is open to the person until it does."""
    _refuse_second_firm(user)
    membership = Membership(
        user_id=user.id, enterprise_id=enterprise.id, role=role, requested_at=utc_now()
    )
    try:
        with db.session.begin_nested():
            db.session.add(membership)
    except IntegrityError as error:
        raise Refused("您已经申请加入一个单位，请先等它答复或撤回申请") from error
    record(
        "enterprise.request_to_join",
        enterprise,
        user,
        person=user.name,
        role=MEMBER_ROLES[role],
    )
    return membership


def _refuse_second_firm(user: User) -> None:
    place = db.session.scalar(select(Membership).where(Membership.user_id == user.id))
    if place is None:
        return
    if place.admitted_at is None:
        raise Refused("您已经申请加入一个单位，请先等它答复或撤回申请")
    raise Refused("您已经是一个单位的成员，一个账号只办一个单位的事")


def admit(membership: Membership, actor: User) -> None:
    """Let the person act for the firm; only an admitted member of the same firm may."""
    _check_admission(membership, actor)
    membership.admitted_at = utc_now()
    give_role(membership.user, membership.role, actor)
    _record_about(membership, "enterprise.admit", actor)


def refuse_request(membership: Membership, actor: User) -> None:
    """Turn the request down; the person may ask elsewhere."""
    _check_admission(membership, actor)
    _record_about(membership, "enterprise.refuse_request", actor)
    db.session.delete(membership)


def withdraw_request(membership: Membership, actor: User) -> None:
    """Take one's own request back while it waits."""
    _lock(membership)
    if membership.user_id != actor.id or membership.admitted_at is not None:
        raise Refused("只能撤回自己还没有得到答复的申请")
    _record_about(membership, "enterprise.withdraw_request", actor)
    db.session.delete(membership)


def _check_admission(membership: Membership, actor: User) -> None:
    _lock(membership)
    if membership.admitted_at is not None:
        raise Refused("这位同事已经是成员")
    place = membership_of(actor)
    if place is None or place.enterprise_id != membership.enterprise_id:
        raise Refused("只有本单位的成员能答复加入申请", status=403)


def _lock(membership: Membership) -> None:
    found = db.session.scalar(
        select(Membership)
        .where(Membership.id == membership.id)
        .with_for_update(of=Membership)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise Refused("这个申请已经答复过或撤回了")


def _record_about(membership: Membership, action: str, actor: User) -> None:
    record(
        action,
        membership.enterprise,
        actor,
        person=membership.user.name,
        role=MEMBER_ROLES[membership.role],
    )


def update_profile(
    enterprise: Enterprise,
    actor: User,
    *,
    name: str | None = None,
    english_name: str | None = None,
    district: str | None = None,
    founded_on: date | None = None,
    size: str | None = None,
    address: str = "",
    contact_name: str = "",
    contact_phone: str = "",
    today: date | None = None,
) -> None:
    """Set the whole profile; ``name`` None keeps the name.

    A new name retires the bank account, whose holder must be the firm. ``today`` bounds the
    founding date. Raises Refused at the field at fault.
    """
    if district is not None and district not in districts():
        raise Refused("请从列表里选所在区", "district", 422)
    if size is not None and size not in SIZES:
        raise Refused("请从列表里选企业规模", "size", 422)
    if founded_on is not None and founded_on > (today or utc_now().date()):
        raise Refused("成立日期不能晚于今天", "founded_on", 422)
    wanted = {
        "name": name or enterprise.name,
        "english_name": english_name or None,
        "district": district,
        "founded_on": founded_on,
        "size": size,
        "address": address,
        "contact_name": contact_name,
        "contact_phone": contact_phone,
    }
    changed = [key for key, value in wanted.items() if getattr(enterprise, key) != value]
    if not changed:
        return
    if "name" in changed:
        _retire_account(enterprise, actor)
    for key in changed:
        setattr(enterprise, key, wanted[key])
    record("enterprise.update_profile", enterprise, actor, changed=changed)


def add_honour(
    enterprise: Enterprise,
    actor: User,
    kind: str,
    granted_on: date,
    expires_on: date | None = None,
) -> Honour:
    """Note a title with its dates (taxonomies.yaml: honours); None never expires."""
    if kind not in honours():
        raise Refused("请从列表里选称号", "kind", 422)
    if expires_on is not None and expires_on < granted_on:
        raise Refused("到期日期不能早于授予日期", "expires_on", 422)
    honour = Honour(
        enterprise_id=enterprise.id, kind=kind, granted_on=granted_on, expires_on=expires_on
    )
    try:
        with db.session.begin_nested():
            db.session.add(honour)
    except IntegrityError as error:
        raise Refused("同一天授予的同一称号已经有了", "kind", 422) from error
    db.session.expire(enterprise, ["honours"])
    record("enterprise.add_honour", enterprise, actor, honour=honour_name(kind))
    return honour


def remove_honour(honour: Honour, actor: User) -> None:
    """Take a title off the profile; the trail keeps that it was there."""
    enterprise = db.session.get_one(Enterprise, honour.enterprise_id)
    record("enterprise.remove_honour", enterprise, actor, honour=honour_name(honour.kind))
    db.session.delete(honour)
    db.session.flush()
    db.session.expire(enterprise, ["honours"])


def add_related_party(
    enterprise: Enterprise, actor: User, credit_code: str, name: str, tie: str
) -> RelatedParty:
    """Note a legal entity tied to the firm; raises Refused at the field at fault.

    The firm itself is always related and is not noted; at most MAX_RELATED.
    """
    if problem := credit_code_problem(credit_code):
        raise Refused(problem, "credit_code", 422)
    if credit_code == enterprise.credit_code:
        raise Refused("本单位自己不用填，核验时总算作关联方", "credit_code", 422)
    if tie not in TIES:
        raise Refused("请从列表里选关联关系", "tie", 422)
    if len(enterprise.related) >= MAX_RELATED:
        raise Refused(f"关联方最多 {MAX_RELATED} 家", status=422)
    party = RelatedParty(
        enterprise_id=enterprise.id, credit_code=credit_code, name=name.strip(), tie=tie
    )
    try:
        with db.session.begin_nested():
            db.session.add(party)
    except IntegrityError as error:
        raise Refused("这家单位已经在关联方里了", "credit_code", 422) from error
    db.session.expire(enterprise, ["related"])
    record("enterprise.add_related_party", enterprise, actor, party=f"{party.name}（{TIES[tie]}）")
    return party


def remove_related_party(party: RelatedParty, actor: User) -> None:
    """Take a tie off the profile; the trail keeps that it was there."""
    enterprise = db.session.get_one(Enterprise, party.enterprise_id)
    record("enterprise.remove_related_party", enterprise, actor, party=party.name)
    db.session.delete(party)
    db.session.flush()
    db.session.expire(enterprise, ["related"])


def exclude(
    enterprise: Enterprise, actor: User, *, since: date, until: date, ground: str, source: str
) -> Exclusion:
    """Ban the firm from applying from ``since`` to ``until``, both days included.

    Only an administrator may, and not over the own firm. Raises Refused at the field at fault.
    """
    _check_administrator(actor, enterprise)
    if until < since:
        raise Refused("截止日不能早于起始日", "until", 422)
    if ground not in GROUNDS:
        raise Refused("请从列表里选事由", "ground", 422)
    exclusion = Exclusion(
        enterprise_id=enterprise.id,
        since=since,
        until=until,
        ground=ground,
        source=_reason(source, "source"),
        decided_by_id=actor.id,
    )
    db.session.add(exclusion)
    db.session.flush()
    db.session.expire(enterprise, ["exclusions"])
    record(
        "enterprise.exclude",
        enterprise,
        actor,
        ban=f"{since} 至 {until}，{GROUNDS[ground]}",
        reason=exclusion.source,
    )
    return exclusion


def lift_exclusion(exclusion: Exclusion, actor: User, reason: str) -> None:
    """End a ban before its day; it stays on the profile with the reason."""
    db.session.refresh(exclusion, with_for_update={"of": Exclusion})
    _check_administrator(actor, exclusion.enterprise)
    if exclusion.lifted_at is not None:
        raise Refused("这条禁止申报已经解除")
    exclusion.lifted_because = _reason(reason, "reason")
    exclusion.lifted_at, exclusion.lifted_by_id = utc_now(), actor.id
    db.session.flush()
    record(
        "enterprise.lift_exclusion",
        exclusion.enterprise,
        actor,
        ban=f"{exclusion.since} 至 {exclusion.until}",
        reason=exclusion.lifted_because,
    )


def _check_administrator(actor: User, enterprise: Enterprise) -> None:
    if not actor.has_role("administrator"):
        raise Refused("只有管理员能决定禁止申报", status=403)
    place = membership_of(actor)
    if place is not None and place.enterprise_id == enterprise.id:
        raise Refused("不能决定自己单位的事", status=403)


def _reason(text: str, field: str) -> str:
    if len(text.strip()) < MIN_REASON:
        raise Refused(f"请写明依据，至少 {MIN_REASON} 个字", field, 422)
    return text.strip()


def set_account(
    enterprise: Enterprise, actor: User, bank_name: str, holder_name: str, number: str
) -> BankAccount:
    """Replace the firm's bank account; the old row is kept, marked with the moment.

    The holder must be the firm itself: money of the public never goes to a third party.
    Raises Refused at ``holder_name`` or ``number``.
    """
    if not same_holder(holder_name, enterprise.name):
        raise Refused(f"开户名须与单位名称一致：{enterprise.name}", "holder_name", 422)
    digits = account_digits(number)
    if problem := account_problem(digits):
        raise Refused(problem, "number", 422)
    _retire_account(enterprise, None)
    account = BankAccount(
        enterprise_id=enterprise.id,
        bank_name=bank_name,
        holder_name=enterprise.name,
        number_encrypted=seal(digits, _key(), enterprise.credit_code),
        first4=digits[:4],
        last4=digits[-4:],
    )
    db.session.add(account)
    db.session.flush()
    db.session.expire(enterprise, ["account"])
    record("enterprise.set_account", enterprise, actor, bank=bank_name, account=account.masked)
    return account


def _retire_account(enterprise: Enterprise, actor: User | None) -> None:
    """Mark the current account as replaced; with ``actor`` that is an act of its own."""
    # Two changes at the same instant queue here, so that one current account remains.
    db.session.execute(
        select(Enterprise.id).where(Enterprise.id == enterprise.id).with_for_update()
    )
    current = db.session.scalar(
        select(BankAccount).where(
            BankAccount.enterprise_id == enterprise.id, BankAccount.replaced_at.is_(None)
        )
    )
    if current is None:
        return
    current.replaced_at = utc_now()
    db.session.flush()
    db.session.expire(enterprise, ["account"])
    if actor is not None:
        record("enterprise.retire_account", enterprise, actor, account=current.masked)


def reveal_account(enterprise: Enterprise, actor: User, reason: str) -> str:
    """The full number of the current account, against a reason that is audited.

    Only for finance and the firm's own members; the caller commits, or the reveal never was.
    """
    place = membership_of(actor)
    own = place is not None and place.enterprise_id == enterprise.id
    if not own and not actor.has_role("finance"):
        raise Refused("只有财务和本单位的成员能查看完整账号", status=403)
    if len(reason.strip()) < MIN_REASON:
        raise Refused(f"请写明查看的原因，至少 {MIN_REASON} 个字", "reason", 422)
    account = enterprise.account
    if account is None:
        raise Refused("这个单位还没有填收款账户")
    number = account_number(account, enterprise)
    record(
        "enterprise.reveal_account",
        enterprise,
        actor,
        account=account.masked,
        reason=reason.strip(),
    )
    return number


def account_number(account: BankAccount, enterprise: Enterprise) -> str:
    """The full number, for a verb that records the reading itself (a payment list does)."""
    return unseal(account.number_encrypted, _key(), enterprise.credit_code)


def _key() -> bytes:
    key: bytes = current_app.config["ACCOUNT_KEY"]
    return key
