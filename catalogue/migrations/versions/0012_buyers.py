"""Buyers: frozen searches, and a digest by mail on choice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FROZEN_FROZEN = """CREATE FUNCTION frozen_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'frozen rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.number IS DISTINCT FROM OLD.number OR NEW.owner_id IS DISTINCT FROM OLD.owner_id OR NEW.kind IS DISTINCT FROM OLD.kind OR NEW.purpose IS DISTINCT FROM OLD.purpose OR NEW.content IS DISTINCT FROM OLD.content OR NEW.sha256 IS DISTINCT FROM OLD.sha256 OR NEW.signature IS DISTINCT FROM OLD.signature OR NEW.certificate IS DISTINCT FROM OLD.certificate OR NEW.frozen_at IS DISTINCT FROM OLD.frozen_at THEN
    RAISE EXCEPTION 'frozen: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER frozen_frozen BEFORE UPDATE OR DELETE ON frozen
FOR EACH ROW EXECUTE FUNCTION frozen_frozen();"""
FROZEN_FROZEN_DOWN = (
    "DROP TRIGGER IF EXISTS frozen_frozen ON frozen; DROP FUNCTION IF EXISTS frozen_frozen();"
)
SAVED_SEARCH_FROZEN = """CREATE FUNCTION saved_search_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'saved_search rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.owner_id IS DISTINCT FROM OLD.owner_id OR NEW.address IS DISTINCT FROM OLD.address OR NEW.words IS DISTINCT FROM OLD.words OR NEW.frequency IS DISTINCT FROM OLD.frequency OR NEW.token IS DISTINCT FROM OLD.token OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
    RAISE EXCEPTION 'saved_search: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER saved_search_frozen BEFORE UPDATE OR DELETE ON saved_search
FOR EACH ROW EXECUTE FUNCTION saved_search_frozen();"""
SAVED_SEARCH_FROZEN_DOWN = (
    "DROP TRIGGER IF EXISTS saved_search_frozen ON saved_search;"
    " DROP FUNCTION IF EXISTS saved_search_frozen();"
)
DIGEST_FROZEN = """CREATE FUNCTION digest_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'digest rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.saved_search_id IS DISTINCT FROM OLD.saved_search_id OR NEW.period IS DISTINCT FROM OLD.period OR NEW.changes IS DISTINCT FROM OLD.changes OR NEW.made_at IS DISTINCT FROM OLD.made_at THEN
    RAISE EXCEPTION 'digest: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER digest_frozen BEFORE UPDATE OR DELETE ON digest
FOR EACH ROW EXECUTE FUNCTION digest_frozen();"""
DIGEST_FROZEN_DOWN = (
    "DROP TRIGGER IF EXISTS digest_frozen ON digest; DROP FUNCTION IF EXISTS digest_frozen();"
)
DIGEST_ONCE = """CREATE FUNCTION digest_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state = 'sent' AND NEW.state <> 'sent' THEN
    RAISE EXCEPTION 'a digest is sent once' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER digest_once BEFORE UPDATE ON digest
FOR EACH ROW EXECUTE FUNCTION digest_once();"""
DIGEST_ONCE_DOWN = (
    "DROP TRIGGER IF EXISTS digest_once ON digest; DROP FUNCTION IF EXISTS digest_once();"
)


def upgrade() -> None:
    """Create the tables with their guards."""
    op.create_table(
        "frozen",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "content->>'number' = number AND content->>'kind' = kind",
            name=op.f("ck_frozen_content"),
        ),
        sa.CheckConstraint("kind IN ('search','need','comparison')", name=op.f("ck_frozen_kind")),
        sa.CheckConstraint(
            "number ~ '^XC-[0-9]{4}-[0123456789ABCDEFGHJKMNPQRSTVWXYZ]{12}$'",
            name=op.f("ck_frozen_number"),
        ),
        sa.CheckConstraint("length(purpose) <= 120", name=op.f("ck_frozen_purpose")),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_frozen_sha256")),
        sa.ForeignKeyConstraint(["owner_id"], ["account.id"], name=op.f("fk_frozen_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frozen")),
        sa.UniqueConstraint("number", name=op.f("uq_frozen_number")),
        sa.UniqueConstraint("sha256", name=op.f("uq_frozen_sha256")),
    )
    op.create_index("ix_frozen_owner_id", "frozen", ["owner_id", "id"])
    op.create_table(
        "saved_search",
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("words", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("frequency", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("seen", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("checked_for", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "length(address) BETWEEN 1 AND 4000", name=op.f("ck_saved_search_address")
        ),
        sa.CheckConstraint(
            "ended_at IS NULL OR ended_at >= created_at", name=op.f("ck_saved_search_ended")
        ),
        sa.CheckConstraint(
            "frequency IN ('daily','weekly')", name=op.f("ck_saved_search_frequency")
        ),
        sa.CheckConstraint("length(token) >= 22", name=op.f("ck_saved_search_token")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["account.id"], name=op.f("fk_saved_search_owner_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
        sa.UniqueConstraint("token", name=op.f("uq_saved_search_token")),
    )
    op.create_index(
        "ix_saved_search_due",
        "saved_search",
        ["checked_for"],
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_saved_search_owner_id", "saved_search", ["owner_id", "id"])
    op.create_index(
        "uq_saved_search_live",
        "saved_search",
        ["owner_id", "address"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "digest",
        sa.Column("saved_search_id", sa.BigInteger(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name=op.f("ck_digest_sent")),
        sa.CheckConstraint("state IN ('made','sending','sent')", name=op.f("ck_digest_state")),
        sa.ForeignKeyConstraint(
            ["saved_search_id"], ["saved_search.id"], name=op.f("fk_digest_saved_search_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digest")),
        sa.UniqueConstraint(
            "saved_search_id", "period", name=op.f("uq_digest_saved_search_id_period")
        ),
    )
    op.create_index("ix_digest_made", "digest", ["id"], postgresql_where=sa.text("state = 'made'"))
    op.execute(FROZEN_FROZEN)
    op.execute(SAVED_SEARCH_FROZEN)
    op.execute(DIGEST_FROZEN)
    op.execute(DIGEST_ONCE)


def downgrade() -> None:
    """Drop the tables; what was frozen or saved is lost."""
    op.execute(DIGEST_ONCE_DOWN)
    op.execute(DIGEST_FROZEN_DOWN)
    op.execute(SAVED_SEARCH_FROZEN_DOWN)
    op.execute(FROZEN_FROZEN_DOWN)
    op.drop_table("digest")
    op.drop_table("saved_search")
    op.drop_table("frozen")
