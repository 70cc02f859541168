"""The append-only chain of events, and the public append-only log with its tree."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from catalogue.database import Keyed, db, guard


class AuditEvent(Keyed, db.Model):
    """One act: its actor (None is the system), subject, facts, and link to the act before."""

    __tablename__ = "audit_event"
    sequence: Mapped[int] = mapped_column(unique=True)
    at: Mapped[datetime]
    actor_id: Mapped[int | None]
    actor_name: Mapped[str]
    action: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    facts: Mapped[dict[str, Any]]
    previous_hash: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    __table_args__ = (
        CheckConstraint("length(hash) = 64 AND length(previous_hash) = 64", name="hashes"),
        CheckConstraint("sequence > 0", name="sequence"),
        Index("ix_audit_event_subject", "subject_type", "subject_id", "sequence"),
    )


guard(
    AuditEvent.__table__,
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
)


LOG_KINDS = {
    "certificate": "证书",
    "certificate_status": "证书状态",
    "notice": "公示",
    "decision": "核验记录",
    "finance": "资金清单",
}
_KIND_LIST = ", ".join(repr(kind) for kind in LOG_KINDS)


class LogEntry(db.Model):
    """One leaf of the public log: the hash of something official, and when it was entered."""

    __tablename__ = "log_entry"
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    subject: Mapped[str]
    sha256: Mapped[str]
    at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("kind", "subject", "sha256"),
        CheckConstraint("position >= 0", name="position"),
        CheckConstraint(f"kind IN ({_KIND_LIST})", name="kind"),
        CheckConstraint("length(subject) BETWEEN 1 AND 80", name="subject"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        Index("ix_log_entry_subject", "subject", "position"),
        Index("ix_log_entry_sha256", "sha256"),
    )


class LogNode(db.Model):
    """The hash of one perfect subtree of the log; once made it never changes."""

    __tablename__ = "log_node"
    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[bytes]
    __table_args__ = (
        CheckConstraint("level BETWEEN 0 AND 62 AND position >= 0", name="place"),
        CheckConstraint("length(digest) = 32", name="digest"),
    )


class LogCheckpoint(db.Model):
    """The root over the first ``size`` entries, signed: what a reader keeps and compares."""

    __tablename__ = "log_checkpoint"
    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[str]
    at: Mapped[datetime]
    signature: Mapped[str]
    certificate: Mapped[str]
    __table_args__ = (
        CheckConstraint("size > 0", name="size"),
        CheckConstraint("root ~ '^[0-9a-f]{64}$'", name="root"),
    )


for _table in (LogEntry.__table__, LogNode.__table__, LogCheckpoint.__table__):
    guard(
        _table,
        f"{_table.name}_append_only",
        f"""CREATE FUNCTION {_table.name}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '{_table.name} is append-only' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER {_table.name}_append_only BEFORE UPDATE OR DELETE ON {_table.name}
FOR EACH ROW EXECUTE FUNCTION {_table.name}_append_only();
CREATE TRIGGER {_table.name}_no_truncate BEFORE TRUNCATE ON {_table.name}
FOR EACH STATEMENT EXECUTE FUNCTION {_table.name}_append_only();""",
        f"""DROP TRIGGER IF EXISTS {_table.name}_no_truncate ON {_table.name};
DROP TRIGGER IF EXISTS {_table.name}_append_only ON {_table.name};
DROP FUNCTION IF EXISTS {_table.name}_append_only();""",
    )

# Positions follow one another without a gap, so that an entry cannot be left out later.
guard(
    LogEntry.__table__,
    "log_entry_in_turn",
    """CREATE FUNCTION log_entry_in_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.position <> COALESCE((SELECT max(position) + 1 FROM log_entry), 0) THEN
    RAISE EXCEPTION 'log_entry: positions follow one another'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER log_entry_in_turn BEFORE INSERT ON log_entry
FOR EACH ROW EXECUTE FUNCTION log_entry_in_turn();""",
    """DROP TRIGGER IF EXISTS log_entry_in_turn ON log_entry;
DROP FUNCTION IF EXISTS log_entry_in_turn();""",
)
