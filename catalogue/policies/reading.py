"""Turning the YAML of a policy file into a PolicyDocument, and naming every fault by its line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from catalogue.policies.asked import (
    answers_of,
    contracts_of,
    materials_of,
    promised_of,
    quantity_of,
    restart_of,
    stages_of,
)
from catalogue.policies.conditions import rules_of, split_of, unused_parameters, worksheet_of
from catalogue.policies.document import (
    SCHEMES,
    WITHOUT_MONEY,
    Answer,
    ContractLimits,
    Example,
    PolicyDocument,
    schema_with,
)
from catalogue.policies.example_facts import merged, with_units
from catalogue.policies.facts import Group, Words, as_fen
from catalogue.policies.kinds import Names
from catalogue.policies.parameters import articles_of, continuation_of, parameters_of
from catalogue.policies.reader import INNER, REQUIRED, SECTIONS, VERSION, Path, Reader, keys_of
from catalogue.policies.source import read

RESULTS = frozenset({"pass", "fail", "unknown"})
VERDICTS = frozenset({"eligible", "ineligible", "needs_person"})


# ------------------------------------------------------------------ examples


def _examples(
    reader: Reader, schema: Mapping[str, Group | Words], rules: set[str], portions: set[str]
) -> tuple[Example, ...]:
    base = reader.typed(reader.source.data.get("base_facts"), dict, "base_facts", {}, ())
    made = []
    for path, entry in reader.entries("examples"):
        changed = reader.typed(entry.get("facts"), dict, "facts", {}, (*path, "facts"))
        try:
            facts = with_units(merged(base, changed), schema)
        except ValueError as error:
            reader.fault(str(error), *path)
            continue
        expect = reader.typed(entry.get("expect"), dict, "expect", {}, (*path, "expect"))
        for rule, result in expect.items():
            if rule not in rules or not reader.known(result, RESULTS):
                reader.fault(
                    f"没有规则 {rule}，或结果不是 pass、fail、unknown", *path, "expect", rule
                )
        verdict = entry.get("verdict")
        if verdict is not None and not reader.known(verdict, VERDICTS):
            reader.fault(f"verdict 只能是 {'、'.join(sorted(VERDICTS))}", *path, "verdict")
        made.append(
            Example(
                name=reader.text(entry, "name", path),
                facts=facts,
                today=reader.typed(entry.get("today"), date, "today", date(2026, 6, 1), path),
                expect=expect,
                verdict=verdict,
                amount_fen=_yuan(reader, entry.get("amount"), (*path, "amount")),
                shares=_shares(reader, entry, portions, path),
                line=reader.source.line(*path),
            )
        )
    return tuple(made)


def _yuan(reader: Reader, amount: Any, path: Path) -> int | None:
    if amount is None:
        return None
    try:
        if not isinstance(amount, bool):
            return as_fen(amount)
    except (ValueError, TypeError, ArithmeticError):
        pass
    reader.fault("应是元，最多两位小数", *path)
    return None


def _shares(
    reader: Reader, entry: Mapping[str, Any], portions: set[str], path: Path
) -> dict[str, int]:
    given = reader.typed(entry.get("shares"), dict, "shares", {}, (*path, "shares"))
    made = {}
    for portion, amount in given.items():
        fen = _yuan(reader, amount, (*path, "shares", portion))
        if portion not in portions:
            reader.fault(f"split 里没有 {portion}", *path, "shares", portion)
        elif fen is not None:
            made[portion] = fen
    return made


# ------------------------------------------------------------------ the whole file


def _top(reader: Reader) -> None:
    data = reader.source.data
    for key in data.keys() - (SECTIONS.keys() - INNER):
        reader.fault(f"没有 {key} 这一节", key)
    for key in REQUIRED:
        if not data.get(key):
            reader.fault(f"缺 {key} 这一节")
    if not reader.known(data.get("scheme"), SCHEMES):
        reader.fault(f"scheme 只能是 {'、'.join(SCHEMES)}", "scheme")
    if not isinstance(data.get("version"), str) or not VERSION.fullmatch(data["version"]):
        reader.fault("version 用引号括起，字母、数字、点和短横线", "version")
    reader.stop_if_faulty()


def _effective(reader: Reader) -> tuple[date, date | None, str]:
    path = ("effective",)
    entry = reader.typed(reader.source.data["effective"], dict, "effective", {}, path)
    start = reader.typed(entry.get("from"), date, "from", date.max, (*path, "from"))
    end = reader.typed(entry.get("to"), date, "to", date.max, (*path, "to"))
    for key in entry.keys() - set(sum(keys_of("effective"), ())):
        reader.fault(f"effective 里没有 {key} 这个键", *path, key)
    if entry.get("from") is None:
        reader.fault("effective 要写 from", *path)
    if end < start:
        reader.fault("effective 的 to 早于 from", *path, "to")
    return start, None if entry.get("to") is None else end, reader.text(entry, "note", path, "")


def _texts(reader: Reader, key: str) -> tuple[str, ...]:
    items = reader.typed(reader.source.data.get(key), list, key, [], (key,))
    if not all(isinstance(item, str) for item in items):
        reader.fault(f"{key} 应是文字的列表", key)
        return ()
    return tuple(items)


def _terms(reader: Reader) -> dict[str, str]:
    terms = reader.typed(reader.source.data.get("terms"), dict, "terms", {}, ("terms",))
    return {key: reader.typed(name, str, key, "", ("terms", key)) for key, name in terms.items()}


def _option_names(answers: tuple[Answer, ...], contracts: ContractLimits | None) -> dict[str, str]:
    """What the choices of the form are called, so that a sentence does not show their ids."""
    options = [answer.options for answer in answers]
    options += [column.options for column in (contracts.columns if contracts else ())]
    return {key: label for choices in options for key, label in choices.items()}


def _unique(reader: Reader, items: Iterable[Any], section: str) -> None:
    seen: set[str] = set()
    for position, item in enumerate(items):
        if item.id in seen:
            reader.fault(f"{section} 的 id “{item.id}” 写了两次", section, position)
        seen.add(item.id)


def parse(text: str) -> PolicyDocument:
    """Read and check a file without running its examples; raises PolicyRefused."""
    source = read(text)
    reader = Reader(source)
    _top(reader)
    data = source.data
    effective_from, effective_to, effective_note = _effective(reader)
    articles = articles_of(reader)
    parameters = parameters_of(reader, articles)
    continued = continuation_of(reader, articles, parameters)
    answers = answers_of(reader, articles)
    materials = materials_of(reader, articles)
    contracts = contracts_of(reader, articles)
    reader.stop_if_faulty()
    schema = schema_with(answers, contracts.columns if contracts else ())
    names = Names(schema, {name: p.gives for name, p in parameters.items()})
    rules = rules_of(reader, names, articles)
    worksheet, names = worksheet_of(reader, names, articles)
    split = split_of(reader, names, articles, worksheet)
    # What could not be compiled may have used them.
    whole = not reader.problems
    for name in unused_parameters(parameters, rules, worksheet, split) if whole else ():
        reader.fault(f"参数 {name} 没有用到；用不到的数请删掉", "parameters", name)
    for section, items in (
        ("rules", rules),
        ("answers", answers),
        ("materials", materials),
        ("split", split),
    ):
        _unique(reader, items, section)
    for path, entry in reader.entries("people"):
        reader.article(entry, articles, path)
        reader.text(entry, "text", path)
    for path, entry in reader.entries("documents"):
        reader.text(entry, "no", path)
        reader.text(entry, "title", path)
    portions = {portion.id for portion in split}
    examples = _examples(reader, schema, {rule.id for rule in rules}, portions)
    validity = data.get("validity_years")
    document = PolicyDocument(
        scheme=data["scheme"],
        version=data["version"],
        title=reader.text(data, "title", ()),
        summary=_texts(reader, "summary"),
        documents=tuple(entry for _, entry in reader.entries("documents")),
        effective_from=effective_from,
        effective_to=effective_to,
        effective_note=effective_note,
        continued=continued,
        articles=articles,
        parameters=parameters,
        terms={**_option_names(answers, contracts), **_terms(reader)},
        rules=rules,
        people=tuple(entry for _, entry in reader.entries("people")),
        gaps=_texts(reader, "gaps"),
        answers=answers,
        materials=materials,
        contracts=contracts,
        stages=stages_of(reader),
        notice_working_days=quantity_of(
            reader, data.get("notice"), "working_days", ("notice",), ("restart_on_correction",)
        ),
        notice_restarts=restart_of(reader),
        validity_years=validity and quantity_of(reader, validity, "years", ("validity_years",)),
        promised_days=promised_of(reader),
        worksheet=worksheet,
        split=split,
        pays=reader.typed(data.get("pays"), bool, "pays", data["scheme"] not in WITHOUT_MONEY, ()),
        examples=examples,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
    )
    reader.stop_if_faulty()
    return document
