"""Says the steps of the nearest way in plain words: what to do, how much is lacking, until when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogue.money import money_text
from catalogue.policies.changes import PATENT_WORDS, Case, Span, Step, later, raw, rounds_later
from catalogue.policies.document import PolicyDocument
from catalogue.policies.facts import Field, Group, as_date, as_day
from catalogue.policies.wording import shown


class Speaker:
    """Says steps in plain words for the people of one case."""

    def __init__(self, document: PolicyDocument, case: Case, read: frozenset[str]) -> None:
        self.document = document
        self.case = case
        self.read = read
        self.day = as_day(case.today)

    def say(self, step: Step, spans: Mapping[str, Span]) -> str:  # noqa: PLR0911
        """One step as a sentence without its full stop."""
        span = spans.get("day") or spans.get("amount") or Span()
        match step.kind:
            case "wait":
                return self._wait(step.value)
            case "drop":
                return f"撤下{self._contract(step.index)}"
            case "attach":
                names = {m.id: m.name for m in self.document.materials}
                return f"附上{'、'.join(names.get(m, m) for m in step.value)}"
            case "contract":
                return self._further(step, spans)
            case "patent":
                return self._patent(step, spans)
            case "honour":
                honour = step.value[-1]
                return f"取得“{self.document.terms.get(honour, honour)}”称号"
            case _ if "either" in spans:
                return f"答明“{self._what(step, self._field(step))}”"
            case _:
                return self._stated(step, span)

    def _field(self, step: Step) -> Field:
        root, _, name = step.place.partition(".")
        group = self.document.schema[root]
        assert isinstance(group, Group)
        return group.fields[name]

    def _stated(self, step: Step, span: Span) -> str:  # noqa: PLR0911
        """What a single fact would have to be."""
        field = self._field(step)
        what = self._what(step, field)
        if step.place == "enterprise.credit_clear":
            return "修复信用记录，使信用查询没有限制"
        if step.place.startswith("listing.") and step.value is not False:
            return "产品先列入《创新产品推荐目录》"
        if field.kind == "boolean":
            return _answered(what, step)
        if field.kind == "date":
            way = "填上" if step.kind == "supply" else "改定"
            return f"{way}{what}，{_days(span, step.value)}"
        if self._now(step) is not None:
            return self._moved(what, step, field)
        if field.kind == "text":
            example = self.document.terms.get(step.value)
            return f"填上{what}" + (f"（“{example}”符合）" if example else "")
        return f"填上{what}，{_bounds(span, field.kind)}才符合"

    @staticmethod
    def _what(step: Step, field: Field) -> str:
        label = field.label.partition("（")[0]
        if step.place.startswith("contracts."):
            return f"合同 {step.index + 1} 的{label}"
        if step.place.startswith("patents."):
            return f"第 {step.index + 1} 件知识产权的{label}"
        return label

    def _moved(self, what: str, step: Step, field: Field) -> str:
        """From the number that stands there to another."""
        now, terms = self._now(step), self.document.terms
        value = shown(raw(step.value), field.kind, terms)
        if field.kind != "money":
            return f"{what}由 {shown(now, field.kind, terms)} 改到 {value}"
        more = step.value - now
        way = "谈到" if step.place == "contracts.amount" else "增加到" if more > 0 else "减到"
        gap = f"{'还差' if more > 0 else '多'} {money_text(abs(more))} 元"
        return f"{what}{way} {value}（现在 {money_text(now)}，{gap}）"

    def _now(self, step: Step) -> Any:
        root, _, name = step.place.partition(".")
        held = self.case.facts.get(root) or {}
        return held[step.index].get(name) if step.index >= 0 else held.get(name)

    def _contract(self, index: int) -> str:
        contract = self.case.facts["contracts"][index]
        day = contract.get("invoiced_on") if "contracts.invoiced_on" in self.read else None
        day = contract.get("signed_on") if day is None else day
        told = [as_date(day).isoformat()] if day is not None else []
        if "amount" in contract:
            told.append(f"{money_text(contract['amount'])} 元")
        return f"合同 {index + 1}" + (f"（{'，'.join(told)}）" if told else "")

    def _further(self, step: Step, spans: Mapping[str, Span]) -> str:
        facts, span = dict(step.value), spans.get("day") or Span()
        acts = [
            word
            for name, word in (
                ("signed_on", "签订"),
                ("invoiced_on", "开票"),
                ("accepted_on", "验收"),
            )
            if f"contracts.{name}" in self.read
        ]
        parts = []
        if facts["amount"] > 0:
            paid = "并已到账" if "contracts.received" in self.read else ""
            parts.append(f"金额至少 {money_text(facts['amount'])} 元{paid}")
        if acts:
            parts.append("、".join(acts) + _days(span, facts["signed_on"]))
        if "contracts.buyer_related" in self.read:
            parts.append("买方不是关联方")
        head = "补填一个已签的合同" if self.exists(step, spans) else "再有一个合同"
        return f"{head}：{'，'.join(parts)}" if parts else head

    def exists(self, step: Step, spans: Mapping[str, Span]) -> bool:
        """Whether a further contract or patent can only be one that is there already."""
        high = (spans.get("day") or Span()).high
        return step.kind in ("contract", "patent") and high is not None and high < self.day

    def _patent(self, step: Step, spans: Mapping[str, Span]) -> str:
        facts, span = dict(step.value), spans.get("day") or Span()
        kind = PATENT_WORDS.get(facts["kind"], facts["kind"])
        head = "补登一件已有的" if self.exists(step, spans) else "取得一件"
        dated = (
            "，授权或登记" + _days(span, facts["granted_on"])
            if "patents.granted_on" in self.read
            else ""
        )
        return f"{head}{kind}，权利人为本单位{dated}"

    def _wait(self, day: int) -> str:
        moved = later(dict(self.case.facts), day)
        when = moved[1].isoformat()
        if rounds_later(self.case, day):
            year = moved[0]["round"].get("year", moved[1].year)
            return f"自 {when} 起符合（{year} 年度的批次，日期按本批次推算）"
        return f"自 {when} 起符合"


def _answered(what: str, step: Step) -> str:
    now, word = ("否", "是") if step.value else ("是", "否")
    if step.kind == "supply":
        return f"答明“{what}”，答“{word}”的才符合"
    return f"“{what}”现在答的是“{now}”；情况变了、能如实答“{word}”时才符合"


def _days(span: Span, day: int) -> str:
    if span.low is None and span.high is None:
        return "日期不限"
    if span.low is not None and span.high is not None:
        return f"在 {as_date(span.low).isoformat()} 至 {as_date(span.high).isoformat()} 之间"
    if span.low is not None:
        return f"不早于 {as_date(span.low).isoformat()}"
    return f"不晚于 {as_date(span.high or day).isoformat()}"


def _bounds(span: Span, kind: str) -> str:
    def written(number: int) -> str:
        return f"{money_text(number)} 元" if kind == "money" else str(number)

    if span.low is not None and span.high is not None:
        return f"在 {written(span.low)} 至 {written(span.high)} 之间"
    if span.low is not None:
        return f"至少 {written(span.low)}"
    if span.high is not None:
        return f"至多 {written(span.high)}"
    return "填明"
