"""Signed, replayable decision records, and the passes that re-run them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FROZEN = """CREATE FUNCTION decision_record_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'decision_record rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.id IS DISTINCT FROM OLD.id OR NEW.application_number IS DISTINCT FROM OLD.application_number OR NEW.policy_id IS DISTINCT FROM OLD.policy_id OR NEW.scheme IS DISTINCT FROM OLD.scheme OR NEW.verdict IS DISTINCT FROM OLD.verdict OR NEW.amount_fen IS DISTINCT FROM OLD.amount_fen OR NEW.district IS DISTINCT FROM OLD.district OR NEW.firm_size IS DISTINCT FROM OLD.firm_size OR NEW.decided_on IS DISTINCT FROM OLD.decided_on OR NEW.facts IS DISTINCT FROM OLD.facts OR NEW.record IS DISTINCT FROM OLD.record OR NEW.sha256 IS DISTINCT FROM OLD.sha256 OR NEW.signature IS DISTINCT FROM OLD.signature OR NEW.certificate IS DISTINCT FROM OLD.certificate OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
    RAISE EXCEPTION 'decision_record: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER decision_record_frozen BEFORE UPDATE OR DELETE ON decision_record
FOR EACH ROW EXECUTE FUNCTION decision_record_frozen();"""
THAWED = """DROP TRIGGER IF EXISTS decision_record_frozen ON decision_record; DROP FUNCTION IF EXISTS decision_record_frozen();"""


def upgrade() -> None:
    """Make both tables; the facts of a check now stand in its record alone."""
    op.drop_column("eligibility_report", "facts")
    op.create_table(
        "decision_record",
        sa.Column("application_number", sa.String(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("district", sa.String(), nullable=True),
        sa.Column("firm_size", sa.String(), nullable=True),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("record", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "verdict IN ('eligible','ineligible','needs_person')",
            name=op.f("ck_decision_record_verdict"),
        ),
        sa.CheckConstraint(
            "amount_fen IS NULL OR amount_fen >= 0", name=op.f("ck_decision_record_amount")
        ),
        sa.CheckConstraint(
            "length(application_number) BETWEEN 1 AND 40",
            name=op.f("ck_decision_record_application_number"),
        ),
        sa.CheckConstraint(
            "sha256 = encode(sha256(convert_to(record, 'UTF8')), 'hex')",
            name=op.f("ck_decision_record_sha256"),
        ),
        sa.CheckConstraint(
            "length(signature) > 0 AND length(certificate) > 0",
            name=op.f("ck_decision_record_signed"),
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policy.id"], name=op.f("fk_decision_record_policy_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_record")),
    )
    op.create_index("ix_decision_record_scheme", "decision_record", ["scheme", "id"])
    op.create_index(
        "ix_decision_record_application", "decision_record", ["application_number", "id"]
    )
    op.create_index("ix_decision_record_policy", "decision_record", ["policy_id"])
    op.create_index("ix_decision_record_sha256", "decision_record", ["sha256"])
    op.execute(FROZEN)
    op.create_table(
        "replay_run",
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("checked", sa.BigInteger(), nullable=False),
        sa.Column("different", sa.BigInteger(), nullable=False),
        sa.Column("first_different", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "finished_at IS NULL OR finished_at >= started_at", name=op.f("ck_replay_run_finished")
        ),
        sa.CheckConstraint(
            "different BETWEEN 0 AND checked AND last_id >= 0", name=op.f("ck_replay_run_counts")
        ),
        sa.CheckConstraint(
            "jsonb_typeof(first_different) = 'array'"
            " AND (jsonb_array_length(first_different) > 0) = (different > 0)",
            name=op.f("ck_replay_run_first_different"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replay_run")),
    )
    op.create_index(
        "uq_replay_run_open",
        "replay_run",
        [sa.text("(finished_at IS NULL)")],
        unique=True,
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def downgrade() -> None:
    """Drop both tables; the records in them are lost."""
    op.add_column(
        "eligibility_report",
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            server_default=sa.text("'{}'::jsonb"),
        ),
    )
    op.alter_column("eligibility_report", "facts", server_default=None)
    op.drop_table("replay_run")
    op.execute(THAWED)
    op.drop_table("decision_record")
