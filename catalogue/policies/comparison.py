"""What differs between two versions of a scheme, in words, and who gains or loses by it.

Values in, values out. Who gains is not read out of the rules' text: the example cases of both
versions, which stand on both sides of every threshold, are decided before and after each change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from catalogue.policies.document import (
    STAGES,
    Example,
    Parameter,
    PolicyDocument,
    Portion,
    Quantity,
    Rule,
)
from catalogue.policies.facts import cleaned
from catalogue.policies.in_words import Telling
from catalogue.policies.rules import Decision, decide

GAIN, LOSE, MIXED, EVEN = "gain", "lose", "mixed", "even"
NUMBERS = frozenset({"money", "rate", "count", "days", "date"})
OTHERWISE = {"ineligible": "判不符合", "needs_person": "转人工审查"}
VERDICTS = {"eligible": "符合", "needs_person": "转人工", "ineligible": "不符合"}


@dataclass(frozen=True)
class Side:
    """One side of a change: its words and the article it rests on; no article, no link."""

    words: str
    article: str = ""
    url: str = ""
    placeholder: bool = False


@dataclass(frozen=True)
class Change:
    """One difference. ``old`` or ``new`` is None where it was added or removed.

    ``effect`` is gain, lose, mixed or even; ``who`` says it in words, empty where nothing is
    known. ``used_by`` names the rules and steps that a number drives.
    """

    title: str
    old: Side | None
    new: Side | None
    effect: str = EVEN
    who: str = ""
    used_by: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """新增, 取消 or 改动."""
        if self.old is None:
            return "新增"
        return "取消" if self.new is None else "改动"


@dataclass(frozen=True)
class Section:
    """The changes of one part of the rules; ``id`` is its anchor."""

    id: str
    title: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Comparison:
    """Two versions side by side.

    ``moved`` counts the example cases by verdict under the old and under the new version.
    """

    old: PolicyDocument
    new: PolicyDocument
    sections: tuple[Section, ...]
    cases: int
    moved: tuple[tuple[str, str, int], ...]

    def count(self, effect: str) -> int:
        """How many changes have that effect."""
        return sum(c.effect == effect for section in self.sections for c in section.changes)


# ------------------------------------------------------------------ cases before and after


@dataclass
class _Flips:
    """What a change did to the cases: rules newly met or not, amounts higher or lower."""

    met: int = 0
    lost: int = 0
    higher: int = 0
    lower: int = 0

    def add(self, before: Decision, after: Decision, rules: Iterable[str]) -> None:
        """Count one case, looking at these rules and at the amount."""
        for rule in rules:
            pair = (before.results.get(rule), after.results.get(rule))
            self.met += pair == ("fail", "pass")
            self.lost += pair == ("pass", "fail")
        old, new = before.amount_fen, after.amount_fen
        if old is not None and new is not None:
            self.higher += new > old
            self.lower += new < old

    @property
    def effect(self) -> str:
        """Whether cases gain or lose by it."""
        better, worse = self.met or self.higher, self.lost or self.lower
        if better and worse:
            return MIXED
        return GAIN if better else LOSE if worse else EVEN

    @property
    def who(self) -> str:
        """The effect in words."""
        told = []
        if self.met and self.lost:
            told.append("有的单位变为符合，有的变为不符")
        elif self.met or self.lost:
            told.append("更多单位符合" if self.met else "更少单位符合")
        if self.higher and self.lower:
            told.append("金额有的更高，有的更低")
        elif self.higher or self.lower:
            told.append("金额更高" if self.higher else "金额更低")
        return "，".join(told)


def _decided(document: PolicyDocument, examples: Sequence[Example]) -> list[Decision]:
    """Each case under a version; facts that it does not ask for are left out."""
    return [
        decide(document, cleaned(example.facts, document.schema)[0], example.today, clean=True)
        for example in examples
    ]


# ------------------------------------------------------------------ the parts


class _Pair:
    """Two documents with their words and the examples of both."""

    def __init__(self, old: PolicyDocument, new: PolicyDocument) -> None:
        self.old, self.new = old, new
        self.tell_old = Telling(old, old.effective_from)
        self.tell_new = Telling(new, new.effective_from)
        # A new version mostly keeps the cases of the old one; each is looked at once.
        both = (*old.examples, *new.examples)
        self.examples = list({repr((e.facts, e.today)): e for e in both}.values())
        self.before, self.after = _decided(old, self.examples), _decided(new, self.examples)

    def parameters(self) -> Iterable[Change]:
        """Numbers, dates and lists, each tried alone in the older version."""
        old, new = self.old.parameters, self.new.parameters
        for name in _both(old, new):
            before, after = old.get(name), new.get(name)
            if before is None or after is None:
                yield Change(
                    (before or after or old[name]).label,
                    self._number(self.old, before),
                    self._number(self.new, after),
                    used_by=_used_by(self.new if after else self.old, name),
                )
                continue
            same = (before.value, before.words) == (after.value, after.words)
            if same and before.placeholder == after.placeholder:
                continue
            flips = _Flips() if same else self._tried(name, after)
            yield Change(
                after.label,
                self._number(self.old, before),
                self._number(self.new, after),
                flips.effect,
                _standing(placeholder=after.placeholder)
                if same
                else _told(before, after, self.old.terms, self.new.terms, flips.who),
                _used_by(self.new, name),
            )

    def _number(self, document: PolicyDocument, parameter: Parameter | None) -> Side | None:
        if parameter is None:
            return None
        return Side(
            parameter.shown(document.terms),
            parameter.article,
            document.article_url(parameter.article),
            parameter.placeholder,
        )

    def _tried(self, name: str, value: Parameter) -> _Flips:
        tried = replace(self.old, parameters={**self.old.parameters, name: value})
        rules = [rule.id for rule in self.old.rules if name in rule.parameters]
        flips = _Flips()
        if self.old.parameters[name].kind != value.kind:
            return flips
        for before, after in zip(self.before, _decided(tried, self.examples), strict=True):
            flips.add(before, after, rules)
        return flips

    def rules(self) -> Iterable[Change]:
        """Conditions; one that changed only by its numbers is told with the numbers."""
        old, new = _by_id(self.old.rules), _by_id(self.new.rules)
        for rule_id in _both(old, new):
            before, after = old.get(rule_id), new.get(rule_id)
            if before and after and _law(before) == _law(after):
                continue
            effect, who = self._rule_effect(before, after)
            yield Change(
                (after or before or old[rule_id]).title,
                self._rule(self.old, self.tell_old, before),
                self._rule(self.new, self.tell_new, after),
                effect,
                who,
            )

    def _rule(self, document: PolicyDocument, tell: Telling, rule: Rule | None) -> Side | None:
        if rule is None:
            return None
        scope = f"{tell(rule.applies_words)}：" if rule.applies_words else ""
        words = f"{scope}{tell(rule.words)}；不符时{OTHERWISE[rule.otherwise]}"
        placeholder = rule.placeholder or tell.placeholder(rule.words)
        return Side(words, rule.article, document.article_url(rule.article), placeholder)

    def _rule_effect(self, before: Rule | None, after: Rule | None) -> tuple[str, str]:
        if before is None or after is None:
            rule = after or before
            assert rule is not None
            if before is None:
                return LOSE, f"多一个条件：不满足的{OTHERWISE[rule.otherwise]}"
            return GAIN, f"少一个条件：原来因此{OTHERWISE[rule.otherwise]}的不再受限"
        flips = _Flips()
        for old, new in zip(self.before, self.after, strict=True):
            flips.add(replace(old, amount_fen=None), replace(new, amount_fen=None), (before.id,))
        if before.otherwise == after.otherwise:
            moved = before.placeholder != after.placeholder
            return flips.effect, flips.who or (
                _standing(placeholder=after.placeholder) if moved else ""
            )
        milder = after.otherwise == "needs_person"
        told = f"不符时由{OTHERWISE[before.otherwise]}改为{OTHERWISE[after.otherwise]}"
        effect = GAIN if milder else LOSE
        mixed = flips.effect not in (EVEN, effect)
        return MIXED if mixed else effect, "，".join(filter(None, (told, flips.who)))

    def worksheet(self) -> Iterable[Change]:
        """Steps of the amount, and what all of them together do to it."""
        old, new = _by_id(self.old.worksheet), _by_id(self.new.worksheet)
        for line_id in _both(old, new):
            before, after = old.get(line_id), new.get(line_id)
            if before and after and _step(before) == _step(after):
                continue
            yield Change(
                "金额测算的一步",
                self._line(self.old, self.tell_old, before),
                self._line(self.new, self.tell_new, after),
            )

    def split(self) -> Iterable[Change]:
        """Whom the amount goes to."""
        old, new = _by_id(self.old.split), _by_id(self.new.split)
        for part_id in _both(old, new):
            before, after = old.get(part_id), new.get(part_id)
            if before and after and _portion(before) == _portion(after):
                continue
            yield Change(
                f"金额的分配：{(after or before or old[part_id]).label}",
                before and self._share(self.old, self.tell_old, before),
                after and self._share(self.new, self.tell_new, after),
            )

    def _share(self, document: PolicyDocument, tell: Telling, part: Portion) -> Side:
        names = part.value.parameters if part.value else ()
        shown = [tell.parameters[name].shown(document.terms) for name in names]
        words = f"{part.label} {'、'.join(shown) if shown else '其余'}"
        return Side(words, part.article, document.article_url(part.article), part.placeholder)

    def columns(self) -> Iterable[Change]:
        """What is asked of each contract besides the common columns."""
        sides = [
            {c.id: Side(c.label) for c in (d.contracts.columns if d.contracts else ())}
            for d in (self.old, self.new)
        ]
        for key in _both(*sides):
            old, new = sides[0].get(key), sides[1].get(key)
            if old != new:
                yield Change("每个合同另填", old, new)

    def _line(self, document: PolicyDocument, tell: Telling, line: Any) -> Side | None:
        if line is None:
            return None
        placeholder = line.placeholder or tell.placeholder(line.words)
        url = document.article_url(line.article)
        return Side(tell(line.words), line.article, url, placeholder)

    def materials(self) -> Iterable[Change]:
        """Evidence to bring."""
        old, new = _by_id(self.old.materials), _by_id(self.new.materials)
        for material_id in _both(old, new):
            before, after = old.get(material_id), new.get(material_id)
            was, now = bool(before and before.required), bool(after and after.required)
            if before and after and (before.name, was) == (after.name, now):
                continue
            effect = EVEN if was == now else LOSE if now else GAIN
            yield Change(
                (after or before or old[material_id]).name,
                before and self._material(self.old, before),
                after and self._material(self.new, after),
                effect,
                {LOSE: "必交的多一件", GAIN: "必交的少一件"}.get(effect, ""),
            )

    def _material(self, document: PolicyDocument, item: Any) -> Side:
        words = f"{item.name}（{'必交' if item.required else '选交'}）"
        return Side(words, item.article, document.article_url(item.article), item.placeholder)

    def questions(self) -> Iterable[Change]:
        """What the form asks."""
        old, new = _by_id(self.old.answers), _by_id(self.new.answers)
        for answer_id in _both(old, new):
            before, after = old.get(answer_id), new.get(answer_id)
            if before and after and before.label == after.label:
                continue
            yield Change(
                (after or before or old[answer_id]).label,
                before and self._question(self.old, before),
                after and self._question(self.new, after),
            )

    def _question(self, document: PolicyDocument, item: Any) -> Side:
        return Side(item.label, item.article, document.article_url(item.article))

    def course(self) -> Iterable[Change]:
        """Stages, days, validity and the number of contracts."""
        old, new = self.old, self.new
        if old.stages != new.stages:
            yield Change("办理环节", Side(_stages(old)), Side(_stages(new)))
        yield from _days("公示", old.notice_working_days, new.notice_working_days, "个工作日")
        if old.notice_restarts != new.notice_restarts:
            yield Change("公示更正", _restarting(old), _restarting(new))
        yield from _days("有效期", old.validity_years, new.validity_years, "年", longer="有效更久")
        for stage in STAGES:
            promised = (old.promised_days.get(stage), new.promised_days.get(stage))
            if stage != "notice":
                yield from _days(f"{STAGES[stage]}的时限", *promised, "个工作日")
        least, most = (d.contracts.max if d.contracts else 0 for d in (old, new))
        if least != most:
            yield Change(
                "表单里的合同数",
                Side(_limit(least)),
                Side(_limit(most)),
                who="可以多填" if most > least else "只能少填",
            )

    def people(self) -> Iterable[Change]:
        """What people judge, by its text."""
        sides = [
            {
                item["text"]: Side(item["text"], item["article"], d.article_url(item["article"]))
                for item in d.people
            }
            for d in (self.old, self.new)
        ]
        for text in _both(*sides):
            if text not in sides[0] or text not in sides[1]:
                yield Change("由人判断", sides[0].get(text), sides[1].get(text))

    def articles(self) -> Iterable[Change]:
        """The text of the articles, by their names."""
        for key in _both(self.old.articles, self.new.articles):
            old, new = self._article(self.old, key), self._article(self.new, key)
            if old is None or new is None or old.words != new.words:
                yield Change(key, old, new)

    def _article(self, document: PolicyDocument, key: str) -> Side | None:
        found = document.articles.get(key)
        return Side(found.text, key, document.article_url(key)) if found else None

    def moved(self) -> tuple[tuple[str, str, int], ...]:
        """How many cases went from one verdict to another."""
        counts: dict[tuple[str, str], int] = {}
        for old, new in zip(self.before, self.after, strict=True):
            if old.verdict != new.verdict:
                pair = (VERDICTS[old.verdict], VERDICTS[new.verdict])
                counts[pair] = counts.get(pair, 0) + 1
        return tuple((old, new, count) for (old, new), count in sorted(counts.items()))


def _by_id(items: Iterable[Any]) -> dict[str, Any]:
    return {item.id: item for item in items}


def _both(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The names of both, those of the newer version first."""
    return list(dict.fromkeys((*new, *old)))


