"""Policy drafts, their back-tests, and publication by a second person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Triggers and functions of the new tables: statement, and its reverse.
GUARDS = (
    (
        """CREATE FUNCTION policy_draft_publication() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'policy_draft rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'draft' THEN
      RAISE EXCEPTION 'policy_draft: begins as a draft' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.state <> 'draft' OR NEW.id <> OLD.id OR NEW.scheme <> OLD.scheme
    OR NEW.author_id <> OLD.author_id OR NEW.created_at <> OLD.created_at
    OR NEW.based_on_id IS DISTINCT FROM OLD.based_on_id THEN
    RAISE EXCEPTION 'policy_draft: a frozen column or a closed draft was changed'
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state = 'published' AND (
    NEW.text <> OLD.text
    OR NOT EXISTS (
      SELECT 1 FROM policy p WHERE p.id = NEW.policy_id AND p.sha256 = NEW.text_sha256
    )
    OR NOT EXISTS (
      SELECT 1 FROM back_test b
      JOIN back_test_opening one ON one.back_test_id = b.id AND one.user_id = NEW.author_id
      JOIN back_test_opening two ON two.back_test_id = b.id AND two.user_id = NEW.published_by_id
      WHERE b.draft_id = NEW.id AND b.state = 'done' AND b.text_sha256 = NEW.text_sha256
    )
  ) THEN
    RAISE EXCEPTION 'policy_draft: its text has no back-test that author and publisher opened'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER policy_draft_publication BEFORE INSERT OR UPDATE OR DELETE ON policy_draft
FOR EACH ROW EXECUTE FUNCTION policy_draft_publication();""",
        """DROP TRIGGER IF EXISTS policy_draft_publication ON policy_draft; DROP FUNCTION IF EXISTS policy_draft_publication();""",
    ),
    (
        """CREATE FUNCTION back_test_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'back_test rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.id IS NOT NULL AND NEW.id IS DISTINCT FROM OLD.id) OR (OLD.draft_id IS NOT NULL AND NEW.draft_id IS DISTINCT FROM OLD.draft_id) OR (OLD.text IS NOT NULL AND NEW.text IS DISTINCT FROM OLD.text) OR (OLD.text_sha256 IS NOT NULL AND NEW.text_sha256 IS DISTINCT FROM OLD.text_sha256) OR (OLD.until_id IS NOT NULL AND NEW.until_id IS DISTINCT FROM OLD.until_id) OR (OLD.total IS NOT NULL AND NEW.total IS DISTINCT FROM OLD.total) OR (OLD.started_by_id IS NOT NULL AND NEW.started_by_id IS DISTINCT FROM OLD.started_by_id) OR (OLD.started_at IS NOT NULL AND NEW.started_at IS DISTINCT FROM OLD.started_at) OR (OLD.finished_at IS NOT NULL AND NEW.finished_at IS DISTINCT FROM OLD.finished_at) OR (OLD.result IS NOT NULL AND NEW.result IS DISTINCT FROM OLD.result) THEN
    RAISE EXCEPTION 'back_test: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER back_test_frozen BEFORE UPDATE OR DELETE ON back_test
FOR EACH ROW EXECUTE FUNCTION back_test_frozen();""",
        """DROP TRIGGER IF EXISTS back_test_frozen ON back_test; DROP FUNCTION IF EXISTS back_test_frozen();""",
    ),
    (
        """CREATE FUNCTION back_test_chunk_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'back_test_chunk rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.id IS NOT NULL AND NEW.id IS DISTINCT FROM OLD.id) OR (OLD.back_test_id IS NOT NULL AND NEW.back_test_id IS DISTINCT FROM OLD.back_test_id) OR (OLD.from_id IS NOT NULL AND NEW.from_id IS DISTINCT FROM OLD.from_id) OR (OLD.to_id IS NOT NULL AND NEW.to_id IS DISTINCT FROM OLD.to_id) OR (OLD.tally IS NOT NULL AND NEW.tally IS DISTINCT FROM OLD.tally) OR (OLD.done_at IS NOT NULL AND NEW.done_at IS DISTINCT FROM OLD.done_at) THEN
    RAISE EXCEPTION 'back_test_chunk: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER back_test_chunk_frozen BEFORE UPDATE OR DELETE ON back_test_chunk
