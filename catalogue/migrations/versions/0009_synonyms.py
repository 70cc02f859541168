"""Groups of words with one meaning."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FROZEN = """CREATE FUNCTION synonym_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'synonym rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.created_at IS DISTINCT FROM OLD.created_at THEN
    RAISE EXCEPTION 'synonym: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER synonym_frozen BEFORE UPDATE OR DELETE ON synonym
FOR EACH ROW EXECUTE FUNCTION synonym_frozen();"""
THAWED = (
    "DROP TRIGGER IF EXISTS synonym_frozen ON synonym; DROP FUNCTION IF EXISTS synonym_frozen();"
)


def upgrade() -> None:
    """Create the table; its rows are never deleted."""
    op.create_table(
        "synonym",
        sa.Column("words", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("changed_by_id", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "jsonb_typeof(words) = 'array' AND jsonb_array_length(words) BETWEEN 2 AND 12",
            name=op.f("ck_synonym_words"),
        ),
        sa.CheckConstraint("length(note) <= 200", name=op.f("ck_synonym_note")),
        sa.ForeignKeyConstraint(
            ["changed_by_id"], ["account.id"], name=op.f("fk_synonym_changed_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_synonym")),
        sa.UniqueConstraint("words", name=op.f("uq_synonym_words")),
    )
    op.create_index("ix_synonym_changed_by_id", "synonym", ["changed_by_id"])
    op.create_index("ix_synonym_changed_at", "synonym", ["changed_at", "id"])
    op.execute(FROZEN)


def downgrade() -> None:
    """Drop the table; questions are widened no more."""
    op.execute(THAWED)
    op.drop_table("synonym")
