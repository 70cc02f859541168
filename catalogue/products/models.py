"""Products with typed specifications and the patents behind them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.accounts.models import User
from catalogue.database import Keyed, db, utc_now
from catalogue.enterprises.models import Enterprise, enterprise_id_of

KINDS = {"equipment": "装备", "software": "软件", "material": "新材料", "other": "其他产品"}
RELATIONS = {"eq": "＝", "le": "≤", "ge": "≥", "text": ""}
PATENT_KINDS = {
    "invention": "发明专利",
    "utility": "实用新型",
    "copyright": "软件著作权",
    "layout": "集成电路布图设计",
}


class Product(Keyed, db.Model):
    """What an enterprise made; it outlives any application."""

    __tablename__ = "product"
    enterprise_id: Mapped[int] = mapped_column(ForeignKey("enterprise.id"))
    name: Mapped[str]
    english_name: Mapped[str | None]
    model: Mapped[str]
    kind: Mapped[str]
    domain: Mapped[str]
    novelty: Mapped[str]
    advancement: Mapped[str | None]
    summary: Mapped[str]
    first_sold_on: Mapped[date | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    enterprise: Mapped[Enterprise] = relationship()
    specifications: Mapped[list[Specification]] = relationship(
        order_by="Specification.position", cascade="all, delete-orphan"
    )
    patents: Mapped[list[Patent]] = relationship(order_by="Patent.id", cascade="all, delete-orphan")
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 2 AND 120", name="name"),
        CheckConstraint("length(model) BETWEEN 1 AND 60", name="model"),
        CheckConstraint("kind IN ('equipment','software','material','other')", name="kind"),
        CheckConstraint("length(summary) <= 600", name="summary"),
        CheckConstraint("english_name IS NULL OR length(english_name) <= 200", name="english"),
        Index("ix_product_enterprise", "enterprise_id", "id"),
        UniqueConstraint("enterprise_id", "name", "model"),
    )

    def visible_to(self, user: User) -> bool:
        """Its own firm, and staff who decide."""
        if user.has_role("reviewer", "approver", "finance"):
            return True
        return self.enterprise_id == enterprise_id_of(user)


class Specification(Keyed, db.Model):
    """One figure of a product: name, relation, number or words, unit."""

    __tablename__ = "specification"
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    position: Mapped[int]
    name: Mapped[str]
    relation: Mapped[str]
    number: Mapped[Decimal | None] = mapped_column(Numeric(18, 6))
    words: Mapped[str | None]
    unit: Mapped[str] = mapped_column(default="")
    __table_args__ = (
        CheckConstraint("relation IN ('eq','le','ge','text')", name="relation"),
        CheckConstraint("(relation = 'text') = (number IS NULL)", name="number"),
        CheckConstraint("(relation = 'text') = (words IS NOT NULL)", name="words"),
        CheckConstraint("position > 0", name="position"),
        CheckConstraint("length(name) BETWEEN 1 AND 60 AND length(unit) <= 20", name="lengths"),
        UniqueConstraint("product_id", "position"),
    )

    @property
    def plain(self) -> str:
        """The figure alone, without its relation: a number without idle zeros, or the words."""
        if self.number is None:
            return self.words or ""
        number = f"{self.number:f}"
        return number.rstrip("0").rstrip(".") if "." in number else number

    @property
    def value(self) -> str:
        """The figure as pages print it."""
        sign = RELATIONS[self.relation] if self.relation in ("le", "ge") else ""
        return f"{sign} {self.plain}".strip()


class Patent(Keyed, db.Model):
    """An intellectual-property right that the product rests on."""

    __tablename__ = "patent"
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    kind: Mapped[str]
    number: Mapped[str]
    title: Mapped[str]
    holder: Mapped[str]
    granted_on: Mapped[date]
    __table_args__ = (
        CheckConstraint("kind IN ('invention','utility','copyright','layout')", name="kind"),
        CheckConstraint(
            "length(number) BETWEEN 1 AND 40 AND length(title) BETWEEN 1 AND 200"
            " AND length(holder) BETWEEN 1 AND 100",
            name="lengths",
        ),
        UniqueConstraint("product_id", "kind", "number"),
        Index("ix_patent_number", "number"),
    )
