"""The foundation: every table of the first depth, with its constraints, triggers and lifecycle."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Triggers, functions and rows that belong to a table: name, statement, and its reverse.
GUARDS = (
    (
        "audit_event_append_only",
        """CREATE FUNCTION audit_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit events are append-only' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
FOR EACH ROW EXECUTE FUNCTION audit_event_append_only();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
FOR EACH STATEMENT EXECUTE FUNCTION audit_event_append_only();""",
        """DROP TRIGGER IF EXISTS audit_event_no_truncate ON audit_event;
DROP TRIGGER IF EXISTS audit_event_append_only ON audit_event;
DROP FUNCTION IF EXISTS audit_event_append_only();""",
    ),
    (
        "budget_frozen",
        """CREATE FUNCTION budget_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'budget rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.scheme IS DISTINCT FROM OLD.scheme OR NEW.year IS DISTINCT FROM OLD.year OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
    RAISE EXCEPTION 'budget: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER budget_frozen BEFORE UPDATE OR DELETE ON budget
FOR EACH ROW EXECUTE FUNCTION budget_frozen();""",
        """DROP TRIGGER IF EXISTS budget_frozen ON budget; DROP FUNCTION IF EXISTS budget_frozen();""",
    ),
    (
        "enterprise_frozen",
        """CREATE FUNCTION enterprise_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'enterprise rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.credit_code IS DISTINCT FROM OLD.credit_code THEN
    RAISE EXCEPTION 'enterprise: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER enterprise_frozen BEFORE UPDATE OR DELETE ON enterprise
FOR EACH ROW EXECUTE FUNCTION enterprise_frozen();""",
        """DROP TRIGGER IF EXISTS enterprise_frozen ON enterprise; DROP FUNCTION IF EXISTS enterprise_frozen();""",
    ),
    (
        "lifecycle_move_rows",
        """INSERT INTO lifecycle_move (source, action, target) VALUES
('draft', 'send_for_signing', 'signing'),
('signing', 'send_back', 'draft'),
('signing', 'submit', 'submitted'),
('draft', 'submit', 'submitted'),
('submitted', 'find_eligible', 'eligible'),
('submitted', 'find_ineligible', 'ineligible'),
('submitted', 'find_unknown', 'needs_person'),
('ineligible', 'reopen', 'draft'),
('ineligible', 'contest', 'needs_person'),
('eligible', 'take', 'formal_check'),
('needs_person', 'take', 'formal_check'),
('formal_check', 'return_for_correction', 'correcting'),
('correcting', 'correct', 'formal_check'),
('formal_check', 'pass_formal', 'committee'),
('formal_check', 'reject', 'rejected'),
('committee', 'send_back_to_check', 'formal_check'),
('committee', 'approve', 'on_notice'),
('committee', 'reject', 'rejected'),
('on_notice', 'object', 'objected'),
('objected', 'dismiss_objection', 'on_notice'),
('objected', 'uphold_objection', 'rejected'),
('on_notice', 'clear', 'cleared'),
('cleared', 'conclude', 'concluded'),
('concluded', 'revoke', 'revoked'),
('draft', 'withdraw', 'withdrawn'),
('signing', 'withdraw', 'withdrawn'),
('eligible', 'withdraw', 'withdrawn'),
('ineligible', 'withdraw', 'withdrawn'),
('needs_person', 'withdraw', 'withdrawn'),
('formal_check', 'withdraw', 'withdrawn'),
('correcting', 'withdraw', 'withdrawn'),
('committee', 'withdraw', 'withdrawn');""",
        """DELETE FROM lifecycle_move;""",
    ),
    (
        "policy_frozen",
        """CREATE FUNCTION policy_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'policy rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.id IS DISTINCT FROM OLD.id OR NEW.scheme IS DISTINCT FROM OLD.scheme OR NEW.version IS DISTINCT FROM OLD.version OR NEW.title IS DISTINCT FROM OLD.title OR NEW.effective_from IS DISTINCT FROM OLD.effective_from OR NEW.effective_to IS DISTINCT FROM OLD.effective_to OR NEW.source IS DISTINCT FROM OLD.source OR NEW.sha256 IS DISTINCT FROM OLD.sha256 OR NEW.document IS DISTINCT FROM OLD.document OR NEW.published_at IS DISTINCT FROM OLD.published_at THEN
    RAISE EXCEPTION 'policy: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER policy_frozen BEFORE UPDATE OR DELETE ON policy
FOR EACH ROW EXECUTE FUNCTION policy_frozen();""",
        """DROP TRIGGER IF EXISTS policy_frozen ON policy; DROP FUNCTION IF EXISTS policy_frozen();""",
    ),
    (
        "policy_no_overlap",
        """CREATE FUNCTION policy_no_overlap() RETURNS trigger LANGUAGE plpgsql AS $$
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
FOR EACH ROW EXECUTE FUNCTION policy_no_overlap();""",
        """DROP TRIGGER IF EXISTS policy_no_overlap ON policy; DROP FUNCTION IF EXISTS policy_no_overlap();""",
    ),
    (
        "bank_account_frozen",
        """CREATE FUNCTION bank_account_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'bank_account rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.enterprise_id IS DISTINCT FROM OLD.enterprise_id OR NEW.bank_name IS DISTINCT FROM OLD.bank_name OR NEW.holder_name IS DISTINCT FROM OLD.holder_name OR NEW.number_encrypted IS DISTINCT FROM OLD.number_encrypted OR NEW.first4 IS DISTINCT FROM OLD.first4 OR NEW.last4 IS DISTINCT FROM OLD.last4 THEN
    RAISE EXCEPTION 'bank_account: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER bank_account_frozen BEFORE UPDATE OR DELETE ON bank_account
FOR EACH ROW EXECUTE FUNCTION bank_account_frozen();""",
        """DROP TRIGGER IF EXISTS bank_account_frozen ON bank_account; DROP FUNCTION IF EXISTS bank_account_frozen();""",
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
    (
        "round_frozen",
        """CREATE FUNCTION round_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'round rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.id IS DISTINCT FROM OLD.id OR NEW.policy_id IS DISTINCT FROM OLD.policy_id OR NEW.scheme IS DISTINCT FROM OLD.scheme OR NEW.year IS DISTINCT FROM OLD.year OR NEW.batch IS DISTINCT FROM OLD.batch THEN
    RAISE EXCEPTION 'round: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER round_frozen BEFORE UPDATE OR DELETE ON round
