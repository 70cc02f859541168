"""Certificates a second (drawn, signed, verified, stored, committed) against bare draw + sign,
and files checked a second: one of ours, and one that was altered (which is parsed twice)."""

from __future__ import annotations

import os
import time
from typing import Any

from flask import current_app

from catalogue.certificates import operations, signing
from catalogue.certificates.models import Certificate
from catalogue.certificates.pdf import draw
from catalogue.certificates.wording import last_day
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents.fonts import prepare
from catalogue.documents.operations import open_document
from tests import builders

CHECKS = 100
COUNT = int(os.environ.get("BENCH_CERTIFICATES", "384"))


def test_certificates_a_second(session: Any) -> None:
    certificates = _registered(COUNT)
    words = [certificate.words for certificate in certificates]
    keys = [certificate.id for certificate in certificates]
    fonts, signatory = prepare(current_app.config["FONTS_DIR"]), operations.signatory()
    signing.sign(draw(words[0], fonts), signatory)  # both sides start warm
    db.session.rollback()  # the server ends a transaction that idles through the bare side

    began = time.perf_counter()
    for each in words:
        signing.sign(draw(each, fonts), signatory)
    bare = COUNT / (time.perf_counter() - began)

    began = time.perf_counter()
    for key in keys:
        operations.draw(key)
        db.session.commit()
    ours = COUNT / (time.perf_counter() - began)

    print(
        f"\ncertificates: {ours:.1f}/s issued, {bare:.1f}/s bare draw + sign,"
        f" {bare / ours:.2f} × the limit (bar: ≤ 2), {COUNT} certificates"
    )
    _checked(db.session.get_one(Certificate, keys[0]))


def _checked(certificate: Certificate) -> None:
    """Files checked a second, by what becomes of them."""
    assert certificate.document is not None
    with open_document(certificate.document) as file:
        data = file.read()
    altered = data.replace(b"/Lang (zh-CN)", b"/Lang (zh-TW)", 1)
    for label, kind, given in (("ours", "unchanged", data), ("altered", "altered", altered)):
        began = time.perf_counter()
        for _ in range(CHECKS):
            assert operations.check_file(given).kind == kind
        rate = CHECKS / (time.perf_counter() - began)
        print(f"certificates: {rate:.1f} files/s checked ({label}, {len(given):,} bytes)")


def _registered(count: int) -> list[Certificate]:
    firm = builders.enterprise()
    today = utc_now().astimezone(SHANGHAI).date()
    certificates = [
        operations.register(builders.draft("catalogue", firm=firm), today, last_day(today, 2))
        for _ in range(count)
    ]
    db.session.commit()
    return certificates