def _law(rule: Rule) -> tuple[Any, ...]:
    return (
        rule.require.text,
        rule.applies and rule.applies.text,
        rule.unknown,
        rule.words.text,
        rule.otherwise,
        rule.placeholder,
    )


def _standing(*, placeholder: bool) -> str:
    return "没有公开文字，改为示范" if placeholder else "有了公开文字，不再是示范"


def _step(line: Any) -> tuple[Any, ...]:
    return line.value.text, line.words.text, line.placeholder


def _portion(part: Portion) -> tuple[Any, ...]:
    return part.value and part.value.text, part.label, part.placeholder


def _used_by(document: PolicyDocument, name: str) -> tuple[str, ...]:
    rules = [rule.title for rule in document.rules if name in rule.parameters]
    money = any(name in line.parameters for line in document.worksheet)
    return (*rules, *(["金额测算"] if money else []))


def _told(
    before: Parameter,
    after: Parameter,
    old_terms: Mapping[str, str],
    new_terms: Mapping[str, str],
    who: str,
) -> str:
    """``累计销售下限由 500,000.00 元降为 300,000.00 元：更多单位符合``."""
    if isinstance(before.value, list) and isinstance(after.value, list):
        gone = [v for v in before.value if v not in after.value]
        come = [v for v in after.value if v not in before.value]
        parts = [
            f"{verb} {'、'.join(terms.get(str(v), str(v)) for v in values)}"
            for verb, values, terms in (("增加", come, new_terms), ("减去", gone, old_terms))
            if values
        ]
        change = f"{after.label}{'，'.join(parts)}"
    else:
        old, new = before.shown(old_terms), after.shown(new_terms)
        change = f"{after.label}由 {old} {_verb(before, after)} {new}"
    return f"{change}：{who}" if who else change


