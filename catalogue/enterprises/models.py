"""The legal entity, its people, its honours and its bank account."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.database import Keyed, db, frozen_columns, utc_now
from catalogue.documents.owners import tells_firm

MEMBER_ROLES = {"applicant": "经办人", "signatory": "签章人"}
# 工信部联企业〔2011〕300号: by staff, turnover and assets, per trade; the firm states which.
SIZES = {"large": "大型", "medium": "中型", "small": "小型", "micro": "微型"}
# How another legal entity is tied to the firm, so that a sale to it is not a sale to a stranger.
TIES = {
    "parent": "控股股东或母公司",
    "subsidiary": "控股子公司",
    "sister": "受同一方控制",
    "person": "实际控制人或其近亲属控制",
    "other": "其他关联关系",
}
# A ban names the act behind it (rules.md: 弄虚作假、骗取资金 end the right to apply).
GROUNDS = {
    "fraud": "弄虚作假",
    "misuse": "骗取或挪用资金",
    "objection": "异议查实",
    "credit": "严重失信",
    "other": "其他",
}


class Enterprise(Keyed, db.Model):
    """One 申报单位, known by its 统一社会信用代码 (GB 32100-2015)."""

    __tablename__ = "enterprise"
    credit_code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    english_name: Mapped[str | None]
    district: Mapped[str | None]
    founded_on: Mapped[date | None]
    size: Mapped[str | None]
    address: Mapped[str] = mapped_column(default="")
    contact_name: Mapped[str] = mapped_column(default="")
    contact_phone: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    honours: Mapped[list[Honour]] = relationship(order_by="Honour.id", lazy="selectin")
    account: Mapped[BankAccount | None] = relationship(
        primaryjoin="and_(BankAccount.enterprise_id == Enterprise.id,"
        " BankAccount.replaced_at == None)",
        viewonly=True,
        uselist=False,
    )
    members: Mapped[list[Membership]] = relationship(
        order_by="Membership.id", back_populates="enterprise"
    )
    related: Mapped[list[RelatedParty]] = relationship(order_by="RelatedParty.id")
    exclusions: Mapped[list[Exclusion]] = relationship(
        order_by="Exclusion.id", back_populates="enterprise"
    )
    __table_args__ = (
        CheckConstraint("credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'", name="credit_code"),
        CheckConstraint("length(name) BETWEEN 2 AND 100", name="name"),
        CheckConstraint("district IS NULL OR district ~ '^[0-9]{6}$'", name="district"),
        CheckConstraint("size IN ('large','medium','small','micro')", name="size"),
        CheckConstraint(
            "length(address) <= 200 AND length(contact_name) <= 50 AND length(contact_phone) <= 30",
            name="lengths",
        ),
        Index("ix_enterprise_district", "district"),
    )


class Membership(Keyed, db.Model):
    """A person's place in a firm; ``admitted_at`` None is a request that waits."""

    __tablename__ = "membership"
    user_id: Mapped[int] = mapped_column(ForeignKey("account.id"), unique=True)
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("enterprise.id"))
    role: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(default=utc_now)
    admitted_at: Mapped[datetime | None]
    user: Mapped[User] = relationship(lazy="joined")
    enterprise: Mapped[Enterprise] = relationship(back_populates="members")
    __table_args__ = (
        CheckConstraint("role IN ('applicant','signatory')", name="role"),
        CheckConstraint("admitted_at IS NULL OR admitted_at >= requested_at", name="admitted"),
        Index("ix_membership_enterprise", "enterprise_id"),
    )


class Honour(Keyed, db.Model):
    """A title with its dates (taxonomies.yaml: enterprise_honours)."""

    __tablename__ = "honour"
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("enterprise.id"))
    kind: Mapped[str]
    granted_on: Mapped[date]
    expires_on: Mapped[date | None]
    __table_args__ = (
        CheckConstraint("expires_on IS NULL OR expires_on >= granted_on", name="dates"),
        UniqueConstraint("enterprise_id", "kind", "granted_on"),
    )


