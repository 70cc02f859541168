"""Certificates a second (drawn, signed, verified, stored, committed) against bare draw + sign."""

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
from tests import builders

COUNT = int(os.environ.get("BENCH_CERTIFICATES", "96"))


def test_certificates_a_second(session: Any) -> None:
    certificates = _registered(COUNT)
    words = [certificate.words for certificate in certificates]
    keys = [certificate.id for certificate in certificates]
    fonts, signatory = prepare(current_app.config["FONTS_DIR"]), operations.signatory()
    signing.sign(draw(words[0], fonts), signatory)  # both sides start warm

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


def _registered(count: int) -> list[Certificate]:
    firm = builders.enterprise()
    today = utc_now().astimezone(SHANGHAI).date()
    certificates = [
        operations.register(builders.draft("catalogue", firm=firm), today, last_day(today, 2))
        for _ in range(count)
    ]
    db.session.commit()
    return certificates
