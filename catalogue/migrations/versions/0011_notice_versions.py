"""Notices: versions, corrections by two people, and files that come with an objection.

Notices from before get their one version here, byte for byte what their hash was taken of; its
signature wants the key, so the worker is asked for it (a job per version).
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Name, statement, and how to undo it.
GUARDS = (
    (
        "notice_frozen",
        """CREATE FUNCTION notice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'notice rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.number IS NOT NULL AND NEW.number IS DISTINCT FROM OLD.number) OR (OLD.round_id IS NOT NULL AND NEW.round_id IS DISTINCT FROM OLD.round_id) OR (OLD.published_at IS NOT NULL AND NEW.published_at IS DISTINCT FROM OLD.published_at) OR (OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at) THEN
    RAISE EXCEPTION 'notice: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER notice_frozen BEFORE UPDATE OR DELETE ON notice
FOR EACH ROW EXECUTE FUNCTION notice_frozen();""",
        """DROP TRIGGER IF EXISTS notice_frozen ON notice; DROP FUNCTION IF EXISTS notice_frozen();""",
    ),
    (
        "notice_version_frozen",
        """CREATE FUNCTION notice_version_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'notice_version rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.notice_id IS NOT NULL AND NEW.notice_id IS DISTINCT FROM OLD.notice_id) OR (OLD.version IS NOT NULL AND NEW.version IS DISTINCT FROM OLD.version) OR (OLD.content IS NOT NULL AND NEW.content IS DISTINCT FROM OLD.content) OR (OLD.sha256 IS NOT NULL AND NEW.sha256 IS DISTINCT FROM OLD.sha256) OR (OLD.signature IS NOT NULL AND NEW.signature IS DISTINCT FROM OLD.signature) OR (OLD.certificate IS NOT NULL AND NEW.certificate IS DISTINCT FROM OLD.certificate) OR (OLD.published_at IS NOT NULL AND NEW.published_at IS DISTINCT FROM OLD.published_at) OR (OLD.correction_id IS NOT NULL AND NEW.correction_id IS DISTINCT FROM OLD.correction_id) THEN
    RAISE EXCEPTION 'notice_version: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER notice_version_frozen BEFORE UPDATE OR DELETE ON notice_version
FOR EACH ROW EXECUTE FUNCTION notice_version_frozen();""",
        """DROP TRIGGER IF EXISTS notice_version_frozen ON notice_version; DROP FUNCTION IF EXISTS notice_version_frozen();""",
    ),
    (
        "notice_correction_frozen",
        """CREATE FUNCTION notice_correction_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'notice_correction rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.notice_id IS DISTINCT FROM OLD.notice_id OR NEW.base IS DISTINCT FROM OLD.base OR NEW.changes IS DISTINCT FROM OLD.changes OR NEW.reason IS DISTINCT FROM OLD.reason OR NEW.asked_by_id IS DISTINCT FROM OLD.asked_by_id OR NEW.asked_at IS DISTINCT FROM OLD.asked_at THEN
    RAISE EXCEPTION 'notice_correction: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER notice_correction_frozen BEFORE UPDATE OR DELETE ON notice_correction
FOR EACH ROW EXECUTE FUNCTION notice_correction_frozen();""",
        """DROP TRIGGER IF EXISTS notice_correction_frozen ON notice_correction; DROP FUNCTION IF EXISTS notice_correction_frozen();""",
    ),
    (
        "notice_item_frozen",
        """CREATE FUNCTION notice_item_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'notice_item rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.notice_id IS DISTINCT FROM OLD.notice_id OR NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.position IS DISTINCT FROM OLD.position THEN
    RAISE EXCEPTION 'notice_item: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER notice_item_frozen BEFORE UPDATE OR DELETE ON notice_item
FOR EACH ROW EXECUTE FUNCTION notice_item_frozen();""",
        """DROP TRIGGER IF EXISTS notice_item_frozen ON notice_item; DROP FUNCTION IF EXISTS notice_item_frozen();""",
    ),
    (
        "objection_frozen",
        """CREATE FUNCTION objection_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'objection rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.item_id IS DISTINCT FROM OLD.item_id OR NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.number IS DISTINCT FROM OLD.number OR NEW.receipt_code IS DISTINCT FROM OLD.receipt_code OR NEW.sent_key IS DISTINCT FROM OLD.sent_key OR NEW.ground IS DISTINCT FROM OLD.ground OR NEW.argument IS DISTINCT FROM OLD.argument OR NEW.remedy IS DISTINCT FROM OLD.remedy OR NEW.contact IS DISTINCT FROM OLD.contact OR NEW.filed_at IS DISTINCT FROM OLD.filed_at THEN
    RAISE EXCEPTION 'objection: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER objection_frozen BEFORE UPDATE OR DELETE ON objection
