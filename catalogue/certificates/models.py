"""A certificate: its number and frozen words first, its file once drawn, its end if revoked."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.certificates.rules import Standing, standing_on
from catalogue.certificates.wording import Wording, check_code
from catalogue.database import SHANGHAI, Keyed, db, frozen_columns, utc_now
from catalogue.documents.models import Document
from catalogue.enterprises.models import enterprise_id_of

STAFF_ROLES = ("reviewer", "approver", "finance", "administrator")


class Certificate(Keyed, db.Model):
    """One certificate of one application: registered → issued → revoked, never back."""

    __tablename__ = "certificate"
    number: Mapped[str] = mapped_column(unique=True)
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id), unique=True)
    scheme: Mapped[str]
    token: Mapped[str] = mapped_column(unique=True)
    wording: Mapped[dict[str, Any]]
    wording_sha256: Mapped[str]
    valid_from: Mapped[date]
    valid_until: Mapped[date]
    state: Mapped[str] = mapped_column(default="registered")
    registered_at: Mapped[datetime] = mapped_column(default=utc_now)
    document_id: Mapped[int | None] = mapped_column(ForeignKey(Document.id))
    file_sha256: Mapped[str | None] = mapped_column(unique=True)
    issued_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
    application: Mapped[Application] = relationship()
    document: Mapped[Document | None] = relationship()
    __table_args__ = (
        CheckConstraint("number ~ '^SHCP-[0-9]{4}-[0-9]{4,}$'", name="number"),
        CheckConstraint(
            "scheme IN ('catalogue','first_set','first_version','first_batch',"
            "'insurance_equipment','insurance_material','first_purchase','first_use_risk')",
            name="scheme",
        ),
        CheckConstraint("state IN ('registered','issued','revoked')", name="state"),
        CheckConstraint("length(token) >= 22", name="token"),
        CheckConstraint("wording_sha256 ~ '^[0-9a-f]{64}$'", name="wording_sha256"),
        CheckConstraint("file_sha256 ~ '^[0-9a-f]{64}$'", name="file_sha256"),
        CheckConstraint("wording->>'number' = number", name="wording_number"),
        CheckConstraint("valid_until >= valid_from", name="validity"),
        CheckConstraint("num_nonnulls(document_id, file_sha256, issued_at) IN (0, 3)", name="file"),
        CheckConstraint("state <> 'registered' OR issued_at IS NULL", name="registered"),
        CheckConstraint("state <> 'issued' OR issued_at IS NOT NULL", name="issued"),
        CheckConstraint(
            "(state = 'revoked') = (revoked_at IS NOT NULL)"
            " AND (revoked_at IS NULL) = (revoked_reason IS NULL)",
            name="revoked",
        ),
        CheckConstraint("length(trim(revoked_reason)) > 0", name="revoked_reason"),
        Index("ix_certificate_registered", "registered_at", postgresql_where="document_id IS NULL"),
    )

    @property
    def words(self) -> Wording:
        """The frozen wording."""
        return Wording.from_json(self.wording)

    @property
    def check_code(self) -> str:
        """核验码, as printed on the paper."""
        return check_code(self.wording_sha256)

    def standing(self, day: date) -> Standing:
        """Its status on ``day``."""
        return standing_on(
            day, self.valid_from, self.valid_until, _day(self.issued_at), _day(self.revoked_at)
        )

    def visible_to(self, user: User) -> bool:
        """Whose file it is: the firm's, and staff's. The status itself is public."""
        if user.has_role(*STAFF_ROLES):
            return True
        return enterprise_id_of(user) == self.application.enterprise_id


def _day(moment: datetime | None) -> date | None:
    return moment.astimezone(SHANGHAI).date() if moment else None


frozen_columns(
    Certificate.__table__,
    (
        "number",
        "application_id",
        "scheme",
        "token",
        "wording",
        "wording_sha256",
        "valid_from",
        "valid_until",
        "registered_at",
        "document_id",
        "file_sha256",
        "issued_at",
        "revoked_at",
        "revoked_reason",
    ),
    once_set=True,
)


class StatusFile(Keyed, db.Model):
    """A signed file with the status of every certificate on one day, for checks without us."""

    __tablename__ = "status_file"
    day: Mapped[date]
    made_at: Mapped[datetime] = mapped_column(default=utc_now)
    certificates: Mapped[int]
    document_id: Mapped[int] = mapped_column(ForeignKey(Document.id), unique=True)
    document: Mapped[Document] = relationship(lazy="joined")
    __table_args__ = (
        CheckConstraint("certificates >= 0", name="certificates"),
        Index("ix_status_file_day", "day", "id"),
    )


frozen_columns(StatusFile.__table__, ("day", "made_at", "certificates", "document_id"))
