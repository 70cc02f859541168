"""Findings set aside: which stand, what they hold up, and how often each rule is set aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text

from catalogue.applications.models import Application, EligibilityReport
from catalogue.applications.operations import remarks_on_findings
from catalogue.database import db
from catalogue.policies.models import Policy
from catalogue.policies.operations import document_of
from catalogue.reviews import rules
from catalogue.reviews.models import Override

WORDS = {"pass": "符合", "fail": "不符", "unknown": "无法判定"}


@dataclass(frozen=True)
class Standing:
    """An override beside the newest check: ``applies`` while that check finds the same."""

    override: Override
    title: str
    applies: bool

    @property
    def state(self) -> str:
        """Where it stands: waiting, confirmed, refused or outdated."""
        if self.override.answered_at is None:
            return "waiting"
        if not self.override.confirmed:
            return "refused"
        return "confirmed" if self.applies else "outdated"


def of(keys: Iterable[int]) -> dict[int, list[Standing]]:
    """Application id → its overrides, oldest first; two queries however many are asked for."""
    found = db.session.scalars(
        select(Override).where(Override.application_id.in_(list(keys))).order_by(Override.id)
    ).all()
    if not found:
        return {}
    newest = (
        select(func.max(EligibilityReport.id))
        .where(EligibilityReport.application_id.in_({o.application_id for o in found}))
        .group_by(EligibilityReport.application_id)
    )
    now: dict[int, list[Any]] = dict(
        db.session.execute(
            select(EligibilityReport.application_id, EligibilityReport.findings).where(
                EligibilityReport.id.in_(newest)
            )
        ).all()
    )
    standing: dict[int, list[Standing]] = {}
    for override in found:
        then = rules.finding_of(override.report.findings, override.rule)
        today = rules.finding_of(now[override.application_id], override.rule)
        standing.setdefault(override.application_id, []).append(
            Standing(
                override, then["title"] if then else override.rule, rules.same_finding(then, today)
            )
        )
    return standing


def set_aside(standing: Iterable[Standing]) -> dict[str, str]:
    """Rule → what its finding counts as, by two people."""
    return {s.override.rule: s.override.counts_as for s in standing if s.state == "confirmed"}


def why_not_pass(application: Application) -> str | None:
    """Why its findings do not let it pass, in words; None when they do."""
    standing = of([application.id]).get(application.id, [])
    if waiting := rules.held_by(s.title for s in standing if s.state == "waiting"):
        return waiting
    findings = application.report.findings if application.report else []
    against = rules.counted(document_of(application.policy), findings, set_aside(standing))
    if against:
        return (
            f"“{'”“'.join(against)}”按不符计，不能通过。"
            "机器判错的，请先申请不予采用这一核验项，由另一人确认"
        )
    return None


def why_not_approve(standing: Iterable[Standing]) -> str | None:
    """What the overrides of an application hold up at the decision, in words."""
    listed = list(standing)
    if waiting := rules.held_by(s.title for s in listed if s.state == "waiting"):
        return waiting
    failed = [s.title for s in listed if s.state == "confirmed" and s.override.counts_as == "fail"]
    return f"“{'”“'.join(failed)}”经两人复核按不符计" if failed else None


@remarks_on_findings
def _remarks(application: Application) -> dict[str, dict[str, Any]]:
    """What a finding's reader is told of its override; roles, never names."""
    remarks = {}
    for standing in of([application.id]).get(application.id, []):
        if standing.state in ("waiting", "confirmed"):
            override = standing.override
            remarks[override.rule] = {
                "waiting": standing.state == "waiting",
                "counts_as": WORDS[override.counts_as],
                "result": WORDS[override.result],
                "reason": override.reason,
                "at": override.answered_at or override.asked_at,
            }
    return remarks


def figures() -> list[dict[str, Any]]:
    """Per policy version and rule: cases checked, found 不符 or 无法判定, asked, set aside.

    Each application counts once, with its newest check, which the database counts as it is
    written; an override counts under the version that its report was checked by. Rules that
    nobody asked to set aside are counted too, so that the share is of everything.
    """
    rows = db.session.execute(
        text(
            "WITH asked AS (SELECT p.id AS policy_id, o.rule, count(*) AS asked,"
            "  count(*) FILTER (WHERE o.confirmed) AS set_aside,"
            "  count(*) FILTER (WHERE o.confirmed = false) AS refused"
            "  FROM finding_override o JOIN eligibility_report r ON r.id = o.report_id"
            "  JOIN policy p ON p.sha256 = r.policy_sha256 GROUP BY 1, 2)"
            " SELECT c.*, coalesce(o.asked, 0) AS asked,"
            "  coalesce(o.set_aside, 0) AS set_aside, coalesce(o.refused, 0) AS refused"
            " FROM finding_count c LEFT JOIN asked o USING (policy_id, rule) WHERE c.checks > 0"
        )
    ).mappings()
    counts = {(row["policy_id"], row["rule"]): dict(row) for row in rows}
    policies = db.session.scalars(
        select(Policy).where(Policy.id.in_({key for key, _ in counts})).order_by(Policy.id.desc())
    )
    return [_version(policy, counts) for policy in policies]


def _version(policy: Policy, counts: Mapping[tuple[int, str], Mapping[str, Any]]) -> dict[str, Any]:
    document = document_of(policy)
    rows = [
        {
            **counts[policy.id, rule.id],
            "title": rule.title,
            "article": rule.article,
            "article_url": document.article_url(rule.article),
            "share": _share(counts[policy.id, rule.id]),
        }
        for rule in document.rules
        if (policy.id, rule.id) in counts
    ]
    return {
        "policy": policy,
        "title": document.title,
        "rows": sorted(rows, key=lambda row: -row["set_aside"]),
        "cases": max((row["checks"] for row in rows), default=0),
        "set_aside": sum(row["set_aside"] for row in rows),
    }


def _share(counts: Mapping[str, Any]) -> str:
    """Set aside among the cases checked, in per cent with one decimal."""
    return f"{counts['set_aside'] * 100 / counts['checks']:.1f}%" if counts["checks"] else "—"
