"""目录条目, a product's entry in the published catalogue; and the synonyms that staff keep."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.database import Keyed, db, frozen_columns, guard, utc_now
from catalogue.listings.frozen import NUMBER as FROZEN_NUMBER

NUMBER = re.compile(r"(SHCP|SL)-[0-9]{4}-[0-9]{4,9}")
KINDS = {"equipment": "首台套装备", "software": "首版次软件", "material": "首批次新材料"}
KINDS["other"] = "其他产品"


class Listing(Keyed, db.Model):
    """One product as the public sees it; the words of the day it was listed, kept.

    It comes from an application of this portal (``application_id``) or from a list that a clerk
    imported (``source_list``). ``revision`` is the transaction that last wrote the row: the
    search index follows it. A row is never deleted; ``status`` says that it was removed, or that
    its certificate is suspended.
    """

    __tablename__ = "listing"
    number: Mapped[str]
    application_id: Mapped[int | None] = mapped_column(ForeignKey("application.id"))
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    enterprise_id: Mapped[int | None] = mapped_column(ForeignKey("enterprise.id"))
    name: Mapped[str]
    firm_name: Mapped[str]
    model: Mapped[str | None]
    kind: Mapped[str]
    domain: Mapped[str | None]
    novelty: Mapped[str | None]
    advancement: Mapped[str | None]
    district: Mapped[str | None]
    region: Mapped[str] = mapped_column(default="")
    year: Mapped[int | None]
    summary: Mapped[str] = mapped_column(default="")
    # Figures of the day of listing: [{name, value, unit}], in the product's order.
    specifications: Mapped[list[Any]] = mapped_column(default=list)
    listed_on: Mapped[date]
    valid_until: Mapped[date | None]
    first_purchase: Mapped[bool] = mapped_column(default=False)
    source_list: Mapped[str | None]
    source: Mapped[str] = mapped_column(default="")
    sample: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(default="listed")
    removed_on: Mapped[date | None]
    removed_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    revision: Mapped[int] = mapped_column(server_default=text("0"))
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("application_id"),
        Index(
            "uq_listing_source",
            "source_list",
            "name",
            "firm_name",
            unique=True,
            postgresql_where=text("source_list IS NOT NULL"),
        ),
        Index("ix_listing_revision", "revision"),
        Index("ix_listing_domain", "domain"),
        Index("ix_listing_kind", "kind"),
        Index("ix_listing_novelty", "novelty"),
        Index("ix_listing_advancement", "advancement"),
        Index("ix_listing_district", "district"),
        Index("ix_listing_year", "year"),
        Index("ix_listing_valid_until", "valid_until"),
        Index("ix_listing_product_id", "product_id"),
        Index("ix_listing_enterprise_id", "enterprise_id"),
        CheckConstraint(f"number ~ '^{NUMBER.pattern}$'", name="number"),
        CheckConstraint("(application_id IS NULL) <> (source_list IS NULL)", name="origin"),
        CheckConstraint("length(name) BETWEEN 1 AND 120", name="name"),
        CheckConstraint("length(firm_name) BETWEEN 1 AND 120", name="firm_name"),
        CheckConstraint("length(summary) <= 600", name="summary"),
        CheckConstraint("kind IN ('equipment','software','material','other')", name="kind"),
        CheckConstraint("year BETWEEN 1900 AND 2100", name="year"),
        CheckConstraint("valid_until >= listed_on", name="validity"),
        CheckConstraint("jsonb_typeof(specifications) = 'array'", name="specifications"),
        CheckConstraint("status IN ('listed','suspended','removed')", name="status"),
        CheckConstraint(
            "(status = 'removed') = (removed_on IS NOT NULL)"
            " AND (status = 'removed') = (removed_reason IS NOT NULL)",
            name="removal",
        ),
    )


guard(
    Listing.__table__,
    "listing_revision",
    """CREATE FUNCTION listing_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.revision := pg_current_xact_id()::text::bigint;
  RETURN NEW;
