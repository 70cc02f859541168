"""Stored versions and rounds: published once, never changed, never overlapping; and their pages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from catalogue.audit.models import AuditEvent
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.errors import Refused
from catalogue.policies import operations
from catalogue.policies.document import SCHEMES
from catalogue.policies.models import Policy, Round
from tests import builders
from tests.policies.small import TEXT, changed

OPENS = datetime(2026, 9, 1, 9, tzinfo=SHANGHAI)
CLOSES = datetime(2026, 11, 30, 17, tzinfo=SHANGHAI)


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that reach the database meanwhile."""
    seen: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def published(scheme: str) -> Policy:
    """The version of a seeded scheme that governs the day of these tests' rounds."""
    for path in sorted(builders.POLICIES.glob(f"{scheme}-*.yaml")):
        operations.publish(path.read_text("utf-8"), None)
    policy = operations.version_for(scheme, OPENS.date())
    assert policy is not None
    return policy


def test_loading_the_folder_twice_changes_nothing(session: Any) -> None:
    first = [policy.id for policy in operations.load_policies(builders.POLICIES, None)]
    events = session.query(AuditEvent).count()
    assert [p.id for p in operations.load_policies(builders.POLICIES, None)] == first
    assert session.query(AuditEvent).count() == events == len(first)


def test_a_published_text_is_kept_word_for_word(session: Any) -> None:
    policy = operations.publish(TEXT, None)
    assert policy.source == TEXT
    assert policy.document["parameters"]["floor"]["value"] == "1000.00"
    assert operations.document_of(policy) is operations.document_of(policy)


def test_a_faulty_text_is_refused_with_line_and_nothing_is_stored(session: Any) -> None:
    with pytest.raises(Refused, match=r"第 \d+ 行"):
        operations.publish(changed("p.floor\n    words", "p.flor\n    words"), None)
    assert session.scalar(select(Policy)) is None


def test_a_version_cannot_be_published_with_another_text(session: Any) -> None:
    operations.publish(TEXT, None)
    with pytest.raises(Refused, match="已经发布"):
        operations.publish(changed("小政策", "另一个"), None)


def test_effective_ranges_of_a_scheme_do_not_overlap(session: Any) -> None:
    operations.publish(TEXT, None)
    with pytest.raises(Refused, match="重叠"):
        operations.publish(
            changed('"T-1"', '"T-2"').replace("from: 2020-01-01", "from: 2020-12-31"), None
        )
    later = changed('"T-1"', '"T-2"').replace(
        "from: 2020-01-01, to: 2020-12-31", "from: 2021-01-01"
    )
    assert operations.publish(later, None).effective_to is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE policy SET source = source || ' '",
        "UPDATE policy SET title = 'x'",
        "UPDATE policy SET effective_to = NULL",
        "DELETE FROM policy",
    ],
)
def test_the_database_refuses_to_change_a_stored_version(session: Any, statement: str) -> None:
    operations.publish(TEXT, None)
    with pytest.raises(DBAPIError, match=r"frozen|never deleted"):
        session.execute(text(statement))


def test_the_database_refuses_overlapping_versions_too(session: Any) -> None:
    policy = operations.publish(TEXT, None)
    with pytest.raises(DBAPIError, match="overlap"):
        session.execute(
            text(
                "INSERT INTO policy (scheme, version, title, effective_from, effective_to, source,"
                " sha256, document, published_at) SELECT scheme, 'T-9', title, effective_from,"
                " effective_to, source, repeat('0', 64), document, published_at"
                " FROM policy WHERE id = :id"
            ),
            {"id": policy.id},
        )


def test_a_round_opens_only_while_its_policy_covers_the_day(session: Any) -> None:
    policy = published("first_version")
    opened = operations.open_round(policy, "2026 年度第一批", 2026, 1, OPENS, CLOSES, None)
    assert opened.policy is policy
    with pytest.raises(Refused, match="不管 2025"):
        operations.open_round(policy, "早了", 2025, 1, OPENS - timedelta(days=365), CLOSES, None)


