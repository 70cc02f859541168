"""A small policy file that tests change in one place at a time."""

from __future__ import annotations

from datetime import date
from typing import Any

from catalogue.policies.rules import Report, evaluate, load

TODAY = date(2026, 6, 1)

TEXT = """\
scheme: first_version
version: "T-1"
title: 小政策
effective: {from: 2020-01-01, to: 2020-12-31}
articles:
  第一条: {text: 累计不低于一千元, source: 测试, confidence: 见}
parameters:
  floor: {value: 1000.00, unit: 元, label: 门槛, article: 第一条, confidence: 见}
  rate: {value: 0.333333, unit: 比例, label: 比例, article: 第一条, confidence: 缺,
    placeholder: true}
rules:
  - id: total
    title: 累计金额
    article: 第一条
    require: total(contracts) >= p.floor
    words: 累计不低于 {p.floor}
    read: '{total(contracts)}'
    gap: 少 {p.floor - total(contracts) | money}
    otherwise: ineligible
stages: [formal_check, committee, notice]
notice: {working_days: 5, placeholder: true}
worksheet:
  - {id: base, label: 合计, value: total(contracts), article: 第一条}
  - {id: amount, label: "× {p.rate}", value: "share(base, p.rate)", operands: "{base} × {p.rate}",
    article: 第一条}
base_facts: {contracts: [{amount: 1000.00}]}
examples:
  - {name: 正好, expect: {total: pass}, amount: 333.33}
  - {name: 差一分, facts: {contracts: [{amount: 999.99}]}, expect: {total: fail}}
"""


def changed(old: str, new: str) -> str:
    """The small policy with one place changed; the place must be there."""
    assert old in TEXT
    return TEXT.replace(old, new)


def report(facts: dict[str, Any], text: str = TEXT) -> Report:
    """The report of facts under a small policy."""
    return evaluate(load(text, run_examples=False), facts, TODAY)
