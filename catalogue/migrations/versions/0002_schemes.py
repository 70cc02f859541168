"""The schemes beyond the first four: insurance, first purchase and the risk of first use."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EVERY = (
    "scheme IN ('catalogue','first_set','first_version','first_batch',"
    "'insurance_equipment','insurance_material','first_purchase','first_use_risk')"
)
WITH_MONEY = (
    "scheme IN ('first_set','first_version','first_batch',"
    "'insurance_equipment','insurance_material','first_use_risk')"
)
FIRST_FOUR = "scheme IN ('catalogue','first_set','first_version','first_batch')"
FIRST_BUDGETS = "scheme <> 'catalogue' AND length(scheme) > 0"


def _allow(table: str, condition: str) -> None:
    name = op.f(f"ck_{table}_scheme")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, condition)


def upgrade() -> None:
    """Let policies, certificates and budgets be of the new schemes."""
    _allow("policy", EVERY)
    _allow("certificate", EVERY)
    _allow("budget", WITH_MONEY)


def downgrade() -> None:
    """Back to the first four; refused by the database while a row of a new scheme is there."""
    _allow("policy", FIRST_FOUR)
    _allow("certificate", FIRST_FOUR)
    _allow("budget", FIRST_BUDGETS)
