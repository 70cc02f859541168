"""Stored policy versions, which never change, and the rounds that run under them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
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
            "scheme IN ('catalogue','first_set','first_version','first_batch')", name="scheme"
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
