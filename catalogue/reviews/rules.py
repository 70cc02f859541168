"""What a person must judge, what a set of judgements allows, and how long a stage has taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalogue.policies.document import PolicyDocument, Rule
from catalogue.working_days import add_working_days, working_days_between

# 示范参数: no public text says how long a firm has for its correction.
CORRECTION_WORKING_DAYS = 5

PASS, CORRECT, SKIP = "pass", "correct", "skip"
VALUES = {PASS: "通过", CORRECT: "补正", SKIP: "不适用"}
WRITTEN = ("text", "textarea")


@dataclass(frozen=True)
class Item:
    """One thing that only a person can judge.

    ``field`` is what would be sent back; ``choose`` says that the officer picks the field.
    """

    key: str
    title: str
    basis: str
    tag: str
    kind: str
    field: str | None
    choose: bool
    article: str
    article_url: str | None


@dataclass(frozen=True)
class Judgement:
    """How one item was judged: pass, correct or skip, or None while it is open."""

    value: str | None = None
    note: str = ""
    field: str = ""


@dataclass(frozen=True)
class Tally:
    """The counts of a sheet, and what is wrong with it, per item key."""

    passed: int
    to_correct: int
    skipped: int
    open: int
    problems: Mapping[str, str]

    @property
    def judged(self) -> int:
        """Items that have a judgement."""
        return self.passed + self.to_correct + self.skipped


def fields_of(document: PolicyDocument) -> dict[str, str]:
    """Every field that can be sent back, with its label."""
    fields = {"product": "产品资料"}
    fields |= {f"answers.{answer.id}": answer.label for answer in document.answers}
    if document.contracts:
        fields["contracts"] = "合同与到账"
    return fields | {f"material.{m.id}": f"材料：{m.name}" for m in document.materials}


def items_to_judge(
    document: PolicyDocument, findings: Sequence[Mapping[str, Any]], attached: set[str]
) -> list[Item]:
    """What the machine could not tick, in the order of the page.

    Failed and unknown findings come first, then what only people can judge, then the written
    answers, contracts and materials.
    """
    return [
        *_finding_items(document, findings),
        *_people_items(document),
        *_content_items(document),
        *_material_items(document, attached),
    ]


def _finding_items(document: PolicyDocument, findings: Sequence[Mapping[str, Any]]) -> list[Item]:
    rules = {rule.id: rule for rule in document.rules}
    order = {"fail": 0, "unknown": 1}
    open_findings = sorted(
        (f for f in findings if f["result"] != PASS), key=lambda f: order.get(f["result"], 1)
    )
    return [
        Item(
            key=f"finding-{finding['rule']}",
            title=finding["title"],
            basis=_basis(finding),
            tag="不符" if finding["result"] == "fail" else "无法判定",
            kind=finding["result"],
            field=field_of_rule(rules.get(finding["rule"])),
            choose=True,
            article=finding.get("article") or "",
            article_url=finding.get("article_url"),
        )
        for finding in open_findings
    ]


def _basis(finding: Mapping[str, Any]) -> str:
    missing = finding.get("missing") or ()
    if missing:
        return f"缺 {'、'.join(missing)}"
    parts = [("读到", finding.get("read")), ("门槛", finding.get("threshold"))]
    words = [f"{label} {value}" for label, value in parts if value]
    return "，".join([*words, *([finding["gap"]] if finding.get("gap") else [])])


def field_of_rule(rule: Rule | None) -> str | None:
    """The part of the application that the rule reads and that a firm can correct, if one is."""
    for path in rule.require.paths if rule else ():
        root, _, rest = path.partition(".")
        root = root.removesuffix("[]")
        if root in ("answers", "declarations") and rest:
            return f"answers.{rest}"
        if root == "contracts":
            return "contracts"
        if root in ("product", "patents"):
            return "product"
    return None


def _people_items(document: PolicyDocument) -> list[Item]:
    return [
        Item(
            key=f"people-{number}",
            title=str(entry["text"]).rstrip("。"),
            basis="",
            tag="只能人看",
            kind="plain",
            field=None,
            choose=True,
            article=entry["article"],
            article_url=document.article_url(entry["article"]),
        )
        for number, entry in enumerate(document.people, start=1)
    ]


def _content_items(document: PolicyDocument) -> list[Item]:
    items = [_written(document, "product", "产品名称、型号和简介与材料一致", "")]
    items += [
        _written(document, f"answers.{answer.id}", f"{answer.label}：写实、有依据", answer.article)
        for answer in document.answers
        if answer.type in WRITTEN
    ]
    if document.contracts:
        items.append(
            _written(document, "contracts", "合同、发票与到账凭证相符", document.contracts.article)
        )
    return items


def _material_items(document: PolicyDocument, attached: set[str]) -> list[Item]:
    return [
        _written(document, f"material.{material.id}", material.name, material.article)
        for material in document.materials
        if material.required or material.id in attached
    ]


def _written(document: PolicyDocument, field: str, title: str, article: str) -> Item:
    return Item(
        key=field.replace(".", "-"),
        title=title,
        basis="",
        tag="只能人看",
        kind="plain",
        field=field,
        choose=False,
        article=article,
        article_url=document.article_url(article) if article else None,
    )


def tally(items: Sequence[Item], sheet: Mapping[str, Judgement], told: set[str] | None) -> Tally:
    """Count a sheet. ``told`` holds the fields sent back before; None when none were.

    A correction needs a field and a note. After a first round only fields that were sent back
    then may be sent back again (一次性告知).
    """
    counts = dict.fromkeys((PASS, CORRECT, SKIP, None), 0)
    problems: dict[str, str] = {}
    for item in items:
        judgement = sheet.get(item.key, Judgement())
        counts[judgement.value] += 1
        if judgement.value == CORRECT and (problem := _problem(item, judgement, told)):
            problems[item.key] = problem
    return Tally(counts[PASS], counts[CORRECT], counts[SKIP], counts[None], problems)


def _problem(item: Item, judgement: Judgement, told: set[str] | None) -> str | None:
    field = judgement.field or item.field
    if not field:
        return "请选择退回哪一项"
    if told is not None and field not in told:
        return "上次没有要求补正这一项，补正只告知一次，不能再提"
    if not judgement.note:
        return "请写明要改什么、怎样改"
    return None


def correction_items(
    items: Sequence[Item], sheet: Mapping[str, Judgement], labels: Mapping[str, str]
) -> list[dict[str, str]]:
    """The fields to send back, each once, with all that was noted about it."""
    notes: dict[str, list[str]] = {}
    for item in items:
        judgement = sheet.get(item.key, Judgement())
        if judgement.value == CORRECT:
            notes.setdefault(judgement.field or item.field or "", []).append(judgement.note)
    return [
        {"field": field, "label": labels[field], "note": "；".join(dict.fromkeys(texts))}
        for field, texts in notes.items()
    ]


def record_of(items: Sequence[Item], sheet: Mapping[str, Judgement]) -> list[dict[str, str]]:
    """The judgements as a verdict keeps them."""
    return [
        {
            "key": item.key,
            "title": item.title,
            "value": judgement.value,
            "note": judgement.note,
            "field": judgement.field or item.field or "",
        }
        for item in items
        if (judgement := sheet.get(item.key, Judgement())).value
    ]


@dataclass(frozen=True)
class Criterion:
    """One thing that the policy leaves to the experts."""

    key: str
    text: str
    article: str
    article_url: str | None


@dataclass(frozen=True)
class Opinion:
    """What the experts said: their votes, and per criterion recommended (or None) and why."""

    met_on: date | None
    experts: int | None
    votes_for: int | None
    votes_against: int | None
    summary: str
    lines: Mapping[str, tuple[bool | None, str]]

    @property
    def recommended(self) -> bool:
        """More experts for than against; equal votes do not recommend."""
        return (self.votes_for or 0) > (self.votes_against or 0)


MOST_EXPERTS = 99


def criteria(document: PolicyDocument) -> list[Criterion]:
    """The policy's own list of what people judge; one overall line where it has none."""
    return [
        Criterion(
            key=str(number),
            text=str(entry["text"]).rstrip("。"),
            article=entry["article"],
            article_url=document.article_url(entry["article"]),
        )
        for number, entry in enumerate(document.people, start=1)
    ] or [Criterion("1", "总体意见", "", None)]


