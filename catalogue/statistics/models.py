"""The daily files of the open data, as they were published."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.database import Keyed, db, frozen_columns, utc_now
from catalogue.documents.models import Document

ENDINGS = {"jsonl": "jsonl", "csv": "csv", "ocds": "ocds.json"}


class DataFile(Keyed, db.Model):
    """One dataset on one day, whole or only what changed ``since`` an earlier day's file.

    ``records`` counts its lines without the head.
    """

    __tablename__ = "data_file"
    dataset: Mapped[str]
    day: Mapped[date]
    kind: Mapped[str]
    format: Mapped[str]
    since: Mapped[date | None]
    records: Mapped[int]
    document_id: Mapped[int] = mapped_column(ForeignKey(Document.id), unique=True)
    made_at: Mapped[datetime] = mapped_column(default=utc_now)
    document: Mapped[Document] = relationship(lazy="joined", innerjoin=True)
    __table_args__ = (
        UniqueConstraint("dataset", "day", "kind", "format"),
        CheckConstraint("kind IN ('whole','changes')", name="kind"),
        CheckConstraint("format IN ('jsonl','csv','ocds')", name="format"),
        CheckConstraint("(kind = 'changes') = (since IS NOT NULL) AND since < day", name="since"),
        CheckConstraint("records >= 0", name="records"),
        CheckConstraint("dataset ~ '^[a-z-]{1,40}$'", name="dataset"),
        Index("ix_data_file_day", "day", "id"),
    )

    @property
    def name(self) -> str:
        """The name by which it is fetched, such as listings-2026-11-24-changes.csv."""
        what = "-changes" if self.kind == "changes" else ""
        return f"{self.dataset}-{self.day.isoformat()}{what}.{ENDINGS[self.format]}"


frozen_columns(
    DataFile.__table__,
    ("dataset", "day", "kind", "format", "since", "records", "document_id", "made_at"),
)