FOR EACH ROW EXECUTE FUNCTION objection_frozen();""",
        """DROP TRIGGER IF EXISTS objection_frozen ON objection; DROP FUNCTION IF EXISTS objection_frozen();""",
    ),
    (
        "objection_file_frozen",
        """CREATE FUNCTION objection_file_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'objection_file rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.objection_id IS DISTINCT FROM OLD.objection_id OR NEW.position IS DISTINCT FROM OLD.position OR NEW.document_id IS DISTINCT FROM OLD.document_id THEN
    RAISE EXCEPTION 'objection_file: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER objection_file_frozen BEFORE UPDATE OR DELETE ON objection_file
FOR EACH ROW EXECUTE FUNCTION objection_file_frozen();""",
        """DROP TRIGGER IF EXISTS objection_file_frozen ON objection_file; DROP FUNCTION IF EXISTS objection_file_frozen();""",
    ),
    (
        "document_frozen",
        """CREATE FUNCTION document_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'document rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.sha256 IS DISTINCT FROM OLD.sha256 OR NEW.media_type IS DISTINCT FROM OLD.media_type OR NEW.size IS DISTINCT FROM OLD.size OR NEW.enterprise_id IS DISTINCT FROM OLD.enterprise_id OR NEW.only_role IS DISTINCT FROM OLD.only_role THEN
    RAISE EXCEPTION 'document: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER document_frozen BEFORE UPDATE OR DELETE ON document
FOR EACH ROW EXECUTE FUNCTION document_frozen();""",
        """DROP TRIGGER IF EXISTS document_frozen ON document; DROP FUNCTION IF EXISTS document_frozen();""",
    ),
    (
        "notice_correction_final",
        """CREATE FUNCTION notice_correction_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'waiting' THEN
    RAISE EXCEPTION 'a decided correction is final' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER notice_correction_final BEFORE UPDATE ON notice_correction
FOR EACH ROW EXECUTE FUNCTION notice_correction_final();""",
        """DROP TRIGGER IF EXISTS notice_correction_final ON notice_correction;
DROP FUNCTION IF EXISTS notice_correction_final();""",
    ),
    (
        "notice_as_published",
        """CREATE FUNCTION notice_as_published() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  which bigint;
  shown notice;
  newest notice_version;
  said jsonb;
BEGIN
  IF TG_TABLE_NAME = 'notice' THEN
    which := NEW.id;
  ELSE
    which := NEW.notice_id;
  END IF;
  SELECT * INTO shown FROM notice WHERE id = which;
  SELECT * INTO newest FROM notice_version WHERE notice_id = which ORDER BY version DESC LIMIT 1;
  said := newest.content::jsonb;
  IF newest.id IS NULL OR shown.version <> newest.version
    OR (shown.number, shown.title, shown.opens_at, shown.closes_at) IS DISTINCT FROM
      (said->>'number', said->>'title', (said->>'opens_at')::timestamptz,
       (said->>'closes_at')::timestamptz) THEN
    RAISE EXCEPTION 'a notice says what its newest version says'
      USING ERRCODE = 'check_violation';
  END IF;
  IF newest.version <> (SELECT count(*) FROM notice_version WHERE notice_id = which)
    OR (newest.version > 1 AND NOT EXISTS (
      SELECT 1 FROM notice_correction WHERE id = newest.correction_id AND notice_id = which
      AND state = 'confirmed' AND base = newest.version - 1)) THEN
    RAISE EXCEPTION 'a version follows the last one by a confirmed correction'
      USING ERRCODE = 'check_violation';
  END IF;
  IF jsonb_array_length(said->'items') <>
      (SELECT count(*) FROM notice_item WHERE notice_id = which)
    OR EXISTS (
      SELECT 1 FROM notice_item i
      LEFT JOIN jsonb_to_recordset(said->'items')
        AS s(position int, product text, model text, firm text, amount_fen bigint)
        ON s.position = i.position
      WHERE i.notice_id = which
        AND (i.name, i.model, i.firm, i.amount_fen)
          IS DISTINCT FROM (s.product, s.model, s.firm, s.amount_fen)) THEN
    RAISE EXCEPTION 'the items of a notice are those of its newest version'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER notice_version_as_published AFTER INSERT ON notice_version
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION notice_as_published();
CREATE CONSTRAINT TRIGGER notice_as_published
AFTER INSERT OR UPDATE OF version, number, title, opens_at, closes_at ON notice
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION notice_as_published();
CREATE CONSTRAINT TRIGGER notice_item_as_published
AFTER UPDATE OF name, model, firm, amount_fen ON notice_item
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION notice_as_published();""",
        """DROP TRIGGER IF EXISTS notice_item_as_published ON notice_item;