@pytest.mark.parametrize(
    ("scheme", "day", "version"),
    [
        ("catalogue", date(2017, 12, 31), "2017-1"),
        ("catalogue", date(2018, 2, 28), None),
        ("catalogue", date(2018, 3, 1), "2018-1"),
        ("catalogue", date(2022, 12, 31), "2018-1"),
        ("catalogue", date(2023, 1, 1), "2022-1"),
        ("catalogue", OPENS.date(), "2022-1"),
        ("first_version", date(2019, 5, 24), "2019-1"),
        ("first_version", date(2019, 5, 25), "2020-1"),
        ("first_version", date(2025, 12, 31), None),
        ("first_version", date(2026, 1, 1), "2020-1"),
    ],
)
def test_the_day_chooses_the_version(
    session: Any, scheme: str, day: date, version: str | None
) -> None:
    published(scheme)
    found = operations.version_for(scheme, day)
    assert (found and found.version) == version


def test_a_batch_of_a_year_is_opened_once_and_ends_after_it_opens(session: Any) -> None:
    policy = published("first_set")
    operations.open_round(policy, "第一批", 2026, 1, OPENS, CLOSES, None)
    with pytest.raises(Refused, match="已经有了"):
        operations.open_round(policy, "又一次", 2026, 1, OPENS, CLOSES, None)
    with pytest.raises(Refused, match="晚于"):
        operations.open_round(policy, "倒着", 2026, 2, CLOSES, OPENS, None)
    assert session.query(Round).count() == 1


def test_open_rounds_are_those_whose_window_holds_the_moment(session: Any) -> None:
    policy = published("first_batch")
    opened = operations.open_round(policy, "第一批", 2026, 1, OPENS, CLOSES, None)
    assert operations.open_rounds(OPENS) == [opened]
    assert operations.open_rounds(CLOSES) == [opened]
    assert operations.open_rounds(OPENS - timedelta(seconds=1)) == []
    assert operations.open_rounds(CLOSES + timedelta(seconds=1)) == []


def test_anyone_reads_the_schemes_and_their_rules(client: FlaskClient) -> None:
    opened = builders.opened("first_version")
    db.session.commit()
    page = client.get("/schemes")
    assert page.status_code == 200
    assert opened.title in page.text
    assert "登录后申报" in page.text
    rules = client.get("/schemes/first_version")
    assert rules.status_code == 200
    assert "累计不低于 500,000.00 元" in rules.text
    assert "示范参数" in rules.text
    document = operations.document_of(opened.policy)
    for article in document.articles.values():
        assert f'id="{article.slug}"' in rules.text
    assert client.get(document.address).text.count("示范参数") == rules.text.count("示范参数")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_rules_page_tells_every_rule_without_gaps(client: FlaskClient, scheme: str) -> None:
    policy = published(scheme)
    db.session.commit()
    page = client.get(f"/schemes/{scheme}/{policy.version}").text
    assert "…" not in page.replace(f"{policy.sha256[:12]}…", "")
    assert "未填" not in page
    for rule in operations.document_of(policy).rules:
        assert f'id="rule-{rule.id}"' in page


def test_the_published_bytes_are_handed_out_word_for_word(client: FlaskClient) -> None:
    policy = published("catalogue")
    db.session.commit()
    answer = client.get(f"/schemes/catalogue/{policy.version}.yaml")
    assert hashlib.sha256(answer.data).hexdigest() == policy.sha256
    assert answer.mimetype == "application/yaml"
    again = client.get(
        f"/schemes/catalogue/{policy.version}.yaml",
        headers={"If-None-Match": answer.headers["ETag"]},
    )
    assert again.status_code == 304
    assert client.get("/schemes/catalogue/none.yaml").status_code == 404


