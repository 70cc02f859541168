"""What people decided about an application, and the sheet that a formal check is kept on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.database import Keyed, db, frozen_columns, guard, utc_now

OUTCOMES = {
    "pass": "形式审查通过",
    "return": "发出补正通知",
    "approve": "审定通过",
    "reject": "不予通过",
    "send_back": "退回形式审查",
}


class Verdict(Keyed, db.Model):
    """One person's decision with its reasons; never changed.

    ``set_aside_at`` marks a pass that a later send-back took out of force. Four eyes: of the
    passes and approvals in force on one application no two are by the same person.
    """

    __tablename__ = "verdict"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id))
    stage: Mapped[str]
    officer_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    outcome: Mapped[str]
    reason: Mapped[str | None]
    lines: Mapped[list[Any]] = mapped_column(default=list)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    set_aside_at: Mapped[datetime | None]
    officer: Mapped[User] = relationship(lazy="joined")
    __table_args__ = (
        CheckConstraint("stage IN ('formal_check','committee')", name="stage"),
        CheckConstraint(
            "(stage = 'formal_check' AND outcome IN ('pass','return','reject'))"
            " OR (stage = 'committee' AND outcome IN ('approve','reject','send_back'))",
            name="outcome",
        ),
        CheckConstraint(
            "outcome NOT IN ('reject','send_back') OR length(trim(coalesce(reason, ''))) > 0",
            name="reason",
        ),
        CheckConstraint("set_aside_at IS NULL OR outcome = 'pass'", name="set_aside"),
        Index(
            "uq_verdict_four_eyes",
            "application_id",
            "officer_id",
            unique=True,
            postgresql_where=text("outcome IN ('pass','approve') AND set_aside_at IS NULL"),
        ),
        Index(
            "uq_verdict_in_force",
            "application_id",
            "outcome",
            unique=True,
            postgresql_where=text("outcome IN ('pass','approve') AND set_aside_at IS NULL"),
        ),
        Index("ix_verdict_application", "application_id", "id"),
    )

    @property
    def outcome_label(self) -> str:
        """The outcome in page words."""
        return OUTCOMES[self.outcome]


class CheckSheet(db.Model):
    """The judgements of a formal check while it is being made: item key → value, note, field."""

    __tablename__ = "check_sheet"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id), primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    lines: Mapped[dict[str, Any]] = mapped_column(default=dict)
    saved_at: Mapped[datetime] = mapped_column(default=utc_now)


frozen_columns(
    Verdict.__table__,
    ("application_id", "stage", "officer_id", "outcome", "reason", "lines", "at"),
)
guard(
    Verdict.__table__,
    "verdict_four_eyes",
    """CREATE FUNCTION verdict_four_eyes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.set_aside_at IS NOT NULL AND NEW.set_aside_at IS DISTINCT FROM OLD.set_aside_at THEN
      RAISE EXCEPTION 'a verdict set aside stays so' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF NEW.outcome = 'approve' AND NOT EXISTS (
      SELECT 1 FROM verdict WHERE application_id = NEW.application_id AND outcome = 'pass'
      AND set_aside_at IS NULL AND officer_id <> NEW.officer_id) THEN
    RAISE EXCEPTION 'approval needs a formal check passed by another person'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER verdict_four_eyes BEFORE INSERT OR UPDATE ON verdict
FOR EACH ROW EXECUTE FUNCTION verdict_four_eyes();""",
    """DROP TRIGGER IF EXISTS verdict_four_eyes ON verdict;
DROP FUNCTION IF EXISTS verdict_four_eyes();""",
)