FOR EACH ROW EXECUTE FUNCTION round_frozen();""",
        """DROP TRIGGER IF EXISTS round_frozen ON round; DROP FUNCTION IF EXISTS round_frozen();""",
    ),
    (
        "list_file_append_only",
        """CREATE FUNCTION list_file_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'list_file rows are append-only' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER list_file_append_only BEFORE UPDATE OR DELETE ON list_file
FOR EACH ROW EXECUTE FUNCTION list_file_append_only();
CREATE TRIGGER list_file_append_only_whole BEFORE TRUNCATE ON list_file
FOR EACH STATEMENT EXECUTE FUNCTION list_file_append_only();""",
        """DROP TRIGGER IF EXISTS list_file_append_only_whole ON list_file;
DROP TRIGGER IF EXISTS list_file_append_only ON list_file;
DROP FUNCTION IF EXISTS list_file_append_only();""",
    ),
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
        "award_frozen",
        """CREATE FUNCTION award_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'award rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.budget_id IS DISTINCT FROM OLD.budget_id OR NEW.policy_id IS DISTINCT FROM OLD.policy_id OR NEW.enterprise_id IS DISTINCT FROM OLD.enterprise_id OR NEW.amount_fen IS DISTINCT FROM OLD.amount_fen OR NEW.worksheet IS DISTINCT FROM OLD.worksheet OR NEW.number IS DISTINCT FROM OLD.number OR NEW.firm IS DISTINCT FROM OLD.firm OR NEW.credit_code IS DISTINCT FROM OLD.credit_code OR NEW.district IS DISTINCT FROM OLD.district OR NEW.product IS DISTINCT FROM OLD.product OR NEW.contracts IS DISTINCT FROM OLD.contracts OR NEW.policy_version IS DISTINCT FROM OLD.policy_version OR NEW.articles IS DISTINCT FROM OLD.articles OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
    RAISE EXCEPTION 'award: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER award_frozen BEFORE UPDATE OR DELETE ON award
FOR EACH ROW EXECUTE FUNCTION award_frozen();""",
        """DROP TRIGGER IF EXISTS award_frozen ON award; DROP FUNCTION IF EXISTS award_frozen();""",
    ),
    (
        "award_forward",
        """CREATE FUNCTION award_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'reserved' THEN
      RAISE EXCEPTION 'an award starts as reserved' USING ERRCODE = 'check_violation';
    END IF;
  ELSIF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN
    (('reserved','committed'), ('reserved','released'),
     ('committed','released'), ('committed','paid')) THEN
    RAISE EXCEPTION 'an award does not go from % to %', OLD.state, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER award_forward BEFORE INSERT OR UPDATE ON award
FOR EACH ROW EXECUTE FUNCTION award_forward();""",
        """DROP TRIGGER IF EXISTS award_forward ON award; DROP FUNCTION IF EXISTS award_forward();""",
    ),
    (
        "certificate_frozen",
        """CREATE FUNCTION certificate_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
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
FOR EACH ROW EXECUTE FUNCTION certificate_frozen();""",
        """DROP TRIGGER IF EXISTS certificate_frozen ON certificate; DROP FUNCTION IF EXISTS certificate_frozen();""",
    ),
    (
        "listing_revision",
        """CREATE FUNCTION listing_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.revision := pg_current_xact_id()::text::bigint;
  RETURN NEW;
END $$;
CREATE TRIGGER listing_revision BEFORE INSERT OR UPDATE ON listing
FOR EACH ROW EXECUTE FUNCTION listing_revision();""",
        """DROP TRIGGER IF EXISTS listing_revision ON listing; DROP FUNCTION IF EXISTS listing_revision();""",
    ),
    (
        "listing_frozen",
        """CREATE FUNCTION listing_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'listing rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.number IS DISTINCT FROM OLD.number OR NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.source_list IS DISTINCT FROM OLD.source_list OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
    RAISE EXCEPTION 'listing: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER listing_frozen BEFORE UPDATE OR DELETE ON listing
FOR EACH ROW EXECUTE FUNCTION listing_frozen();""",
        """DROP TRIGGER IF EXISTS listing_frozen ON listing; DROP FUNCTION IF EXISTS listing_frozen();""",
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
        "notice_item_outcome",
        """CREATE FUNCTION notice_item_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.outcome IS NOT NULL THEN
    RAISE EXCEPTION 'an outcome on notice is final' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER notice_item_outcome BEFORE UPDATE ON notice_item
FOR EACH ROW EXECUTE FUNCTION notice_item_outcome();""",
        """DROP TRIGGER IF EXISTS notice_item_outcome ON notice_item;
DROP FUNCTION IF EXISTS notice_item_outcome();""",
    ),
    (
        "application_lifecycle",
        """CREATE FUNCTION application_lifecycle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'draft' THEN
      RAISE EXCEPTION 'an application starts as draft' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO state_change (application_id, source, action, target, actor_id, at)
    VALUES (NEW.id, NULL, 'start', NEW.state, NEW.created_by_id, NEW.state_since);
    RETURN NEW;
  END IF;
  IF NEW.state = OLD.state THEN
    RETURN NEW;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM lifecycle_move
                 WHERE source = OLD.state AND action = NEW.last_action AND target = NEW.state) THEN
    RAISE EXCEPTION 'no move % from % to %', NEW.last_action, OLD.state, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.version <> OLD.version + 1 THEN
    RAISE EXCEPTION 'a move bumps the version by one' USING ERRCODE = 'check_violation';
  END IF;
  INSERT INTO state_change (application_id, source, action, target, actor_id, at)
  VALUES (NEW.id, OLD.state, NEW.last_action, NEW.state, NEW.last_actor_id, NEW.state_since);
  RETURN NEW;
END $$;
CREATE TRIGGER application_lifecycle AFTER INSERT OR UPDATE ON application
FOR EACH ROW EXECUTE FUNCTION application_lifecycle();""",
        """DROP TRIGGER IF EXISTS application_lifecycle ON application;
DROP FUNCTION IF EXISTS application_lifecycle();""",
    ),
    (
        "verdict_frozen",
        """CREATE FUNCTION verdict_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'verdict rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.stage IS DISTINCT FROM OLD.stage OR NEW.officer_id IS DISTINCT FROM OLD.officer_id OR NEW.outcome IS DISTINCT FROM OLD.outcome OR NEW.reason IS DISTINCT FROM OLD.reason OR NEW.lines IS DISTINCT FROM OLD.lines OR NEW.at IS DISTINCT FROM OLD.at THEN
    RAISE EXCEPTION 'verdict: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER verdict_frozen BEFORE UPDATE OR DELETE ON verdict
