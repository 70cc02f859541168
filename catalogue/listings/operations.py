"""The verbs of the catalogue: list, remove, import a public list, keep the synonyms."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

import yaml
from sqlalchemy import Integer, cast, func, select, tuple_

from catalogue.accounts.models import User
from catalogue.applications.facts import KnownListing, listing_known_by
from catalogue.applications.fitting import listings_known_by
from catalogue.applications.models import Application
from catalogue.applications.operations import when
from catalogue.audit.operations import record
from catalogue.certificates.models import Certificate, CertificateStatus
from catalogue.certificates.operations import of_application, on_change
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.enterprises.taxonomies import district_name
from catalogue.errors import Refused
from catalogue.listings import imports, synonyms
from catalogue.listings.models import Listing, Synonym
from catalogue.products.models import Product

SCHEME = "catalogue"
SERIES = "SL"
BATCH = 1_000
# Imports wait for one another, so that numbers and duplicates are decided once.
IMPORT_LOCK = 7_201_421


def shanghai_day(now: datetime | None = None) -> date:
    """The calendar day in Shanghai, now or at a moment."""
    return (now or utc_now()).astimezone(SHANGHAI).date()


@when("conclude")
def publish(application: Application, actor: User | None, reason: str | None = None) -> None:
    """Enter a concluded listing application into the catalogue, under its certificate's number.

    Other schemes pay money and list nothing. Twice is once. Raises Refused without a
    certificate: no entry stands in the catalogue that nobody can check.
    """
    if application.scheme != SCHEME or listing_of(application.id) is not None:
        return
    # Importing this from the certificates room also puts its listener before ours.
    certificate = of_application(application.id)
    if certificate is None:
        raise Refused("还没有证书编号，不能列入目录")
    listing = _entry(application, certificate)
    db.session.add(listing)
    db.session.flush()
    record("listing.publish", listing, actor, number=listing.number, reason=reason)


def _entry(application: Application, certificate: Certificate) -> Listing:
    product, enterprise = application.product, application.enterprise
    return Listing(
        number=certificate.number,
        application_id=application.id,
        product_id=product.id,
        enterprise_id=enterprise.id,
        name=product.name,
        firm_name=enterprise.name,
        model=product.model,
        kind=product.kind,
        domain=product.domain,
        novelty=product.novelty,
        advancement=product.advancement,
        district=enterprise.district,
        region=f"上海市{district_name(enterprise.district)}",
        year=certificate.valid_from.year,
        summary=product.summary,
        specifications=_figures(product),
        listed_on=certificate.valid_from,
        valid_until=certificate.valid_until,
        # 首购 is open to what has not been on the market yet (rules.md §6).
        first_purchase=product.first_sold_on is None,
        source=application.number,
    )


def _figures(product: Product) -> list[dict[str, str]]:
    return [
        {"name": item.name, "value": item.value, "unit": item.unit}
        for item in product.specifications
    ]


def listing_of(application_id: int) -> Listing | None:
    """The entry that an application led to."""
    return db.session.scalar(select(Listing).where(Listing.application_id == application_id))


@listing_known_by
def listing_of_product(product_id: int) -> KnownListing | None:
    """The newest entry of a product that stands in the catalogue."""
    row = db.session.execute(
        select(Listing.number, Listing.listed_on, Listing.valid_until)
        .where(Listing.product_id == product_id, Listing.status == "listed")
        .order_by(Listing.id.desc())
        .limit(1)
    ).first()
    return None if row is None else KnownListing(row.number, row.listed_on, row.valid_until)


@listings_known_by
def listings_of_products(product_ids: Sequence[int]) -> dict[int, KnownListing]:
    """The newest entry in the catalogue of each of these products."""
    rows = db.session.execute(
        select(Listing.product_id, Listing.number, Listing.listed_on, Listing.valid_until)
        .where(Listing.product_id.in_(product_ids), Listing.status == "listed")
        .order_by(Listing.id)
    )
    return {
        product_id: KnownListing(number, listed_on, valid_until)
        for product_id, number, listed_on, valid_until in rows
        if product_id is not None
    }


@when("revoke")
def withdraw(application: Application, actor: User | None, reason: str | None = None) -> None:
    """A revoked application takes its entry out of the catalogue."""
    listing = listing_of(application.id)
    if listing is not None:
        remove(listing, actor, reason or "")


@on_change
def follow_certificate(certificate: Certificate, change: CertificateStatus, actor: User) -> None:
    """A suspended certificate takes its entry out of the search until it is valid again.

    A replaced one gives the entry the new names; the number of the entry stays. Revocation comes
    with the application.
    """
    listing = listing_of(certificate.application_id)
    if listing is None or change.status == "revoked":
        return
    db.session.refresh(listing, with_for_update=True)
    if listing.status == "removed":
        return
    if change.status == "replaced" and certificate.follower is not None:
        words = certificate.follower.words
        listing.name, listing.firm_name, listing.model = (
            words.product,
            words.enterprise,
            words.model,
        )
    else:
        listing.status = "suspended" if change.status == "suspended" else "listed"
    db.session.flush()
    record("listing.follow", listing, actor, number=listing.number, status=change.status)


def remove(listing: Listing, actor: User | None, reason: str) -> None:
    """Take an entry out; its page stays and says so. Raises Refused without a reason."""
    if not reason.strip():
        raise Refused("请写明移出目录的理由", field="reason", status=422)
    db.session.refresh(listing, with_for_update=True)
    if listing.status == "removed":
        return
    listing.status = "removed"
    listing.removed_on = shanghai_day()
    listing.removed_reason = reason.strip()
    db.session.flush()
    record("listing.remove", listing, actor, number=listing.number, reason=reason.strip())


def import_rows(
    stream: BinaryIO,
    actor: User | None,
    *,
    skip_existing: bool = False,
    sample: bool = False,
) -> imports.Report:
    """Import a clerk's CSV, all of it or nothing; the report says which, and why.

    A product that the catalogue has from the same list already is a fault, or is passed over
    with ``skip_existing``. ``sample`` marks the entries 示例数据，非官方入选名单. The caller
    commits when the report is sound.
    """
    report = imports.read(stream.read(imports.MAX_BYTES + 1))
    if not report.sound:
        return report
    # Two clerks with the same file: the second waits here, then finds everything present.
    db.session.execute(select(func.pg_advisory_xact_lock(IMPORT_LOCK)))
    present = _present(report)
    report.present = len(present)
    if present and not skip_existing:
        for row in report.rows:
            if row.key in present:
                report.fault(row.line, "product_name", f"目录里已有（{present[row.key]}）")
        return report
    fresh = [row for row in report.rows if row.key not in present]
    _add(fresh, report, actor, sample=sample)
    return report


def _present(report: imports.Report) -> dict[tuple[str, str, str], str]:
    keys = [row.key for row in report.rows]
    found: dict[tuple[str, str, str], str] = {}
    natural = tuple_(Listing.source_list, Listing.name, Listing.firm_name)
    columns = (Listing.source_list, Listing.name, Listing.firm_name, Listing.number)
    for start in range(0, len(keys), BATCH):
        statement = select(*columns).where(natural.in_(keys[start : start + BATCH]))
        for source_list, name, firm_name, number in db.session.execute(statement):
            found[source_list or "", name, firm_name] = number
    return found


def _add(
    rows: list[imports.Row], report: imports.Report, actor: User | None, *, sample: bool
) -> None:
    if not rows:
        return
    day = shanghai_day()
    last = _last_numbers()
    listings = []
    for row in rows:
        year = row.year or day.year
        last[year] = last.get(year, 0) + 1
        listings.append(_imported(row, f"{SERIES}-{year}-{last[year]:04d}", day, sample=sample))
    db.session.add_all(listings)
    db.session.flush()
    report.added = len(listings)
    lists = sorted({row.source_list for row in rows})
    record("listing.import", listings[0], actor, count=len(listings), lists=lists[:50])


def _last_numbers() -> dict[int, int]:
    """Year → the last number given; stable, since an import holds the lock of imports."""
    year = func.substr(Listing.number, 4, 4)
    running = func.max(cast(func.substr(Listing.number, 9), Integer))
    statement = select(year, running).where(Listing.source_list.is_not(None)).group_by(year)
    return {int(given): last for given, last in db.session.execute(statement)}


def _imported(row: imports.Row, number: str, day: date, *, sample: bool) -> Listing:
    return Listing(
        number=number,
        source_list=row.source_list,
        name=row.name,
        firm_name=row.firm_name,
        kind=row.kind,
        advancement=row.advancement,
        region=row.region,
        year=row.year,
        listed_on=day,
        source=row.source,
        sample=sample,
    )


# ---------------------------------------------------------------- synonyms


def add_synonym(words: Sequence[str], note: str, actor: User | None) -> Synonym:
    """A new group of words with one meaning. Raises Refused with the fault at its field."""
    group = Synonym(words=_checked(words), note=note.strip())
    _stamp(group, actor)
    db.session.add(group)
    db.session.flush()
    record("synonym.add", group, actor, words=group.words, note=group.note)
    return group


def change_synonym(group: Synonym, words: Sequence[str], note: str, actor: User) -> None:
    """Other words or another note; the trail keeps the old ones. Raises Refused as above."""
    db.session.refresh(group, with_for_update={"of": Synonym})
    checked = _checked(words, group)
    if (checked, note.strip()) == (group.words, group.note):
        return
    before = group.words
    group.words, group.note = checked, note.strip()
    _stamp(group, actor)
    record("synonym.change", group, actor, words=checked, before=before, note=group.note)


def retire_synonym(group: Synonym, actor: User, *, retired: bool) -> None:
    """Stop using a group, or use it again."""
    db.session.refresh(group, with_for_update={"of": Synonym})
    if (group.retired_at is not None) == retired:
        return
    group.retired_at = utc_now() if retired else None
    _stamp(group, actor)
    record(f"synonym.{'retire' if retired else 'resume'}", group, actor, words=group.words)


def load_synonyms(path: Path, actor: User | None) -> int:
    """Add the groups of a YAML file whose words no group has yet; how many were added.

    One event for all of them; each group carries the actor and the time.
    """
    known = {tuple(words) for words in db.session.scalars(select(Synonym.words))}
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["synonyms"]
    fresh = []
    for group in groups:
        words = _clean([str(word) for word in group["words"]])
        if tuple(words) not in known:
            fresh.append(Synonym(words=words, note=group.get("note", "")))
            _stamp(fresh[-1], actor)
    if fresh:
        db.session.add_all(fresh)
        db.session.flush()
        record("synonym.load", fresh[0], actor, count=len(fresh))
    return len(fresh)


def _stamp(group: Synonym, actor: User | None) -> None:
    group.changed_at, group.changed_by_id = utc_now(), actor.id if actor else None


def _clean(words: Sequence[str]) -> list[str]:
    plain = [" ".join(unicodedata.normalize("NFC", word).split()) for word in words]
    clean = [word for word in plain if word]
    if faults := synonyms.check(clean):
        raise Refused("；".join(faults), field="words", status=422)
    return clean


def _checked(words: Sequence[str], group: Synonym | None = None) -> list[str]:
    clean = _clean(words)
    twin = db.session.scalar(select(Synonym.id).where(Synonym.words == clean))
    if twin is not None and (group is None or twin != group.id):
        raise Refused("已经有一组完全一样的词", field="words", status=422)
    return clean