DROP TRIGGER IF EXISTS notice_as_published ON notice;
DROP TRIGGER IF EXISTS notice_version_as_published ON notice_version;
DROP FUNCTION IF EXISTS notice_as_published();""",
    ),
)
# What stood before on the tables that were there.
FORMER = (
    (
        "notice_frozen",
        """CREATE FUNCTION notice_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'notice rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.number IS NOT NULL AND NEW.number IS DISTINCT FROM OLD.number) OR (OLD.title IS NOT NULL AND NEW.title IS DISTINCT FROM OLD.title) OR (OLD.round_id IS NOT NULL AND NEW.round_id IS DISTINCT FROM OLD.round_id) OR (OLD.published_at IS NOT NULL AND NEW.published_at IS DISTINCT FROM OLD.published_at) OR (OLD.opens_at IS NOT NULL AND NEW.opens_at IS DISTINCT FROM OLD.opens_at) OR (OLD.closes_at IS NOT NULL AND NEW.closes_at IS DISTINCT FROM OLD.closes_at) OR (OLD.working_days IS NOT NULL AND NEW.working_days IS DISTINCT FROM OLD.working_days) OR (OLD.placeholder IS NOT NULL AND NEW.placeholder IS DISTINCT FROM OLD.placeholder) OR (OLD.counted IS NOT NULL AND NEW.counted IS DISTINCT FROM OLD.counted) OR (OLD.content IS NOT NULL AND NEW.content IS DISTINCT FROM OLD.content) OR (OLD.sha256 IS NOT NULL AND NEW.sha256 IS DISTINCT FROM OLD.sha256) OR (OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at) THEN
    RAISE EXCEPTION 'notice: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER notice_frozen BEFORE UPDATE OR DELETE ON notice
FOR EACH ROW EXECUTE FUNCTION notice_frozen();""",
        """DROP TRIGGER IF EXISTS notice_frozen ON notice; DROP FUNCTION IF EXISTS notice_frozen();""",
    ),
    (
        "notice_item_frozen",
        """CREATE FUNCTION notice_item_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'notice_item rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.notice_id IS DISTINCT FROM OLD.notice_id OR NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.position IS DISTINCT FROM OLD.position OR NEW.name IS DISTINCT FROM OLD.name OR NEW.firm IS DISTINCT FROM OLD.firm OR NEW.model IS DISTINCT FROM OLD.model OR NEW.amount_fen IS DISTINCT FROM OLD.amount_fen THEN
    RAISE EXCEPTION 'notice_item: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER notice_item_frozen BEFORE UPDATE OR DELETE ON notice_item
FOR EACH ROW EXECUTE FUNCTION notice_item_frozen();""",
        """DROP TRIGGER IF EXISTS notice_item_frozen ON notice_item; DROP FUNCTION IF EXISTS notice_item_frozen();""",
    ),
    (
        "objection_frozen",
        """CREATE FUNCTION objection_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'objection rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.item_id IS DISTINCT FROM OLD.item_id OR NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.receipt_code IS DISTINCT FROM OLD.receipt_code OR NEW.ground IS DISTINCT FROM OLD.ground OR NEW.argument IS DISTINCT FROM OLD.argument OR NEW.remedy IS DISTINCT FROM OLD.remedy OR NEW.contact IS DISTINCT FROM OLD.contact OR NEW.filed_at IS DISTINCT FROM OLD.filed_at THEN
    RAISE EXCEPTION 'objection: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER objection_frozen BEFORE UPDATE OR DELETE ON objection
FOR EACH ROW EXECUTE FUNCTION objection_frozen();""",
        """DROP TRIGGER IF EXISTS objection_frozen ON objection; DROP FUNCTION IF EXISTS objection_frozen();""",
    ),
    (
        "document_frozen",
        """CREATE FUNCTION document_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'document rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.sha256 IS DISTINCT FROM OLD.sha256 OR NEW.media_type IS DISTINCT FROM OLD.media_type OR NEW.size IS DISTINCT FROM OLD.size OR NEW.enterprise_id IS DISTINCT FROM OLD.enterprise_id THEN
    RAISE EXCEPTION 'document: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER document_frozen BEFORE UPDATE OR DELETE ON document
