"""The dated history of a certificate's status, replacements, and the keys that signed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

CERTIFICATE_FROZEN = """CREATE FUNCTION certificate_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'certificate rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.number IS NOT NULL AND NEW.number IS DISTINCT FROM OLD.number) OR (OLD.application_id IS NOT NULL AND NEW.application_id IS DISTINCT FROM OLD.application_id) OR (OLD.replaces_id IS NOT NULL AND NEW.replaces_id IS DISTINCT FROM OLD.replaces_id) OR (OLD.scheme IS NOT NULL AND NEW.scheme IS DISTINCT FROM OLD.scheme) OR (OLD.token IS NOT NULL AND NEW.token IS DISTINCT FROM OLD.token) OR (OLD.wording IS NOT NULL AND NEW.wording IS DISTINCT FROM OLD.wording) OR (OLD.wording_sha256 IS NOT NULL AND NEW.wording_sha256 IS DISTINCT FROM OLD.wording_sha256) OR (OLD.valid_from IS NOT NULL AND NEW.valid_from IS DISTINCT FROM OLD.valid_from) OR (OLD.valid_until IS NOT NULL AND NEW.valid_until IS DISTINCT FROM OLD.valid_until) OR (OLD.registered_at IS NOT NULL AND NEW.registered_at IS DISTINCT FROM OLD.registered_at) OR (OLD.document_id IS NOT NULL AND NEW.document_id IS DISTINCT FROM OLD.document_id) OR (OLD.file_sha256 IS NOT NULL AND NEW.file_sha256 IS DISTINCT FROM OLD.file_sha256) OR (OLD.issued_at IS NOT NULL AND NEW.issued_at IS DISTINCT FROM OLD.issued_at) THEN
    RAISE EXCEPTION 'certificate: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER certificate_frozen BEFORE UPDATE OR DELETE ON certificate
FOR EACH ROW EXECUTE FUNCTION certificate_frozen();"""
STATUS_FROZEN = """CREATE FUNCTION certificate_status_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'certificate_status rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.certificate_id IS NOT NULL AND NEW.certificate_id IS DISTINCT FROM OLD.certificate_id) OR (OLD.status IS NOT NULL AND NEW.status IS DISTINCT FROM OLD.status) OR (OLD.reason IS NOT NULL AND NEW.reason IS DISTINCT FROM OLD.reason) OR (OLD.words IS NOT NULL AND NEW.words IS DISTINCT FROM OLD.words) OR (OLD.asked_by_id IS NOT NULL AND NEW.asked_by_id IS DISTINCT FROM OLD.asked_by_id) OR (OLD.asked_at IS NOT NULL AND NEW.asked_at IS DISTINCT FROM OLD.asked_at) OR (OLD.answered_by_id IS NOT NULL AND NEW.answered_by_id IS DISTINCT FROM OLD.answered_by_id) OR (OLD.answered_at IS NOT NULL AND NEW.answered_at IS DISTINCT FROM OLD.answered_at) OR (OLD.confirmed IS NOT NULL AND NEW.confirmed IS DISTINCT FROM OLD.confirmed) OR (OLD.answer IS NOT NULL AND NEW.answer IS DISTINCT FROM OLD.answer) THEN
    RAISE EXCEPTION 'certificate_status: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER certificate_status_frozen BEFORE UPDATE OR DELETE ON certificate_status
