"""What is known of each stored file; the bytes lie in the store under their SHA-256."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from catalogue.accounts.models import User
from catalogue.database import Keyed, db, frozen_columns, utc_now


class Document(Keyed, db.Model):
    """One file of one owner. ``enterprise_id`` None means that no firm owns it.

    ``only_role`` keeps a file for one kind of staff, whoever else might see files.
    """

    __tablename__ = "document"
    sha256: Mapped[str]
    filename: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    # The firm that owns the file; a plain number, because firms live in a room above this one.
    enterprise_id: Mapped[int | None]
    only_role: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("size > 0", name="size"),
        CheckConstraint("length(filename) BETWEEN 1 AND 200", name="filename"),
        CheckConstraint("only_role IS NULL OR enterprise_id IS NULL", name="only_role"),
        Index("ix_document_owner", "enterprise_id", "sha256"),
    )

    def visible_to(self, user: User, enterprise_id: int | None) -> bool:
        """Its owner firm and staff who review, approve or pay, or ``only_role``; nobody else."""
        if self.only_role is not None:
            return user.has_role(self.only_role)
        if user.has_role("reviewer", "approver", "finance"):
            return True
        return self.enterprise_id is not None and self.enterprise_id == enterprise_id

    @property
    def size_words(self) -> str:
        """The size for a reader: kB below one MB, else MB."""
        if self.size < 1_000_000:
            return f"{max(1, round(self.size / 1000))} kB"
        return f"{self.size / 1_000_000:.1f} MB"


frozen_columns(Document.__table__, ("sha256", "media_type", "size", "enterprise_id", "only_role"))
