"""The open API: its document, its examples, paging, conditional requests, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from sqlalchemy import event, select

from catalogue import create_app, security
from catalogue.certificates.models import Certificate
from catalogue.config import Config
from catalogue.database import db
from catalogue.embedded import Services
from catalogue.listings import follow
from catalogue.listings.api_schema import SCHEMAS
from catalogue.listings.models import Listing
from catalogue.listings.operations import import_rows, remove, shanghai_day
from seeds import stories
from tests import builders

ROOT = "/api/v1"
LIMITED = {"RATELIMIT_STORAGE_URI": "memory://", "RATELIMIT_HEADERS_ENABLED": True}
SEED = Path("seeds/products.csv")


def filled() -> None:
    """One of everything: an entry with its certificate, an award, a notice that runs."""
    builders.concluded("catalogue")
    builders.concluded("first_version")
    builders.on_notice("first_version")
    db.session.commit()


def document(client: FlaskClient) -> dict[str, Any]:
    return json.loads(client.get(f"{ROOT}/openapi.json").data)


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Against the document's shapes; every named one may be referred to."""
    return Draft202012Validator(
        {**schema, "components": {"schemas": SCHEMAS}},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def test_every_example_runs_and_answers_in_its_shape(client: FlaskClient, session: Any) -> None:
    filled()
    described = document(client)
    OpenAPIV31SpecValidator(described).validate()
    for path, methods in described["paths"].items():
        operation = methods["get"]
        examples = {
            each["name"]: each["example"] for each in operation["parameters"] if "example" in each
        }
        address = path
        for each in operation["parameters"]:
            if each["in"] == "path":
                address = address.replace(f"{{{each['name']}}}", str(examples.pop(each["name"])))
        for query in ({}, *({name: value} for name, value in examples.items())):
            answer = client.get(f"{address}?{urlencode(query, doseq=True)}")
            assert answer.status_code == 200, (address, query, answer.text)
            shape = operation["responses"]["200"]["content"]["application/json"]["schema"]
            validator(shape).validate(json.loads(answer.data))
    whole = json.loads(client.get(f"{ROOT}/awards").data)["items"]
    assert len(whole) == 1 and whole[0]["notice"] and whole[0]["amount_fen"] > 0


def test_bad_requests_are_problems_in_the_shape_of_the_document(
    client: FlaskClient, session: Any
) -> None:
    for address, status in {
        "/nothing": 404,
        "/notices/999": 404,
        "/notices/0": 400,
        "/notices/x": 400,
        "/notices?scheme=toy": 400,
        "/notices?limit=0": 400,
        "/notices?limit=5&limit=6": 400,
        "/notices?nonsense=1": 400,
        "/notices?cursor=abc": 400,
        "/listings/%00": 400,
        "/listings?status=none": 400,
        "/listings/SL-2026-0001": 404,
        "/certificates/SHCP-2026-0001": 404,
        "/certificates/SHCP-2026-0001?on=2026-02-30": 400,
        "/schemes/toy": 400,
        "/schemes/catalogue/versions/nope": 404,
        "/awards/7": 404,
        "/awards?year=１９９９": 400,
    }.items():
        answer = client.get(ROOT + address)
        assert answer.status_code == status, address
        assert answer.mimetype == "application/problem+json"
        problem = json.loads(answer.data)
        validator(SCHEMAS["Problem"]).validate(problem)
        assert problem["status"] == status
    answer = client.post(f"{ROOT}/notices")
    assert answer.status_code in (400, 405) and answer.mimetype == "application/problem+json"


def test_pages_go_on_by_key_and_a_cursor_serves_only_its_own_question(
    client: FlaskClient, session: Any
) -> None:
    for scheme in ("first_set", "first_version", "first_batch", "insurance_equipment"):
        builders.opened(scheme)
    db.session.commit()
    first = client.get(f"{ROOT}/rounds?limit=2")
    body = json.loads(first.data)
    assert first.headers["Link"] == f'<{body["next"]}>; rel="next"'
    builders.opened("catalogue")
    db.session.commit()
    seen = [item["id"] for item in body["items"]]
    while body["next"]:
        body = json.loads(client.get(body["next"]).data)
        seen += [item["id"] for item in body["items"]]
    assert seen == [4, 3, 2, 1]
    cursor = json.loads(first.data)["next"].partition("cursor=")[2]
    turned = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for wrong in (
        f"/rounds?limit=2&cursor={turned}",
        f"/rounds?limit=3&cursor={cursor}",
        f"/notices?limit=2&cursor={cursor}",
        f"/rounds?limit=2&cursor={cursor}&cursor={cursor}",
    ):
        assert client.get(ROOT + wrong).status_code == 400, wrong


def test_a_search_goes_on_after_the_last_product_though_others_came_before_it(
    client: FlaskClient, session: Any
) -> None:
    following = follow.follower()
    following.look_every = 0
    with SEED.open("rb") as stream:
        assert import_rows(stream, None, sample=True).sound
    db.session.commit()
    whole = [
        item["number"]
        for page in range(1, 9)
        for item in json.loads(client.get(f"{ROOT}/listings?sort=name&page={page}").data)["items"]
    ]
    assert len(whole) == len(set(whole)) == 146
    seen: list[str] = []
    address: str | None = f"{ROOT}/listings?sort=name"
    while address:
        body = json.loads(client.get(address).data)
        seen += [item["number"] for item in body["items"]]
        address = body["next"]
        if len(seen) == 40:
            for name in ("AA 一号", "AB 二号", "AC 三号"):
                db.session.add(_entry(name))
            db.session.commit()
        if len(seen) == 80:
            # The very product that the cursor names leaves.
            last = db.session.scalars(select(Listing).where(Listing.number == seen[-1])).one()
            remove(last, None, "名单更正")
            db.session.commit()
    assert seen == whole
    following.look_every = follow.LOOK_EVERY


def _entry(name: str) -> Listing:
    number = f"SL-2020-{ord(name[1]):04d}"
    day = shanghai_day()
    return Listing(
        number=number, name=name, firm_name="测试厂", kind="other", listed_on=day,
        source_list="测试名单", region="上海市",
    )  # fmt: skip


def test_who_has_the_answer_is_sent_none_until_it_changes(
    client: FlaskClient, session: Any
) -> None:
    filled()
    number = db.session.scalar(select(Certificate.number).order_by(Certificate.id).limit(1))
    address = f"{ROOT}/certificates/{number}"
    first = client.get(address, headers={"Accept-Encoding": "br"})
    tag = {"If-None-Match": first.headers["ETag"], "Accept-Encoding": "br"}
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get(address, headers=tag)
    assert again.status_code == 304 and not again.data
    assert client.head(address).headers["ETag"]
    found = db.session.scalars(select(Certificate).where(Certificate.number == number)).one()
    people = (builders.user("reviewer"), builders.user("approver"))
    stories.change_certificate(found.application, "revoked", people, "发现材料不实")
    db.session.commit()
    changed = client.get(address, headers=tag)
    assert changed.status_code == 200
    body = json.loads(client.get(address).data)
    assert body["status"] == "revoked" and body["valid"] is False
    before = json.loads(client.get(f"{address}?on=2020-01-01").data)
    assert before["status"] == "early"


def test_any_site_may_read_and_nobody_may_write(client: FlaskClient, session: Any) -> None:
    for address in ("/notices", "/nothing", "/notices?limit=0"):
        answer = client.get(ROOT + address, headers={"Origin": "https://example.org"})
        assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
        assert answer.headers.get_all("Cross-Origin-Resource-Policy") == ["cross-origin"]
        assert "Set-Cookie" not in answer.headers
    asked = client.options(
        f"{ROOT}/notices",
        headers={"Origin": "https://example.org", "Access-Control-Request-Method": "GET"},
    )
    assert asked.status_code == 200
    assert set(asked.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert asked.headers["Access-Control-Allow-Headers"] == "If-None-Match"
    for method in ("post", "put", "delete", "patch"):
        assert getattr(client, method)(f"{ROOT}/notices").status_code in (400, 405), method
    assert "Access-Control-Allow-Origin" not in client.get("/notices").headers


def test_too_many_are_told_when_to_come_again(
    services: Services, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "OPEN_LIMIT", "3 per minute")
    config = Config.from_env(
        {
            "PORTAL_MODE": "test",
            "PORTAL_VAR": str(tmp_path),
            "DATABASE_URL": services.database_url,
            "REDIS_URL": services.redis_url,
        }
    )
    monkeypatch.setattr(Config, "_rate_limits", lambda self: LIMITED)
    client = create_app(config).test_client()
    answers = [client.get(f"{ROOT}/{one}") for one in ("rounds", "awards", "notices", "rounds")]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["X-RateLimit-Remaining"] == "2"
    refused = answers[-1]
    assert len(refused.headers.get_all("Retry-After")) == 1
    assert 0 < int(refused.headers["Retry-After"]) <= 61
    assert refused.mimetype == "application/problem+json"


def test_a_page_asks_the_database_as_often_for_many_as_for_one(
    client: FlaskClient, session: Any
) -> None:
    addresses = ("/notices", "/awards", "/rounds", "/schemes")
    builders.concluded("first_version")
    db.session.commit()
    for address in addresses:
        client.get(ROOT + address)
    few = [_statements(client, address) for address in addresses]
    builders.concluded("first_version")
    builders.concluded("first_version")
    db.session.commit()
    assert [_statements(client, address) for address in addresses] == few
    assert max(few) <= 3


def _statements(client: FlaskClient, address: str) -> int:
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        sent.append(arguments[2])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert client.get(ROOT + address).status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return len(sent)