FOR EACH ROW EXECUTE FUNCTION verdict_frozen();""",
        """DROP TRIGGER IF EXISTS verdict_frozen ON verdict; DROP FUNCTION IF EXISTS verdict_frozen();""",
    ),
    (
        "verdict_four_eyes",
        """CREATE FUNCTION verdict_four_eyes() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$;
CREATE TRIGGER verdict_four_eyes BEFORE INSERT OR UPDATE ON verdict
FOR EACH ROW EXECUTE FUNCTION verdict_four_eyes();""",
        """DROP TRIGGER IF EXISTS verdict_four_eyes ON verdict;
DROP FUNCTION IF EXISTS verdict_four_eyes();""",
    ),
    (
        "budget_entry_append_only",
        """CREATE FUNCTION budget_entry_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'budget_entry rows are append-only' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER budget_entry_append_only BEFORE UPDATE OR DELETE ON budget_entry
FOR EACH ROW EXECUTE FUNCTION budget_entry_append_only();
CREATE TRIGGER budget_entry_append_only_whole BEFORE TRUNCATE ON budget_entry
FOR EACH STATEMENT EXECUTE FUNCTION budget_entry_append_only();""",
        """DROP TRIGGER IF EXISTS budget_entry_append_only_whole ON budget_entry;
DROP TRIGGER IF EXISTS budget_entry_append_only ON budget_entry;
DROP FUNCTION IF EXISTS budget_entry_append_only();""",
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
        "objection_decision",
        """CREATE FUNCTION objection_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.state <> 'open' THEN
    RAISE EXCEPTION 'a decided objection is final' USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'INSERT' AND NOT EXISTS (
      SELECT 1 FROM notice_item
      WHERE id = NEW.item_id AND application_id = NEW.application_id AND outcome IS NULL) THEN
    RAISE EXCEPTION 'the item is not on notice' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.decided_by_id IS NOT NULL AND EXISTS (
      SELECT 1 FROM state_change WHERE application_id = NEW.application_id
      AND action = 'pass_formal' AND actor_id = NEW.decided_by_id) THEN
    RAISE EXCEPTION 'the formal checker may not decide an objection'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER objection_decision BEFORE INSERT OR UPDATE ON objection
FOR EACH ROW EXECUTE FUNCTION objection_decision();""",
        """DROP TRIGGER IF EXISTS objection_decision ON objection;
