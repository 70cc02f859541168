"""Stored policy versions, which never change, and the rounds that run under them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.database import Keyed, db, frozen_columns, guard, utc_now


class Policy(Keyed, db.Model):
    """One immutable version of a scheme's rules; ``source`` is its YAML, word for word."""

    __tablename__ = "policy"
    scheme: Mapped[str]
    version: Mapped[str]
    title: Mapped[str]
    effective_from: Mapped[date]
    effective_to: Mapped[date | None]
    # Large, and read only when a version is loaded for the first time or handed out.
    source: Mapped[str] = mapped_column(deferred=True)
    sha256: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSONB, deferred=True)
    published_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        UniqueConstraint("scheme", "version"),
        UniqueConstraint("sha256"),
        CheckConstraint(
            "scheme IN ('catalogue','first_set','first_version','first_batch',"
            "'insurance_equipment','insurance_material','first_purchase','first_use_risk')",
            name="scheme",
        ),
        CheckConstraint("effective_to IS NULL OR effective_to >= effective_from", name="effective"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
    )


FROZEN = [
    "id",
    "scheme",
    "version",
    "title",
    "effective_from",
    "effective_to",
    "source",
    "sha256",
    "document",
    "published_at",
]
frozen_columns(Policy.__table__, tuple(FROZEN))

# An exclusion constraint over scheme and range would need btree_gist, which the embedded server
# does not have; so a trigger says it, under a lock that makes two publications take turns.
guard(
    Policy.__table__,
    "policy_no_overlap",
    """CREATE FUNCTION policy_no_overlap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7201412);
  IF EXISTS (
    SELECT 1 FROM policy
    WHERE scheme = NEW.scheme
      AND daterange(effective_from, effective_to, '[]')
          && daterange(NEW.effective_from, NEW.effective_to, '[]')
      -- A text without an end holds until the next one begins.
      AND NOT (effective_to IS NULL AND effective_from < NEW.effective_from)
  ) THEN
    RAISE EXCEPTION 'policy: effective ranges of one scheme overlap'
      USING ERRCODE = 'exclusion_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER policy_no_overlap BEFORE INSERT ON policy
FOR EACH ROW EXECUTE FUNCTION policy_no_overlap();""",
    "DROP TRIGGER IF EXISTS policy_no_overlap ON policy; "
    "DROP FUNCTION IF EXISTS policy_no_overlap();",
)


class Round(Keyed, db.Model):
    """A window in which one policy takes applications; ``batch`` counts within the year."""

    __tablename__ = "round"
    policy_id: Mapped[int] = mapped_column(ForeignKey(Policy.id))
    scheme: Mapped[str]
    title: Mapped[str]
    year: Mapped[int]
    batch: Mapped[int]
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    policy: Mapped[Policy] = relationship(lazy="joined")
    __table_args__ = (
        # The scheme stands here too, because uniqueness is per scheme, not per version.
        UniqueConstraint("scheme", "year", "batch"),
        CheckConstraint("closes_at > opens_at", name="window"),
        CheckConstraint("year BETWEEN 2000 AND 2100", name="year"),
        CheckConstraint("batch BETWEEN 1 AND 99", name="batch"),
        Index("ix_round_closes_at", "closes_at"),
    )


frozen_columns(Round.__table__, ("id", "policy_id", "scheme", "year", "batch"))


class DecisionRecord(Keyed, db.Model):
    """One automatic check, signed: ``record`` is the exact text that was hashed and signed.

    The application is named by its number only, since its room stands above this one. ``facts``
    are those of the record once more, for re-checking many cases without reading their texts.
    ``decided_on`` is the day under which the rules were read.
    """

    __tablename__ = "decision_record"
    application_number: Mapped[str]
    policy_id: Mapped[int] = mapped_column(ForeignKey(Policy.id))
    scheme: Mapped[str]
    verdict: Mapped[str]
    amount_fen: Mapped[int | None]
    district: Mapped[str | None]
    firm_size: Mapped[str | None]
    decided_on: Mapped[date]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB)
    record: Mapped[str]
    sha256: Mapped[str]
    signature: Mapped[str]
    certificate: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        CheckConstraint("verdict IN ('eligible','ineligible','needs_person')", name="verdict"),
        CheckConstraint("amount_fen IS NULL OR amount_fen >= 0", name="amount"),
        CheckConstraint("length(application_number) BETWEEN 1 AND 40", name="application_number"),
        # A text that does not match its hash cannot be stored, whoever writes it.
        CheckConstraint(
            "sha256 = encode(sha256(convert_to(record, 'UTF8')), 'hex')", name="sha256"
        ),
        CheckConstraint("length(signature) > 0 AND length(certificate) > 0", name="signed"),
        Index("ix_decision_record_scheme", "scheme", "id"),
        Index("ix_decision_record_application", "application_number", "id"),
        Index("ix_decision_record_policy", "policy_id"),
        Index("ix_decision_record_sha256", "sha256"),
    )


