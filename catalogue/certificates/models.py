"""A certificate: its number and frozen words, its file once drawn, and every change of status."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.certificates.rules import Change, Standing, standing_on
from catalogue.certificates.wording import Wording, check_code
from catalogue.database import SHANGHAI, Keyed, db, frozen_columns, guard, utc_now
from catalogue.documents.models import Document
from catalogue.enterprises.models import enterprise_id_of

STAFF_ROLES = ("reviewer", "approver", "finance", "administrator")


class Certificate(Keyed, db.Model):
    """A certificate of an application: registered → issued, never back.

    What it is worth on a day follows from its term and its ``changes``. On a change of name a
    new one with its own number ``replaces`` it, so an application has a chain of them.
    """

    __tablename__ = "certificate"
    number: Mapped[str] = mapped_column(unique=True)
    application_id: Mapped[int] = mapped_column(ForeignKey(Application.id))
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("certificate.id"), unique=True)
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
    application: Mapped[Application] = relationship()
    document: Mapped[Document | None] = relationship()
    # What was asked for and answered, oldest first; two queries however many certificates.
    changes: Mapped[list[CertificateStatus]] = relationship(
        order_by="CertificateStatus.id", back_populates="certificate", lazy="selectin"
    )
    replaces: Mapped[Certificate | None] = relationship(
        remote_side="Certificate.id", back_populates="follower"
    )
    follower: Mapped[Certificate | None] = relationship(back_populates="replaces")
    __table_args__ = (
        CheckConstraint("number ~ '^SHCP-[0-9]{4}-[0-9]{4,}$'", name="number"),
        CheckConstraint(
            "scheme IN ('catalogue','first_set','first_version','first_batch',"
            "'insurance_equipment','insurance_material','first_purchase','first_use_risk')",
            name="scheme",
        ),
        CheckConstraint("state IN ('registered','issued')", name="state"),
        CheckConstraint("replaces_id <> id", name="replaces"),
        CheckConstraint("length(token) >= 22", name="token"),
        CheckConstraint("wording_sha256 ~ '^[0-9a-f]{64}$'", name="wording_sha256"),
        CheckConstraint("file_sha256 ~ '^[0-9a-f]{64}$'", name="file_sha256"),
        CheckConstraint("wording->>'number' = number", name="wording_number"),
        CheckConstraint("valid_until >= valid_from", name="validity"),
        CheckConstraint("num_nonnulls(document_id, file_sha256, issued_at) IN (0, 3)", name="file"),
        CheckConstraint("state <> 'registered' OR issued_at IS NULL", name="registered"),
        CheckConstraint("state <> 'issued' OR issued_at IS NOT NULL", name="issued"),
        Index(
            "uq_certificate_first",
            "application_id",
            unique=True,
            postgresql_where=text("replaces_id IS NULL"),
        ),
        Index("ix_certificate_application", "application_id", "id"),
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
        """Its status on ``day``, as far as it is known now."""
        validity, issued = (self.valid_from, self.valid_until), self.issued_at
        issued_on = issued.astimezone(SHANGHAI).date() if issued else None
        return standing_on(day, validity, issued_on, [entry.as_change for entry in self.history])

    @property
    def history(self) -> list[CertificateStatus]:
        """The changes that two people made, in the order in which they took effect."""
        made = [entry for entry in self.changes if entry.confirmed]
        return sorted(made, key=lambda entry: (entry.answered_at, entry.id))

    @property
    def status(self) -> str:
        """What the last change made it; valid while there is none. See rules.NEXT."""
        made = self.history
        return made[-1].status if made else "valid"

    @property
    def open_change(self) -> CertificateStatus | None:
        """The change that waits for the second person."""
        return next((entry for entry in self.changes if entry.answered_at is None), None)

    def visible_to(self, user: User) -> bool:
        """Whose file it is: the firm's, and staff's. The status itself is public."""
        if user.has_role(*STAFF_ROLES):
            return True
        return enterprise_id_of(user) == self.application.enterprise_id


class CertificateStatus(Keyed, db.Model):
    """A change of a certificate's status: asked for by one person, confirmed by another.

    It takes effect at ``answered_at`` when ``confirmed``. ``words`` are the words that the new
    certificate of a replacement changes. Rows are never deleted, and nothing said in them is
    ever said otherwise: together they are the certificate's dated history.
    """

    __tablename__ = "certificate_status"
    certificate_id: Mapped[int] = mapped_column(ForeignKey(Certificate.id))
    status: Mapped[str]
    reason: Mapped[str]
    words: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    asked_by_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    asked_at: Mapped[datetime] = mapped_column(default=utc_now)
    answered_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    answered_at: Mapped[datetime | None]
    confirmed: Mapped[bool | None]
    answer: Mapped[str | None]
    certificate: Mapped[Certificate] = relationship(back_populates="changes")
    asked_by: Mapped[User] = relationship(foreign_keys=[asked_by_id])
    answered_by: Mapped[User | None] = relationship(foreign_keys=[answered_by_id])
    __table_args__ = (
        CheckConstraint("status IN ('valid','suspended','revoked','replaced')", name="status"),
        CheckConstraint("length(trim(reason)) > 0", name="reason"),
        CheckConstraint("(status = 'replaced') = (words IS NOT NULL)", name="words"),
        CheckConstraint("answered_by_id <> asked_by_id", name="second_person"),
        CheckConstraint(
            "(answered_by_id IS NULL) = (answered_at IS NULL)"
            " AND (answered_by_id IS NULL) = (confirmed IS NULL)",
            name="answered",
        ),
        CheckConstraint("answered_at >= asked_at", name="order"),
        CheckConstraint(
            "confirmed IS NOT FALSE OR length(trim(coalesce(answer, ''))) > 0", name="refusal"
        ),
        Index(
            "uq_certificate_status_open",
            "certificate_id",
            unique=True,
            postgresql_where=text("answered_at IS NULL"),
        ),
        Index("ix_certificate_status_certificate", "certificate_id", "id"),
        Index("ix_certificate_status_answered", "answered_at", "id"),
    )

    @property
    def as_change(self) -> Change:
        """The change as the rules read it; only for what was confirmed."""
        assert self.answered_at is not None
        follower = self.certificate.follower if self.status == "replaced" else None
        moment = self.answered_at.astimezone(SHANGHAI)
        return Change(self.status, moment, follower.number if follower else None)


frozen_columns(
    CertificateStatus.__table__,
    (
        "certificate_id",
        "status",
        "reason",
        "words",
        "asked_by_id",
        "asked_at",
        "answered_by_id",
        "answered_at",
        "confirmed",
        "answer",
    ),
    once_set=True,
)
# A row begins as a question and one person's; what is confirmed follows from what stood before,
# and comes after it in time, so that no day in the past changes its answer.
guard(
    CertificateStatus.__table__,
    "certificate_status_in_turn",
    """CREATE FUNCTION certificate_status_in_turn() RETURNS trigger LANGUAGE plpgsql AS $$
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
FOR EACH ROW EXECUTE FUNCTION certificate_status_in_turn();""",
    """DROP TRIGGER IF EXISTS certificate_status_in_turn ON certificate_status;
