"""A notice and its frozen versions, the products it names, and the objections against them."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.database import Keyed, db, frozen_columns, guard, utc_now
from catalogue.documents.models import Document
from catalogue.notices.rules import GROUNDS, MAX_FILES, OUTCOMES
from catalogue.policies.models import Round


class Notice(Keyed, db.Model):
    """One 公示. Its title and hours are those of its newest version, whose number is ``version``.

    ``published_at`` is when the first version came out; a version is never edited, only followed.
    """

    __tablename__ = "notice"
    number: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    round_id: Mapped[int] = mapped_column(ForeignKey(Round.id))
    published_at: Mapped[datetime]
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    closed_at: Mapped[datetime | None]
    items: Mapped[list[NoticeItem]] = relationship(
        order_by="NoticeItem.position", back_populates="notice"
    )
    versions: Mapped[list[NoticeVersion]] = relationship(
        order_by="NoticeVersion.version", back_populates="notice"
    )
    round: Mapped[Round] = relationship(lazy="joined")
    __table_args__ = (
        CheckConstraint("number ~ '^示范公示〔[0-9]{4}〕[0-9]+ 号$'", name="number"),
        CheckConstraint("closes_at > opens_at", name="period"),
        CheckConstraint("closed_at IS NULL OR closed_at >= closes_at", name="closed"),
        CheckConstraint("version >= 1", name="version"),
        Index("ix_notice_open", "closes_at", postgresql_where=text("closed_at IS NULL")),
        Index("ix_notice_round", "round_id"),
        Index("ix_notice_published", "published_at", "id"),
    )

    def takes_objections(self, now: datetime) -> bool:
        """Whether the public period is running at ``now``."""
        return self.closed_at is None and self.opens_at <= now < self.closes_at

    @property
    def newest(self) -> NoticeVersion:
        """The version that counts."""
        return self.versions[-1]


class NoticeCorrection(Keyed, db.Model):
    """更正: new words that one person asks for and another confirms as the next version.

    ``base`` is the version that they change; ``changes`` is what rules.corrected takes.
    """

    __tablename__ = "notice_correction"
    notice_id: Mapped[int] = mapped_column(ForeignKey(Notice.id))
    base: Mapped[int]
    changes: Mapped[dict[str, Any]]
    reason: Mapped[str]
    asked_by_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)
    state: Mapped[str] = mapped_column(default="waiting")
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    decided_at: Mapped[datetime | None]
    answer: Mapped[str | None]
    notice: Mapped[Notice] = relationship(lazy="joined")
    asked_by: Mapped[User] = relationship(foreign_keys=[asked_by_id], lazy="joined")
    decided_by: Mapped[User | None] = relationship(foreign_keys=[decided_by_id], lazy="joined")
    __table_args__ = (
        CheckConstraint("state IN ('waiting','confirmed','declined')", name="state"),
        CheckConstraint("base >= 1", name="base"),
        CheckConstraint("length(trim(reason)) BETWEEN 1 AND 500", name="reason"),
        CheckConstraint(
            "state <> 'confirmed' OR decided_by_id <> asked_by_id", name="second_person"
        ),
        CheckConstraint(
            "(state = 'waiting') = (decided_by_id IS NULL)"
            " AND (state = 'waiting') = (decided_at IS NULL)",
            name="decided",
        ),
        CheckConstraint(
            "state <> 'declined' OR length(trim(coalesce(answer, ''))) > 0", name="answer"
        ),
        Index(
            "uq_notice_correction_waiting",
            "notice_id",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_notice_correction_notice", "notice_id", "id"),
        Index("ix_notice_correction_state", "state", "id"),
    )


class NoticeVersion(Keyed, db.Model):
    """What was published, byte for byte: canonical JSON, its hash, and the signature over it.

    The signature was made once, at publication. It is missing only for a while on notices older
    than versions are: the migration asks the worker for it.
    """

    __tablename__ = "notice_version"
    notice_id: Mapped[int] = mapped_column(ForeignKey(Notice.id))
    version: Mapped[int]
    content: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str]
    signature: Mapped[str | None] = mapped_column(Text)
    certificate: Mapped[str | None] = mapped_column(Text)
    published_at: Mapped[datetime]
    correction_id: Mapped[int | None] = mapped_column(ForeignKey(NoticeCorrection.id), unique=True)
    notice: Mapped[Notice] = relationship(back_populates="versions")
    correction: Mapped[NoticeCorrection | None] = relationship()
    __table_args__ = (
        UniqueConstraint("notice_id", "version"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint(
            "sha256 = encode(sha256(convert_to(content, 'UTF8')), 'hex')", name="sha256"
        ),
        CheckConstraint("(signature IS NULL) = (certificate IS NULL)", name="signed"),
        CheckConstraint("(version = 1) = (correction_id IS NULL)", name="correction"),
        Index("ix_notice_version_published", "published_at", "id"),
    )

    @cached_property
    def body(self) -> dict[str, Any]:
        """The content as values."""
        body: dict[str, Any] = json.loads(self.content)
        return body


class NoticeItem(Keyed, db.Model):
    """One product on a notice; ``outcome`` is set once, when its waiting ends.

    Its words are those of the notice's newest version.
    """

    __tablename__ = "notice_item"
    notice_id: Mapped[int] = mapped_column(ForeignKey(Notice.id))
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id), unique=True)
    position: Mapped[int]
    name: Mapped[str]
    firm: Mapped[str]
    model: Mapped[str]
    amount_fen: Mapped[int | None]
    outcome: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    notice: Mapped[Notice] = relationship(back_populates="items")
    application: Mapped[Application] = relationship()
    objections: Mapped[list[Objection]] = relationship(
        order_by="Objection.id", back_populates="item"
    )
    __table_args__ = (
        UniqueConstraint("notice_id", "position"),
        CheckConstraint(
            f"outcome IS NULL OR outcome IN ({', '.join(repr(o) for o in OUTCOMES)})",
            name="outcome",
        ),
        CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended"),
        CheckConstraint("amount_fen IS NULL OR amount_fen >= 0", name="amount"),
    )


class Objection(Keyed, db.Model):
    """What somebody raised against one product on notice, and how it was decided."""

    __tablename__ = "objection"
    item_id: Mapped[int] = mapped_column(ForeignKey(NoticeItem.id))
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id))
    number: Mapped[str] = mapped_column(unique=True)
    receipt_code: Mapped[str] = mapped_column(unique=True)
    # Made with the form, so that a form sent twice is one objection.
    sent_key: Mapped[str | None] = mapped_column(unique=True)
    ground: Mapped[str]
    argument: Mapped[str]
    remedy: Mapped[str]
    contact: Mapped[str | None]
    filed_at: Mapped[datetime] = mapped_column(default=utc_now)
    state: Mapped[str] = mapped_column(default="open")
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None]
    item: Mapped[NoticeItem] = relationship(back_populates="objections", lazy="joined")
    application: Mapped[Application] = relationship(viewonly=True)
    decided_by: Mapped[User | None] = relationship(lazy="joined")
    files: Mapped[list[ObjectionFile]] = relationship(order_by="ObjectionFile.position")
    __table_args__ = (
        CheckConstraint("number ~ '^示范异议〔[0-9]{4}〕[0-9]+ 号$'", name="number"),
        CheckConstraint("state IN ('open','upheld','dismissed')", name="state"),
        CheckConstraint("(state = 'open') = (decided_by_id IS NULL)", name="decided_by"),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("(state = 'open') = (decision_reason IS NULL)", name="decision"),
        CheckConstraint("length(trim(decision_reason)) > 0", name="decision_reason"),
        CheckConstraint(f"ground IN ({', '.join(repr(g) for g in GROUNDS)})", name="ground"),
        CheckConstraint("length(argument) BETWEEN 1 AND 2000", name="argument"),
        CheckConstraint("length(remedy) BETWEEN 1 AND 500", name="remedy"),
        CheckConstraint("length(contact) BETWEEN 1 AND 200", name="contact"),
        CheckConstraint("length(receipt_code) >= 22", name="receipt_code"),
        Index("ix_objection_item", "item_id"),
        Index("ix_objection_application", "application_id", "state"),
        Index("ix_objection_state", "state", "id"),
    )


class ObjectionFile(Keyed, db.Model):
    """A file that came with an objection; only those who decide it see it."""

    __tablename__ = "objection_file"
    objection_id: Mapped[int] = mapped_column(ForeignKey(Objection.id))
    position: Mapped[int]
    document_id: Mapped[int] = mapped_column(ForeignKey(Document.id), unique=True)
    document: Mapped[Document] = relationship(lazy="joined")
    __table_args__ = (
        UniqueConstraint("objection_id", "position"),
        CheckConstraint(f"position BETWEEN 1 AND {MAX_FILES}", name="position"),
    )


frozen_columns(Notice.__table__, ("number", "round_id", "published_at", "closed_at"), once_set=True)
frozen_columns(
    NoticeVersion.__table__,
    (
        "notice_id",
        "version",
        "content",
        "sha256",
        "signature",
        "certificate",
        "published_at",
        "correction_id",
    ),
    once_set=True,
)
frozen_columns(
    NoticeCorrection.__table__,
    ("notice_id", "base", "changes", "reason", "asked_by_id", "asked_at"),
)
frozen_columns(NoticeItem.__table__, ("notice_id", "application_id", "position"))
frozen_columns(
    Objection.__table__,
    (
        "item_id",
        "application_id",
        "number",
        "receipt_code",
        "sent_key",
        "ground",
        "argument",
        "remedy",
        "contact",
        "filed_at",
    ),
)
frozen_columns(ObjectionFile.__table__, ("objection_id", "position", "document_id"))
guard(
    NoticeCorrection.__table__,
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
)
# Whatever the portal lists, counts or closes by is what was published: title, hours and items of a
# notice equal its newest version, and each version follows the last by a confirmed correction.
# Looked at when the transaction ends, since notice and version need each other.
guard(
    NoticeVersion.__table__,
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
)
guard(
    NoticeItem.__table__,
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
)
# Whoever let the claim pass the formal check cannot judge an objection against it.
guard(
    Objection.__table__,
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
)
