"""The legal entity, its people, its honours and its bank account."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.database import Keyed, db, frozen_columns, utc_now
from catalogue.documents.owners import tells_firm

MEMBER_ROLES = {"applicant": "经办人", "signatory": "签章人"}


class Enterprise(Keyed, db.Model):
    """One 申报单位, known by its 统一社会信用代码 (GB 32100-2015)."""

    __tablename__ = "enterprise"
    credit_code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    english_name: Mapped[str | None]
    district: Mapped[str | None]
    founded_on: Mapped[date | None]
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
    __table_args__ = (
        CheckConstraint("credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'", name="credit_code"),
        CheckConstraint("length(name) BETWEEN 2 AND 100", name="name"),
        CheckConstraint("district IS NULL OR district ~ '^[0-9]{6}$'", name="district"),
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