DROP FUNCTION IF EXISTS certificate_status_in_turn();""",
)
# An application is revoked together with its certificate, which two people did, or not at all.
guard(
    CertificateStatus.__table__,
    "application_revoked_by_two",
    """CREATE FUNCTION application_revoked_by_two() RETURNS trigger LANGUAGE plpgsql AS $$
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
EXECUTE FUNCTION application_revoked_by_two();""",
    """DROP TRIGGER IF EXISTS application_revoked_by_two ON application;
DROP FUNCTION IF EXISTS application_revoked_by_two();""",
)

frozen_columns(
    Certificate.__table__,
    (
        "number",
        "application_id",
        "replaces_id",
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
    ),
    once_set=True,
)


class Signer(Keyed, db.Model):
    """The public half of a key that signed here, kept so that its papers stay checkable.

    ``pem`` holds its certificate and the chain above it, ``root_pem`` the root. The private key
    is never here.
    """

    __tablename__ = "signer"
    fingerprint: Mapped[str] = mapped_column(unique=True)
    label: Mapped[str]
    pem: Mapped[str]
    root_pem: Mapped[str]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    first_used_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        CheckConstraint("fingerprint ~ '^[0-9a-f]{64}$'", name="fingerprint"),
        CheckConstraint("valid_until > valid_from", name="validity"),
        CheckConstraint("pem !~ 'PRIVATE' AND root_pem !~ 'PRIVATE'", name="public"),
    )


frozen_columns(
    Signer.__table__,
    (
        "fingerprint",
        "label",
        "pem",
        "root_pem",
        "valid_from",
        "valid_until",
        "first_used_at",
    ),
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
