"""The database: one session, the model base, names for constraints, guards and the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, DateTime, Identity, MetaData, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry
from sqlalchemy.schema import DDL

SHANGHAI = ZoneInfo("Asia/Shanghai")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table: aware timestamps, JSONB for documents, 64-bit whole numbers."""

    registry = registry(
        metadata=MetaData(naming_convention=NAMING),
        type_annotation_map={
            int: BigInteger,
            datetime: DateTime(timezone=True),
            dict[str, Any]: JSONB,
            list[Any]: JSONB,
        },
    )


db = SQLAlchemy(model_class=Base)


class Keyed:
    """A surrogate key that no person ever types."""

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)


GUARDS: dict[str, tuple[str, str, str]] = {}


def guard(table: Any, name: str, up: str, down: str) -> None:
    """Declare a trigger, function or exclusion that belongs to ``table``.

    The statement runs whenever the table is made from the models; the migration carries the
    same text, and a law compares the two.
    """
    GUARDS[name] = (table.name, up, down)
    event.listen(table, "after_create", DDL(up.replace("%", "%%")))
    event.listen(table, "before_drop", DDL(down.replace("%", "%%")))


def utc_now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def frozen_columns(table: Any, columns: tuple[str, ...], *, once_set: bool = False) -> None:
    """Forbid deleting a row of ``table`` and changing ``columns`` of it.

    With ``once_set`` a column may go from NULL to a value, and never further.
    """
    name = f"{table.name}_frozen"
    clause = " OR ".join(
        f"(OLD.{c} IS NOT NULL AND NEW.{c} IS DISTINCT FROM OLD.{c})"
        if once_set
        else f"NEW.{c} IS DISTINCT FROM OLD.{c}"
        for c in columns
    )
    guard(
        table,
        name,
        f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION '{table.name} rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF {clause} THEN
    RAISE EXCEPTION '{table.name}: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table.name}
FOR EACH ROW EXECUTE FUNCTION {name}();""",
        f"DROP TRIGGER IF EXISTS {name} ON {table.name}; DROP FUNCTION IF EXISTS {name}();",
    )
