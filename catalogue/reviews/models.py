"""What people decided about an application and its findings, and the sheet of a formal check."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.applications.models import Application, EligibilityReport
from catalogue.database import Keyed, db, frozen_columns, guard, utc_now

OUTCOMES = {
    "pass": "形式审查通过",
    "conclude": "登记专家评审意见",
    "return": "发出补正通知",
    "approve": "审定通过",
    "reject": "不予通过",
    "send_back": "退回形式审查",
}
IN_FORCE = "outcome IN ('pass','conclude','approve') AND set_aside_at IS NULL"


class Verdict(Keyed, db.Model):
    """One person's decision with its reasons; never changed.

    ``set_aside_at`` marks a pass or an experts' conclusion that a later send-back took out of
    force. Four eyes: of the passes, conclusions and approvals in force on one application no two
    are by the same person.
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
    opinion: Mapped[ExpertOpinion | None] = relationship(lazy="joined")
    __table_args__ = (
        CheckConstraint("stage IN ('formal_check','expert_review','committee')", name="stage"),
        CheckConstraint(
            "(stage = 'formal_check' AND outcome IN ('pass','return','reject'))"
            " OR (stage = 'expert_review' AND outcome IN ('conclude','reject','send_back'))"
            " OR (stage = 'committee' AND outcome IN ('approve','reject','send_back'))",
            name="outcome",
        ),
        CheckConstraint(
            "outcome NOT IN ('reject','send_back') OR length(trim(coalesce(reason, ''))) > 0",
            name="reason",
        ),
        CheckConstraint("set_aside_at IS NULL OR outcome IN ('pass','conclude')", name="set_aside"),
        Index(
            "uq_verdict_four_eyes",
            "application_id",
            "officer_id",
            unique=True,
            postgresql_where=text(IN_FORCE),
        ),
        Index(
            "uq_verdict_in_force",
            "application_id",
            "outcome",
            unique=True,
            postgresql_where=text(IN_FORCE),
        ),
        Index("ix_verdict_application", "application_id", "id"),
    )

    @property
    def outcome_label(self) -> str:
        """The outcome in page words."""
        return OUTCOMES[self.outcome]


class ExpertOpinion(db.Model):
    """What the experts said at their meeting: the votes, and a line per criterion.

    Each line holds text, article, recommended and reason. They may recommend only with more
    votes for than against; who abstained is the rest of ``experts``.
    """

    __tablename__ = "expert_opinion"
    verdict_id: Mapped[int] = mapped_column(ForeignKey(Verdict.id), primary_key=True)
    met_on: Mapped[date]
    experts: Mapped[int]
    votes_for: Mapped[int]
    votes_against: Mapped[int]
    recommended: Mapped[bool]
    lines: Mapped[list[Any]]
    __table_args__ = (
        CheckConstraint("experts BETWEEN 1 AND 99", name="experts"),
        CheckConstraint(
            "votes_for >= 0 AND votes_against >= 0 AND votes_for + votes_against <= experts",
            name="votes",
        ),
        CheckConstraint("recommended = (votes_for > votes_against)", name="recommended"),
        CheckConstraint("jsonb_array_length(lines) > 0", name="lines"),
    )

    @property
    def abstained(self) -> int:
        """Experts who voted neither way."""
        return self.experts - self.votes_for - self.votes_against


class Override(Keyed, db.Model):
    """不予采用核验项: a finding that a person asks to set aside, and a second person's answer.

    It counts only once confirmed, and only while a new check finds the same for the rule. It
    never touches the worksheet.
    """

    __tablename__ = "finding_override"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id))
    report_id: Mapped[int] = mapped_column(ForeignKey(EligibilityReport.id))
    rule: Mapped[str]
    result: Mapped[str]
    counts_as: Mapped[str]
    reason: Mapped[str]
    asked_by_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)
    answered_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    answered_at: Mapped[datetime | None]
    confirmed: Mapped[bool | None]
    answer: Mapped[str | None]
    application: Mapped[Application] = relationship()
    report: Mapped[EligibilityReport] = relationship(lazy="joined")
    asked_by: Mapped[User] = relationship(foreign_keys=[asked_by_id], lazy="joined")
    answered_by: Mapped[User | None] = relationship(foreign_keys=[answered_by_id], lazy="joined")
    __table_args__ = (
        CheckConstraint("result IN ('pass','fail','unknown')", name="result"),
        CheckConstraint("counts_as IN ('pass','fail') AND counts_as <> result", name="counts_as"),
        CheckConstraint("length(trim(reason)) > 0", name="reason"),
        CheckConstraint("answered_by_id <> asked_by_id", name="second_person"),
        CheckConstraint(
            "(answered_by_id IS NULL) = (answered_at IS NULL)"
            " AND (answered_by_id IS NULL) = (confirmed IS NULL)",
            name="answered",
        ),
        CheckConstraint(
            "confirmed IS NOT FALSE OR length(trim(coalesce(answer, ''))) > 0", name="refusal"
        ),
        Index(
            "uq_finding_override_open",
            "application_id",
            "rule",
            unique=True,
            postgresql_where=text("answered_at IS NULL"),
        ),
        Index(
            "uq_finding_override_standing",
            "report_id",
            "rule",
            unique=True,
            postgresql_where=text("confirmed IS NOT FALSE"),
        ),
        Index("ix_finding_override_application", "application_id", "id"),
    )


