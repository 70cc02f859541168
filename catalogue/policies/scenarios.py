"""A policy with other numbers: what the simulator and the policy desk try before it binds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from catalogue.policies.document import Parameter, PolicyDocument
from catalogue.policies.parameters import UNIT_KINDS, parameter_value
from catalogue.policies.source import PolicyRefused, Problem

UNIT_OF = {kind: unit for unit, kind in UNIT_KINDS.items()} | {"count": "", "date": ""}


def with_parameters(document: PolicyDocument, changes: Mapping[str, Any]) -> PolicyDocument:
    """``document`` with new values of some parameters, in the author's units.

    Money is yuan (Decimal), a rate 0.20, else a whole number, a date or a list as in the file.
    A change also replaces what a continued round or a formula would give. The sha256 of the
    result names the base and the changes; its ``text`` stays the base's. Raises PolicyRefused
    with one problem per change that does not fit.
    """
    problems: list[Problem] = []
    changed: dict[str, Parameter] = {}
    for name, value in changes.items():
        parameter = document.parameters.get(name)
        if parameter is None:
            problems.append(Problem(1, f"没有参数 {name}"))
            continue
        from_unit = UNIT_OF.get(parameter.by, "元")
        try:
            made = parameter_value(value, parameter.unit, from_unit)
        except (ValueError, ArithmeticError) as error:
            problems.append(Problem(1, f"{name}：{error}"))
            continue
        other = replace(parameter, formula=None, **made)
        if other.gives != parameter.gives:
            problems.append(Problem(1, f"{name}：应是{parameter.gives}，写的是{other.gives}"))
            continue
        changed[name] = other
    if problems:
        raise PolicyRefused(problems)
    if not changed:
        return document
    continued = document.continued
    if continued is not None:
        over = {name: changed.get(name, p) for name, p in continued.parameters.items()}
        continued = replace(continued, parameters=over)
    told = "\n".join(f"{name}={changed[name].value!r}" for name in sorted(changed))
    return replace(
        document,
        parameters={**document.parameters, **changed},
        continued=continued,
        sha256=hashlib.sha256(f"{document.sha256}\n{told}".encode()).hexdigest(),
    )