frozen_columns(
    DecisionRecord.__table__,
    (
        "id",
        "application_number",
        "policy_id",
        "scheme",
        "verdict",
        "amount_fen",
        "district",
        "firm_size",
        "decided_on",
        "facts",
        "record",
        "sha256",
        "signature",
        "certificate",
        "created_at",
    ),
)


class ReplayRun(Keyed, db.Model):
    """One pass over every decision record; ``last_id`` is where it goes on.

    ``first_different`` names the applications whose records came out otherwise, the first few.
    """

    __tablename__ = "replay_run"
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
    last_id: Mapped[int] = mapped_column(default=0)
    checked: Mapped[int] = mapped_column(default=0)
    different: Mapped[int] = mapped_column(default=0)
    first_different: Mapped[list[Any]] = mapped_column(JSONB, default=list)
    __table_args__ = (
        CheckConstraint("finished_at IS NULL OR finished_at >= started_at", name="finished"),
        CheckConstraint("different BETWEEN 0 AND checked AND last_id >= 0", name="counts"),
        CheckConstraint(
            "jsonb_typeof(first_different) = 'array'"
            " AND (jsonb_array_length(first_different) > 0) = (different > 0)",
            name="first_different",
        ),
        # One pass at a time; a pass that was cut short is gone on with, not begun anew.
        Index(
            "uq_replay_run_open",
            text("(finished_at IS NULL)"),
            unique=True,
            postgresql_where=text("finished_at IS NULL"),
        ),
    )


class PolicyDraft(Keyed, db.Model):
    """A version that is being written; ``version`` counts its savings.

    Only its author edits it, another person publishes it, and what was published or withdrawn
    never changes again.
    """

    __tablename__ = "policy_draft"
    scheme: Mapped[str]
    title: Mapped[str]
    text: Mapped[str]
    text_sha256: Mapped[str]
    based_on_id: Mapped[int | None] = mapped_column(ForeignKey(Policy.id))
    author_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    state: Mapped[str] = mapped_column(default="draft")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    saved_at: Mapped[datetime] = mapped_column(default=utc_now)
    closed_at: Mapped[datetime | None]
    policy_id: Mapped[int | None] = mapped_column(ForeignKey(Policy.id), unique=True)
    published_by_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    based_on: Mapped[Policy | None] = relationship(foreign_keys=[based_on_id])
    policy: Mapped[Policy | None] = relationship(foreign_keys=[policy_id])
    author: Mapped[User] = relationship(foreign_keys=[author_id])
    published_by: Mapped[User | None] = relationship(foreign_keys=[published_by_id])
    __table_args__ = (
        CheckConstraint("state IN ('draft','withdrawn','published')", name="state"),
        CheckConstraint("length(title) BETWEEN 1 AND 80", name="title"),
        CheckConstraint("octet_length(text) BETWEEN 1 AND 131072", name="text"),
        CheckConstraint(
            "text_sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex')", name="text_sha256"
        ),
        CheckConstraint("version >= 1 AND saved_at >= created_at", name="version"),
        CheckConstraint("(state = 'draft') = (closed_at IS NULL)", name="closed"),
        CheckConstraint(
            "(state = 'published') = (policy_id IS NOT NULL)"
            " AND (policy_id IS NULL) = (published_by_id IS NULL)",
            name="published",
        ),
        CheckConstraint("published_by_id <> author_id", name="four_eyes"),
        Index("ix_policy_draft_state", "state", "saved_at", "id"),
        Index("ix_policy_draft_based_on", "based_on_id"),
    )


