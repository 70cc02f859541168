"""A file of an application beside what the firm typed: which values it says, and on which page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from catalogue.applications.models import Application
from catalogue.documents import pages
from catalogue.documents.models import Document
from catalogue.documents.pages import Mark, Unshowable

MOST_CONTRACTS = 6


@dataclass(frozen=True)
class Row:
    """One typed value against the file: the pages that say it, or what stands beside its label."""

    mark: Mark
    pages: list[int]
    beside: dict[str, Any] | None


@dataclass(frozen=True)
class View:
    """What the viewer shows: one page of one file, and how the file answers what was typed."""

    document: Document
    material: str
    page: int = 1
    total: int = 0
    read: int = 0
    has_text: bool = False
    problem: str | None = None
    rows: list[Row] = field(default_factory=list)

    @property
    def marks(self) -> list[str]:
        """The marks of the page's picture, as its address gives them."""
        return [str(row.mark) for row in self.rows]

    @property
    def marked_pages(self) -> list[int]:
        """Pages with something found, in order."""
        return sorted({page for row in self.rows for page in row.pages})

    @property
    def previous_place(self) -> int | None:
        """The nearest page before this one with something found."""
        return max((page for page in self.marked_pages if page < self.page), default=None)

    @property
    def next_place(self) -> int | None:
        """The nearest page after this one with something found."""
        return min((page for page in self.marked_pages if page > self.page), default=None)


def of(
    application: Application, names: dict[str, str], document_id: int | None, page: int
) -> View | None:
    """The chosen file of the application at a page; None when it has no such file or page.

    ``names`` are the materials' names by id.
    """
    evidence = next((e for e in application.evidence if e.document_id == document_id), None)
    if evidence is None:
        return None
    document, material = evidence.document, names.get(evidence.material, "")
    groups = list(_typed(application))
    wanted = [mark for group in groups for mark in group]
    try:
        told = pages.read(document, wanted)
    except Unshowable as error:
        return View(document, material, problem=str(error))
    if not 1 <= page <= told["pages"]:
        return None
    answers = told["marks"] or [{"pages": [], "beside": None} for _ in wanted]
    rows = dict(
        zip(
            wanted,
            (Row(m, a["pages"], a["beside"]) for m, a in zip(wanted, answers, strict=True)),
            strict=True,
        )
    )
    return View(
        document,
        material,
        page=page,
        total=told["pages"],
        read=told["read"],
        has_text=told["text"],
        rows=[rows[mark] for group in _relevant(groups, rows) for mark in group],
    )


def _typed(application: Application) -> Iterator[list[Mark]]:
    """What the firm typed that files repeat: the product and the firm, then each contract."""
    product = application.product
    model = "版本号" if product.kind == "software" else "型号"
    yield _whole(
        ("产品名称", product.name), (model, product.model), ("单位", application.enterprise.name)
    )
    for contract in application.contracts[:MOST_CONTRACTS]:
        yield _whole(
            ("合同编号", contract.number),
            ("买方", contract.buyer_name),
            ("金额", _yuan(contract.amount_fen)),
            ("签订日期", contract.signed_on.isoformat()),
            ("发票日期", contract.invoiced_on.isoformat() if contract.invoiced_on else ""),
            ("到账", _yuan(contract.received_fen)),
        )


def _whole(*pairs: tuple[str, str]) -> list[Mark]:
    marks = [Mark(value.strip(), label) for label, value in pairs if value.strip()]
    return [mark for mark in marks if pages.bounded([mark])]


def _yuan(fen: int | None) -> str:
    return "" if fen is None else f"{fen // 100:,}.{fen % 100:02d}"


def _relevant(groups: list[list[Mark]], rows: dict[Mark, Row]) -> list[list[Mark]]:
    """The product always; of the contracts those whose number the file says, else what it says."""
    head, contracts = groups[0], groups[1:]
    named = [group for group in contracts if group and rows[group[0]].pages]
    if named:
        return [head, *named]
    return [head, *([mark for mark in group if rows[mark].pages] for group in contracts)]