def _verb(before: Parameter, after: Parameter) -> str:
    old, new = _comparable(before), _comparable(after)
    if old is None or new is None or old == new:
        return "改为"
    if after.kind == "date":
        return "推迟到" if new > old else "提前到"
    return "升为" if new > old else "降为"


def _comparable(parameter: Parameter) -> int | None:
    value = parameter.value
    if isinstance(value, Mapping):
        value = value.get("millionths")
    if parameter.kind not in NUMBERS or isinstance(value, bool) or not isinstance(value, int):
        return None
    return value


def _stages(document: PolicyDocument) -> str:
    return " → ".join(STAGES[stage] for stage in document.stages)


def _limit(contracts: int) -> str:
    return f"至多 {contracts} 个" if contracts else "不填合同"


def _quantity(found: Quantity | None, unit: str) -> Side | None:
    return Side(f"{found.value} {unit}", placeholder=found.placeholder) if found else None


def _restarting(document: PolicyDocument) -> Side:
    found = document.notice_restarts
    return Side(found.on_notice, placeholder=found.placeholder)


def _days(
    title: str, old: Quantity | None, new: Quantity | None, unit: str, longer: str = ""
) -> Iterable[Change]:
    if (old and (old.value, old.placeholder)) == (new and (new.value, new.placeholder)):
        return
    effect = EVEN
    if longer and old and new and old.value != new.value:
        effect = GAIN if new.value > old.value else LOSE
    who = longer if effect == GAIN else ""
    yield Change(title, _quantity(old, unit), _quantity(new, unit), effect, who)


# ------------------------------------------------------------------ the whole


def compare(old: PolicyDocument, new: PolicyDocument) -> Comparison:
    """Everything that differs between an older and a newer version of a scheme."""
    pair = _Pair(old, new)
    parts = (
        ("parameters", "数字与日期", pair.parameters()),
        ("rules", "条件", pair.rules()),
        ("worksheet", "金额怎么算", (*pair.worksheet(), *pair.split())),
        ("materials", "材料", pair.materials()),
        ("questions", "表单问题", (*pair.questions(), *pair.columns())),
        ("course", "环节与时限", pair.course()),
        ("people", "由人判断的", pair.people()),
        ("articles", "条文", pair.articles()),
    )
    sections = [Section(key, title, tuple(changes)) for key, title, changes in parts]
    return Comparison(
        old,
        new,
        tuple(section for section in sections if section.changes),
        len(pair.examples),
        pair.moved(),
    )
