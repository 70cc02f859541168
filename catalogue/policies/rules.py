"""The engine: load a policy file, evaluate facts under it, and write the result canonically.

Values in, values out: no Flask, no database, no clock. The same text, facts and day give the
same bytes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from catalogue.policies.document import Line, PolicyDocument, Rule
from catalogue.policies.expressions import Outcome, Run
from catalogue.policies.facts import MAX_FEN, as_date, as_day, cleaned
from catalogue.policies.reading import parse
from catalogue.policies.scenarios import with_parameters
from catalogue.policies.source import PolicyRefused, Problem
from catalogue.policies.wording import money_text

ENGINE = 2
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

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Read:
    """One fact that a rule read: where it stands, what it is called, its value as shown.

    ``path`` counts from one as the form does (``contracts[2].amount``); ``source`` says where
    the fact comes from; ``place`` is the part of the portal that holds it: enterprise, product,
    contracts, materials, answers, round, history or listing.
    """

    path: str
    label: str
    value: str
    source: str
    place: str


@dataclass(frozen=True)
class Finding:
    """The result of one rule: ``result`` is pass, fail or unknown.

    ``missing`` labels the facts that an unknown result lacks; it is empty when the rule itself
    failed to run. ``otherwise`` is what a failure leads to: ineligible or needs_person.
    ``unknown_asks`` says whether a missing fact is asked for; else a person looks at it.
    ``facts`` are the values that it was decided by. ``applies`` is false when the rule does not
    concern this case; its result is then pass.
    """

    rule: str
    title: str
    result: str
    says: str
    read: str
    threshold: str
    article: str
    article_url: str
    gap: str
    remedy: str
    missing: tuple[str, ...]
    placeholder: bool
    otherwise: str
    unknown_asks: bool = True
    applies: bool = True
    facts: tuple[Read, ...] = ()


@dataclass(frozen=True)
class WorksheetLine:
    """One step of the amount, in fen; None when a fact is missing (``note`` says which)."""

    id: str
    label: str
    operands: str
    article: str
    article_url: str
    amount_fen: int | None
    placeholder: bool
    note: str


@dataclass(frozen=True)
class Share:
    """Whom a part of the amount goes to, in fen; the parts add up to the amount."""

    id: str
    label: str
    amount_fen: int | None
    article: str
    article_url: str
    placeholder: bool


@dataclass(frozen=True)
class Decision:
    """The verdict, the amount in fen and each rule's result, without any words."""

    verdict: str
    amount_fen: int | None
    results: dict[str, str]


@dataclass(frozen=True)
class Report:
    """The machine's verdict with everything it rests on.

    ``verdict`` is eligible, ineligible or needs_person; ``amount_fen`` is the last worksheet
    line, or None when the scheme has no money or the amount cannot be worked out.
    """

    verdict: str
    findings: tuple[Finding, ...]
    worksheet: tuple[WorksheetLine, ...]
    amount_fen: int | None
    scheme: str
    version: str
    policy_sha256: str
    today: str
    continued: bool
    placeholder: bool
    shares: tuple[Share, ...] = ()
    engine: int = ENGINE


# ------------------------------------------------------------------ evaluating


