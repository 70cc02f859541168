"""Findings set aside by two people, and the experts' opinion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Triggers and functions that belong to a table: name, statement, and its reverse.
GUARDS = (
    (
        "expert_opinion_frozen",
        """CREATE FUNCTION expert_opinion_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'expert_opinion rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.verdict_id IS DISTINCT FROM OLD.verdict_id OR NEW.met_on IS DISTINCT FROM OLD.met_on OR NEW.experts IS DISTINCT FROM OLD.experts OR NEW.votes_for IS DISTINCT FROM OLD.votes_for OR NEW.votes_against IS DISTINCT FROM OLD.votes_against OR NEW.recommended IS DISTINCT FROM OLD.recommended OR NEW.lines IS DISTINCT FROM OLD.lines THEN
    RAISE EXCEPTION 'expert_opinion: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER expert_opinion_frozen BEFORE UPDATE OR DELETE ON expert_opinion
FOR EACH ROW EXECUTE FUNCTION expert_opinion_frozen();""",
        """DROP TRIGGER IF EXISTS expert_opinion_frozen ON expert_opinion; DROP FUNCTION IF EXISTS expert_opinion_frozen();""",
    ),
    (
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
    ),
    (
        "finding_override_frozen",
        """CREATE FUNCTION finding_override_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'finding_override rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.application_id IS NOT NULL AND NEW.application_id IS DISTINCT FROM OLD.application_id) OR (OLD.report_id IS NOT NULL AND NEW.report_id IS DISTINCT FROM OLD.report_id) OR (OLD.rule IS NOT NULL AND NEW.rule IS DISTINCT FROM OLD.rule) OR (OLD.result IS NOT NULL AND NEW.result IS DISTINCT FROM OLD.result) OR (OLD.counts_as IS NOT NULL AND NEW.counts_as IS DISTINCT FROM OLD.counts_as) OR (OLD.reason IS NOT NULL AND NEW.reason IS DISTINCT FROM OLD.reason) OR (OLD.asked_by_id IS NOT NULL AND NEW.asked_by_id IS DISTINCT FROM OLD.asked_by_id) OR (OLD.asked_at IS NOT NULL AND NEW.asked_at IS DISTINCT FROM OLD.asked_at) OR (OLD.answered_by_id IS NOT NULL AND NEW.answered_by_id IS DISTINCT FROM OLD.answered_by_id) OR (OLD.answered_at IS NOT NULL AND NEW.answered_at IS DISTINCT FROM OLD.answered_at) OR (OLD.confirmed IS NOT NULL AND NEW.confirmed IS DISTINCT FROM OLD.confirmed) OR (OLD.answer IS NOT NULL AND NEW.answer IS DISTINCT FROM OLD.answer) THEN
    RAISE EXCEPTION 'finding_override: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER finding_override_frozen BEFORE UPDATE OR DELETE ON finding_override
FOR EACH ROW EXECUTE FUNCTION finding_override_frozen();""",
        """DROP TRIGGER IF EXISTS finding_override_frozen ON finding_override; DROP FUNCTION IF EXISTS finding_override_frozen();""",
    ),
    (
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
    ),
)
NEW_EYES = """CREATE OR REPLACE FUNCTION verdict_four_eyes() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$;"""
OLD_EYES = """CREATE OR REPLACE FUNCTION verdict_four_eyes() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$;"""

MOVES = """INSERT INTO lifecycle_move (source, action, target) VALUES
('formal_check', 'pass_formal', 'expert_review'),
('expert_review', 'conclude_review', 'committee'),
('expert_review', 'send_back_to_check', 'formal_check'),
('expert_review', 'reject', 'rejected'),
('expert_review', 'withdraw', 'withdrawn');"""

STAGES = ("'formal_check','committee'", "'formal_check','expert_review','committee'")
OUTCOMES = (
    "(stage = 'formal_check' AND outcome IN ('pass','return','reject'))"
    "{experts} OR (stage = 'committee' AND outcome IN ('approve','reject','send_back'))"
)
EXPERTS = " OR (stage = 'expert_review' AND outcome IN ('conclude','reject','send_back'))"
IN_FORCE = {
    False: "outcome IN ('pass','approve') AND set_aside_at IS NULL",
    True: "outcome IN ('pass','conclude','approve') AND set_aside_at IS NULL",
}
SET_ASIDE = {
    False: "set_aside_at IS NULL OR outcome = 'pass'",
    True: "set_aside_at IS NULL OR outcome IN ('pass','conclude')",
}


def _verdicts(*, experts: bool) -> None:
    """The rules of a verdict, with the experts' stage or without it."""
    checks = {
        "stage": f"stage IN ({STAGES[experts]})",
        "outcome": OUTCOMES.format(experts=EXPERTS if experts else ""),
        "set_aside": SET_ASIDE[experts],
    }
    for name, condition in checks.items():
        op.drop_constraint(op.f(f"ck_verdict_{name}"), "verdict", type_="check")
        op.create_check_constraint(op.f(f"ck_verdict_{name}"), "verdict", condition)
    for name, column in (("four_eyes", "officer_id"), ("in_force", "outcome")):
        op.drop_index(f"uq_verdict_{name}", table_name="verdict")
        op.create_index(
            f"uq_verdict_{name}",
            "verdict",
            ["application_id", column],
            unique=True,
            postgresql_where=sa.text(IN_FORCE[experts]),
        )


