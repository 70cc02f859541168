"""How often each rule was checked and found against, counted as reports are written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# What stands already: each application's newest report.
FILL = """INSERT INTO finding_count (policy_id, rule, checks, fails, unknowns)
SELECT p.id, x ->> 'rule', count(*), count(*) FILTER (WHERE x ->> 'result' = 'fail'),
  count(*) FILTER (WHERE x ->> 'result' = 'unknown')
FROM (SELECT max(id) AS id FROM eligibility_report GROUP BY application_id) newest
JOIN eligibility_report r USING (id)
JOIN policy p ON p.sha256 = r.policy_sha256, jsonb_array_elements(r.findings) x
GROUP BY 1, 2"""

# Triggers and functions that belong to a table: its statement, and its reverse.
GUARDS = (
    (
        """CREATE FUNCTION eligibility_report_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'eligibility_report rows are never deleted' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.id IS DISTINCT FROM OLD.id OR NEW.application_id IS DISTINCT FROM OLD.application_id OR NEW.verdict IS DISTINCT FROM OLD.verdict OR NEW.findings IS DISTINCT FROM OLD.findings OR NEW.worksheet IS DISTINCT FROM OLD.worksheet OR NEW.amount_fen IS DISTINCT FROM OLD.amount_fen OR NEW.policy_sha256 IS DISTINCT FROM OLD.policy_sha256 OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
    RAISE EXCEPTION 'eligibility_report: a frozen column was changed' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER eligibility_report_frozen BEFORE UPDATE OR DELETE ON eligibility_report
FOR EACH ROW EXECUTE FUNCTION eligibility_report_frozen();""",
        """DROP TRIGGER eligibility_report_frozen ON eligibility_report; DROP FUNCTION eligibility_report_frozen();""",
    ),
    (
        """CREATE FUNCTION eligibility_report_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- The lock of the audit chain, which every check takes anyway: reports are counted in turn.
  PERFORM pg_advisory_xact_lock(7201411);
  WITH pair AS (
    SELECT max(f.id) AS now, (
      SELECT max(r.id) FROM eligibility_report r
      WHERE r.application_id = f.application_id AND r.id NOT IN (SELECT id FROM fresh)) AS earlier
    FROM fresh f GROUP BY f.application_id
  ), turned AS (
    SELECT now AS id, 1 AS by FROM pair WHERE earlier IS NULL OR earlier < now
    UNION ALL SELECT earlier, -1 FROM pair WHERE earlier < now
  ), moved AS (
    SELECT p.id AS policy_id, x ->> 'rule' AS rule, sum(t.by) AS checks,
      coalesce(sum(t.by) FILTER (WHERE x ->> 'result' = 'fail'), 0) AS fails,
      coalesce(sum(t.by) FILTER (WHERE x ->> 'result' = 'unknown'), 0) AS unknowns
    FROM turned t JOIN eligibility_report r ON r.id = t.id
    JOIN policy p ON p.sha256 = r.policy_sha256, jsonb_array_elements(r.findings) x
    GROUP BY 1, 2
  ), added AS (
    UPDATE finding_count c SET checks = c.checks + m.checks, fails = c.fails + m.fails,
      unknowns = c.unknowns + m.unknowns
    FROM moved m WHERE c.policy_id = m.policy_id AND c.rule = m.rule
  )
  INSERT INTO finding_count (policy_id, rule, checks, fails, unknowns)
  SELECT m.policy_id, m.rule, m.checks, m.fails, m.unknowns FROM moved m
  WHERE NOT EXISTS (
    SELECT 1 FROM finding_count c WHERE c.policy_id = m.policy_id AND c.rule = m.rule);
  RETURN NULL;
END $$;
CREATE TRIGGER eligibility_report_counted AFTER INSERT ON eligibility_report
REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION eligibility_report_counted();""",
        """DROP TRIGGER IF EXISTS eligibility_report_counted ON eligibility_report;
DROP FUNCTION IF EXISTS eligibility_report_counted();""",
    ),
    (
        """CREATE FUNCTION finding_count_by_reports() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'finding_count is counted from the reports' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER finding_count_by_reports BEFORE INSERT OR UPDATE OR DELETE ON finding_count
FOR EACH ROW EXECUTE FUNCTION finding_count_by_reports();""",
        """DROP TRIGGER IF EXISTS finding_count_by_reports ON finding_count;
DROP FUNCTION IF EXISTS finding_count_by_reports();""",
    ),
)


def upgrade() -> None:
    """Create the table, count what stands, then freeze the reports and keep counting."""
    op.create_table(
        "finding_count",
        sa.Column("policy_id", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("checks", sa.BigInteger(), nullable=False),
        sa.Column("fails", sa.BigInteger(), nullable=False),
        sa.Column("unknowns", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "fails >= 0 AND unknowns >= 0 AND fails + unknowns <= checks",
            name=op.f("ck_finding_count_parts"),
        ),
        sa.ForeignKeyConstraint(
            ["policy_id"], ["policy.id"], name=op.f("fk_finding_count_policy_id")
        ),
        sa.PrimaryKeyConstraint("policy_id", "rule", name=op.f("pk_finding_count")),
    )
    op.execute("LOCK TABLE eligibility_report IN SHARE ROW EXCLUSIVE MODE")
    op.execute(FILL)
    for statement, _ in GUARDS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the table; figures are counted from the reports again."""
    for _, statement in reversed(GUARDS):
        op.execute(statement)
    op.drop_table("finding_count")
