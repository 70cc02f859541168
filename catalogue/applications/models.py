"""An application with its contracts, evidence, findings and corrections."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.applications.states import MOVES, STATES, State
from catalogue.database import Keyed, db, frozen_columns, guard, utc_now
from catalogue.documents.models import Document
from catalogue.enterprises.models import Enterprise, enterprise_id_of
from catalogue.policies.models import Policy, Round
from catalogue.products.models import Product

STATE_LIST = ", ".join(repr(state) for state in STATES)
# What staff may open: whatever has left the firm's own hands.
STAFF_ROLES = ("reviewer", "approver", "finance")
PRIVATE_STATES = ("draft", "signing")


class Application(Keyed, db.Model):
    """One product of one enterprise in one round."""

    __tablename__ = "application"
    number: Mapped[str] = mapped_column(unique=True)
    round_id: Mapped[int] = mapped_column(ForeignKey(Round.id))
    policy_id: Mapped[int] = mapped_column(ForeignKey(Policy.id))
    enterprise_id: Mapped[int] = mapped_column(ForeignKey(Enterprise.id))
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id))
    state: Mapped[str] = mapped_column(default="draft")
    last_action: Mapped[str] = mapped_column(default="start")
    last_actor_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    version: Mapped[int] = mapped_column(default=1)
    state_since: Mapped[datetime] = mapped_column(default=utc_now)
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # What was typed and is not right yet: {"answers": {question: text}, "contracts": [row]}.
    typed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_by_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    saved_at: Mapped[datetime] = mapped_column(default=utc_now)
    submitted_at: Mapped[datetime | None]
    receipt_number: Mapped[str | None] = mapped_column(unique=True)
    round: Mapped[Round] = relationship(lazy="joined")
    policy: Mapped[Policy] = relationship(lazy="joined")
    enterprise: Mapped[Enterprise] = relationship(lazy="joined")
    product: Mapped[Product] = relationship(lazy="joined")
    contracts: Mapped[list[Contract]] = relationship(
        order_by="Contract.position", cascade="all, delete-orphan"
    )
    evidence: Mapped[list[Evidence]] = relationship(
        order_by="Evidence.id", cascade="all, delete-orphan"
    )
    history: Mapped[list[StateChange]] = relationship(order_by="StateChange.id", viewonly=True)
    reports: Mapped[list[EligibilityReport]] = relationship(order_by="EligibilityReport.id.desc()")
    corrections: Mapped[list[Correction]] = relationship(order_by="Correction.id")
    __table_args__ = (
        CheckConstraint(f"state IN ({STATE_LIST})", name="state"),
        CheckConstraint("number ~ '^SB-[0-9]{4}-[0-9]{4,}$'", name="number"),
        CheckConstraint("jsonb_typeof(typed) = 'object'", name="typed"),
        CheckConstraint("(submitted_at IS NULL) = (receipt_number IS NULL)", name="receipt"),
        CheckConstraint(
            "state IN ('draft','signing','withdrawn') OR submitted_at IS NOT NULL",
            name="submitted",
        ),
        Index("ix_application_queue", "state", "state_since", "id"),
        Index("ix_application_enterprise", "enterprise_id", "id"),
        Index("ix_application_product", "product_id"),
        Index("ix_application_round", "round_id", "state"),
        Index(
            "uq_application_live",
            "round_id",
            "product_id",
            unique=True,
            postgresql_where=text("state NOT IN ('withdrawn','rejected','revoked')"),
        ),
    )

    @property
    def scheme(self) -> str:
        """The scheme of its policy."""
        return self.policy.scheme

    @property
    def standing(self) -> State:
        """The state with its names."""
        return STATES[self.state]

    @property
    def report(self) -> EligibilityReport | None:
        """The newest automatic check."""
        return self.reports[0] if self.reports else None

    @property
    def open_correction(self) -> Correction | None:
        """The correction round that waits for the firm, if one does."""
        newest = self.corrections[-1] if self.corrections else None
        return newest if newest is not None and newest.returned_at is None else None

    def visible_to(self, user: User) -> bool:
        """Its own firm always; staff once it has left the firm's hands."""
        if self.enterprise_id == enterprise_id_of(user):
            return True
        return user.has_role(*STAFF_ROLES) and self.submitted_at is not None