def upgrade() -> None:
    """Build it."""
    op.drop_constraint(op.f("pk_lifecycle_move"), "lifecycle_move", type_="primary")
    op.create_primary_key(
        op.f("pk_lifecycle_move"), "lifecycle_move", ["source", "action", "target"]
    )
    op.execute(MOVES)
    _verdicts(experts=True)
    op.create_table(
        "expert_opinion",
        sa.Column("verdict_id", sa.BigInteger(), nullable=False),
        sa.Column("met_on", sa.Date(), nullable=False),
        sa.Column("experts", sa.BigInteger(), nullable=False),
        sa.Column("votes_for", sa.BigInteger(), nullable=False),
        sa.Column("votes_against", sa.BigInteger(), nullable=False),
        sa.Column("recommended", sa.Boolean(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("experts BETWEEN 1 AND 99", name=op.f("ck_expert_opinion_experts")),
        sa.CheckConstraint(
            "votes_for >= 0 AND votes_against >= 0 AND votes_for + votes_against <= experts",
            name=op.f("ck_expert_opinion_votes"),
        ),
        sa.CheckConstraint(
            "recommended = (votes_for > votes_against)", name=op.f("ck_expert_opinion_recommended")
        ),
        sa.CheckConstraint("jsonb_array_length(lines) > 0", name=op.f("ck_expert_opinion_lines")),
        sa.ForeignKeyConstraint(
            ["verdict_id"], ["verdict.id"], name=op.f("fk_expert_opinion_verdict_id")
        ),
        sa.PrimaryKeyConstraint("verdict_id", name=op.f("pk_expert_opinion")),
    )
    op.create_table(
        "finding_override",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("counts_as", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by_id", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "result IN ('pass','fail','unknown')", name=op.f("ck_finding_override_result")
        ),
        sa.CheckConstraint(
            "counts_as IN ('pass','fail') AND counts_as <> result",
            name=op.f("ck_finding_override_counts_as"),
        ),
        sa.CheckConstraint("length(trim(reason)) > 0", name=op.f("ck_finding_override_reason")),
        sa.CheckConstraint(
            "answered_by_id <> asked_by_id", name=op.f("ck_finding_override_second_person")
        ),
        sa.CheckConstraint(
            "(answered_by_id IS NULL) = (answered_at IS NULL)"
            " AND (answered_by_id IS NULL) = (confirmed IS NULL)",
            name=op.f("ck_finding_override_answered"),
        ),
        sa.CheckConstraint(
            "confirmed IS NOT FALSE OR length(trim(coalesce(answer, ''))) > 0",
            name=op.f("ck_finding_override_refusal"),
        ),
        *(
            sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_finding_override_{column}"))
            for column, target in (
                ("application_id", "application.id"),
                ("report_id", "eligibility_report.id"),
                ("asked_by_id", "account.id"),
                ("answered_by_id", "account.id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding_override")),
    )
    op.create_index(
        "uq_finding_override_open",
        "finding_override",
        ["application_id", "rule"],
        unique=True,
        postgresql_where=sa.text("answered_at IS NULL"),
    )
    op.create_index(
        "uq_finding_override_standing",
        "finding_override",
        ["report_id", "rule"],
        unique=True,
        postgresql_where=sa.text("confirmed IS NOT FALSE"),
    )
    op.create_index("ix_finding_override_application", "finding_override", ["application_id", "id"])
    for _, statement, _ in GUARDS:
        op.execute(statement)
    op.execute(NEW_EYES)


def downgrade() -> None:
    """Take it down; verdicts of the experts' stage stand in the way."""
    op.execute(OLD_EYES)
    for _, _, statement in reversed(GUARDS):
        op.execute(statement)
    op.drop_table("finding_override")
    op.drop_table("expert_opinion")
    _verdicts(experts=False)
    op.execute(
        "DELETE FROM lifecycle_move WHERE source = 'expert_review' OR target = 'expert_review'"
    )
    op.drop_constraint(op.f("pk_lifecycle_move"), "lifecycle_move", type_="primary")
    op.create_primary_key(op.f("pk_lifecycle_move"), "lifecycle_move", ["source", "action"])