class CheckSheet(db.Model):
    """The judgements of a formal check while it is being made: item key → value, note, field."""

    __tablename__ = "check_sheet"
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id), primary_key=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    lines: Mapped[dict[str, Any]] = mapped_column(default=dict)
    saved_at: Mapped[datetime] = mapped_column(default=utc_now)


frozen_columns(
    ExpertOpinion.__table__,
    ("verdict_id", "met_on", "experts", "votes_for", "votes_against", "recommended", "lines"),
)
guard(
    ExpertOpinion.__table__,
    "expert_opinion_of_conclusion",
    """CREATE FUNCTION expert_opinion_of_conclusion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM verdict WHERE id = NEW.verdict_id AND outcome = 'conclude') THEN
    RAISE EXCEPTION 'an opinion belongs to a conclusion' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER expert_opinion_of_conclusion BEFORE INSERT ON expert_opinion
FOR EACH ROW EXECUTE FUNCTION expert_opinion_of_conclusion();""",
    """DROP TRIGGER IF EXISTS expert_opinion_of_conclusion ON expert_opinion;
DROP FUNCTION IF EXISTS expert_opinion_of_conclusion();""",
)
frozen_columns(
    Override.__table__,
    (
        "application_id",
        "report_id",
        "rule",
        "result",
        "counts_as",
        "reason",
        "asked_by_id",
        "asked_at",
        "answered_by_id",
        "answered_at",
        "confirmed",
        "answer",
    ),
    once_set=True,
)
guard(
    Override.__table__,
    "finding_override_two_people",
    """CREATE FUNCTION finding_override_two_people() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' AND (NEW.answered_at IS NOT NULL OR NEW.answer IS NOT NULL) THEN
    RAISE EXCEPTION 'a finding is set aside by a second person, later'
      USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.answer IS NOT NULL AND NEW.answered_at IS NULL THEN
    RAISE EXCEPTION 'an answer has its person' USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.answered_at IS NOT NULL AND NEW IS DISTINCT FROM OLD THEN
    RAISE EXCEPTION 'an answered override is final' USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'INSERT' AND NOT EXISTS (
      SELECT 1 FROM eligibility_report r, jsonb_array_elements(r.findings) f
      WHERE r.id = NEW.report_id AND r.application_id = NEW.application_id
      AND f ->> 'rule' = NEW.rule AND f ->> 'result' = NEW.result) THEN
    RAISE EXCEPTION 'the report has no such finding' USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (
      SELECT 1 FROM membership m JOIN application a ON a.enterprise_id = m.enterprise_id
      WHERE a.id = NEW.application_id AND m.user_id IN (NEW.asked_by_id, NEW.answered_by_id)) THEN
    RAISE EXCEPTION 'nobody sets aside a finding on their own firm'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER finding_override_two_people BEFORE INSERT OR UPDATE ON finding_override
FOR EACH ROW EXECUTE FUNCTION finding_override_two_people();""",
    """DROP TRIGGER IF EXISTS finding_override_two_people ON finding_override;
DROP FUNCTION IF EXISTS finding_override_two_people();""",
)
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
  IF NEW.outcome IN ('pass', 'approve') AND EXISTS (
      SELECT 1 FROM finding_override
      WHERE application_id = NEW.application_id AND answered_at IS NULL) THEN
    RAISE EXCEPTION 'a finding waits for its second person' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.outcome IN ('conclude', 'approve') AND NOT EXISTS (
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