class Contract(Keyed, db.Model):
    """A sale that a claim rests on; amounts in fen."""

    __tablename__ = "contract"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id))
    position: Mapped[int]
    number: Mapped[str]
    buyer_name: Mapped[str]
    buyer_credit_code: Mapped[str | None]
    signed_on: Mapped[date]
    invoiced_on: Mapped[date | None]
    amount_fen: Mapped[int]
    received_fen: Mapped[int | None]
    quantity: Mapped[int | None]
    buyer_district: Mapped[str | None]
    buyer_is_trader: Mapped[bool | None]
    accepted_on: Mapped[date | None]
    # The columns that the policy adds, by their id; see PolicyDocument.contracts.
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    __table_args__ = (
        CheckConstraint("amount_fen > 0 AND amount_fen < 1000000000000000", name="amount"),
        CheckConstraint("received_fen IS NULL OR received_fen >= 0", name="received"),
        CheckConstraint("quantity > 0 AND quantity < 1000000000", name="quantity"),
        CheckConstraint("buyer_district ~ '^[0-9]{6}$'", name="buyer_district"),
        CheckConstraint("jsonb_typeof(details) = 'object'", name="details"),
        CheckConstraint("length(number) BETWEEN 1 AND 60", name="number"),
        CheckConstraint("length(buyer_name) BETWEEN 2 AND 100", name="buyer_name"),
        UniqueConstraint("application_id", "position", deferrable=True, initially="DEFERRED"),
        UniqueConstraint("application_id", "number", deferrable=True, initially="DEFERRED"),
        Index("ix_contract_number", "number"),
    )


class Evidence(Keyed, db.Model):
    """A document given for one required material."""

    __tablename__ = "evidence"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id))
    material: Mapped[str]
    document_id: Mapped[int] = mapped_column(ForeignKey(Document.id))
    added_at: Mapped[datetime] = mapped_column(default=utc_now)
    document: Mapped[Document] = relationship(lazy="joined")
    __table_args__ = (
        UniqueConstraint("application_id", "material", "document_id"),
        Index("ix_evidence_document", "document_id"),
    )


class EligibilityReport(Keyed, db.Model):
    """What the machine found, rule by rule; never changed. Its facts: the decision record."""

    __tablename__ = "eligibility_report"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id))
    verdict: Mapped[str]
    findings: Mapped[list[Any]]
    worksheet: Mapped[list[Any]]
    amount_fen: Mapped[int | None]
    policy_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        CheckConstraint("verdict IN ('eligible','ineligible','needs_person')", name="verdict"),
        CheckConstraint("amount_fen IS NULL OR amount_fen >= 0", name="amount"),
        Index("ix_eligibility_report_application", "application_id", "id"),
    )


class FindingCount(db.Model):
    """How often a version's rule was checked, found 不符 and 无法判定; written by the database.

    Each application counts once, with its newest report, under the version of that report.
    """

    __tablename__ = "finding_count"
    policy_id: Mapped[int] = mapped_column(ForeignKey(Policy.id), primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    checks: Mapped[int]
    fails: Mapped[int]
    unknowns: Mapped[int]
    __table_args__ = (
        CheckConstraint(
            "fails >= 0 AND unknowns >= 0 AND fails + unknowns <= checks", name="parts"
        ),
    )


class Correction(Keyed, db.Model):
    """One 补正 round: the fields sent back, all at once, each with the officer's note."""

    __tablename__ = "correction"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id))
    items: Mapped[list[Any]]
    asked_by_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)
    due_on: Mapped[date]
    before: Mapped[dict[str, Any]]
    returned_at: Mapped[datetime | None]
    changes: Mapped[list[Any] | None]
    __table_args__ = (
        CheckConstraint("jsonb_array_length(items) > 0", name="items"),
        Index(
            "uq_correction_open",
            "application_id",
            unique=True,
            postgresql_where=text("returned_at IS NULL"),
        ),
    )

    def allows(self, field: str) -> bool:
        """Whether this field was sent back."""
        return any(item["field"] == field for item in self.items)


class StateChange(Keyed, db.Model):
    """One move of one application, written by the database itself."""

    __tablename__ = "state_change"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id))
    source: Mapped[str | None]
    action: Mapped[str]
    target: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    at: Mapped[datetime]
    __table_args__ = (Index("ix_state_change_application", "application_id", "id"),)


class LifecycleMove(db.Model):
    """states.py, repeated in the database, so that no code path can step around it."""

    __tablename__ = "lifecycle_move"
    source: Mapped[str] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)


class NumberYear(db.Model):
    """The last number given in a year, per series; the row's lock makes numbers gapless."""

    __tablename__ = "number_year"
    series: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int]