FOR EACH ROW EXECUTE FUNCTION back_test_chunk_frozen();""",
        """DROP TRIGGER IF EXISTS back_test_chunk_frozen ON back_test_chunk; DROP FUNCTION IF EXISTS back_test_chunk_frozen();""",
    ),
    (
        """CREATE FUNCTION back_test_opening_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'back_test_opening rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.id IS DISTINCT FROM OLD.id OR NEW.back_test_id IS DISTINCT FROM OLD.back_test_id OR NEW.user_id IS DISTINCT FROM OLD.user_id OR NEW.opened_at IS DISTINCT FROM OLD.opened_at THEN
    RAISE EXCEPTION 'back_test_opening: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER back_test_opening_frozen BEFORE UPDATE OR DELETE ON back_test_opening
FOR EACH ROW EXECUTE FUNCTION back_test_opening_frozen();""",
        """DROP TRIGGER IF EXISTS back_test_opening_frozen ON back_test_opening; DROP FUNCTION IF EXISTS back_test_opening_frozen();""",
    ),
)
# A version without an end may now be followed by the next one.
OVERLAP = """CREATE FUNCTION policy_no_overlap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7201412);
  IF EXISTS (
    SELECT 1 FROM policy
    WHERE scheme = NEW.scheme
      AND daterange(effective_from, effective_to, '[]')
          && daterange(NEW.effective_from, NEW.effective_to, '[]')
      -- A text without an end holds until the next one begins.
      AND NOT (effective_to IS NULL AND effective_from < NEW.effective_from)
  ) THEN
    RAISE EXCEPTION 'policy: effective ranges of one scheme overlap'
      USING ERRCODE = 'exclusion_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER policy_no_overlap BEFORE INSERT ON policy