def opinion_faults(opinion: Opinion, wanted: Sequence[Criterion], today: date) -> dict[str, str]:
    """What is missing or contradicts itself: field → words. Empty when the opinion is whole."""
    faults = _meeting_faults(opinion, today)
    if not opinion.summary.strip():
        faults["summary"] = "请写专家组的意见"
    for criterion in wanted:
        recommended, reason = opinion.lines.get(criterion.key, (None, ""))
        if recommended is None:
            faults[f"r-{criterion.key}"] = "请选推荐或不推荐"
        if not reason.strip():
            faults[f"w-{criterion.key}"] = "请写理由"
    return faults


def _meeting_faults(opinion: Opinion, today: date) -> dict[str, str]:
    faults: dict[str, str] = {}
    if opinion.met_on is None:
        faults["met_on"] = "请填评审会日期"
    elif opinion.met_on > today:
        faults["met_on"] = "评审会日期不能晚于今天"
    if opinion.experts is None or not 1 <= opinion.experts <= MOST_EXPERTS:
        faults["experts"] = f"专家人数在 1 到 {MOST_EXPERTS} 之间"
    votes = {"votes_for": opinion.votes_for, "votes_against": opinion.votes_against}
    faults |= {f: "请填票数，没有就填 0" for f, vote in votes.items() if vote is None or vote < 0}
    if not faults and sum(vote or 0 for vote in votes.values()) > (opinion.experts or 0):
        faults["votes_for"] = "推荐与不推荐的票数之和不能超过专家人数"
    return faults