class RelatedParty(Keyed, db.Model):
    """关联方: a legal entity tied to the firm; sales to it do not count where a policy says so."""

    __tablename__ = "related_party"
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("enterprise.id"))
    credit_code: Mapped[str]
    name: Mapped[str]
    tie: Mapped[str]
    added_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        CheckConstraint("credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'", name="credit_code"),
        CheckConstraint("length(name) BETWEEN 2 AND 100", name="name"),
        CheckConstraint("tie IN ('parent','subsidiary','sister','person','other')", name="tie"),
        UniqueConstraint("enterprise_id", "credit_code"),
    )


class Exclusion(Keyed, db.Model):
    """禁止申报: the firm may not apply from ``since`` to ``until``, both days included.

    What was decided never changes; lifting it adds who, when and why.
    """

    __tablename__ = "exclusion"
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("enterprise.id"))
    since: Mapped[date]
    until: Mapped[date]
    ground: Mapped[str]
    source: Mapped[str]
    decided_by_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    decided_at: Mapped[datetime] = mapped_column(default=utc_now)
    lifted_at: Mapped[datetime | None]
    lifted_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    lifted_because: Mapped[str | None]
    enterprise: Mapped[Enterprise] = relationship(back_populates="exclusions", lazy="joined")
    __table_args__ = (
        CheckConstraint("until >= since", name="days"),
        CheckConstraint("ground IN ('fraud','misuse','objection','credit','other')", name="ground"),
        CheckConstraint("length(source) BETWEEN 5 AND 500", name="source"),
        CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by_id IS NULL)"
            " AND (lifted_at IS NULL) = (lifted_because IS NULL)"
            " AND (lifted_because IS NULL OR length(lifted_because) BETWEEN 5 AND 500)",
            name="lifted",
        ),
        Index("ix_exclusion_enterprise", "enterprise_id", "since"),
    )

    def standing(self, today: date) -> tuple[str, str]:
        """Kind and words of its tag on ``today``."""
        if self.lifted_at is not None:
            return "plain", "已解除"
        if today < self.since:
            return "waiting", "尚未开始"
        return ("fail", "禁止申报") if today <= self.until else ("plain", "已期满")


class BankAccount(Keyed, db.Model):
    """Where money goes. The number is encrypted; only its ends are readable."""

    __tablename__ = "bank_account"
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("enterprise.id"))
    bank_name: Mapped[str]
    holder_name: Mapped[str]
    number_encrypted: Mapped[str]
    first4: Mapped[str]
    last4: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    replaced_at: Mapped[datetime | None]
    __table_args__ = (
        CheckConstraint("first4 ~ '^[0-9]{4}$' AND last4 ~ '^[0-9]{4}$'", name="ends"),
        CheckConstraint("length(bank_name) BETWEEN 2 AND 100", name="bank_name"),
        CheckConstraint("number_encrypted LIKE 'v1:%'", name="encrypted"),
        CheckConstraint("replaced_at IS NULL OR replaced_at >= created_at", name="replaced"),
        Index(
            "uq_bank_account_current",
            "enterprise_id",
            unique=True,
            postgresql_where=text("replaced_at IS NULL"),
        ),
    )

    @property
    def masked(self) -> str:
        """The number as pages show it."""
        return f"{self.first4} **** {self.last4}"


# A sealed account number opens only under its firm's credit code, and money goes where the row
# said: neither changes, and neither row goes away.
frozen_columns(Enterprise.__table__, ("credit_code",))
frozen_columns(
    BankAccount.__table__,
    ("enterprise_id", "bank_name", "holder_name", "number_encrypted", "first4", "last4"),
)

frozen_columns(
    Exclusion.__table__,
    (
        "enterprise_id",
        "since",
        "until",
        "ground",
        "source",
        "decided_by_id",
        "decided_at",
        "lifted_at",
        "lifted_by_id",
        "lifted_because",
    ),
    once_set=True,
)


def membership_of(user: User) -> Membership | None:
    """The person's admitted place in a firm, or None."""
    if not user.is_authenticated:
        return None
    return db.session.scalar(
        select(Membership).where(Membership.user_id == user.id, Membership.admitted_at.is_not(None))
    )


@tells_firm
def enterprise_id_of(user: User) -> int | None:
    """The firm that the person acts for, or None."""
    membership = membership_of(user)
    return membership.enterprise_id if membership else None