class _Evaluation:
    """One run of one document over one set of facts."""

    def __init__(self, document: PolicyDocument, facts: Mapping[str, Any], today: date) -> None:
        self.document = document
        self.facts, problems = cleaned(facts, document.schema)
        for problem in problems:
            log.error("policy_fact_refused %s %s %s", document.scheme, document.version, problem)
        opens_on = self.facts["round"].get("opens_on")
        self.opens_on = today if opens_on is None else as_date(opens_on)
        self.parameters = document.in_force(self.opens_on)
        self.placeholders = {name for name, p in self.parameters.items() if p.placeholder}
        self.lost_parameters: dict[str, tuple[str, ...]] = {}
        self.run = Run(
            self.facts,
            document.schema,
            {
                "p": self._parameter_values(),
                "today": as_day(today),
                "required_materials": list(document.required_materials),
            },
        )

    def _parameter_values(self) -> dict[str, Any]:
        values = {name: p.value for name, p in self.parameters.items() if p.formula is None}
        if len(values) == len(self.parameters):
            return values
        formulas = Run({"round": self.facts["round"]}, self.document.schema, {})
        for name, parameter in self.parameters.items():
            if parameter.formula is None:
                continue
            outcome = formulas.run(parameter.formula)
            if outcome.known:
                values[name] = outcome.value
            else:
                self.lost_parameters[name] = outcome.missing
        return values

    def outcome(self, expression: Any) -> Outcome:
        """Run an expression; a parameter that could not be computed makes it unknown."""
        for name in expression.parameters if self.lost_parameters else ():
            if name in self.lost_parameters:
                labels = self.lost_parameters[name] or (self.parameters[name].label,)
                return Outcome(missing=labels)
        return self.run.run(expression)

    def words(self, sentence: Any) -> str:
        """A sentence with its values, or nothing."""
        return sentence.filled(self.outcome, self.document.terms) if sentence else ""

    def placeholder(self, names: frozenset[str]) -> bool:
        """Whether any of these parameters is a placeholder."""
        return not self.placeholders.isdisjoint(names)

    def alarm(self, event: str, part: str, error: str | None) -> None:
        """Tell the operators that a published rule failed to run."""
        document = self.document
        log.error("%s %s %s %s: %s", event, document.scheme, document.version, part, error)

    def finding(self, rule: Rule) -> Finding:
        """The finding of one rule; an error is unknown and an alarm, never a pass."""
        outcome = self.outcome(rule.require)
        error = outcome.error
        if outcome.known and not isinstance(outcome.value, bool):
            error = "the rule did not give true or false"
        if error:
            self.alarm("policy_rule_error", rule.id, error)
        known = outcome.known and not error
        result = ("pass" if outcome.value else "fail") if known else "unknown"
        read, threshold = self.words(rule.read), self.words(rule.threshold)
        return Finding(
            rule=rule.id,
            title=rule.title,
            result=result,
            says=self.words(rule.says) or f"{read}；{threshold}",
            read=read,
            threshold=threshold,
            article=rule.article,
            article_url=self.document.article_url(rule.article),
            gap=self.words(rule.gap) if result == "fail" else "",
            remedy=self.remedy(rule, result, outcome),
            missing=outcome.missing,
            placeholder=rule.placeholder or self.placeholder(rule.parameters),
            otherwise=rule.otherwise,
        )

    def remedy(self, rule: Rule, result: str, outcome: Outcome) -> str:
        """What would help, or what happens next."""
        if result == "pass":
            return ""
        if result == "unknown" and not outcome.missing:
            return "系统没能完成这一项核验，已记录并转人工审查。"
        if result == "unknown":
            return f"请补上{'、'.join(outcome.missing)}；不补也能提交，转人工审查。"
        if rule.remedy:
            return self.words(rule.remedy)
        return "转人工审查。" if rule.otherwise == "needs_person" else ""

    def line(self, line: Line) -> WorksheetLine:
        """One worksheet step, remembered for the steps after it."""
        outcome = self.outcome(line.value)
        value = outcome.value
        whole = isinstance(value, int) and not isinstance(value, bool)
        fits = outcome.known and whole and 0 <= value < MAX_FEN
        if fits:
            self.run.remember(line.id, value)
            note = self.words(line.note)
        else:
            self.run.remember_missing(line.id, outcome.missing or (line.label.text,))
            note = f"缺{'、'.join(outcome.missing)}" if outcome.missing else "无法算出，转人工"
            if not outcome.missing:
                self.alarm("policy_line_error", line.id, outcome.error)
        return WorksheetLine(
            id=line.id,
            label=self.words(line.label),
            operands=self.words(line.operands),
            article=line.article,
            article_url=self.document.article_url(line.article),
            amount_fen=value if fits else None,
            placeholder=line.placeholder or self.placeholder(line.parameters),
            note=note,
        )