def opinion_lines(opinion: Opinion, wanted: Sequence[Criterion]) -> list[dict[str, Any]]:
    """The opinion per criterion as it is kept."""
    return [
        {
            "text": criterion.text,
            "article": criterion.article,
            "recommended": opinion.lines[criterion.key][0],
            "reason": opinion.lines[criterion.key][1],
        }
        for criterion in wanted
    ]


def finding_of(findings: Sequence[Mapping[str, Any]], rule: str) -> Mapping[str, Any] | None:
    """The finding of one rule, if the report holds it."""
    return next((finding for finding in findings if finding["rule"] == rule), None)


def same_finding(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two checks found the same: result, what was read, and the threshold."""
    if one is None or other is None:
        return False
    return all(one.get(key) == other.get(key) for key in ("result", "read", "threshold"))


def held_by(waiting: Iterable[str]) -> str | None:
    """Words for findings whose override still waits for its second person; None for none."""
    titles = list(waiting)
    return f"“{'”“'.join(titles)}”申请了不予采用，还在等另一人确认" if titles else None


def counted(
    document: PolicyDocument,
    findings: Sequence[Mapping[str, Any]],
    set_aside: Mapping[str, str],
) -> list[str]:
    """The titles of the findings that stand against a pass.

    A finding counts as ``set_aside`` (rule → pass or fail, confirmed by two people) says, else
    as the machine found it. Where the policy itself sends a failed rule to a person, that
    person's judgement is enough; where it says 不符, only two people can set it aside.
    """
    by_person = {rule.id for rule in document.rules if rule.otherwise == "needs_person"}
    against = []
    for finding in findings:
        rule = finding["rule"]
        if rule in set_aside:
            if set_aside[rule] == "fail":
                against.append(finding["title"])
        elif finding["result"] == "fail" and rule not in by_person:
            against.append(finding["title"])
    return against


REVIEW_STATES = frozenset({"eligible", "needs_person", "formal_check"})
EXPERT_STATES = frozenset({"expert_review"})
COMMITTEE_STATES = frozenset({"committee"})


def elapsed(changes: Sequence[tuple[date, str]], counted: frozenset[str], today: date) -> int:
    """Working days spent in the ``counted`` states; ``changes`` are (day, state entered), in order.

    The clock stands while the application is elsewhere, for instance being corrected.
    """
    total = 0
    for position, (day, state) in enumerate(changes):
        if state in counted:
            following = changes[position + 1 :]
            total += working_days_between(day, following[0][0] if following else today)
    return total


def deadline_of(used: int, promised: int, today: date) -> tuple[int, date | None]:
    """Working days left of a promise, and its day; the day is None once it has passed."""
    left = promised - used
    return left, add_working_days(today, left) if left >= 0 else None


def machine_words(findings: Sequence[Mapping[str, Any]]) -> str:
    """The machine's results in one line, such as 7 符合 / 1 无法判定."""
    names = {"pass": "符合", "fail": "不符", "unknown": "无法判定"}
    counts = {key: sum(f["result"] == key for f in findings) for key in names}
    return " / ".join(f"{n} {names[key]}" for key, n in counts.items() if n) or "未核验"
