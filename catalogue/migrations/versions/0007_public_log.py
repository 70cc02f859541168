"""The public append-only log: its entries, the nodes of its tree, and its signed checkpoints."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("log_entry", "log_node", "log_checkpoint")
KINDS = "'certificate', 'certificate_status', 'notice', 'decision', 'finance'"

IN_TURN = """CREATE FUNCTION log_entry_in_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.position <> COALESCE((SELECT max(position) + 1 FROM log_entry), 0) THEN
    RAISE EXCEPTION 'log_entry: positions follow one another'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER log_entry_in_turn BEFORE INSERT ON log_entry
FOR EACH ROW EXECUTE FUNCTION log_entry_in_turn();"""


def append_only(table: str) -> str:
    """The triggers that keep a table's rows as they were entered."""
    return f"""CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION {table}_append_only();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only();"""


def upgrade() -> None:
    """Create the tables of the log and what keeps them append-only."""
    op.create_table(
        "log_entry",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("position >= 0", name=op.f("ck_log_entry_position")),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_log_entry_kind")),
        sa.CheckConstraint("length(subject) BETWEEN 1 AND 80", name=op.f("ck_log_entry_subject")),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_log_entry_sha256")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_log_entry")),
        sa.UniqueConstraint(
            "kind", "subject", "sha256", name=op.f("uq_log_entry_kind_subject_sha256")
        ),
    )
    op.create_index("ix_log_entry_subject", "log_entry", ["subject", "position"])
    op.create_index("ix_log_entry_sha256", "log_entry", ["sha256"])
    op.create_table(
        "log_node",
        sa.Column("level", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "level BETWEEN 0 AND 62 AND position >= 0", name=op.f("ck_log_node_place")
        ),
        sa.CheckConstraint("length(digest) = 32", name=op.f("ck_log_node_digest")),
        sa.PrimaryKeyConstraint("level", "position", name=op.f("pk_log_node")),
    )
    op.create_table(
        "log_checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.CheckConstraint("size > 0", name=op.f("ck_log_checkpoint_size")),
        sa.CheckConstraint("root ~ '^[0-9a-f]{64}$'", name=op.f("ck_log_checkpoint_root")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_log_checkpoint")),
    )
    for table in TABLES:
        op.execute(append_only(table))
    op.execute(IN_TURN)


def downgrade() -> None:
    """Drop the log; what was published of it stays with its readers."""
    op.execute("DROP TRIGGER log_entry_in_turn ON log_entry; DROP FUNCTION log_entry_in_turn();")
    for table in reversed(TABLES):
        op.execute(
            f"DROP TRIGGER {table}_no_truncate ON {table};"
            f" DROP TRIGGER {table}_append_only ON {table};"
            f" DROP FUNCTION {table}_append_only();"
        )
        op.drop_table(table)