FOR EACH ROW EXECUTE FUNCTION policy_no_overlap();"""
OVERLAP_BEFORE = """CREATE FUNCTION policy_no_overlap() RETURNS trigger LANGUAGE plpgsql AS $$
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
FOR EACH ROW EXECUTE FUNCTION policy_no_overlap();"""
NO_OVERLAP = """DROP TRIGGER IF EXISTS policy_no_overlap ON policy; DROP FUNCTION IF EXISTS policy_no_overlap();"""


def upgrade() -> None:
    """Make the tables of the desk, and let an open-ended version be followed."""
    op.create_table(
        "policy_draft",
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("text_sha256", sa.String(), nullable=False),
        sa.Column("based_on_id", sa.BigInteger(), nullable=True),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("policy_id", sa.BigInteger(), nullable=True),
        sa.Column("published_by_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(state = 'draft') = (closed_at IS NULL)", name=op.f("ck_policy_draft_closed")
        ),
        sa.CheckConstraint(
            "(state = 'published') = (policy_id IS NOT NULL) AND (policy_id IS NULL) = (published_by_id IS NULL)",
            name=op.f("ck_policy_draft_published"),
        ),
        sa.CheckConstraint(
            "state IN ('draft','withdrawn','published')", name=op.f("ck_policy_draft_state")
        ),
        sa.CheckConstraint(
            "text_sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex')",
            name=op.f("ck_policy_draft_text_sha256"),
        ),
        sa.CheckConstraint("length(title) BETWEEN 1 AND 80", name=op.f("ck_policy_draft_title")),
        sa.CheckConstraint(
            "octet_length(text) BETWEEN 1 AND 131072", name=op.f("ck_policy_draft_text")
        ),
        sa.CheckConstraint("published_by_id <> author_id", name=op.f("ck_policy_draft_four_eyes")),
        sa.CheckConstraint(
            "version >= 1 AND saved_at >= created_at", name=op.f("ck_policy_draft_version")
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["account.id"], name=op.f("fk_policy_draft_author_id")
        ),
        sa.ForeignKeyConstraint(
            ["based_on_id"], ["policy.id"], name=op.f("fk_policy_draft_based_on_id")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policy.id"], name=op.f("fk_policy_draft_policy_id")
        ),
        sa.ForeignKeyConstraint(
            ["published_by_id"], ["account.id"], name=op.f("fk_policy_draft_published_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_draft")),
        sa.UniqueConstraint("policy_id", name=op.f("uq_policy_draft_policy_id")),
    )
    op.create_index("ix_policy_draft_based_on", "policy_draft", ["based_on_id"], unique=False)
    op.create_index(
        "ix_policy_draft_state", "policy_draft", ["state", "saved_at", "id"], unique=False
    )
    op.create_table(
        "back_test",
        sa.Column("draft_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("text_sha256", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("until_id", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("started_by_id", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(state = 'done') = (result IS NOT NULL)", name=op.f("ck_back_test_result")
        ),
        sa.CheckConstraint(
            "(state IN ('waiting','running')) = (finished_at IS NULL)",
            name=op.f("ck_back_test_finished"),
        ),
        sa.CheckConstraint("state <> 'done' OR done = total", name=op.f("ck_back_test_whole")),
        sa.CheckConstraint(
            "state IN ('waiting','running','done','cancelled','failed')",
            name=op.f("ck_back_test_state"),
        ),
        sa.CheckConstraint(
            "text_sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex')",
            name=op.f("ck_back_test_text_sha256"),
        ),
        sa.CheckConstraint(
            "done BETWEEN 0 AND total AND until_id >= 0", name=op.f("ck_back_test_counts")
        ),
        sa.ForeignKeyConstraint(
            ["draft_id"], ["policy_draft.id"], name=op.f("fk_back_test_draft_id")
        ),
        sa.ForeignKeyConstraint(
            ["started_by_id"], ["account.id"], name=op.f("fk_back_test_started_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_back_test")),
    )
    op.create_index("ix_back_test_draft", "back_test", ["draft_id", "id"], unique=False)
    op.create_index(
        "uq_back_test_live",
        "back_test",
        ["draft_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('waiting','running')"),
    )
    op.create_table(
        "back_test_chunk",
        sa.Column("back_test_id", sa.BigInteger(), nullable=False),
        sa.Column("from_id", sa.BigInteger(), nullable=False),
        sa.Column("to_id", sa.BigInteger(), nullable=False),
        sa.Column("queued", sa.Boolean(), nullable=False),
        sa.Column(
            "tally", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(tally IS NULL) = (done_at IS NULL)", name=op.f("ck_back_test_chunk_done")
        ),
        sa.CheckConstraint("from_id <= to_id", name=op.f("ck_back_test_chunk_range")),
        sa.ForeignKeyConstraint(
            ["back_test_id"], ["back_test.id"], name=op.f("fk_back_test_chunk_back_test_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_back_test_chunk")),
        sa.UniqueConstraint(
            "back_test_id", "from_id", name=op.f("uq_back_test_chunk_back_test_id_from_id")
        ),
    )
    op.create_index(
        "ix_back_test_chunk_left",
        "back_test_chunk",
        ["back_test_id", "id"],
        unique=False,
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_table(
        "back_test_opening",
        sa.Column("back_test_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["back_test_id"], ["back_test.id"], name=op.f("fk_back_test_opening_back_test_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["account.id"], name=op.f("fk_back_test_opening_user_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_back_test_opening")),
        sa.UniqueConstraint(
            "back_test_id", "user_id", name=op.f("uq_back_test_opening_back_test_id_user_id")
        ),
    )
    for up, _ in GUARDS:
        op.execute(up)
    op.execute(NO_OVERLAP)
    op.execute(OVERLAP)


def downgrade() -> None:
    """Drop the tables of the desk; drafts and back-tests are lost."""
    op.execute(NO_OVERLAP)
    op.execute(OVERLAP_BEFORE)
    for _, down in reversed(GUARDS):
        op.execute(down)
    for table in ("back_test_opening", "back_test_chunk", "back_test", "policy_draft"):
        op.drop_table(table)
