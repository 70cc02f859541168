"""Stored policy versions, which never change, and the rounds that run under them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.database import Keyed, db, frozen_columns, guard, utc_now


class Policy(Keyed, db.Model):
    """One immutable version of a scheme's rules; ``source`` is its YAML, word for word."""

    __tablename__ = "policy"
    scheme: Mapped[str]
    version: Mapped[str]
    title: Mapped[str]
    effective_from: Mapped[date]
    effective_to: Mapped[date | None]
    source: Mapped[str]
    sha256: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    published_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        UniqueConstraint("scheme", "version"),
        UniqueConstraint("sha256"),
        CheckConstraint(
            "scheme IN ('catalogue','first_set','first_version','first_batch',"
            "'insurance_equipment','insurance_material','first_purchase','first_use_risk')",
            name="scheme",
        ),
        CheckConstraint("effective_to IS NULL OR effective_to >= effective_from", name="effective"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
    )


FROZEN = [
    "id",
    "scheme",
    "version",
    "title",
    "effective_from",
    "effective_to",
    "source",
    "sha256",
    "document",
    "published_at",
]
frozen_columns(Policy.__table__, tuple(FROZEN))

# An exclusion constraint over scheme and range would need btree_gist, which the embedded server
# does not have; so a trigger says it, under a lock that makes two publications take turns.
guard(
    Policy.__table__,
    "policy_no_overlap",
    """CREATE FUNCTION policy_no_overlap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7201412);
  IF EXISTS (
    SELECT 1 FROM policy
    WHERE scheme = NEW.scheme
      AND daterange(effective_from, effective_to, '[]')
          && daterange(NEW.effective_from, NEW.effective_to, '[]')
  ) THEN
    RAISE EXCEPTION 'policy: effective ranges of one scheme overlap'
      USING ERRCODE = 'exclusion_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER policy_no_overlap BEFORE INSERT ON policy
FOR EACH ROW EXECUTE FUNCTION policy_no_overlap();""",
    "DROP TRIGGER IF EXISTS policy_no_overlap ON policy; "
    "DROP FUNCTION IF EXISTS policy_no_overlap();",
)


class Round(Keyed, db.Model):
    """A window in which one policy takes applications; ``batch`` counts within the year."""

    __tablename__ = "round"
    policy_id: Mapped[int] = mapped_column(ForeignKey(Policy.id))
    scheme: Mapped[str]
    title: Mapped[str]
    year: Mapped[int]
    batch: Mapped[int]
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    policy: Mapped[Policy] = relationship(lazy="joined")
    __table_args__ = (
        # The scheme stands here too, because uniqueness is per scheme, not per version.
        UniqueConstraint("scheme", "year", "batch"),
        CheckConstraint("closes_at > opens_at", name="window"),
        CheckConstraint("year BETWEEN 2000 AND 2100", name="year"),
        CheckConstraint("batch BETWEEN 1 AND 99", name="batch"),
        Index("ix_round_closes_at", "closes_at"),
    )


frozen_columns(Round.__table__, ("id", "policy_id", "scheme", "year", "batch"))


class DecisionRecord(Keyed, db.Model):
    """One automatic check, signed: ``record`` is the exact text that was hashed and signed.

    The application is named by its number only, since its room stands above this one. ``facts``
    are those of the record once more, for re-checking many cases without reading their texts.
    ``decided_on`` is the day under which the rules were read.
    """

    __tablename__ = "decision_record"
    application_number: Mapped[str]
    policy_id: Mapped[int] = mapped_column(ForeignKey(Policy.id))
    scheme: Mapped[str]
    verdict: Mapped[str]
    amount_fen: Mapped[int | None]
    district: Mapped[str | None]
    firm_size: Mapped[str | None]
    decided_on: Mapped[date]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    record: Mapped[str]
    sha256: Mapped[str]
    signature: Mapped[str]
    certificate: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        CheckConstraint("verdict IN ('eligible','ineligible','needs_person')", name="verdict"),
        CheckConstraint("amount_fen IS NULL OR amount_fen >= 0", name="amount"),
        CheckConstraint("length(application_number) BETWEEN 1 AND 40", name="application_number"),
        # A text that does not match its hash cannot be stored, whoever writes it.
        CheckConstraint(
            "sha256 = encode(sha256(convert_to(record, 'UTF8')), 'hex')", name="sha256"
        ),
        CheckConstraint("length(signature) > 0 AND length(certificate) > 0", name="signed"),
        Index("ix_decision_record_scheme", "scheme", "id"),
        Index("ix_decision_record_application", "application_number", "id"),
        Index("ix_decision_record_policy", "policy_id"),
        Index("ix_decision_record_sha256", "sha256"),
    )


frozen_columns(
    DecisionRecord.__table__,
    (
        "id",
        "application_number",
        "policy_id",
        "scheme",
        "verdict",
        "amount_fen",
        "district",
        "firm_size",
        "decided_on",
        "facts",
        "record",
        "sha256",
        "signature",
        "certificate",
        "created_at",
    ),
)


class ReplayRun(Keyed, db.Model):
    """One pass over every decision record; ``last_id`` is where it goes on.

    ``first_different`` names the applications whose records came out otherwise, the first few.
    """

    __tablename__ = "replay_run"
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
    last_id: Mapped[int] = mapped_column(default=0)
    checked: Mapped[int] = mapped_column(default=0)
    different: Mapped[int] = mapped_column(default=0)
    first_different: Mapped[list[Any]] = mapped_column(JSONB, default=list)
    __table_args__ = (
        CheckConstraint("finished_at IS NULL OR finished_at >= started_at", name="finished"),
        CheckConstraint("different BETWEEN 0 AND checked AND last_id >= 0", name="counts"),
        CheckConstraint(
            "jsonb_typeof(first_different) = 'array'"
            " AND (jsonb_array_length(first_different) > 0) = (different > 0)",
            name="first_different",
        ),
        # One pass at a time; a pass that was cut short is gone on with, not begun anew.
        Index(
            "uq_replay_run_open",
            text("(finished_at IS NULL)"),
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
    )