DROP FUNCTION IF EXISTS objection_decision();""",
    ),
)


def upgrade() -> None:
    """Build it."""
    op.create_table(
        "account",
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("session_stamp", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "email = lower(email) AND length(email) BETWEEN 3 AND 254",
            name=op.f("ck_account_email"),
        ),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_account_name")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("email", name=op.f("uq_account_email")),
    )
    op.create_table(
        "audit_event",
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_type", sa.String(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "length(hash) = 64 AND length(previous_hash) = 64", name=op.f("ck_audit_event_hashes")
        ),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_audit_event_sequence")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_event_hash")),
        sa.UniqueConstraint("sequence", name=op.f("uq_audit_event_sequence")),
    )
    op.create_index(
        "ix_audit_event_subject",
        "audit_event",
        ["subject_type", "subject_id", "sequence"],
        unique=False,
    )
    op.create_table(
        "budget",
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("year", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("reserved_fen", sa.BigInteger(), nullable=False),
        sa.Column("committed_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("placeholder", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "scheme <> 'catalogue' AND length(scheme) > 0", name=op.f("ck_budget_scheme")
        ),
        sa.CheckConstraint(
            "reserved_fen + committed_fen + paid_fen <= total_fen", name=op.f("ck_budget_cap")
        ),
        sa.CheckConstraint(
            "total_fen >= 0 AND reserved_fen >= 0 AND committed_fen >= 0 AND paid_fen >= 0",
            name=op.f("ck_budget_amounts"),
        ),
        sa.CheckConstraint("year BETWEEN 2000 AND 2100", name=op.f("ck_budget_year")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget")),
        sa.UniqueConstraint("scheme", "year", name=op.f("uq_budget_scheme_year")),
    )
    op.create_table(
        "enterprise",
        sa.Column("credit_code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("english_name", sa.String(), nullable=True),
        sa.Column("district", sa.String(), nullable=True),
        sa.Column("founded_on", sa.Date(), nullable=True),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("contact_name", sa.String(), nullable=False),
        sa.Column("contact_phone", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'", name=op.f("ck_enterprise_credit_code")
        ),
        sa.CheckConstraint(
            "district IS NULL OR district ~ '^[0-9]{6}$'", name=op.f("ck_enterprise_district")
        ),
        sa.CheckConstraint(
            "length(address) <= 200 AND length(contact_name) <= 50 AND length(contact_phone) <= 30",
            name=op.f("ck_enterprise_lengths"),
        ),
        sa.CheckConstraint("length(name) BETWEEN 2 AND 100", name=op.f("ck_enterprise_name")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enterprise")),
        sa.UniqueConstraint("credit_code", name=op.f("uq_enterprise_credit_code")),
    )
    op.create_index("ix_enterprise_district", "enterprise", ["district"], unique=False)
    op.create_table(
        "failed_sign_in",
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_sign_in")),
    )
    op.create_index("ix_failed_sign_in_address", "failed_sign_in", ["address", "at"], unique=False)
    op.create_index("ix_failed_sign_in_email", "failed_sign_in", ["email", "at"], unique=False)
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "job",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(state = 'leased') = (lease_until IS NOT NULL)", name=op.f("ck_job_lease")
        ),
        sa.CheckConstraint(
            "state IN ('waiting','leased','done','dead')", name=op.f("ck_job_state")
        ),
        sa.CheckConstraint("attempts >= 0 AND fence >= 0", name=op.f("ck_job_counts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(
        "ix_job_due",
        "job",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("state IN ('waiting','leased')"),
    )
    op.create_index("ix_job_subject", "job", ["subject_id", "kind"], unique=False)
    op.create_index(
        "uq_job_live",
        "job",
        ["kind", "subject_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "lifecycle_move",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("source", "action", name=op.f("pk_lifecycle_move")),
    )
    op.create_table(
        "number_year",
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("year", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", "year", name=op.f("pk_number_year")),
    )
    op.create_table(
        "policy",
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("effective_to", sa.Date(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "scheme IN ('catalogue','first_set','first_version','first_batch')",
            name=op.f("ck_policy_scheme"),
        ),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_policy_sha256")),
        sa.CheckConstraint(
            "effective_to IS NULL OR effective_to >= effective_from",
            name=op.f("ck_policy_effective"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy")),
        sa.UniqueConstraint("scheme", "version", name=op.f("uq_policy_scheme_version")),
        sa.UniqueConstraint("sha256", name=op.f("uq_policy_sha256")),
    )
    op.create_table(
        "account_role",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.CheckConstraint(
            "role IN ('applicant', 'signatory', 'reviewer', 'approver', 'finance', 'buyer', 'administrator')",
            name=op.f("ck_account_role_role"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["account.id"], name=op.f("fk_account_role_user_id")),
        sa.PrimaryKeyConstraint("user_id", "role", name=op.f("pk_account_role")),
    )
    op.create_table(
        "bank_account",
        sa.Column("enterprise_id", sa.BigInteger(), nullable=False),
        sa.Column("bank_name", sa.String(), nullable=False),
        sa.Column("holder_name", sa.String(), nullable=False),
        sa.Column("number_encrypted", sa.String(), nullable=False),
        sa.Column("first4", sa.String(), nullable=False),
        sa.Column("last4", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "first4 ~ '^[0-9]{4}$' AND last4 ~ '^[0-9]{4}$'", name=op.f("ck_bank_account_ends")
        ),
        sa.CheckConstraint("number_encrypted LIKE 'v1:%%'", name=op.f("ck_bank_account_encrypted")),
        sa.CheckConstraint(
            "length(bank_name) BETWEEN 2 AND 100", name=op.f("ck_bank_account_bank_name")
        ),
        sa.CheckConstraint(
            "replaced_at IS NULL OR replaced_at >= created_at",
            name=op.f("ck_bank_account_replaced"),
        ),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name=op.f("fk_bank_account_enterprise_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_account")),
    )
    op.create_index(
        "uq_bank_account_current",
        "bank_account",
        ["enterprise_id"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "document",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_by_id", sa.BigInteger(), nullable=True),
        sa.Column("enterprise_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_document_sha256")),
        sa.CheckConstraint("length(filename) BETWEEN 1 AND 200", name=op.f("ck_document_filename")),
        sa.CheckConstraint("size > 0", name=op.f("ck_document_size")),
        sa.ForeignKeyConstraint(
            ["uploaded_by_id"], ["account.id"], name=op.f("fk_document_uploaded_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
    )
    op.create_index("ix_document_owner", "document", ["enterprise_id", "sha256"], unique=False)
    op.create_table(
        "honour",
        sa.Column("enterprise_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("granted_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "expires_on IS NULL OR expires_on >= granted_on", name=op.f("ck_honour_dates")
        ),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name=op.f("fk_honour_enterprise_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_honour")),
        sa.UniqueConstraint(
            "enterprise_id",
            "kind",
            "granted_on",
            name=op.f("uq_honour_enterprise_id_kind_granted_on"),
        ),
    )
    op.create_table(
        "membership",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("enterprise_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("admitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("role IN ('applicant','signatory')", name=op.f("ck_membership_role")),
        sa.CheckConstraint(
            "admitted_at IS NULL OR admitted_at >= requested_at",
            name=op.f("ck_membership_admitted"),
        ),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name=op.f("fk_membership_enterprise_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["account.id"], name=op.f("fk_membership_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint("user_id", name=op.f("uq_membership_user_id")),
    )
    op.create_index("ix_membership_enterprise", "membership", ["enterprise_id"], unique=False)
    op.create_table(
        "product",
        sa.Column("enterprise_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("english_name", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("novelty", sa.String(), nullable=False),
        sa.Column("advancement", sa.String(), nullable=True),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("first_sold_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "kind IN ('equipment','software','material','other')", name=op.f("ck_product_kind")
        ),
        sa.CheckConstraint(
            "english_name IS NULL OR length(english_name) <= 200", name=op.f("ck_product_english")
        ),
        sa.CheckConstraint("length(model) BETWEEN 1 AND 60", name=op.f("ck_product_model")),
        sa.CheckConstraint("length(name) BETWEEN 2 AND 120", name=op.f("ck_product_name")),
        sa.CheckConstraint("length(summary) <= 600", name=op.f("ck_product_summary")),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name=op.f("fk_product_enterprise_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint(
            "enterprise_id", "name", "model", name=op.f("uq_product_enterprise_id_name_model")
        ),
    )
    op.create_index("ix_product_enterprise", "product", ["enterprise_id", "id"], unique=False)
    op.create_table(
        "round",
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("year", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("batch BETWEEN 1 AND 99", name=op.f("ck_round_batch")),
        sa.CheckConstraint("closes_at > opens_at", name=op.f("ck_round_window")),
        sa.CheckConstraint("year BETWEEN 2000 AND 2100", name=op.f("ck_round_year")),
        sa.ForeignKeyConstraint(["policy_id"], ["policy.id"], name=op.f("fk_round_policy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round")),
        sa.UniqueConstraint("scheme", "year", "batch", name=op.f("uq_round_scheme_year_batch")),
    )
    op.create_index("ix_round_closes_at", "round", ["closes_at"], unique=False)
    op.create_table(
        "application",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("round_id", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("enterprise_id", sa.BigInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("last_action", sa.String(), nullable=False),
        sa.Column("last_actor_id", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("receipt_number", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "number ~ '^SB-[0-9]{4}-[0-9]{4,}$'", name=op.f("ck_application_number")
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'signing', 'submitted', 'eligible', 'ineligible', 'needs_person', 'formal_check', 'correcting', 'expert_review', 'committee', 'on_notice', 'objected', 'cleared', 'concluded', 'rejected', 'withdrawn', 'revoked')",
            name=op.f("ck_application_state"),
        ),
        sa.CheckConstraint(
            "state IN ('draft','signing','withdrawn') OR submitted_at IS NOT NULL",
            name=op.f("ck_application_submitted"),
        ),
        sa.CheckConstraint(
            "(submitted_at IS NULL) = (receipt_number IS NULL)", name=op.f("ck_application_receipt")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["account.id"], name=op.f("fk_application_created_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name=op.f("fk_application_enterprise_id")
        ),
        sa.ForeignKeyConstraint(
            ["last_actor_id"], ["account.id"], name=op.f("fk_application_last_actor_id")
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policy.id"], name=op.f("fk_application_policy_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_application_product_id")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_application_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_application")),
        sa.UniqueConstraint("number", name=op.f("uq_application_number")),
        sa.UniqueConstraint("receipt_number", name=op.f("uq_application_receipt_number")),
    )
    op.create_index(
        "ix_application_enterprise", "application", ["enterprise_id", "id"], unique=False
    )
    op.create_index("ix_application_product", "application", ["product_id"], unique=False)
    op.create_index(
        "ix_application_queue", "application", ["state", "state_since", "id"], unique=False
    )
    op.create_index("ix_application_round", "application", ["round_id", "state"], unique=False)
    op.create_index(
        "uq_application_live",
        "application",
        ["round_id", "product_id"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('withdrawn','rejected','revoked')"),
    )
    op.create_table(
        "list_file",
        sa.Column("query", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("full_accounts", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("data_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("format IN ('xlsx','csv')", name=op.f("ck_list_file_format")),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_list_file_sha256")),
        sa.CheckConstraint(
            "full_accounts = (document_id IS NULL)", name=op.f("ck_list_file_document")
        ),
        sa.CheckConstraint(
            "full_accounts = (reason IS NOT NULL)", name=op.f("ck_list_file_reason")
        ),
        sa.CheckConstraint(
            "lines >= 0 AND total_fen >= 0 AND version > 0", name=op.f("ck_list_file_figures")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_list_file_document_id")
        ),
        sa.ForeignKeyConstraint(
            ["made_by_id"], ["account.id"], name=op.f("fk_list_file_made_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_list_file")),
    )
    op.create_index(
        "ix_list_file_query", "list_file", ["query", "format", "full_accounts", "id"], unique=False
    )
    op.create_table(
        "notice",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("round_id", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("working_days", sa.BigInteger(), nullable=False),
        sa.Column("placeholder", sa.Boolean(), nullable=False),
        sa.Column("counted", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "number ~ '^示范公示〔[0-9]{4}〕[0-9]+ 号$'", name=op.f("ck_notice_number")
        ),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_notice_sha256")),
        sa.CheckConstraint(
            "closed_at IS NULL OR closed_at >= closes_at", name=op.f("ck_notice_closed")
        ),
        sa.CheckConstraint(
            "working_days > 0 AND closes_at > opens_at", name=op.f("ck_notice_period")
        ),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_notice_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("number", name=op.f("uq_notice_number")),
    )
    op.create_index(
        "ix_notice_open",
        "notice",
        ["closes_at"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ix_notice_published", "notice", ["published_at", "id"], unique=False)
    op.create_index("ix_notice_round", "notice", ["round_id"], unique=False)
    op.create_table(
        "patent",
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("granted_on", sa.Date(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "kind IN ('invention','utility','copyright','layout')", name=op.f("ck_patent_kind")
        ),
        sa.CheckConstraint(
            "length(number) BETWEEN 1 AND 40 AND length(title) BETWEEN 1 AND 200 AND length(holder) BETWEEN 1 AND 100",
            name=op.f("ck_patent_lengths"),
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_patent_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patent")),
        sa.UniqueConstraint(
            "product_id", "kind", "number", name=op.f("uq_patent_product_id_kind_number")
        ),
    )
    op.create_index("ix_patent_number", "patent", ["number"], unique=False)
    op.create_table(
        "specification",
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("number", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("words", sa.String(), nullable=True),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(relation = 'text') = (number IS NULL)", name=op.f("ck_specification_number")
        ),
        sa.CheckConstraint(
            "(relation = 'text') = (words IS NOT NULL)", name=op.f("ck_specification_words")
        ),
        sa.CheckConstraint(
            "relation IN ('eq','le','ge','text')", name=op.f("ck_specification_relation")
        ),
        sa.CheckConstraint(
            "length(name) BETWEEN 1 AND 60 AND length(unit) <= 20",
            name=op.f("ck_specification_lengths"),
        ),
        sa.CheckConstraint("position > 0", name=op.f("ck_specification_position")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_specification_product_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_specification")),
        sa.UniqueConstraint(
            "product_id", "position", name=op.f("uq_specification_product_id_position")
        ),
    )
    op.create_table(
        "award",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("budget_id", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("enterprise_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("worksheet", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("firm", sa.String(), nullable=False),
        sa.Column("credit_code", sa.String(), nullable=False),
        sa.Column("district", sa.String(), nullable=True),
        sa.Column("product", sa.String(), nullable=False),
        sa.Column("contracts", sa.String(), nullable=False),
        sa.Column("policy_version", sa.String(), nullable=False),
        sa.Column("articles", sa.String(), nullable=False),
        sa.Column("bank_account_id", sa.BigInteger(), nullable=True),
        sa.Column("account_check", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(bank_account_id IS NULL) = (account_check = 'missing')", name=op.f("ck_award_account")
        ),
        sa.CheckConstraint(
            "(state = 'released') = (released_at IS NOT NULL)", name=op.f("ck_award_released")
        ),
        sa.CheckConstraint(
            "account_check IN ('matches','mismatch','missing')", name=op.f("ck_award_account_check")
        ),
        sa.CheckConstraint(
            "state <> 'reserved' OR committed_at IS NULL", name=op.f("ck_award_reserved")
        ),
        sa.CheckConstraint(
            "state IN ('reserved','committed','paid','released')", name=op.f("ck_award_state")
        ),
        sa.CheckConstraint(
            "state NOT IN ('committed','paid') OR committed_at IS NOT NULL",
            name=op.f("ck_award_committed"),
        ),
        sa.CheckConstraint(
            "amount_fen > 0 AND amount_fen < 1000000000000000", name=op.f("ck_award_amount")
        ),
        sa.CheckConstraint("jsonb_array_length(worksheet) > 0", name=op.f("ck_award_worksheet")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_award_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["bank_account_id"], ["bank_account.id"], name=op.f("fk_award_bank_account_id")
        ),
        sa.ForeignKeyConstraint(["budget_id"], ["budget.id"], name=op.f("fk_award_budget_id")),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name=op.f("fk_award_enterprise_id")
        ),
        sa.ForeignKeyConstraint(["policy_id"], ["policy.id"], name=op.f("fk_award_policy_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_award")),
        sa.UniqueConstraint("application_id", name=op.f("uq_award_application_id")),
        sa.UniqueConstraint("number", name=op.f("uq_award_number")),
    )
    op.create_index("ix_award_account", "award", ["bank_account_id"], unique=False)
    op.create_index("ix_award_enterprise", "award", ["enterprise_id", "id"], unique=False)
    op.create_index(
        "ix_award_list", "award", ["budget_id", "state", "amount_fen", "id"], unique=False
    )
    op.create_table(
        "certificate",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("scheme", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("wording", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("wording_sha256", sa.String(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.Column("file_sha256", sa.String(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(state = 'revoked') = (revoked_at IS NOT NULL) AND (revoked_at IS NULL) = (revoked_reason IS NULL)",
            name=op.f("ck_certificate_revoked"),
        ),
        sa.CheckConstraint(
            "file_sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_certificate_file_sha256")
        ),
        sa.CheckConstraint(
            "number ~ '^SHCP-[0-9]{4}-[0-9]{4,}$'", name=op.f("ck_certificate_number")
        ),
        sa.CheckConstraint(
            "scheme IN ('catalogue','first_set','first_version','first_batch')",
            name=op.f("ck_certificate_scheme"),
        ),
        sa.CheckConstraint(
            "state <> 'issued' OR issued_at IS NOT NULL", name=op.f("ck_certificate_issued")
        ),
        sa.CheckConstraint(
            "state <> 'registered' OR issued_at IS NULL", name=op.f("ck_certificate_registered")
        ),
        sa.CheckConstraint(
            "state IN ('registered','issued','revoked')", name=op.f("ck_certificate_state")
        ),
        sa.CheckConstraint(
            "wording->>'number' = number", name=op.f("ck_certificate_wording_number")
        ),
        sa.CheckConstraint(
            "wording_sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_certificate_wording_sha256")
        ),
        sa.CheckConstraint("length(token) >= 22", name=op.f("ck_certificate_token")),
        sa.CheckConstraint(
            "length(trim(revoked_reason)) > 0", name=op.f("ck_certificate_revoked_reason")
        ),
        sa.CheckConstraint(
            "num_nonnulls(document_id, file_sha256, issued_at) IN (0, 3)",
            name=op.f("ck_certificate_file"),
        ),
        sa.CheckConstraint("valid_until >= valid_from", name=op.f("ck_certificate_validity")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_certificate_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_certificate_document_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("application_id", name=op.f("uq_certificate_application_id")),
        sa.UniqueConstraint("file_sha256", name=op.f("uq_certificate_file_sha256")),
        sa.UniqueConstraint("number", name=op.f("uq_certificate_number")),
        sa.UniqueConstraint("token", name=op.f("uq_certificate_token")),
    )
    op.create_index(
        "ix_certificate_registered",
        "certificate",
        ["registered_at"],
        unique=False,
        postgresql_where="document_id IS NULL",
    )
    op.create_table(
        "check_sheet",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_check_sheet_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["officer_id"], ["account.id"], name=op.f("fk_check_sheet_officer_id")
        ),
        sa.PrimaryKeyConstraint("application_id", name=op.f("pk_check_sheet")),
    )
    op.create_table(
        "contract",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("buyer_name", sa.String(), nullable=False),
        sa.Column("buyer_credit_code", sa.String(), nullable=True),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("invoiced_on", sa.Date(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_fen", sa.BigInteger(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "amount_fen > 0 AND amount_fen < 1000000000000000", name=op.f("ck_contract_amount")
        ),
        sa.CheckConstraint(
            "length(buyer_name) BETWEEN 2 AND 100", name=op.f("ck_contract_buyer_name")
        ),
        sa.CheckConstraint("length(number) BETWEEN 1 AND 60", name=op.f("ck_contract_number")),
        sa.CheckConstraint(
            "received_fen IS NULL OR received_fen >= 0", name=op.f("ck_contract_received")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_contract_application_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract")),
        sa.UniqueConstraint(
            "application_id",
            "number",
            deferrable=True,
            initially="DEFERRED",
            name=op.f("uq_contract_application_id_number"),
        ),
        sa.UniqueConstraint(
            "application_id",
            "position",
            deferrable=True,
            initially="DEFERRED",
            name=op.f("uq_contract_application_id_position"),
        ),
    )
    op.create_index("ix_contract_number", "contract", ["number"], unique=False)
    op.create_table(
        "correction",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("items", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("asked_by_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("jsonb_array_length(items) > 0", name=op.f("ck_correction_items")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_correction_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["account.id"], name=op.f("fk_correction_asked_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index(
        "uq_correction_open",
        "correction",
        ["application_id"],
        unique=True,
        postgresql_where=sa.text("returned_at IS NULL"),
    )
    op.create_table(
        "eligibility_report",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("worksheet", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("policy_sha256", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "verdict IN ('eligible','ineligible','needs_person')",
            name=op.f("ck_eligibility_report_verdict"),
        ),
        sa.CheckConstraint(
            "amount_fen IS NULL OR amount_fen >= 0", name=op.f("ck_eligibility_report_amount")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
            name=op.f("fk_eligibility_report_application_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eligibility_report")),
    )
    op.create_index(
        "ix_eligibility_report_application",
        "eligibility_report",
        ["application_id", "id"],
        unique=False,
    )
    op.create_table(
        "evidence",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("material", sa.String(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_evidence_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_evidence_document_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sa.UniqueConstraint(
            "application_id",
            "material",
            "document_id",
            name=op.f("uq_evidence_application_id_material_document_id"),
        ),
    )
    op.create_index("ix_evidence_document", "evidence", ["document_id"], unique=False)
    op.create_table(
        "listing",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("application_id", sa.BigInteger(), nullable=True),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("enterprise_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("firm_name", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=True),
        sa.Column("novelty", sa.String(), nullable=True),
        sa.Column("advancement", sa.String(), nullable=True),
        sa.Column("district", sa.String(), nullable=True),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("year", sa.BigInteger(), nullable=True),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("specifications", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("listed_on", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("first_purchase", sa.Boolean(), nullable=False),
        sa.Column("source_list", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("sample", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("removed_on", sa.Date(), nullable=True),
        sa.Column("removed_reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(status = 'removed') = (removed_on IS NOT NULL) AND (status = 'removed') = (removed_reason IS NOT NULL)",
            name=op.f("ck_listing_removal"),
        ),
        sa.CheckConstraint(
            "jsonb_typeof(specifications) = 'array'", name=op.f("ck_listing_specifications")
        ),
        sa.CheckConstraint(
            "kind IN ('equipment','software','material','other')", name=op.f("ck_listing_kind")
        ),
        sa.CheckConstraint(
            "number ~ '^(SHCP|SL)-[0-9]{4}-[0-9]{4,9}$'", name=op.f("ck_listing_number")
        ),
        sa.CheckConstraint("status IN ('listed','removed')", name=op.f("ck_listing_status")),
        sa.CheckConstraint(
            "(application_id IS NULL) <> (source_list IS NULL)", name=op.f("ck_listing_origin")
        ),
        sa.CheckConstraint(
            "length(firm_name) BETWEEN 1 AND 120", name=op.f("ck_listing_firm_name")
        ),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 120", name=op.f("ck_listing_name")),
        sa.CheckConstraint("length(summary) <= 600", name=op.f("ck_listing_summary")),
        sa.CheckConstraint("valid_until >= listed_on", name=op.f("ck_listing_validity")),
        sa.CheckConstraint("year BETWEEN 1900 AND 2100", name=op.f("ck_listing_year")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_listing_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name=op.f("fk_listing_enterprise_id")
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_listing_product_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing")),
        sa.UniqueConstraint("application_id", name=op.f("uq_listing_application_id")),
        sa.UniqueConstraint("number", name=op.f("uq_listing_number")),
    )
    op.create_index("ix_listing_advancement", "listing", ["advancement"], unique=False)
    op.create_index("ix_listing_district", "listing", ["district"], unique=False)
    op.create_index("ix_listing_domain", "listing", ["domain"], unique=False)
    op.create_index("ix_listing_enterprise_id", "listing", ["enterprise_id"], unique=False)
    op.create_index("ix_listing_kind", "listing", ["kind"], unique=False)
    op.create_index("ix_listing_novelty", "listing", ["novelty"], unique=False)
    op.create_index("ix_listing_product_id", "listing", ["product_id"], unique=False)
    op.create_index("ix_listing_revision", "listing", ["revision"], unique=False)
    op.create_index("ix_listing_valid_until", "listing", ["valid_until"], unique=False)
    op.create_index("ix_listing_year", "listing", ["year"], unique=False)
    op.create_index(
        "uq_listing_source",
        "listing",
        ["source_list", "name", "firm_name"],
        unique=True,
        postgresql_where=sa.text("source_list IS NOT NULL"),
    )
    op.create_table(
        "notice_item",
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("firm", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('cleared', 'struck')",
            name=op.f("ck_notice_item_outcome"),
        ),
        sa.CheckConstraint(
            "(outcome IS NULL) = (ended_at IS NULL)", name=op.f("ck_notice_item_ended")
        ),
        sa.CheckConstraint(
            "amount_fen IS NULL OR amount_fen >= 0", name=op.f("ck_notice_item_amount")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_notice_item_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notice.id"], name=op.f("fk_notice_item_notice_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_item")),
        sa.UniqueConstraint("application_id", name=op.f("uq_notice_item_application_id")),
        sa.UniqueConstraint(
            "notice_id", "position", name=op.f("uq_notice_item_notice_id_position")
        ),
    )
    op.create_table(
        "state_change",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["account.id"], name=op.f("fk_state_change_actor_id")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_state_change_application_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state_change")),
    )
    op.create_index(
        "ix_state_change_application", "state_change", ["application_id", "id"], unique=False
    )
    op.create_table(
        "verdict",
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_aside_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(stage = 'formal_check' AND outcome IN ('pass','return','reject')) OR (stage = 'committee' AND outcome IN ('approve','reject','send_back'))",
            name=op.f("ck_verdict_outcome"),
        ),
        sa.CheckConstraint(
            "outcome NOT IN ('reject','send_back') OR length(trim(coalesce(reason, ''))) > 0",
            name=op.f("ck_verdict_reason"),
        ),
        sa.CheckConstraint(
            "set_aside_at IS NULL OR outcome = 'pass'", name=op.f("ck_verdict_set_aside")
        ),
        sa.CheckConstraint("stage IN ('formal_check','committee')", name=op.f("ck_verdict_stage")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_verdict_application_id")
        ),
        sa.ForeignKeyConstraint(["officer_id"], ["account.id"], name=op.f("fk_verdict_officer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
    )
    op.create_index("ix_verdict_application", "verdict", ["application_id", "id"], unique=False)
    op.create_index(
        "uq_verdict_four_eyes",
        "verdict",
        ["application_id", "officer_id"],
        unique=True,
        postgresql_where=sa.text("outcome IN ('pass','approve') AND set_aside_at IS NULL"),
    )
    op.create_index(
        "uq_verdict_in_force",
        "verdict",
        ["application_id", "outcome"],
        unique=True,
        postgresql_where=sa.text("outcome IN ('pass','approve') AND set_aside_at IS NULL"),
    )
    op.create_table(
        "budget_entry",
        sa.Column("budget_id", sa.BigInteger(), nullable=False),
        sa.Column("award_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("reserved_fen", sa.BigInteger(), nullable=False),
        sa.Column("committed_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(kind = 'adjust') = (award_id IS NULL)", name=op.f("ck_budget_entry_award")
        ),
        sa.CheckConstraint(
            "CASE kind WHEN 'adjust' THEN total_fen <> 0 AND reserved_fen = 0 AND committed_fen = 0 WHEN 'reserve' THEN total_fen = 0 AND reserved_fen > 0 AND committed_fen = 0 WHEN 'commit' THEN total_fen = 0 AND committed_fen > 0 AND reserved_fen = -committed_fen WHEN 'release' THEN total_fen = 0 AND reserved_fen <= 0 AND committed_fen <= 0 AND reserved_fen + committed_fen < 0 AND (reserved_fen = 0 OR committed_fen = 0) ELSE false END AND paid_fen = 0",
            name=op.f("ck_budget_entry_kind"),
        ),
        sa.CheckConstraint(
            "kind <> 'adjust' OR reason IS NOT NULL", name=op.f("ck_budget_entry_reason")
        ),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["account.id"], name=op.f("fk_budget_entry_actor_id")
        ),
        sa.ForeignKeyConstraint(["award_id"], ["award.id"], name=op.f("fk_budget_entry_award_id")),
        sa.ForeignKeyConstraint(
            ["budget_id"], ["budget.id"], name=op.f("fk_budget_entry_budget_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_entry")),
    )
    op.create_index("ix_budget_entry_budget", "budget_entry", ["budget_id", "id"], unique=False)
    op.create_index("uq_budget_entry_award", "budget_entry", ["award_id", "kind"], unique=True)
    op.create_table(
        "objection",
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("application_id", sa.BigInteger(), nullable=False),
        sa.Column("receipt_code", sa.String(), nullable=False),
        sa.Column("ground", sa.String(), nullable=False),
        sa.Column("argument", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("contact", sa.String(), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(
            "(state = 'open') = (decided_at IS NULL)", name=op.f("ck_objection_decided_at")
        ),
        sa.CheckConstraint(
            "(state = 'open') = (decided_by_id IS NULL)", name=op.f("ck_objection_decided_by")
        ),
        sa.CheckConstraint(
            "(state = 'open') = (decision_reason IS NULL)", name=op.f("ck_objection_decision")
        ),
        sa.CheckConstraint(
            "ground IN ('rights', 'untrue', 'ineligible', 'procedure', 'other')",
            name=op.f("ck_objection_ground"),
        ),
        sa.CheckConstraint(
            "state IN ('open','upheld','dismissed')", name=op.f("ck_objection_state")
        ),
        sa.CheckConstraint(
            "length(argument) BETWEEN 1 AND 2000", name=op.f("ck_objection_argument")
        ),
        sa.CheckConstraint("length(contact) BETWEEN 1 AND 200", name=op.f("ck_objection_contact")),
        sa.CheckConstraint("length(receipt_code) >= 22", name=op.f("ck_objection_receipt_code")),
        sa.CheckConstraint("length(remedy) BETWEEN 1 AND 500", name=op.f("ck_objection_remedy")),
        sa.CheckConstraint(
            "length(trim(decision_reason)) > 0", name=op.f("ck_objection_decision_reason")
        ),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_objection_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["account.id"], name=op.f("fk_objection_decided_by_id")
        ),
        sa.ForeignKeyConstraint(["item_id"], ["notice_item.id"], name=op.f("fk_objection_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objection")),
        sa.UniqueConstraint("receipt_code", name=op.f("uq_objection_receipt_code")),
    )
    op.create_index(
        "ix_objection_application", "objection", ["application_id", "state"], unique=False
    )
    op.create_index("ix_objection_item", "objection", ["item_id"], unique=False)
    op.create_index("ix_objection_state", "objection", ["state", "id"], unique=False)
    for _, statement, _ in GUARDS:
        op.execute(sa.text(statement.replace(":", "\\:")))


def downgrade() -> None:
    """Take it down."""
    for _, _, statement in reversed(GUARDS):
        op.execute(sa.text(statement.replace(":", "\\:")))
    op.drop_index("ix_objection_state", table_name="objection")
    op.drop_index("ix_objection_item", table_name="objection")
    op.drop_index("ix_objection_application", table_name="objection")
    op.drop_table("objection")
    op.drop_index("uq_budget_entry_award", table_name="budget_entry")
    op.drop_index("ix_budget_entry_budget", table_name="budget_entry")
    op.drop_table("budget_entry")
    op.drop_index(
        "uq_verdict_in_force",
        table_name="verdict",
        postgresql_where=sa.text("outcome IN ('pass','approve') AND set_aside_at IS NULL"),
    )
    op.drop_index(
        "uq_verdict_four_eyes",
        table_name="verdict",
        postgresql_where=sa.text("outcome IN ('pass','approve') AND set_aside_at IS NULL"),
    )
    op.drop_index("ix_verdict_application", table_name="verdict")
    op.drop_table("verdict")
    op.drop_index("ix_state_change_application", table_name="state_change")
    op.drop_table("state_change")
    op.drop_table("notice_item")
    op.drop_index(
        "uq_listing_source",
        table_name="listing",
        postgresql_where=sa.text("source_list IS NOT NULL"),
    )
    op.drop_index("ix_listing_year", table_name="listing")
    op.drop_index("ix_listing_valid_until", table_name="listing")
    op.drop_index("ix_listing_revision", table_name="listing")
    op.drop_index("ix_listing_product_id", table_name="listing")
    op.drop_index("ix_listing_novelty", table_name="listing")
    op.drop_index("ix_listing_kind", table_name="listing")
    op.drop_index("ix_listing_enterprise_id", table_name="listing")
    op.drop_index("ix_listing_domain", table_name="listing")
    op.drop_index("ix_listing_district", table_name="listing")
    op.drop_index("ix_listing_advancement", table_name="listing")
    op.drop_table("listing")
    op.drop_index("ix_evidence_document", table_name="evidence")
    op.drop_table("evidence")
    op.drop_index("ix_eligibility_report_application", table_name="eligibility_report")
    op.drop_table("eligibility_report")
    op.drop_index(
        "uq_correction_open",
        table_name="correction",
        postgresql_where=sa.text("returned_at IS NULL"),
    )
    op.drop_table("correction")
    op.drop_index("ix_contract_number", table_name="contract")
    op.drop_table("contract")
    op.drop_table("check_sheet")
    op.drop_index(
        "ix_certificate_registered",
        table_name="certificate",
        postgresql_where="document_id IS NULL",
    )
    op.drop_table("certificate")
    op.drop_index("ix_award_list", table_name="award")
    op.drop_index("ix_award_enterprise", table_name="award")
    op.drop_index("ix_award_account", table_name="award")
    op.drop_table("award")
    op.drop_table("specification")
    op.drop_index("ix_patent_number", table_name="patent")
    op.drop_table("patent")
    op.drop_index("ix_notice_round", table_name="notice")
    op.drop_index("ix_notice_published", table_name="notice")
    op.drop_index(
        "ix_notice_open", table_name="notice", postgresql_where=sa.text("closed_at IS NULL")
    )
    op.drop_table("notice")
    op.drop_index("ix_list_file_query", table_name="list_file")
    op.drop_table("list_file")
    op.drop_index(
        "uq_application_live",
        table_name="application",
        postgresql_where=sa.text("state NOT IN ('withdrawn','rejected','revoked')"),
    )
    op.drop_index("ix_application_round", table_name="application")
    op.drop_index("ix_application_queue", table_name="application")
    op.drop_index("ix_application_product", table_name="application")
    op.drop_index("ix_application_enterprise", table_name="application")
    op.drop_table("application")
    op.drop_index("ix_round_closes_at", table_name="round")
    op.drop_table("round")
    op.drop_index("ix_product_enterprise", table_name="product")
    op.drop_table("product")
    op.drop_index("ix_membership_enterprise", table_name="membership")
    op.drop_table("membership")
    op.drop_table("honour")
    op.drop_index("ix_document_owner", table_name="document")
    op.drop_table("document")
    op.drop_index(
        "uq_bank_account_current",
        table_name="bank_account",
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.drop_table("bank_account")
    op.drop_table("account_role")
    op.drop_table("policy")
    op.drop_table("number_year")
    op.drop_table("lifecycle_move")
    op.drop_index("uq_job_live", table_name="job", postgresql_where=sa.text("state = 'waiting'"))
    op.drop_index("ix_job_subject", table_name="job")
    op.drop_index(
        "ix_job_due", table_name="job", postgresql_where=sa.text("state IN ('waiting','leased')")
    )
    op.drop_table("job")
    op.drop_table("heartbeat")
    op.drop_index("ix_failed_sign_in_email", table_name="failed_sign_in")
    op.drop_index("ix_failed_sign_in_address", table_name="failed_sign_in")
    op.drop_table("failed_sign_in")
    op.drop_index("ix_enterprise_district", table_name="enterprise")
    op.drop_table("enterprise")
    op.drop_table("budget")
    op.drop_index("ix_audit_event_subject", table_name="audit_event")
    op.drop_table("audit_event")
    op.drop_table("account")
