"""The daily files of the open data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FROZEN = """CREATE FUNCTION data_file_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'data_file rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.dataset IS DISTINCT FROM OLD.dataset OR NEW.day IS DISTINCT FROM OLD.day OR NEW.kind IS DISTINCT FROM OLD.kind OR NEW.format IS DISTINCT FROM OLD.format OR NEW.since IS DISTINCT FROM OLD.since OR NEW.records IS DISTINCT FROM OLD.records OR NEW.document_id IS DISTINCT FROM OLD.document_id OR NEW.made_at IS DISTINCT FROM OLD.made_at THEN
    RAISE EXCEPTION 'data_file: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER data_file_frozen BEFORE UPDATE OR DELETE ON data_file
FOR EACH ROW EXECUTE FUNCTION data_file_frozen();"""
THAWED = "DROP TRIGGER data_file_frozen ON data_file; DROP FUNCTION data_file_frozen();"


def upgrade() -> None:
    """Create the table and freeze its rows."""
    op.create_table(
        "data_file",
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("kind IN ('whole','changes')", name=op.f("ck_data_file_kind")),
        sa.CheckConstraint("format IN ('jsonl','csv','ocds')", name=op.f("ck_data_file_format")),
        sa.CheckConstraint(
            "(kind = 'changes') = (since IS NOT NULL) AND since < day",
            name=op.f("ck_data_file_since"),
        ),
        sa.CheckConstraint("records >= 0", name=op.f("ck_data_file_records")),
        sa.CheckConstraint("dataset ~ '^[a-z-]{1,40}$'", name=op.f("ck_data_file_dataset")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_data_file_document_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_file")),
        sa.UniqueConstraint("document_id", name=op.f("uq_data_file_document_id")),
        sa.UniqueConstraint(
            "dataset", "day", "kind", "format", name=op.f("uq_data_file_dataset_day_kind_format")
        ),
    )
    op.create_index("ix_data_file_day", "data_file", ["day", "id"])
    op.execute(FROZEN)


def downgrade() -> None:
    """Drop the table; the files themselves stay in the store."""
    op.execute(THAWED)
    op.drop_table("data_file")
