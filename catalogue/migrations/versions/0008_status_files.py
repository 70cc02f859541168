"""The signed files of every certificate's status on a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FROZEN = """CREATE FUNCTION status_file_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'status_file rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.day IS DISTINCT FROM OLD.day OR NEW.made_at IS DISTINCT FROM OLD.made_at OR NEW.certificates IS DISTINCT FROM OLD.certificates OR NEW.document_id IS DISTINCT FROM OLD.document_id THEN
    RAISE EXCEPTION 'status_file: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER status_file_frozen BEFORE UPDATE OR DELETE ON status_file
FOR EACH ROW EXECUTE FUNCTION status_file_frozen();"""
THAWED = "DROP TRIGGER status_file_frozen ON status_file; DROP FUNCTION status_file_frozen();"


def upgrade() -> None:
    """Create the table and freeze its rows."""
    op.create_table(
        "status_file",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("certificates", sa.BigInteger(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("certificates >= 0", name=op.f("ck_status_file_certificates")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_status_file_document_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_file")),
        sa.UniqueConstraint("document_id", name=op.f("uq_status_file_document_id")),
    )
    op.create_index("ix_status_file_day", "status_file", ["day", "id"])
    op.execute(FROZEN)


def downgrade() -> None:
    """Drop the table; the files themselves stay in the store."""
    op.execute(THAWED)
    op.drop_table("status_file")
