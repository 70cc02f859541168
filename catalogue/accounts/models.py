"""Users, their roles, and the throttle on failed sign-ins."""

from __future__ import annotations

from datetime import datetime

from flask_login import UserMixin
from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from catalogue.database import Keyed, db, utc_now

ROLES = {
    "applicant": "经办人",
    "signatory": "签章人",
    "reviewer": "形式审查员",
    "approver": "审定人",
    "finance": "财务",
    "buyer": "采购单位",
    "administrator": "管理员",
}


class User(UserMixin, Keyed, db.Model):
    """A person who signs in. ``session_stamp`` changes whenever old sessions must end."""

    __tablename__ = "account"
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    session_stamp: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    role_rows: Mapped[list[UserRole]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", order_by="UserRole.role"
    )
    __table_args__ = (
        CheckConstraint("email = lower(email) AND length(email) BETWEEN 3 AND 254", name="email"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
    )

    @property
    def is_active(self) -> bool:
        return self.active

    @property
    def roles(self) -> set[str]:
        """The roles this person holds."""
        return {row.role for row in self.role_rows}

    def has_role(self, *roles: str) -> bool:
        """Whether the person holds at least one of ``roles``."""
        return not self.roles.isdisjoint(roles)

    @property
    def role_label(self) -> str:
        """The roles in page words."""
        return "、".join(label for role, label in ROLES.items() if role in self.roles)

    def get_id(self) -> str:
        return f"{self.id}:{self.session_stamp}"


class UserRole(db.Model):
    """One role of one person."""

    __tablename__ = "account_role"
    user_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    __table_args__ = (
        CheckConstraint(f"role IN ({', '.join(repr(role) for role in ROLES)})", name="role"),
    )


class FailedSignIn(Keyed, db.Model):
    """One failed try, kept for the throttle per account name and per address."""

    __tablename__ = "failed_sign_in"
    email: Mapped[str]
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=utc_now)
    __table_args__ = (
        Index("ix_failed_sign_in_email", "email", "at"),
        Index("ix_failed_sign_in_address", "address", "at"),
    )
