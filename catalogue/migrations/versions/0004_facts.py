"""Facts that policies in full read: firm size, ties, exclusions, columns of contracts; drafts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# What an exclusion decided never changes; lifting it is written once.
FROZEN = (
    "enterprise_id",
    "since",
    "until",
    "ground",
    "source",
    "decided_by_id",
    "decided_at",
    "lifted_at",
    "lifted_by_id",
    "lifted_because",
)
CLAUSE = " OR ".join(f"(OLD.{c} IS NOT NULL AND NEW.{c} IS DISTINCT FROM OLD.{c})" for c in FROZEN)
EXCLUSION_FROZEN = f"""CREATE FUNCTION exclusion_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'exclusion rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF {CLAUSE} THEN
    RAISE EXCEPTION 'exclusion: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER exclusion_frozen BEFORE UPDATE OR DELETE ON exclusion
FOR EACH ROW EXECUTE FUNCTION exclusion_frozen();"""
CODE = "credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'"
NOTHING = sa.text("'{}'::jsonb")


def upgrade() -> None:
    """Add the columns and the two tables of the firm's profile."""
    op.add_column("enterprise", sa.Column("size", sa.String(), nullable=True))
    op.create_check_constraint(
        op.f("ck_enterprise_size"), "enterprise", "size IN ('large','medium','small','micro')"
    )
    _related_party()
    _exclusion()
    _contract()
    # Rows that stand already have nothing typed; the default goes again, as the model has none.
    op.add_column(
        "application",
        sa.Column("typed", postgresql.JSONB(), nullable=False, server_default=NOTHING),
    )
    op.alter_column("application", "typed", server_default=None)
    op.create_check_constraint(
        op.f("ck_application_typed"), "application", "jsonb_typeof(typed) = 'object'"
    )


def _related_party() -> None:
    op.create_table(
        "related_party",
        sa.Column("enterprise_id", sa.BigInteger(), nullable=False),
        sa.Column("credit_code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("tie", sa.String(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint(CODE, name=op.f("ck_related_party_credit_code")),
        sa.CheckConstraint("length(name) BETWEEN 2 AND 100", name=op.f("ck_related_party_name")),
        sa.CheckConstraint(
            "tie IN ('parent','subsidiary','sister','person','other')",
            name=op.f("ck_related_party_tie"),
        ),
        sa.ForeignKeyConstraint(
            ["enterprise_id"],
            ["enterprise.id"],
            name=op.f("fk_related_party_enterprise_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_related_party")),
        sa.UniqueConstraint(
            "enterprise_id", "credit_code", name=op.f("uq_related_party_enterprise_id_credit_code")
        ),
    )


def _exclusion() -> None:
    op.create_table(
        "exclusion",
        sa.Column("enterprise_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("ground", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("decided_by_id", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by_id", sa.BigInteger(), nullable=True),
        sa.Column("lifted_because", sa.String(), nullable=True),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.CheckConstraint("until >= since", name=op.f("ck_exclusion_days")),
        sa.CheckConstraint(
            "ground IN ('fraud','misuse','objection','credit','other')",
            name=op.f("ck_exclusion_ground"),
        ),
        sa.CheckConstraint("length(source) BETWEEN 5 AND 500", name=op.f("ck_exclusion_source")),
        sa.CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by_id IS NULL)"
            " AND (lifted_at IS NULL) = (lifted_because IS NULL)"
            " AND (lifted_because IS NULL OR length(lifted_because) BETWEEN 5 AND 500)",
            name=op.f("ck_exclusion_lifted"),
        ),
        sa.ForeignKeyConstraint(
            ["enterprise_id"], ["enterprise.id"], name=op.f("fk_exclusion_enterprise_id")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_id"], ["account.id"], name=op.f("fk_exclusion_decided_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["lifted_by_id"], ["account.id"], name=op.f("fk_exclusion_lifted_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exclusion")),
    )
    op.create_index("ix_exclusion_enterprise", "exclusion", ["enterprise_id", "since"])
    op.execute(EXCLUSION_FROZEN)


def _contract() -> None:
    op.add_column("contract", sa.Column("quantity", sa.BigInteger(), nullable=True))
    op.add_column("contract", sa.Column("buyer_district", sa.String(), nullable=True))
    op.add_column("contract", sa.Column("buyer_is_trader", sa.Boolean(), nullable=True))
    op.add_column("contract", sa.Column("accepted_on", sa.Date(), nullable=True))
    op.add_column(
        "contract",
        sa.Column("details", postgresql.JSONB(), nullable=False, server_default=NOTHING),
    )
    op.alter_column("contract", "details", server_default=None)
    for name, condition in (
        ("quantity", "quantity > 0 AND quantity < 1000000000"),
        ("buyer_district", "buyer_district ~ '^[0-9]{6}$'"),
        ("details", "jsonb_typeof(details) = 'object'"),
    ):
        op.create_check_constraint(op.f(f"ck_contract_{name}"), "contract", condition)


def downgrade() -> None:
    """Drop them again; what they held is lost."""
    for column in ("details", "accepted_on", "buyer_is_trader", "buyer_district", "quantity"):
        op.drop_column("contract", column)
    op.drop_column("application", "typed")
    op.execute("DROP TRIGGER IF EXISTS exclusion_frozen ON exclusion")
    op.execute("DROP FUNCTION IF EXISTS exclusion_frozen()")
    op.drop_table("exclusion")
    op.drop_table("related_party")
    op.drop_column("enterprise", "size")