# The two persons and the back-test that both have opened are a promise of the database, so that
# no code path can publish a draft around them.
guard(
    PolicyDraft.__table__,
    "policy_draft_publication",
    """CREATE FUNCTION policy_draft_publication() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'policy_draft rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'draft' THEN
      RAISE EXCEPTION 'policy_draft: begins as a draft' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.state <> 'draft' OR NEW.id <> OLD.id OR NEW.scheme <> OLD.scheme
    OR NEW.author_id <> OLD.author_id OR NEW.created_at <> OLD.created_at
    OR NEW.based_on_id IS DISTINCT FROM OLD.based_on_id THEN
    RAISE EXCEPTION 'policy_draft: a frozen column or a closed draft was changed'
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state = 'published' AND (
    NEW.text <> OLD.text
    OR NOT EXISTS (
      SELECT 1 FROM policy p WHERE p.id = NEW.policy_id AND p.sha256 = NEW.text_sha256
    )
    OR NOT EXISTS (
      SELECT 1 FROM back_test b
      JOIN back_test_opening one ON one.back_test_id = b.id AND one.user_id = NEW.author_id
      JOIN back_test_opening two ON two.back_test_id = b.id AND two.user_id = NEW.published_by_id
      WHERE b.draft_id = NEW.id AND b.state = 'done' AND b.text_sha256 = NEW.text_sha256
    )
  ) THEN
    RAISE EXCEPTION 'policy_draft: its text has no back-test that author and publisher opened'
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER policy_draft_publication BEFORE INSERT OR UPDATE OR DELETE ON policy_draft
FOR EACH ROW EXECUTE FUNCTION policy_draft_publication();""",
    "DROP TRIGGER IF EXISTS policy_draft_publication ON policy_draft; "
    "DROP FUNCTION IF EXISTS policy_draft_publication();",
)


UNDER_WAY = text("state IN ('waiting','running')")


class BackTest(Keyed, db.Model):
    """A draft's text tried on the newest record of every past case up to ``until_id``.

    ``result`` is a Tally as JSON. The text is kept, because its draft may go on changing.
    """

    __tablename__ = "back_test"
    draft_id: Mapped[int] = mapped_column(ForeignKey(PolicyDraft.id))
    text: Mapped[str]
    text_sha256: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")
    until_id: Mapped[int]
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    started_by_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    finished_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    draft: Mapped[PolicyDraft] = relationship()
    started_by: Mapped[User] = relationship()
    openings: Mapped[list[BackTestOpening]] = relationship(
        order_by="BackTestOpening.id", viewonly=True
    )
    __table_args__ = (
        CheckConstraint("state IN ('waiting','running','done','cancelled','failed')", name="state"),
        CheckConstraint(
            "text_sha256 = encode(sha256(convert_to(text, 'UTF8')), 'hex')", name="text_sha256"
        ),
        CheckConstraint("done BETWEEN 0 AND total AND until_id >= 0", name="counts"),
        CheckConstraint("(state = 'done') = (result IS NOT NULL)", name="result"),
        CheckConstraint("state <> 'done' OR done = total", name="whole"),
        CheckConstraint(
            "(state IN ('waiting','running')) = (finished_at IS NULL)", name="finished"
        ),
        Index("ix_back_test_draft", "draft_id", "id"),
        Index(
            "uq_back_test_live",
            "draft_id",
            unique=True,
            postgresql_where=UNDER_WAY,
        ),
    )


frozen_columns(
    BackTest.__table__,
    (
        "id",
        "draft_id",
        "text",
        "text_sha256",
        "until_id",
        "total",
        "started_by_id",
        "started_at",
        "finished_at",
        "result",
    ),
    once_set=True,
)


class BackTestChunk(Keyed, db.Model):
    """The records from ``from_id`` to ``to_id`` of one back-test, and their tally when done."""

    __tablename__ = "back_test_chunk"
    back_test_id: Mapped[int] = mapped_column(ForeignKey(BackTest.id))
    from_id: Mapped[int]
    to_id: Mapped[int]
    queued: Mapped[bool] = mapped_column(default=False)
    tally: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    done_at: Mapped[datetime | None]
    back_test: Mapped[BackTest] = relationship()
    __table_args__ = (
        UniqueConstraint("back_test_id", "from_id"),
        CheckConstraint("from_id <= to_id", name="range"),
        CheckConstraint("(tally IS NULL) = (done_at IS NULL)", name="done"),
        Index(
            "ix_back_test_chunk_left",
            "back_test_id",
            "id",
            postgresql_where=text("done_at IS NULL"),
        ),
    )


frozen_columns(
    BackTestChunk.__table__,
    ("id", "back_test_id", "from_id", "to_id", "tally", "done_at"),
    once_set=True,
)


class BackTestOpening(Keyed, db.Model):
    """That a person opened the result of a back-test, and when."""

    __tablename__ = "back_test_opening"
    back_test_id: Mapped[int] = mapped_column(ForeignKey(BackTest.id))
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    opened_at: Mapped[datetime] = mapped_column(default=utc_now)
    user: Mapped[User] = relationship(lazy="joined", innerjoin=True)
    __table_args__ = (UniqueConstraint("back_test_id", "user_id"),)


frozen_columns(BackTestOpening.__table__, ("id", "back_test_id", "user_id", "opened_at"))
