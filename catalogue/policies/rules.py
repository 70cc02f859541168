"""The engine: load a policy file, evaluate facts under it, and write the result canonically.

Values in, values out: no Flask, no database, no clock. The same text, facts and day give the
same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from catalogue.policies.case import TOO_LARGE, Case, decision_of, log, verdict_of
from catalogue.policies.document import Line, PolicyDocument, Rule
from catalogue.policies.examples import example_problems
from catalogue.policies.expressions import Outcome
from catalogue.policies.reading import parse
from catalogue.policies.reads import reads
from catalogue.policies.report import (
    ENGINE,
    Decision,
    Finding,
    Read,
    Report,
    Share,
    WorksheetLine,
    canonical,
)
from catalogue.policies.scenarios import with_parameters
from catalogue.policies.source import PolicyRefused
from catalogue.policies.wording import Sentence

__all__ = [
    "ENGINE",
    "Decision",
    "Finding",
    "PolicyDocument",
    "PolicyRefused",
    "Read",
    "Report",
    "Share",
    "WorksheetLine",
    "canonical",
    "decide",
    "evaluate",
    "load",
    "with_parameters",
]

APART = "不适用"


def load(text: str, *, run_examples: bool = True) -> PolicyDocument:
    """Check a policy file and run its own examples; raises PolicyRefused with line and reason.

    ``run_examples=False`` is for a text that was checked when it was published.
    """
    document = parse(text)
    if run_examples:
        problems = example_problems(document)
        if problems:
            raise PolicyRefused(problems)
    return document


# ------------------------------------------------------------------ telling


class _Telling:
    """The words of one report: what was read, what was wanted, and what would help."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.document = case.document
        for problem in case.problems:
            self.alarm("policy_fact_refused", problem, None)

    def words(self, sentence: Sentence | None) -> str:
        """A sentence with its values, or nothing."""
        return sentence.filled(self.case.outcome, self.document.terms) if sentence else ""

    def placeholder(self, names: frozenset[str]) -> bool:
        """Whether any of these parameters is a placeholder."""
        return not self.case.in_force.placeholders.isdisjoint(names)

    def alarm(self, event: str, part: str, error: str | None) -> None:
        """Tell the operators that a published rule failed to run, or that facts were refused."""
        document = self.document
        log.error("%s %s %s %s: %s", event, document.scheme, document.version, part, error)

    def finding(self, rule: Rule) -> Finding:
        """The finding of one rule; an error is unknown and an alarm, never a pass."""
        result, outcome = self.case.rule(rule)
        if outcome.error is not None:
            self.alarm("policy_rule_error", rule.id, outcome.error)
        apart = result == "apart"
        read = APART if apart else self.words(rule.read)
        threshold = self.words(rule.threshold)
        says = f"{APART}：{self.words(rule.applies_words)}" if apart else self.words(rule.says)
        read_by = [e for e in (rule.applies, None if apart else rule.require) if e is not None]
        return Finding(
            rule=rule.id,
            title=rule.title,
            result="pass" if apart else result,
            says=says or f"{read}；{threshold}",
            read=read,
            threshold=threshold,
            article=rule.article,
            article_url=self.document.article_url(rule.article),
            gap=self.words(rule.gap) if result == "fail" else "",
            remedy=self.remedy(rule, result, outcome),
            missing=outcome.missing,
            placeholder=rule.placeholder or self.placeholder(rule.parameters),
            otherwise=rule.otherwise,
            unknown_asks=rule.unknown == "ask",
            applies=not apart,
            facts=reads(read_by, self.case.facts, self.document),
        )

    def remedy(self, rule: Rule, result: str, outcome: Outcome) -> str:
        """What would help, or what happens next."""
        if result in ("pass", "apart"):
            return ""
        if result == "unknown":
            return _next_step(outcome, asks=rule.unknown == "ask")
        if rule.remedy:
            return self.words(rule.remedy)
        return "转人工审查。" if rule.otherwise == "needs_person" else ""

    def line(self, line: Line) -> WorksheetLine:
        """One worksheet step, remembered for the steps after it."""
        outcome = self.case.line(line)
        if outcome.error is not None:
            self.alarm("policy_line_error", line.id, outcome.error)
        return WorksheetLine(
            id=line.id,
            label=self.words(line.label),
            operands=self.words(line.operands),
            article=line.article,
            article_url=self.document.article_url(line.article),
            amount_fen=outcome.value if outcome.known else None,
            placeholder=line.placeholder or self.placeholder(line.parameters),
            note=self.words(line.note) if outcome.known else _why_not(outcome),
        )

    def shares(self, amount: int | None) -> tuple[Share, ...]:
        """Whom the amount goes to; parts that do not add up are an alarm and not told."""
        parts, error = self.case.portions(amount)
        if error is not None:
            self.alarm("policy_split_error", "split", error)
        return tuple(
            Share(
                id=portion.id,
                label=portion.label,
                amount_fen=parts[portion.id],
                article=portion.article,
                article_url=self.document.article_url(portion.article),
                placeholder=portion.placeholder
                or self.placeholder(frozenset(portion.value.parameters if portion.value else ())),
            )
            for portion in self.document.split
        )


def _next_step(outcome: Outcome, *, asks: bool) -> str:
    if outcome.reason:
        return f"{outcome.reason}，转人工审查。"
    if not outcome.missing:
        return "系统没能完成这一项核验，已记录并转人工审查。"
    labels = "、".join(outcome.missing)
    if asks:
        return f"请补上{labels}；不补也能提交，转人工审查。"
    return f"缺{labels}，由审查人员核实，不用补。"


def _why_not(outcome: Outcome) -> str:
    if outcome.missing:
        return f"缺{'、'.join(outcome.missing)}"
    if outcome.error == TOO_LARGE:
        return f"{TOO_LARGE}，转人工"
    return f"{outcome.reason or '无法算出'}，转人工"


# ------------------------------------------------------------------ deciding


def evaluate(document: PolicyDocument, facts: Mapping[str, Any], today: date) -> Report:
    """The report of ``facts`` under ``document`` on the day ``today``; never raises on facts.

    ``facts`` follow catalogue.policies.facts.SCHEMA: money in fen, dates as days since
    1970-01-01, a fact that is not known absent or None.
    """
    case = Case(document, facts, today, full=True)
    telling = _Telling(case)
    findings = tuple(telling.finding(rule) for rule in document.rules)
    worksheet = tuple(telling.line(line) for line in document.worksheet)
    amounts = [line.amount_fen for line in worksheet]
    amount = amounts[-1] if amounts else None
    shares = telling.shares(amount)
    case.close()
    results = [(finding.result, finding.otherwise) for finding in findings]
    told = {share.id: share.amount_fen for share in shares}
    return Report(
        verdict=verdict_of(results, amounts, told),
        findings=findings,
        worksheet=worksheet,
        amount_fen=amount,
        scheme=document.scheme,
        version=document.version,
        policy_sha256=document.sha256,
        today=today.isoformat(),
        continued=document.is_continued(case.opens_on),
        placeholder=any(
            any(part.placeholder for part in parts) for parts in (findings, worksheet, shares)
        ),
        shares=shares,
    )


def decide(
    document: PolicyDocument, facts: Mapping[str, Any], today: date, *, clean: bool = False
) -> Decision:
    """The decision that ``evaluate`` gives, without its words; for back-tests of many cases.

    ``clean`` promises that the facts went through ``facts.cleaned`` before. No alarm is told.
    """
    case = Case(document, facts, today, full=False, clean=clean)
    decision = decision_of(case)
    case.close()
    return decision