def test_what_changed_between_two_versions_is_told_side_by_side(client: FlaskClient) -> None:
    published("first_version")
    db.session.commit()
    page = client.get("/schemes/first_version/changes")
    assert page.status_code == 200
    assert "2019-1 版 → 2020-1 版" in page.text
    assert "少一个条件：原来因此判不符合的不再受限" in page.text
    assert "发票日期起由 2016-06-01 推迟到 2019-05-25：更少单位符合" in page.text
    turned = client.get("/schemes/first_version/changes?from=2020-1&to=2019-1")
    assert "2019-1 版 → 2020-1 版" in turned.text
    assert "选的是同一版" in client.get("/schemes/first_version/changes?from=2019-1&to=2019-1").text
    assert client.get("/schemes/first_version/changes?from=none").status_code == 404
    assert client.get("/schemes/nothing/changes").status_code == 404


def test_an_article_tells_what_rests_on_it_and_what_it_decided(client: FlaskClient) -> None:
    application = builders.submitted("first_version", amounts_fen=(100_000_00,))
    policy = application.policy
    db.session.commit()
    document = operations.document_of(policy)
    decided = operations.decided_by(policy, ["total-sales"])
    assert decided == {"total-sales": {"fail": 1}}
    slug = document.articles["申报要求3"].slug
    page = client.get(f"{document.address}/articles/{slug}").text
    for place in ("#rule-total-sales", "#parameter-min_total_sales", "#step-base"):
        assert f"{document.address}{place}" in page
    assert client.get(f"{document.address}/articles/none").status_code == 404


def test_the_index_asks_the_database_the_same_however_many_versions_there_are(
    client: FlaskClient,
) -> None:
    operations.load_policies(builders.POLICIES, None)
    db.session.commit()
    client.get("/schemes")
    with counted() as statements:
        page = client.get("/schemes")
    assert page.text.count("（现用）") == len(SCHEMES)
    assert len(statements) <= 3
    assert not any("policy.source" in statement for statement in statements)


def test_a_scheme_or_version_that_is_not_there_is_404(client: FlaskClient) -> None:
    assert client.get("/schemes/nothing").status_code == 404
    assert client.get("/schemes/first_set").status_code == 404
    assert client.get("/schemes/first_set/none").status_code == 404
    assert client.get("/schemes").status_code == 200


def test_an_applicant_starts_from_an_open_round(client: FlaskClient) -> None:
    opened = builders.opened("first_set")
    clerk = builders.clerk_of(builders.enterprise())
    db.session.commit()
    builders.sign_in(client, clerk)
    assert f"round_id={opened.id}" in client.get("/schemes").text
    assert f"round_id={opened.id}" in client.get("/schemes/first_set").text


def test_an_administrator_opens_a_round_through_the_form(client: FlaskClient) -> None:
    policy = published("first_version")
    administrator = builders.user("administrator")
    db.session.commit()
    builders.sign_in(client, administrator)
    year = utc_now().astimezone(SHANGHAI).year
    form = {
        "policy_id": policy.id, "title": "年度第三批", "year": year, "batch": 3,
        "opens_on": f"{year}-09-01", "closes_on": f"{year}-11-30", "closes_time": "24:00",
    }  # fmt: skip
    wrong = builders.post(client, "/rounds/new", {**form, "closes_on": f"{year}-08-01"})
    assert wrong.status_code == 422, wrong.text
    assert "截止时间要晚于开放时间" in wrong.text
    assert builders.post(client, "/rounds/new", form).status_code == 303
    opened = db.session.scalars(select(Round)).one()
    closes = opened.closes_at.astimezone(SHANGHAI)
    assert (closes.day, closes.hour, closes.minute) == (30, 23, 59)
    assert builders.post(client, "/rounds/new", form).status_code == 422


def test_only_administrators_open_rounds(client: FlaskClient) -> None:
    assert client.get("/rounds/new").status_code == 303
    reviewer = builders.user("reviewer")
    db.session.commit()
    builders.sign_in(client, reviewer)
    assert client.get("/rounds/new").status_code == 403
