"""Awards as releases of the Open Contracting Data Standard 1.1.

https://standard.open-contracting.org/1.1/ — one award is one contracting process of which the
portal publishes the award only: what the money later bought is no contract of this authority.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from flask import current_app

from catalogue.certificates.wording import ISSUER
from catalogue.database import SHANGHAI
from catalogue.funds.models import Award
from catalogue.listings import api_schema as shape
from catalogue.listings.api import moment_text, path_of
from catalogue.policies.document import SCHEMES

Json = shape.Json

VERSION = "1.1"
# Stands in the place of a prefix that the standard's registry would give to a real publisher.
PREFIX = "ocds-demo00"
BUYER = {"id": "demo-authority", "name": ISSUER}
# The register of the unified social credit codes, as org-id.guide lists it.
REGISTER = "CN-SAIC"
LICENCE = {"name": "CC BY 4.0", "url": "https://creativecommons.org/licenses/by/4.0/"}

_OPEN: Json = {"type": "object", "description": "见 OCDS 1.1"}
RELEASE = shape.named(
    "OcdsRelease",
    {
        "type": "object",
        "description": "OCDS 1.1 的一条发布；各字段的含义见该标准",
        "properties": {
            "ocid": shape.text("过程的号，前缀为示范前缀"),
            "id": shape.text("发布的号"),
            "date": shape.moment("核定的时刻"),
            "tag": shape.several("发布的种类", shape.text("award")),
            "initiationType": shape.text("tender"),
            "awards": shape.several("核定", _OPEN),
            "parties": shape.several("各方", _OPEN),
        },
        "required": ["ocid", "id", "date", "tag", "initiationType", "awards", "parties"],
    },
)
PACKAGE = shape.named(
    "OcdsPackage",
    {
        "type": "object",
        "description": "OCDS 1.1 的发布包",
        "properties": {
            "uri": shape.text("本包的地址", format="uri"),
            "version": shape.text("标准的版本", enum=[VERSION]),
            "publishedDate": shape.moment("本包的时刻"),
            "publisher": _OPEN,
            "license": shape.text("许可", format="uri"),
            "releases": shape.several("各条发布", shape.ref(RELEASE)),
            "links": {
                "type": "object",
                "description": "next 为下一页的地址",
                "properties": {"next": shape.text("下一页")},
            },
        },
        "required": ["uri", "version", "publishedDate", "publisher", "license", "releases"],
    },
)


def release(award: Award, notice_id: int) -> Json:
    """One award as a release, in the shape ``RELEASE``."""
    ocid = f"{PREFIX}-award-{award.id}"
    supplier = {"id": f"{REGISTER}-{award.credit_code}", "name": award.firm}
    decided = moment_text(award.committed_at)
    return {
        "ocid": ocid,
        "id": f"{ocid}-award",
        "date": decided,
        "tag": ["award"],
        "initiationType": "tender",
        "language": "zh",
        "parties": [
            {
                **supplier,
                "identifier": {
                    "scheme": REGISTER,
                    "id": award.credit_code,
                    "legalName": award.firm,
                },
                "roles": ["supplier"],
            },
            {**BUYER, "roles": ["buyer"]},
        ],
        "buyer": BUYER,
        "awards": [
            {
                "id": str(award.id),
                "title": award.product,
                "description": f"{SCHEMES[award.budget.scheme]}，{award.policy_version} 版",
                "status": "active",
                "date": decided,
                # The standard wants a number of yuan. Below 10^15 fen the nearest double is
                # written with exactly the two decimals that it was made of.
                "value": {"amount": award.amount_fen / 100, "currency": "CNY"},
                "suppliers": [supplier],
                "documents": [
                    {
                        "id": f"notice-{notice_id}",
                        "documentType": "awardNotice",
                        "title": "公示",
                        "url": _absolute(path_of("notices.show", notice_id=notice_id)),
                        "format": "text/html",
                        "language": "zh",
                    }
                ],
            }
        ],
    }


def package(path: str, day: date, releases: list[Json], more: str | None = None) -> Json:
    """A package of releases as published at ``path`` on ``day``, in the shape ``PACKAGE``."""
    published = datetime.combine(day, time(0), SHANGHAI)
    return {
        "uri": _absolute(path),
        "version": VERSION,
        "publishedDate": moment_text(published),
        "publisher": {"name": ISSUER, "uri": _absolute("/")},
        "license": LICENCE["url"],
        **({"links": {"next": _absolute(more)}} if more else {}),
        "releases": releases,
    }


def _absolute(path: str) -> str:
    base: Any = current_app.config["BASE_URL"]
    return f"{base.rstrip('/')}{path}"
