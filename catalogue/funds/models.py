"""Budgets with their ledger, awards with what was frozen at approval, and files handed out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    and_,
    or_,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.database import Keyed, db, frozen_columns, guard, utc_now
from catalogue.documents.models import Document
from catalogue.enterprises.models import BankAccount, Enterprise, enterprise_id_of
from catalogue.funds.rules import free_fen, held_because
from catalogue.policies.models import Policy

STAFF = ("finance", "approver", "administrator")


class Budget(Keyed, db.Model):
    """The money of one scheme in one year, in fen; total = free + reserved + committed + paid."""

    __tablename__ = "budget"
    scheme: Mapped[str]
    year: Mapped[int]
    total_fen: Mapped[int] = mapped_column(default=0)
    reserved_fen: Mapped[int] = mapped_column(default=0)
    committed_fen: Mapped[int] = mapped_column(default=0)
    paid_fen: Mapped[int] = mapped_column(default=0)
    # The total is an assumption of ours, because no public text gave one.
    placeholder: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        UniqueConstraint("scheme", "year"),
        CheckConstraint("year BETWEEN 2000 AND 2100", name="year"),
        CheckConstraint(
            "scheme IN ('first_set','first_version','first_batch',"
            "'insurance_equipment','insurance_material','first_use_risk')",
            name="scheme",
        ),
        CheckConstraint(
            "total_fen >= 0 AND reserved_fen >= 0 AND committed_fen >= 0 AND paid_fen >= 0",
            name="amounts",
        ),
        CheckConstraint("reserved_fen + committed_fen + paid_fen <= total_fen", name="cap"),
    )

    @property
    def free_fen(self) -> int:
        """What can still be reserved, in fen."""
        return free_fen(self.total_fen, self.reserved_fen, self.committed_fen, self.paid_fen)


class Award(Keyed, db.Model):
    """核定金额 of one claim, with the facts frozen when it was approved."""

    __tablename__ = "award"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id), unique=True)
    budget_id: Mapped[int] = mapped_column(ForeignKey(Budget.id))
    policy_id: Mapped[int] = mapped_column(ForeignKey(Policy.id))
    enterprise_id: Mapped[int] = mapped_column(ForeignKey(Enterprise.id))
    amount_fen: Mapped[int]
    state: Mapped[str] = mapped_column(default="reserved")
    worksheet: Mapped[list[Any]]
    # Names as they were at approval: a list made later must show the same firm and product.
    number: Mapped[str] = mapped_column(unique=True)
    firm: Mapped[str]
    credit_code: Mapped[str]
    district: Mapped[str | None]
    product: Mapped[str]
    contracts: Mapped[str]
    policy_version: Mapped[str]
    articles: Mapped[str]
    # The account as it stood when the award was last reserved, committed or given a new one.
    bank_account_id: Mapped[int | None] = mapped_column(ForeignKey(BankAccount.id))
    account_check: Mapped[str] = mapped_column(default="missing")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    committed_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    budget: Mapped[Budget] = relationship(lazy="joined", innerjoin=True)
    account: Mapped[BankAccount | None] = relationship(lazy="joined")
    enterprise: Mapped[Enterprise] = relationship()
    application: Mapped[Application] = relationship()
    __table_args__ = (
        CheckConstraint("amount_fen > 0 AND amount_fen < 1000000000000000", name="amount"),
        CheckConstraint("state IN ('reserved','committed','paid','released')", name="state"),
        CheckConstraint("account_check IN ('matches','mismatch','missing')", name="account_check"),
        CheckConstraint("(bank_account_id IS NULL) = (account_check = 'missing')", name="account"),
        CheckConstraint(
            "state NOT IN ('committed','paid') OR committed_at IS NOT NULL", name="committed"
        ),
        CheckConstraint("state <> 'reserved' OR committed_at IS NULL", name="reserved"),
        CheckConstraint("(state = 'released') = (released_at IS NOT NULL)", name="released"),
        CheckConstraint("jsonb_array_length(worksheet) > 0", name="worksheet"),
        Index("ix_award_list", "budget_id", "state", "amount_fen", "id"),
        Index("ix_award_enterprise", "enterprise_id", "id"),
        Index("ix_award_account", "bank_account_id"),
    )

    @property
    def held_because(self) -> str | None:
        """Why the line is not in the sums of a list, in words; None when it is."""
        return held_because(self.state, self.account_check)

    @hybrid_property
    def held(self) -> bool:
        """Whether the line is left out of the sums of a list."""
        return self.held_because is not None

    @held.inplace.expression
    @classmethod
    def _held_in_sql(cls) -> ColumnElement[bool]:
        # held_because() once more, for sums; a test compares the two over every combination.
        return or_(
            cls.state == "released",
            and_(cls.state != "paid", cls.account_check != "matches"),
        )

    def visible_to(self, user: User) -> bool:
        """The firm that it belongs to, and staff who decide, pay or administer."""
        return user.has_role(*STAFF) or self.enterprise_id == enterprise_id_of(user)


class BudgetEntry(Keyed, db.Model):
    """One booking: by how much each column of a budget moved, in fen. Never changed."""

    __tablename__ = "budget_entry"
    budget_id: Mapped[int] = mapped_column(ForeignKey(Budget.id))
    award_id: Mapped[int | None] = mapped_column(ForeignKey(Award.id))
    kind: Mapped[str]
    total_fen: Mapped[int] = mapped_column(default=0)
    reserved_fen: Mapped[int] = mapped_column(default=0)
    committed_fen: Mapped[int] = mapped_column(default=0)
    paid_fen: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    at: Mapped[datetime] = mapped_column(default=utc_now)
    budget: Mapped[Budget] = relationship()
    award: Mapped[Award | None] = relationship()
    actor: Mapped[User | None] = relationship()
    __table_args__ = (
        CheckConstraint("(kind = 'adjust') = (award_id IS NULL)", name="award"),
        CheckConstraint("kind <> 'adjust' OR reason IS NOT NULL", name="reason"),
        CheckConstraint(
            "CASE kind"
            " WHEN 'adjust' THEN total_fen <> 0 AND reserved_fen = 0 AND committed_fen = 0"
            " WHEN 'reserve' THEN total_fen = 0 AND reserved_fen > 0 AND committed_fen = 0"
            " WHEN 'commit' THEN total_fen = 0 AND committed_fen > 0"
            " AND reserved_fen = -committed_fen"
            " WHEN 'release' THEN total_fen = 0 AND reserved_fen <= 0 AND committed_fen <= 0"
            " AND reserved_fen + committed_fen < 0 AND (reserved_fen = 0 OR committed_fen = 0)"
            " ELSE false END AND paid_fen = 0",
            name="kind",
        ),
        Index("ix_budget_entry_budget", "budget_id", "id"),
        # An award is reserved, committed and released at most once each.
        Index("uq_budget_entry_award", "award_id", "kind", unique=True),
    )

    @property
    def moved_fen(self) -> int:
        """The amount that the booking is about: what it set aside, owed, gave back or adjusted."""
        if self.kind == "commit":
            return self.committed_fen
        return self.total_fen + self.reserved_fen + self.committed_fen


class ListFile(Keyed, db.Model):
    """One subsidy list handed out: what was asked, by whom, and the hash of its bytes.

    A file with masked accounts is kept as a document. A file with full account numbers is never
    kept: its hash is, and the same list gives the same bytes again.
    """

    __tablename__ = "list_file"
    query: Mapped[dict[str, Any]]
    format: Mapped[str]
    full_accounts: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None]
    version: Mapped[int]
    sha256: Mapped[str]
    lines: Mapped[int]
    total_fen: Mapped[int]
    data_changed_at: Mapped[datetime]
    made_by_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    at: Mapped[datetime] = mapped_column(default=utc_now)
    filename: Mapped[str]
    document_id: Mapped[int | None] = mapped_column(ForeignKey(Document.id))
    made_by: Mapped[User] = relationship()
    document: Mapped[Document | None] = relationship()
    __table_args__ = (
        CheckConstraint("format IN ('xlsx','csv')", name="format"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("lines >= 0 AND total_fen >= 0 AND version > 0", name="figures"),
        CheckConstraint("full_accounts = (document_id IS NULL)", name="document"),
        CheckConstraint("full_accounts = (reason IS NOT NULL)", name="reason"),
        Index("ix_list_file_query", "query", "format", "full_accounts", "id"),
    )


frozen_columns(Budget.__table__, ("scheme", "year", "created_at"))
frozen_columns(
    Award.__table__,
    (
        "application_id",
        "budget_id",
        "policy_id",
        "enterprise_id",
        "amount_fen",
        "worksheet",
        "number",
        "firm",
        "credit_code",
        "district",
        "product",
        "contracts",
        "policy_version",
        "articles",
        "created_at",
    ),
)


def _append_only(table: Any) -> None:
    name = f"{table.name}_append_only"
    guard(
        table,
        name,
        f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '{table.name} rows are append-only' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table.name}
FOR EACH ROW EXECUTE FUNCTION {name}();
CREATE TRIGGER {name}_whole BEFORE TRUNCATE ON {table.name}
FOR EACH STATEMENT EXECUTE FUNCTION {name}();""",
        f"""DROP TRIGGER IF EXISTS {name}_whole ON {table.name};
DROP TRIGGER IF EXISTS {name} ON {table.name};
DROP FUNCTION IF EXISTS {name}();""",
    )


_append_only(BudgetEntry.__table__)
_append_only(ListFile.__table__)

# A state only ever moves forward; money that left cannot come back by an update.
guard(
    Award.__table__,
    "award_forward",
    """CREATE FUNCTION award_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'reserved' THEN
      RAISE EXCEPTION 'an award starts as reserved' USING ERRCODE = 'check_violation';
    END IF;
  ELSIF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN
    (('reserved','committed'), ('reserved','released'),
     ('committed','released'), ('committed','paid')) THEN
    RAISE EXCEPTION 'an award does not go from % to %', OLD.state, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER award_forward BEFORE INSERT OR UPDATE ON award
FOR EACH ROW EXECUTE FUNCTION award_forward();""",
    "DROP TRIGGER IF EXISTS award_forward ON award; DROP FUNCTION IF EXISTS award_forward();",
)