FOR EACH ROW EXECUTE FUNCTION document_frozen();""",
        """DROP TRIGGER IF EXISTS document_frozen ON document; DROP FUNCTION IF EXISTS document_frozen();""",
    ),
)


def upgrade() -> None:
    """Make the tables, give every notice its version and every objection its number."""
    for _, _, down in FORMER:
        op.execute(down)
    _make_tables()
    op.add_column("document", sa.Column("only_role", sa.String(), nullable=True))
    op.create_check_constraint(
        op.f("ck_document_only_role"), "document", "only_role IS NULL OR enterprise_id IS NULL"
    )
    op.add_column(
        "notice", sa.Column("version", sa.BigInteger(), nullable=False, server_default="1")
    )
    op.alter_column("notice", "version", server_default=None)
    op.create_check_constraint(op.f("ck_notice_version"), "notice", "version >= 1")
    _keep_versions()
    for name in ("period", "sha256"):
        op.drop_constraint(op.f(f"ck_notice_{name}"), "notice", type_="check")
    op.create_check_constraint(op.f("ck_notice_period"), "notice", "closes_at > opens_at")
    for name in ("working_days", "placeholder", "counted", "content", "sha256"):
        op.drop_column("notice", name)
    _number_objections()
    for _, up, _ in GUARDS:
        op.execute(up)


def _make_tables() -> None:
    op.create_table(
        "notice_correction",
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting','confirmed','declined')", name=op.f("ck_notice_correction_state")
        ),
        sa.CheckConstraint("base >= 1", name=op.f("ck_notice_correction_base")),
        sa.CheckConstraint(
            "length(trim(reason)) BETWEEN 1 AND 500", name=op.f("ck_notice_correction_reason")
        ),
        sa.CheckConstraint(
            "state <> 'confirmed' OR decided_by_id <> asked_by_id",
            name=op.f("ck_notice_correction_second_person"),
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (decided_by_id IS NULL)"
            " AND (state = 'waiting') = (decided_at IS NULL)",
            name=op.f("ck_notice_correction_decided"),
        ),
        sa.CheckConstraint(
            "state <> 'declined' OR length(trim(coalesce(answer, ''))) > 0",
            name=op.f("ck_notice_correction_answer"),
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notice.id"], name=op.f("fk_notice_correction_notice_id")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["account.id"], name=op.f("fk_notice_correction_asked_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["account.id"], name=op.f("fk_notice_correction_decided_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_correction")),
    )
    op.create_index(
        "uq_notice_correction_waiting",
        "notice_correction",
        ["notice_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_notice_correction_notice", "notice_correction", ["notice_id", "id"])
    op.create_index("ix_notice_correction_state", "notice_correction", ["state", "id"])
    op.create_table(
        "notice_version",
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=True),
        sa.Column("certificate", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("correction_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_notice_version_version")),
        sa.CheckConstraint(
            "sha256 = encode(sha256(convert_to(content, 'UTF8')), 'hex')",
            name=op.f("ck_notice_version_sha256"),
        ),
        sa.CheckConstraint(
            "(signature IS NULL) = (certificate IS NULL)", name=op.f("ck_notice_version_signed")
        ),
        sa.CheckConstraint(
            "(version = 1) = (correction_id IS NULL)", name=op.f("ck_notice_version_correction")
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notice.id"], name=op.f("fk_notice_version_notice_id")
        ),
        sa.ForeignKeyConstraint(
            ["correction_id"],
            ["notice_correction.id"],
            name=op.f("fk_notice_version_correction_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_version")),
        sa.UniqueConstraint(
            "notice_id", "version", name=op.f("uq_notice_version_notice_id_version")
        ),
        sa.UniqueConstraint("correction_id", name=op.f("uq_notice_version_correction_id")),
    )
    op.create_index("ix_notice_version_published", "notice_version", ["published_at", "id"])
    op.create_table(
        "objection_file",
        sa.Column("objection_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("position BETWEEN 1 AND 3", name=op.f("ck_objection_file_position")),
        sa.ForeignKeyConstraint(
            ["objection_id"], ["objection.id"], name=op.f("fk_objection_file_objection_id")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_objection_file_document_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objection_file")),
        sa.UniqueConstraint(
            "objection_id", "position", name=op.f("uq_objection_file_objection_id_position")
        ),
        sa.UniqueConstraint("document_id", name=op.f("uq_objection_file_document_id")),
    )


def _keep_versions() -> None:
    """The canonical bytes are made anew from the stored values; the table's check compares."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, content, published_at FROM notice ORDER BY id"))
    for key, content, published_at in rows.all():
        written = json.dumps(
            content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
        )
        connection.execute(
            sa.text(
                "INSERT INTO notice_version (notice_id, version, content, sha256, published_at)"
                " SELECT id, 1, :content, sha256, :at FROM notice WHERE id = :key"
            ),
            {"content": written, "at": published_at, "key": key},
        )
    op.execute(
        "INSERT INTO job (kind, subject_id, state, attempts, fence, created_at, not_before)"
        " SELECT 'sign_notice', id, 'waiting', 0, 0, now(), now() FROM notice_version"
    )