END $$;
CREATE TRIGGER listing_revision BEFORE INSERT OR UPDATE ON listing
FOR EACH ROW EXECUTE FUNCTION listing_revision();""",
    "DROP TRIGGER IF EXISTS listing_revision ON listing;"
    " DROP FUNCTION IF EXISTS listing_revision();",
)
frozen_columns(Listing.__table__, ("number", "application_id", "source_list", "created_at"))


class Synonym(Keyed, db.Model):
    """A group of words with one meaning, which widen a question; retired rather than deleted.

    ``note`` says what they mean or where they come from. The trail tells every earlier state.
    """

    __tablename__ = "synonym"
    words: Mapped[list[Any]]
    note: Mapped[str] = mapped_column(default="")
    changed_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    retired_at: Mapped[datetime | None]
    changed_by: Mapped[User | None] = relationship(lazy="joined")
    __table_args__ = (
        UniqueConstraint("words"),
        Index("ix_synonym_changed_by_id", "changed_by_id"),
        Index("ix_synonym_changed_at", "changed_at", "id"),
        CheckConstraint(
            "jsonb_typeof(words) = 'array' AND jsonb_array_length(words) BETWEEN 2 AND 12",
            name="words",
        ),
        CheckConstraint("length(note) <= 200", name="note"),
    )


frozen_columns(Synonym.__table__, ("created_at",))


class Frozen(Keyed, db.Model):
    """What a buyer saw at a moment, kept word for word: a search, a need or a comparison.

    ``content`` is what ``sha256`` was taken of and ``signature`` made over; it does not say who
    saw it. ``purpose`` is the owner's own note and no part of it.
    """

    __tablename__ = "frozen"
    number: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    kind: Mapped[str]
    purpose: Mapped[str] = mapped_column(default="")
    content: Mapped[dict[str, Any]]
    sha256: Mapped[str] = mapped_column(unique=True)
    signature: Mapped[str]
    certificate: Mapped[str]
    frozen_at: Mapped[datetime]
    owner: Mapped[User] = relationship(lazy="joined")
    __table_args__ = (
        Index("ix_frozen_owner_id", "owner_id", "id"),
        CheckConstraint(f"number ~ '^{FROZEN_NUMBER.pattern}$'", name="number"),
        CheckConstraint("kind IN ('search','need','comparison')", name="kind"),
        CheckConstraint("length(purpose) <= 120", name="purpose"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("content->>'number' = number AND content->>'kind' = kind", name="content"),
    )

    def owned_by(self, user: User) -> bool:
        """Whether ``user`` froze it; the content itself is for whoever holds the number."""
        return bool(user.is_authenticated and user.id == self.owner_id)


frozen_columns(
    Frozen.__table__,
    (
        "number",
        "owner_id",
        "kind",
        "purpose",
        "content",
        "sha256",
        "signature",
        "certificate",
        "frozen_at",
    ),
)


class SavedSearch(Keyed, db.Model):
    """A search whose changes a person wants by mail, ``daily`` or ``weekly``, until ``ended_at``.

    ``seen`` holds, by number, what the last mail (or the start) knew; ``checked_for`` the last
    period that was looked at. ``token`` ends it without a sign-in.
    """

    __tablename__ = "saved_search"
    owner_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    address: Mapped[str]
    words: Mapped[list[Any]]
    frequency: Mapped[str]
    token: Mapped[str] = mapped_column(unique=True)
    seen: Mapped[dict[str, Any]]
    checked_for: Mapped[date]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[datetime | None]
    owner: Mapped[User] = relationship(lazy="joined")
    __table_args__ = (
        Index("ix_saved_search_owner_id", "owner_id", "id"),
        Index(
            "uq_saved_search_live",
            "owner_id",
            "address",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_saved_search_due", "checked_for", postgresql_where=text("ended_at IS NULL")),
        CheckConstraint("frequency IN ('daily','weekly')", name="frequency"),
        CheckConstraint("length(token) >= 22", name="token"),
        CheckConstraint("length(address) BETWEEN 1 AND 4000", name="address"),
        CheckConstraint("ended_at IS NULL OR ended_at >= created_at", name="ended"),
    )


frozen_columns(
    SavedSearch.__table__, ("owner_id", "address", "words", "frequency", "token", "created_at")
)


class Digest(Keyed, db.Model):
    """The mail of one saved search for one period: made once, sent at most once.

    ``sending`` is committed before the mail goes out, so that a worker that dies on the way
    leaves a mail unsent rather than twice sent.
    """

    __tablename__ = "digest"
    saved_search_id: Mapped[int] = mapped_column(ForeignKey(SavedSearch.id))
    period: Mapped[date]
    changes: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(default="made")
    made_at: Mapped[datetime] = mapped_column(default=utc_now)
    sent_at: Mapped[datetime | None]
    saved_search: Mapped[SavedSearch] = relationship(lazy="joined")
    __table_args__ = (
        UniqueConstraint("saved_search_id", "period"),
        Index("ix_digest_made", "id", postgresql_where=text("state = 'made'")),
        CheckConstraint("state IN ('made','sending','sent')", name="state"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent"),
    )


frozen_columns(Digest.__table__, ("saved_search_id", "period", "changes", "made_at"))
guard(
    Digest.__table__,
    "digest_once",
    """CREATE FUNCTION digest_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state = 'sent' AND NEW.state <> 'sent' THEN
    RAISE EXCEPTION 'a digest is sent once' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER digest_once BEFORE UPDATE ON digest
FOR EACH ROW EXECUTE FUNCTION digest_once();""",
    "DROP TRIGGER IF EXISTS digest_once ON digest; DROP FUNCTION IF EXISTS digest_once();",
)
