"""A frozen notice, the products it names, and the objections raised against them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.database import Keyed, db, frozen_columns, guard, utc_now
from catalogue.notices.rules import GROUNDS, OUTCOMES
from catalogue.policies.models import Round


class Notice(Keyed, db.Model):
    """One 公示: published once, never edited; ``content`` is what ``sha256`` was taken of."""

    __tablename__ = "notice"
    number: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    round_id: Mapped[int] = mapped_column(ForeignKey(Round.id))
    published_at: Mapped[datetime]
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    working_days: Mapped[int]
    placeholder: Mapped[bool]
    counted: Mapped[list[Any]]
    content: Mapped[dict[str, Any]]
    sha256: Mapped[str]
    closed_at: Mapped[datetime | None]
    items: Mapped[list[NoticeItem]] = relationship(
        order_by="NoticeItem.position", back_populates="notice"
    )
    round: Mapped[Round] = relationship(lazy="joined")
    __table_args__ = (
        CheckConstraint("number ~ '^示范公示〔[0-9]{4}〕[0-9]+ 号$'", name="number"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("working_days > 0 AND closes_at > opens_at", name="period"),
        CheckConstraint("closed_at IS NULL OR closed_at >= closes_at", name="closed"),
        Index("ix_notice_open", "closes_at", postgresql_where=text("closed_at IS NULL")),
        Index("ix_notice_round", "round_id"),
        Index("ix_notice_published", "published_at", "id"),
    )

    def takes_objections(self, now: datetime) -> bool:
        """Whether the public period is running at ``now``."""
        return self.closed_at is None and self.opens_at <= now < self.closes_at


class NoticeItem(Keyed, db.Model):
    """One product on a notice; ``outcome`` is set once, when its waiting ends."""

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
    receipt_code: Mapped[str] = mapped_column(unique=True)
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
    __table_args__ = (
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


frozen_columns(
    Notice.__table__,
    (
        "number",
        "title",
        "round_id",
        "published_at",
        "opens_at",
        "closes_at",
        "working_days",
        "placeholder",
        "counted",
        "content",
        "sha256",
        "closed_at",
    ),
    once_set=True,
)
frozen_columns(
    NoticeItem.__table__,
    ("notice_id", "application_id", "position", "name", "firm", "model", "amount_fen"),
)
frozen_columns(
    Objection.__table__,
    (
        "item_id",
        "application_id",
        "receipt_code",
        "ground",
        "argument",
        "remedy",
        "contact",
        "filed_at",
    ),
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
