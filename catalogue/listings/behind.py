"""What stands behind an entry: its certificate, its notice, other recognitions, rights, people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from catalogue.accounts.models import User
from catalogue.applications.models import Application
from catalogue.certificates.models import Certificate
from catalogue.certificates.operations import of_application
from catalogue.database import db
from catalogue.enterprises.models import Enterprise
from catalogue.listings.models import Listing
from catalogue.notices.models import Notice, NoticeItem
from catalogue.products.models import Patent

# More of either than anybody lists for one product; the page says when there are more.
MOST = 20
# Who may see the person to call: those who buy, and staff. Names of people are not public.
CALLERS = ("buyer", "reviewer", "approver", "finance", "administrator")


@dataclass(frozen=True)
class Behind:
    """What the portal itself holds of the product; an imported entry has nothing of it."""

    certificate: Certificate | None = None
    notice: Notice | None = None
    others: Sequence[Certificate] = ()
    patents: Sequence[Patent] = ()
    firm: Enterprise | None = None


def behind(listing: Listing) -> Behind:
    """Gather it, in as many queries as there are kinds."""
    if listing.application_id is None:
        return Behind()
    same_product = (
        select(Certificate)
        .join(Application, Application.id == Certificate.application_id)
        .where(
            Application.product_id == listing.product_id,
            Application.id != listing.application_id,
            Certificate.issued_at.is_not(None),
        )
        .order_by(Certificate.id.desc())
        .limit(MOST)
    )
    patents = (
        select(Patent)
        .where(Patent.product_id == listing.product_id)
        .order_by(Patent.id)
        .limit(MOST)
    )
    return Behind(
        certificate=of_application(listing.application_id),
        notice=db.session.scalar(
            select(Notice)
            .join(NoticeItem, NoticeItem.notice_id == Notice.id)
            .where(NoticeItem.application_id == listing.application_id)
        ),
        others=db.session.scalars(same_product).all(),
        patents=db.session.scalars(patents).all(),
        firm=db.session.get(Enterprise, listing.enterprise_id),
    )


def may_call(user: User) -> bool:
    """Whether ``user`` is shown the supplier's person and telephone number."""
    return bool(user.is_authenticated and user.has_role(*CALLERS))
