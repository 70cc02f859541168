"""Creating and changing products with their specifications and patents."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from datetime import date

from sqlalchemy.exc import IntegrityError

from catalogue.accounts.models import User
from catalogue.audit.operations import record
from catalogue.database import db
from catalogue.enterprises.models import Enterprise
from catalogue.errors import Refused
from catalogue.products.models import KINDS, PATENT_KINDS, RELATIONS, Patent, Product, Specification
from catalogue.products.rules import (
    MAX_LINES,
    PatentLine,
    SpecificationLine,
    plain_number,
    repeated,
    value_problem,
)
from catalogue.products.taxonomies import advancements, domains, novelties


def create_product(
    enterprise: Enterprise,
    actor: User,
    *,
    name: str,
    model: str,
    kind: str,
    domain: str,
    novelty: str,
    summary: str,
    advancement: str | None = None,
    english_name: str | None = None,
    first_sold_on: date | None = None,
    specifications: Sequence[SpecificationLine] = (),
    patents: Sequence[PatentLine] = (),
) -> Product:
    """Add a product of ``enterprise``; raises Refused (422) at the field at fault.

    The same firm cannot hold two products of equal name and model.
    """
    product = Product(enterprise_id=enterprise.id)
    _write(
        product,
        name=name,
        model=model,
        kind=kind,
        domain=domain,
        novelty=novelty,
        advancement=advancement or None,
        summary=summary,
        english_name=english_name or None,
        first_sold_on=first_sold_on,
    )
    _replace_lines(product, specifications, patents)
    record("product.create", product, actor, name=name, model=model)
    return product


Lock = Callable[[Product], str | None]
_locks: list[Lock] = []


def locked_by(lock: Lock) -> Lock:
    """Decorate a function of a higher room that says why a product may not change now."""
    if lock not in _locks:
        _locks.append(lock)
    return lock


def update_product(
    product: Product,
    actor: User,
    *,
    name: str,
    model: str,
    kind: str,
    domain: str,
    novelty: str,
    summary: str,
    advancement: str | None = None,
    english_name: str | None = None,
    first_sold_on: date | None = None,
    specifications: Sequence[SpecificationLine] = (),
    patents: Sequence[PatentLine] = (),
) -> None:
    """Set every fact of a product, lines included; raises Refused as ``create_product`` does.

    A higher room may hold the product, as a review does; then the refusal says why.
    """
    for lock in _locks:
        if reason := lock(product):
            raise Refused(reason)
    changed = _write(
        product,
        name=name,
        model=model,
        kind=kind,
        domain=domain,
        novelty=novelty,
        advancement=advancement or None,
        summary=summary,
        english_name=english_name or None,
        first_sold_on=first_sold_on,
    )
    changed += _replace_lines(product, specifications, patents)
    if changed:
        record("product.update", product, actor, changed=changed)


def _write(product: Product, **facts: object) -> list[str]:
    _check_codes(facts)
    changed = [key for key, value in facts.items() if getattr(product, key) != value]
    try:
        with db.session.begin_nested():
            for key in changed:
                setattr(product, key, facts[key])
            db.session.add(product)
    except IntegrityError as error:
        if "uq_product_" not in str(error.orig):
            raise
        raise Refused("本单位已经有同名同型号的产品", "model", 422) from error
    return changed


def _check_codes(facts: dict[str, object]) -> None:
    lists: dict[str, tuple[Container[object], str]] = {
        "kind": (KINDS, "产品类别"),
        "domain": (domains(), "所属领域"),
        "novelty": (novelties(), "创新档次"),
        "advancement": ({None, *advancements()}, "先进性档次"),
    }
    for field, (known, label) in lists.items():
        if facts[field] not in known:
            raise Refused(f"请从列表里选{label}", field, 422)


def _replace_lines(
    product: Product,
    specifications: Sequence[SpecificationLine],
    patents: Sequence[PatentLine],
) -> list[str]:
    _check_lines(specifications, patents)
    changed = []
    if list(specifications) != specification_lines(product):
        changed.append("specifications")
        product.specifications.clear()
    if list(patents) != patent_lines(product):
        changed.append("patents")
        product.patents.clear()
    # The old rows go first: a new row may take the position or number of an old one.
    db.session.flush()
    if "specifications" in changed:
        product.specifications.extend(_specification(*at) for at in enumerate(specifications, 1))
    if "patents" in changed:
        product.patents.extend(_patent(line) for line in patents)
    db.session.flush()
    return changed


def _check_lines(
    specifications: Sequence[SpecificationLine], patents: Sequence[PatentLine]
) -> None:
    if max(len(specifications), len(patents)) > MAX_LINES:
        raise Refused(f"指标和知识产权各不超过 {MAX_LINES} 行", status=422)
    for line in specifications:
        problem = value_problem(line.relation, line.value)
        if line.relation not in RELATIONS or problem:
            raise Refused(f"指标“{line.name}”：{problem or '请选关系'}", "specifications", 422)
    if any(line.kind not in PATENT_KINDS for line in patents):
        raise Refused("请从列表里选知识产权类型", "patents", 422)
    if (at := repeated([(line.kind, line.number) for line in patents])) is not None:
        raise Refused(f"编号 {patents[at].number} 填了两次", "patents", 422)


def _specification(position: int, line: SpecificationLine) -> Specification:
    words = line.relation == "text"
    return Specification(
        position=position,
        name=line.name,
        relation=line.relation,
        number=None if words else plain_number(line.value),
        words=line.value if words else None,
        unit=line.unit,
    )


def _patent(line: PatentLine) -> Patent:
    return Patent(
        kind=line.kind,
        number=line.number,
        title=line.title,
        holder=line.holder,
        granted_on=line.granted_on,
    )


def specification_lines(product: Product) -> list[SpecificationLine]:
    """The product's figures as a person would write them."""
    return [
        SpecificationLine(row.name, row.relation, row.plain, row.unit)
        for row in product.specifications
    ]


def patent_lines(product: Product) -> list[PatentLine]:
    """The product's rights as lines."""
    return [
        PatentLine(row.kind, row.number, row.title, row.holder, row.granted_on)
        for row in product.patents
    ]