def _verdict(findings: tuple[Finding, ...], worksheet: tuple[WorksheetLine, ...]) -> str:
    failed = {finding.otherwise for finding in findings if finding.result == "fail"}
    if "ineligible" in failed:
        return "ineligible"
    if failed or any(finding.result == "unknown" for finding in findings):
        return "needs_person"
    if worksheet and worksheet[-1].amount_fen is None:
        return "needs_person"
    return "eligible"


def evaluate(document: PolicyDocument, facts: Mapping[str, Any], today: date) -> Report:
    """The report of ``facts`` under ``document`` on the day ``today``; never raises on facts.

    ``facts`` follow catalogue.policies.facts.SCHEMA: money in fen, dates as days since
    1970-01-01, a fact that is not known absent or None.
    """
    run = _Evaluation(document, facts, today)
    findings = tuple(run.finding(rule) for rule in document.rules)
    worksheet = tuple(run.line(line) for line in document.worksheet)
    return Report(
        verdict=_verdict(findings, worksheet),
        findings=findings,
        worksheet=worksheet,
        amount_fen=worksheet[-1].amount_fen if worksheet else None,
        scheme=document.scheme,
        version=document.version,
        policy_sha256=document.sha256,
        today=today.isoformat(),
        continued=document.is_continued(run.opens_on),
        placeholder=any(f.placeholder for f in findings) or any(w.placeholder for w in worksheet),
    )


def decide(
    document: PolicyDocument, facts: Mapping[str, Any], today: date, *, clean: bool = False
) -> Decision:
    """The decision that ``evaluate`` gives, without the words; for back-tests of many cases.

    ``clean`` says that the facts went through ``facts.cleaned`` before.
    """
    report = evaluate(document, facts, today)
    return Decision(report.verdict, report.amount_fen, {f.rule: f.result for f in report.findings})


def canonical(report: Report) -> bytes:
    """The report as JSON bytes: sorted keys, no spaces, UTF-8; equal reports, equal bytes."""
    return json.dumps(
        asdict(report), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()


# ------------------------------------------------------------------ loading


def load(text: str, *, run_examples: bool = True) -> PolicyDocument:
    """Check a policy file and run its own examples; raises PolicyRefused with line and reason.

    ``run_examples=False`` is for a text that was checked when it was published.
    """
    document = parse(text)
    if run_examples:
        problems = _example_problems(document)
        if problems:
            raise PolicyRefused(problems)
    return document


def _example_problems(document: PolicyDocument) -> list[Problem]:
    problems: list[Problem] = []
    seen: dict[str, set[str]] = {rule.id: set() for rule in document.rules}
    for example in document.examples:
        report = evaluate(document, example.facts, example.today)
        results = {finding.rule: finding.result for finding in report.findings}
        for rule, result in results.items():
            seen[rule].add(result)
        problems += [
            Problem(example.line, f"例子“{example.name}”：{difference}")
            for difference in _differences(example, report, results)
        ]
    for rule, results_seen in seen.items():
        for result, name in (("pass", "符合"), ("fail", "不符")):
            if result not in results_seen:
                problems.append(Problem(1, f"规则 {rule} 没有一个“{name}”的例子"))
    return problems


def _differences(example: Any, report: Report, results: Mapping[str, str]) -> list[str]:
    found = [
        f"{rule} 应为 {expected}，算得 {results[rule]}"
        for rule, expected in example.expect.items()
        if results[rule] != expected
    ]
    if example.verdict is not None and report.verdict != example.verdict:
        found.append(f"结论应为 {example.verdict}，算得 {report.verdict}")
    if example.amount_fen is not None and report.amount_fen != example.amount_fen:
        got = "算不出" if report.amount_fen is None else money_text(report.amount_fen)
        found.append(f"金额应为 {money_text(example.amount_fen)}，算得 {got}")
    return found