def _number_objections() -> None:
    op.add_column("objection", sa.Column("number", sa.String(), nullable=True))
    op.add_column("objection", sa.Column("sent_key", sa.String(), nullable=True))
    # A decided objection is final, but for this once.
    op.execute("ALTER TABLE objection DISABLE TRIGGER objection_decision")
    op.execute(
        "WITH counted AS (SELECT id, to_char(filed_at AT TIME ZONE 'Asia/Shanghai', 'YYYY') AS year,"
        " row_number() OVER (PARTITION BY to_char(filed_at AT TIME ZONE 'Asia/Shanghai', 'YYYY')"
        " ORDER BY id) AS place FROM objection)"
        " UPDATE objection o SET number = '示范异议〔' || c.year || '〕' || c.place || ' 号'"
        " FROM counted c WHERE c.id = o.id"
    )
    op.execute("ALTER TABLE objection ENABLE TRIGGER objection_decision")
    op.alter_column("objection", "number", nullable=False)
    op.create_check_constraint(
        op.f("ck_objection_number"), "objection", "number ~ '^示范异议〔[0-9]{4}〕[0-9]+ 号$'"
    )
    op.create_unique_constraint(op.f("uq_objection_number"), "objection", ["number"])
    op.create_unique_constraint(op.f("uq_objection_sent_key"), "objection", ["sent_key"])
    op.execute(
        "INSERT INTO number_year (series, year, last)"
        " SELECT '示范异议', substring(number from '〔([0-9]{4})〕')::bigint, count(*)"
        " FROM objection GROUP BY 2"
    )


def downgrade() -> None:
    """Keep only the newest version of each notice, as the one that there ever was."""
    for _, _, down in reversed(GUARDS):
        op.execute(down)
    for name, kind in (
        ("working_days", sa.BigInteger()),
        ("placeholder", sa.Boolean()),
        ("counted", postgresql.JSONB(astext_type=sa.Text())),
        ("content", postgresql.JSONB(astext_type=sa.Text())),
        ("sha256", sa.String()),
    ):
        op.add_column("notice", sa.Column(name, kind, nullable=True))
    op.execute(
        "UPDATE notice n SET content = v.content::jsonb, sha256 = v.sha256,"
        " working_days = (v.content::jsonb->>'working_days')::bigint,"
        " placeholder = (v.content::jsonb->>'placeholder')::boolean,"
        " counted = v.content::jsonb->'counted'"
        " FROM notice_version v WHERE v.notice_id = n.id AND v.version = n.version"
    )
    for name in ("working_days", "placeholder", "counted", "content", "sha256"):
        op.alter_column("notice", name, nullable=False)
    for name in ("version", "period"):
        op.drop_constraint(op.f(f"ck_notice_{name}"), "notice", type_="check")
    op.create_check_constraint(
        op.f("ck_notice_period"), "notice", "working_days > 0 AND closes_at > opens_at"
    )
    op.create_check_constraint(op.f("ck_notice_sha256"), "notice", "sha256 ~ '^[0-9a-f]{64}$'")
    op.drop_column("notice", "version")
    op.execute("DELETE FROM job WHERE kind = 'sign_notice'")
    op.execute("DELETE FROM number_year WHERE series = '示范异议'")
    op.drop_table("objection_file")
    op.drop_table("notice_version")
    op.drop_table("notice_correction")
    for name in ("number", "sent_key"):
        op.drop_column("objection", name)
    op.drop_constraint(op.f("ck_document_only_role"), "document", type_="check")
    op.drop_column("document", "only_role")
    for _, up, _ in FORMER:
        op.execute(up)