frozen_columns(
    EligibilityReport.__table__,
    (
        "id",
        "application_id",
        "verdict",
        "findings",
        "worksheet",
        "amount_fen",
        "policy_sha256",
        "created_at",
    ),
)
guard(
    EligibilityReport.__table__,
    "eligibility_report_counted",
    """CREATE FUNCTION eligibility_report_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- The lock of the audit chain, which every check takes anyway: reports are counted in turn.
  PERFORM pg_advisory_xact_lock(7201411);
  WITH pair AS (
    SELECT max(f.id) AS now, (
      SELECT max(r.id) FROM eligibility_report r
      WHERE r.application_id = f.application_id AND r.id NOT IN (SELECT id FROM fresh)) AS earlier
    FROM fresh f GROUP BY f.application_id
  ), turned AS (
    SELECT now AS id, 1 AS by FROM pair WHERE earlier IS NULL OR earlier < now
    UNION ALL SELECT earlier, -1 FROM pair WHERE earlier < now
  ), moved AS (
    SELECT p.id AS policy_id, x ->> 'rule' AS rule, sum(t.by) AS checks,
      coalesce(sum(t.by) FILTER (WHERE x ->> 'result' = 'fail'), 0) AS fails,
      coalesce(sum(t.by) FILTER (WHERE x ->> 'result' = 'unknown'), 0) AS unknowns
    FROM turned t JOIN eligibility_report r ON r.id = t.id
    JOIN policy p ON p.sha256 = r.policy_sha256, jsonb_array_elements(r.findings) x
    GROUP BY 1, 2
  ), added AS (
    UPDATE finding_count c SET checks = c.checks + m.checks, fails = c.fails + m.fails,
      unknowns = c.unknowns + m.unknowns
    FROM moved m WHERE c.policy_id = m.policy_id AND c.rule = m.rule
  )
  INSERT INTO finding_count (policy_id, rule, checks, fails, unknowns)
  SELECT m.policy_id, m.rule, m.checks, m.fails, m.unknowns FROM moved m
  WHERE NOT EXISTS (
    SELECT 1 FROM finding_count c WHERE c.policy_id = m.policy_id AND c.rule = m.rule);
  RETURN NULL;
END $$;
CREATE TRIGGER eligibility_report_counted AFTER INSERT ON eligibility_report
REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION eligibility_report_counted();""",
    """DROP TRIGGER IF EXISTS eligibility_report_counted ON eligibility_report;
DROP FUNCTION IF EXISTS eligibility_report_counted();""",
)
guard(
    FindingCount.__table__,
    "finding_count_by_reports",
    """CREATE FUNCTION finding_count_by_reports() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'finding_count is counted from the reports' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER finding_count_by_reports BEFORE INSERT OR UPDATE OR DELETE ON finding_count
FOR EACH ROW EXECUTE FUNCTION finding_count_by_reports();""",
    """DROP TRIGGER IF EXISTS finding_count_by_reports ON finding_count;
DROP FUNCTION IF EXISTS finding_count_by_reports();""",
)
_ROWS = ",\n".join(f"('{m.source}', '{m.action}', '{m.target}')" for m in MOVES)
guard(
    LifecycleMove.__table__,
    "lifecycle_move_rows",
    f"INSERT INTO lifecycle_move (source, action, target) VALUES\n{_ROWS};",
    "DELETE FROM lifecycle_move;",
)
guard(
    StateChange.__table__,
    "application_lifecycle",
    """CREATE FUNCTION application_lifecycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'draft' THEN
      RAISE EXCEPTION 'an application starts as draft' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO state_change (application_id, source, action, target, actor_id, at)
    VALUES (NEW.id, NULL, 'start', NEW.state, NEW.created_by_id, NEW.state_since);
    RETURN NEW;
  END IF;
  IF NEW.state = OLD.state THEN
    RETURN NEW;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM lifecycle_move
                 WHERE source = OLD.state AND action = NEW.last_action AND target = NEW.state) THEN
    RAISE EXCEPTION 'no move % from % to %', NEW.last_action, OLD.state, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.version <> OLD.version + 1 THEN
    RAISE EXCEPTION 'a move bumps the version by one' USING ERRCODE = 'check_violation';
  END IF;
  INSERT INTO state_change (application_id, source, action, target, actor_id, at)
  VALUES (NEW.id, OLD.state, NEW.last_action, NEW.state, NEW.last_actor_id, NEW.state_since);
  RETURN NEW;
END $$;
CREATE TRIGGER application_lifecycle AFTER INSERT OR UPDATE ON application
FOR EACH ROW EXECUTE FUNCTION application_lifecycle();""",
    """DROP TRIGGER IF EXISTS application_lifecycle ON application;
DROP FUNCTION IF EXISTS application_lifecycle();""",
)