FOR EACH ROW EXECUTE FUNCTION certificate_status_frozen();"""
STATUS_IN_TURN = """CREATE FUNCTION certificate_status_in_turn() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last certificate_status%ROWTYPE;
BEGIN
  IF TG_OP = 'INSERT' AND NEW.answered_at IS NOT NULL THEN
    RAISE EXCEPTION 'certificate_status: first asked, then answered'
      USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.answered_at IS NOT NULL THEN
    RAISE EXCEPTION 'certificate_status: answered once and for all'
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.confirmed THEN
    SELECT * INTO last FROM certificate_status
     WHERE certificate_id = NEW.certificate_id AND confirmed AND id <> NEW.id
     ORDER BY answered_at DESC, id DESC LIMIT 1;
    IF NEW.answered_at < last.answered_at THEN
      RAISE EXCEPTION 'certificate_status: no change before the last one'
        USING ERRCODE = 'check_violation';
    END IF;
    IF (coalesce(last.status, 'valid'), NEW.status) NOT IN (('valid', 'suspended'),
      ('valid', 'revoked'), ('valid', 'replaced'), ('suspended', 'valid'), ('suspended', 'revoked'))
    THEN
      RAISE EXCEPTION 'certificate_status: % does not follow %', NEW.status, last.status
        USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER certificate_status_in_turn BEFORE INSERT OR UPDATE ON certificate_status
FOR EACH ROW EXECUTE FUNCTION certificate_status_in_turn();"""
REVOKED_BY_TWO = """CREATE FUNCTION application_revoked_by_two() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM certificate WHERE application_id = NEW.id) AND NOT EXISTS (
    SELECT 1 FROM certificate c JOIN certificate_status s ON s.certificate_id = c.id
     WHERE c.application_id = NEW.id AND s.status = 'revoked' AND s.confirmed)
  THEN
    RAISE EXCEPTION 'application: revoked without its certificate'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER application_revoked_by_two AFTER UPDATE OF state ON application
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'revoked')
EXECUTE FUNCTION application_revoked_by_two();"""
SIGNER_FROZEN = """CREATE FUNCTION signer_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'signer rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.fingerprint IS DISTINCT FROM OLD.fingerprint OR NEW.label IS DISTINCT FROM OLD.label OR NEW.pem IS DISTINCT FROM OLD.pem OR NEW.root_pem IS DISTINCT FROM OLD.root_pem OR NEW.valid_from IS DISTINCT FROM OLD.valid_from OR NEW.valid_until IS DISTINCT FROM OLD.valid_until OR NEW.first_used_at IS DISTINCT FROM OLD.first_used_at THEN
    RAISE EXCEPTION 'signer: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER signer_frozen BEFORE UPDATE OR DELETE ON signer
FOR EACH ROW EXECUTE FUNCTION signer_frozen();"""
# As it was: see the first migration.
CERTIFICATE_FROZEN_BEFORE = """CREATE FUNCTION certificate_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'certificate rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.number IS NOT NULL AND NEW.number IS DISTINCT FROM OLD.number) OR (OLD.application_id IS NOT NULL AND NEW.application_id IS DISTINCT FROM OLD.application_id) OR (OLD.scheme IS NOT NULL AND NEW.scheme IS DISTINCT FROM OLD.scheme) OR (OLD.token IS NOT NULL AND NEW.token IS DISTINCT FROM OLD.token) OR (OLD.wording IS NOT NULL AND NEW.wording IS DISTINCT FROM OLD.wording) OR (OLD.wording_sha256 IS NOT NULL AND NEW.wording_sha256 IS DISTINCT FROM OLD.wording_sha256) OR (OLD.valid_from IS NOT NULL AND NEW.valid_from IS DISTINCT FROM OLD.valid_from) OR (OLD.valid_until IS NOT NULL AND NEW.valid_until IS DISTINCT FROM OLD.valid_until) OR (OLD.registered_at IS NOT NULL AND NEW.registered_at IS DISTINCT FROM OLD.registered_at) OR (OLD.document_id IS NOT NULL AND NEW.document_id IS DISTINCT FROM OLD.document_id) OR (OLD.file_sha256 IS NOT NULL AND NEW.file_sha256 IS DISTINCT FROM OLD.file_sha256) OR (OLD.issued_at IS NOT NULL AND NEW.issued_at IS DISTINCT FROM OLD.issued_at) OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at) OR (OLD.revoked_reason IS NOT NULL AND NEW.revoked_reason IS DISTINCT FROM OLD.revoked_reason) THEN
    RAISE EXCEPTION 'certificate: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER certificate_frozen BEFORE UPDATE OR DELETE ON certificate
FOR EACH ROW EXECUTE FUNCTION certificate_frozen();"""

# Who revoked before there were two: the one person stands as both, which only old rows may.
TAKE_OVER = """INSERT INTO certificate_status
  (certificate_id, status, reason, asked_by_id, asked_at, answered_by_id, answered_at, confirmed)
SELECT c.id, 'revoked', c.revoked_reason, who.id, c.revoked_at, who.id, c.revoked_at, true
FROM certificate c JOIN application a ON a.id = c.application_id,
LATERAL (SELECT coalesce(a.last_actor_id, (SELECT actor_id FROM audit_event
  WHERE action = 'certificate.revoke' AND subject_id = c.id AND actor_id IS NOT NULL LIMIT 1),
  (SELECT min(user_id) FROM account_role WHERE role = 'approver')) AS id) who
WHERE c.state = 'revoked'"""


def upgrade() -> None:
    """Create history and signers; a revocation of before becomes the first entry of its history."""
    op.create_table(
        "signer",
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("pem", sa.String(), nullable=False),
        sa.Column("root_pem", sa.String(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("fingerprint ~ '^[0-9a-f]{64}$'", name=op.f("ck_signer_fingerprint")),
        sa.CheckConstraint("valid_until > valid_from", name=op.f("ck_signer_validity")),
        sa.CheckConstraint(
            "pem !~ 'PRIVATE' AND root_pem !~ 'PRIVATE'", name=op.f("ck_signer_public")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signer")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_signer_fingerprint")),
    )
    op.execute(SIGNER_FROZEN)
    op.create_table(
        "certificate_status",
        sa.Column("certificate_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("words", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by_id", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "status IN ('valid','suspended','revoked','replaced')",
            name=op.f("ck_certificate_status_status"),
        ),
        sa.CheckConstraint("length(trim(reason)) > 0", name=op.f("ck_certificate_status_reason")),
        sa.CheckConstraint(
            "(status = 'replaced') = (words IS NOT NULL)", name=op.f("ck_certificate_status_words")
        ),
        sa.CheckConstraint(
            "(answered_by_id IS NULL) = (answered_at IS NULL)"
            " AND (answered_by_id IS NULL) = (confirmed IS NULL)",
            name=op.f("ck_certificate_status_answered"),
        ),
        sa.CheckConstraint("answered_at >= asked_at", name=op.f("ck_certificate_status_order")),
        sa.CheckConstraint(
            "confirmed IS NOT FALSE OR length(trim(coalesce(answer, ''))) > 0",
            name=op.f("ck_certificate_status_refusal"),
        ),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            ["certificate.id"],
            name=op.f("fk_certificate_status_certificate_id"),
        ),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["account.id"], name=op.f("fk_certificate_status_asked_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["answered_by_id"], ["account.id"], name=op.f("fk_certificate_status_answered_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate_status")),
    )
    op.create_index(
        "uq_certificate_status_open",
        "certificate_status",
        ["certificate_id"],
        unique=True,
        postgresql_where=sa.text("answered_at IS NULL"),
    )
    op.create_index(
        "ix_certificate_status_certificate", "certificate_status", ["certificate_id", "id"]
    )
    op.create_index("ix_certificate_status_answered", "certificate_status", ["answered_at", "id"])
    op.execute(TAKE_OVER)
    op.execute(
        "ALTER TABLE certificate_status ADD CONSTRAINT ck_certificate_status_second_person"
        " CHECK (answered_by_id <> asked_by_id) NOT VALID"
    )
    op.execute(STATUS_FROZEN)
    op.execute(STATUS_IN_TURN)
    op.execute(REVOKED_BY_TWO)
    _certificate()


def _certificate() -> None:
    """Its end moves to the history; an application may have more than one."""
    op.execute("DROP TRIGGER certificate_frozen ON certificate; DROP FUNCTION certificate_frozen()")
    for name in ("revoked", "revoked_reason", "state"):
        op.drop_constraint(op.f(f"ck_certificate_{name}"), "certificate")
    op.drop_constraint(op.f("uq_certificate_application_id"), "certificate")
    op.execute(
        "UPDATE certificate SET state = CASE WHEN issued_at IS NULL THEN 'registered'"
        " ELSE 'issued' END WHERE state = 'revoked'"
    )
    op.drop_column("certificate", "revoked_at")
    op.drop_column("certificate", "revoked_reason")
    op.add_column("certificate", sa.Column("replaces_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_certificate_replaces_id"), "certificate", "certificate", ["replaces_id"], ["id"]
    )
    op.create_unique_constraint(op.f("uq_certificate_replaces_id"), "certificate", ["replaces_id"])
    op.create_check_constraint(op.f("ck_certificate_replaces"), "certificate", "replaces_id <> id")
    op.create_check_constraint(
        op.f("ck_certificate_state"), "certificate", "state IN ('registered','issued')"
    )
    op.create_index(
        "uq_certificate_first",
        "certificate",
        ["application_id"],
        unique=True,
        postgresql_where=sa.text("replaces_id IS NULL"),
    )
    op.create_index("ix_certificate_application", "certificate", ["application_id", "id"])
    op.execute(CERTIFICATE_FROZEN)
    _listing("'listed','suspended','removed'")


def _listing(states: str) -> None:
    """An entry may be suspended together with its certificate."""
    op.drop_constraint(op.f("ck_listing_status"), "listing")
    op.create_check_constraint(op.f("ck_listing_status"), "listing", f"status IN ({states})")


def downgrade() -> None:
    """Keep revocations on their certificates; the rest of the history is lost.

    Fails when an application has a second certificate: there is no place for it then.
    """
    op.execute("DROP TRIGGER certificate_frozen ON certificate; DROP FUNCTION certificate_frozen()")
    op.execute(
        "DROP TRIGGER application_revoked_by_two ON application;"
        " DROP FUNCTION application_revoked_by_two()"
    )
    op.execute("UPDATE listing SET status = 'listed' WHERE status = 'suspended'")
    _listing("'listed','removed'")
    op.drop_index("ix_certificate_application", table_name="certificate")
    op.drop_index(
        "uq_certificate_first",
        table_name="certificate",
        postgresql_where=sa.text("replaces_id IS NULL"),
    )
    for name in ("state", "replaces"):
        op.drop_constraint(op.f(f"ck_certificate_{name}"), "certificate")
    op.drop_column("certificate", "replaces_id")
    op.add_column("certificate", sa.Column("revoked_reason", sa.String(), nullable=True))
    op.add_column("certificate", sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE certificate c SET state = 'revoked', revoked_at = s.answered_at,"
        " revoked_reason = s.reason FROM certificate_status s"
        " WHERE s.certificate_id = c.id AND s.status = 'revoked' AND s.confirmed"
    )
    op.create_unique_constraint(
        op.f("uq_certificate_application_id"), "certificate", ["application_id"]
    )
    op.create_check_constraint(
        op.f("ck_certificate_state"), "certificate", "state IN ('registered','issued','revoked')"
    )
    op.create_check_constraint(
        op.f("ck_certificate_revoked_reason"), "certificate", "length(trim(revoked_reason)) > 0"
    )
    op.create_check_constraint(
        op.f("ck_certificate_revoked"),
        "certificate",
        "(state = 'revoked') = (revoked_at IS NOT NULL)"
        " AND (revoked_at IS NULL) = (revoked_reason IS NULL)",
    )
    op.execute(CERTIFICATE_FROZEN_BEFORE)
    op.execute(
        "DROP TRIGGER certificate_status_in_turn ON certificate_status;"
        " DROP TRIGGER certificate_status_frozen ON certificate_status;"
        " DROP FUNCTION certificate_status_in_turn(); DROP FUNCTION certificate_status_frozen()"
    )
    op.drop_table("certificate_status")
    op.execute("DROP TRIGGER signer_frozen ON signer; DROP FUNCTION signer_frozen()")
    op.drop_table("signer")
