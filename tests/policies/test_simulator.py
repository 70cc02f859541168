"""The simulator: figures worked out by hand, links that give the same answer, and who may look."""

from __future__ import annotations

import csv
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from catalogue.database import SHANGHAI, db, utc_now
from catalogue.policies import desk, operations, simulator, simulator_cases
from catalogue.policies.document import PolicyDocument
from catalogue.policies.facts import as_day
from catalogue.policies.models import DecisionRecord, Policy
from catalogue.policies.rules import decide, evaluate, load, with_parameters
from catalogue.policies.simulator_cases import Claim, case_set, decided
from catalogue.policies.simulator_forms import numbers_of, turned
from catalogue.policies.varying import Variation
from tests import builders
from tests.notices.test_pages import queries
from tests.policies.test_format_page import example

DOCUMENT = load(Path("seeds/policies/first_version-2020.yaml").read_text(encoding="utf-8"))
BASE = DOCUMENT.examples[0]
ANEW = Variation(None, DOCUMENT)
PAGE = "/policies/simulator"

Case = tuple[Claim, dict[str, Any]]


def facts_of(number: int, firm: str, yuan: int, year: int = 2026) -> dict[str, Any]:
    """The facts of a claim with one contract of ``yuan``."""
    day = as_day(date(2026, 10, 20))
    contract = {
        "number": f"HT-{number}", "buyer": "甲", "signed_on": day, "invoiced_on": day,
        "amount": yuan * 100, "received": 1_00, "buyer_related": False,
    }  # fmt: skip
    return {
        **BASE.facts,
        "enterprise": {**BASE.facts["enterprise"], "credit_code": firm, "name": f"单位{firm}"},
        "contracts": [contract],
        "round": {**BASE.facts["round"], "year": year},
    }


def case(number: int, firm: str, yuan: int, verdict: str = "eligible", year: int = 2026) -> Case:
    """A past claim; recorded with 20 % of its contract, capped at 500,000."""
    decided_on = date(2026, 11, 1) + timedelta(days=number)
    claim = Claim(
        number, f"SB-2026-{number:04d}", 1, verdict, min(yuan * 20, 500_000_00), "310115", "small",
        decided_on, year, firm, f"单位{firm}", f"{number:064d}", 0,
    )  # fmt: skip
    return claim, facts_of(number, firm, yuan, year)


CASES = [
    case(1, "A", 500_000),
    case(2, "B", 600_000),
    case(3, "B", 1_000_000),
    case(4, "C", 400_000, verdict="ineligible"),
    case(5, "D", 499_999, verdict="ineligible"),
    case(6, "A", 2_500_000, year=2025),
]


def simulate(document: PolicyDocument, cases: list[Case] = CASES) -> simulator.Simulated:
    """The figures of a scenario of DOCUMENT."""
    way = Variation(DOCUMENT, document)

    def standings() -> Iterator[Any]:
        for claim, facts in cases:
            before = ANEW.applied(None, facts, claim.decided_on)
            yield claim, before, way.applied(before, facts, claim.decided_on)

    return simulator.simulate(standings(), 1)


def test_nothing_turned_changes_nothing() -> None:
    found = simulate(DOCUMENT)
    assert (found.came_in, found.fell_out, found.flipped, found.otherwise) == ((), (), 0, 0)
    assert found.turned.fen == 10_000_000 + 12_000_000 + 20_000_000 + 50_000_000
    assert (found.year, found.year_fen) == (2026, 42_000_000)


def test_a_lower_threshold_and_another_rate_by_hand() -> None:
    turned = with_parameters(
        DOCUMENT, {"min_total_sales": Decimal("400000.00"), "rate": Decimal("0.10")}
    )
    found = simulate(turned)
    assert [firm.code for firm in found.came_in] == ["C", "D"]
    assert found.fell_out == ()
    assert (found.unchanged.firms, found.turned.firms, found.firms_in) == (2, 4, 2)
    # 50,000 + 60,000 + 100,000 + 40,000 + 49,999.90 this year, 250,000 of the year before.
    assert found.year_fen == 5_000_000 + 6_000_000 + 10_000_000 + 4_000_000 + 4_999_990
    assert found.turned.fen == found.year_fen + 25_000_000
    assert found.used_up(found.year_fen) is None
    assert found.used_up(found.year_fen - 1) == (5, date(2026, 11, 6))
    assert found.used_up(10_999_999) == (2, date(2026, 11, 3))


def test_a_higher_threshold_loses_a_firm_that_has_no_other_case() -> None:
    turned = with_parameters(DOCUMENT, {"min_total_sales": Decimal("600000.01")})
    found = simulate(turned)
    assert [firm.code for firm in found.fell_out] == [], "A keeps its case of the year before"
    assert [firm.code for firm in simulate(turned, CASES[:5]).fell_out] == ["A"]


def test_what_an_older_version_had_decided_is_told_apart_from_what_is_turned() -> None:
    claim, facts = case(7, "E", 500_000, verdict="needs_person")
    found = simulate(DOCUMENT, [*CASES, (claim._replace(policy_id=2), facts)])
    assert (found.otherwise, found.of_others, found.flipped) == (1, 1, 0)
    assert (found.recorded.eligible, found.unchanged.eligible, found.turned.eligible) == (4, 5, 5)
    assert (found.recorded.pending_fen, found.unchanged.pending_fen) == (10_000_000, 0)
    assert found.came_in == (), "the firm is in without any number being turned"


def test_three_years_grow_to_the_fen() -> None:
    years = simulator.path(2026, 100_05, 300_00, 1100, 1000)
    # 100.05 → 110.055, half up → 110.06 → 121.066 → 121.07
    assert [year.money_fen for year in years] == [100_05, 110_06, 121_07]
    assert [year.left_fen for year in years] == [199_95, 189_94, 178_93]
    assert simulator.path(2026, 5, None, 1000, 1000)[2].left_fen is None
    # 3.5 % less: 100.05 → 96.548 → 96.55 → 93.17075 → 93.17
    assert [y.money_fen for y in simulator.path(2026, 100_05, None, 965, 1000)] == [
        100_05, 96_55, 93_17,
    ]  # fmt: skip


# ------------------------------------------------------------------ numbers of lists and tables

TABLE = """\
  steps: {value: [{from: 0, then: 0.10}, {from: 5000000, then: 0.20}], unit: 比例, label: 分档,
    article: 第三条, confidence: 见}
  years: {value: {ai: 3, other: 2}, unit: 年, label: 年限, article: 第三条, confidence: 见}
terms:"""


def tabled() -> PolicyDocument:
    """The example of the format page with a step table and a class table more."""
    text = example().replace("terms:", TABLE, 1)
    used = '"graded(p.steps, total(contracts)) * by_class(p.years, product.domain)"'
    return load(text.replace("value: total(contracts),", f"value: {used},"), run_examples=False)


def test_numbers_of_lists_and_tables_are_turned_one_by_one() -> None:
    document = tabled()
    day = date(2030, 6, 1)
    found = {number.name: (number.label, number.standing) for number in numbers_of(document, day)}
    assert found["v_rates-1"] == ("逐年比例　第 2 项", "20")
    assert found["v_steps-2"] == ("分档　第 2 档起点", "5000000.00")
    assert found["v_steps-3"] == ("分档　第 2 档", "20")
    assert found["v_years-1"] == ("年限　其他", "2")
    assert "v_sizes-0" not in found, "a list of words is no number"
    asked = {"v_rates-1": "12.5", "v_steps-2": "6000000", "v_years-0": "4", "v_cap": "1000000.00"}
    made = turned(document, day, MultiDict(asked))
    assert not made.form.errors
    parameters = made.document.parameters
    assert [rate["millionths"] for rate in parameters["rates"].value] == [300_000, 125_000, 100_000]
    assert parameters["steps"].value == [
        {"from": 0, "then": {"millionths": 100_000}},
        {"from": 600_000_000, "then": {"millionths": 200_000}},
    ]
    assert parameters["years"].value == {"ai": 4, "other": 2}
    assert [number.name for number, _ in made.changed] == ["v_rates-1", "v_steps-2", "v_years-0"]


def test_steps_out_of_order_are_told_at_the_number_that_was_turned() -> None:
    document = tabled()
    made = turned(document, date(2030, 6, 1), MultiDict({"v_steps-2": "0"}))
    assert made.form.errors == {"v_steps-2": ["分档表的起点应从小到大"]}
    assert made.document is document


@pytest.mark.parametrize(
    ("typed", "tenths", "wrong"),
    [
        ("5", 50, False),
        ("-3.5", -35, False),
        ("−99.9 %", -999, False),
        ("", 0, False),
        ("-100", 0, True),
        ("100.1", 0, True),
        ("很多", 0, True),
        ("1e2", 0, True),
    ],
)
def test_growth_may_be_negative_and_is_blamed_once(typed: str, tenths: int, wrong: bool) -> None:
    form = turned(DOCUMENT, date(2026, 6, 1), MultiDict({"growth": typed})).form
    assert form["growth"].data == tenths
    assert len(form["growth"].errors) == wrong


# ------------------------------------------------------------------ real records


def record(number: int, yuan: int, policy: Any, firm: str = "A") -> DecisionRecord:
    """A record as the portal keeps it."""
    facts, day = facts_of(number, firm, yuan), date(2026, 11, 1)
    report = evaluate(operations.document_of(policy), facts, day)
    return operations.keep_record(f"SB-2026-{number:04d}", policy, facts, report)


def published(name: str = "first_version-2020") -> Any:
    """A seeded version."""
    text = (builders.POLICIES / f"{name}.yaml").read_text("utf-8")
    return operations.publish(text, None)


def test_records_of_two_versions_come_out_as_the_whole_evaluation_says(session: Any) -> None:
    new, old = published(), published("first_version-2019")
    for number in range(1, 13):
        record(number, 300_000 + 50_000 * number, new if number % 3 else old, f"F{number % 4}")
    base = operations.document_of(new)
    cases = case_set("first_version")
    assert cases and cases.whole == 12
    claims = 0
    for change in ({}, {"rate": Decimal("0.1")}, {"min_total_sales": Decimal("600000.00")}):
        other = with_parameters(base, change)
        for base_now in (base, load(base.text, run_examples=False)):
            for claim, before, after in decided(base_now, other, cases):
                number = int(claim.application_number[-4:])
                facts = facts_of(number, f"F{number % 4}", 300_000 + 50_000 * number)
                for document, standing in ((base, before), (other, after)):
                    full = decide(document, facts, claim.decided_on)
                    assert standing.verdict == full.verdict
                    assert standing.amount_fen == full.amount_fen
                claims += 1
    assert claims == 3 * 2 * 12


def test_what_an_older_engine_recorded_is_not_taken_for_what_this_one_finds(session: Any) -> None:
    policy, day = published(), date(2026, 11, 1)
    document, facts = operations.document_of(policy), facts_of(1, "A", 499_999)
    report = evaluate(document, facts, day)
    assert report.verdict == "ineligible"
    older = replace(report, engine=report.engine - 1, verdict="eligible")
    operations.keep_record("SB-2026-0001", policy, facts, older)
    cases = case_set("first_version")
    assert cases is not None
    [(claim, before, _)] = decided(document, document, cases)
    assert (claim.verdict, before.verdict) == ("eligible", "ineligible")


def test_the_limit_counts_applications_and_the_newest_of_them(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = published()
    for number in (1, 2, 3):
        record(number, 500_000 + number, policy)
    again = record(3, 700_000, policy)
    monkeypatch.setattr(simulator_cases, "MAX_CASES", 2)
    document = operations.document_of(policy)
    cases = case_set("first_version")
    assert cases is not None and (cases.whole, cases.until_id) == (3, again.id)
    seen = [claim.application_number for claim, *_ in decided(document, document, cases)]
    assert sorted(seen) == ["SB-2026-0002", "SB-2026-0003"], "one record each, the newest two"
    earlier = case_set("first_version", again.id - 1)
    assert earlier is not None and earlier.whole == 3
    assert case_set("first_version", again.id + 1) is None
    assert case_set("first_set", again.id) is None


def test_no_record_comes_late_before_one_that_is_seen(session: Any, app: Any) -> None:
    policy = published()
    db.session.commit()
    key, ended = policy.id, []

    def other() -> None:
        with app.app_context():
            kept = record(2, 600_000, db.session.get(Policy, key))
            db.session.commit()
            ended.append(kept.id)

    first = record(1, 500_000, policy).id
    beside = threading.Thread(target=other)
    beside.start()
    beside.join(0.5)
    with db.engine.connect() as connection:
        seen = connection.scalars(select(DecisionRecord.id)).all()
    assert seen == [], "a link made now would get another case once the first is written"
    db.session.commit()
    beside.join(10)
    assert ended == [first + 1]
    cases = case_set("first_version")
    assert cases is not None and (cases.until_id, cases.whole) == (first + 1, 2)


# ------------------------------------------------------------------ pages


def _shown(client: FlaskClient, role: str = "administrator") -> str:
    application = builders.submitted()
    db.session.commit()
    builders.sign_in(client, builders.user(role))
    version = application.policy.version
    return f"{PAGE}?scheme=first_version&version={version}"


def _main(page: Any) -> str:
    assert page.status_code == 200, page.status_code
    return str(page.text.split("<main")[1])


def test_a_link_gives_the_same_page_whatever_happens_meanwhile(
    session: Any, client: FlaskClient
) -> None:
    address = _shown(client)
    year = utc_now().astimezone(SHANGHAI).year
    builders.budget("first_version", 2_000_000_00)
    db.session.commit()
    sent = client.get(f"{address}&v_rate=10.0&v_max_contracts=3&growth=-5")
    assert sent.status_code == 302
    link = sent.headers["Location"]
    until = db.session.query(db.func.max(DecisionRecord.id)).scalar()
    assert re.search(
        rf"&v_rate=10&budget=2000000.00&growth=-5&day={year}-..-..&until={until}$", link
    )
    first = _main(client.get(link))
    assert f"用的是 {year} 年设定的预算" in first and "预算够用" in first
    builders.submitted()
    db.session.commit()
    assert _main(client.get(link)) == first, "a new case does not move the figures"
    today = client.get(re.search(r'href="([^"]+)">换成今日的案件', first)[1].replace("&amp;", "&"))  # type: ignore[index]
    assert today.status_code == 302 and f"until={until}" not in today.headers["Location"]
    assert "共 2 件" in _main(client.get(today.headers["Location"]))


def test_a_budget_that_was_emptied_stays_empty(session: Any, client: FlaskClient) -> None:
    address = _shown(client)
    builders.budget("first_version", 1_00)
    db.session.commit()
    link = client.get(f"{address}&budget=").headers["Location"]
    assert "&budget=&" in link
    assert "没有填预算总额" in _main(client.get(link))
    link = client.get(address).headers["Location"]
    assert "&budget=1.00&" in link and "预算不够" in _main(client.get(link))
    # Set anew, the budget of the link stays the one that was used.
    builders.budget("first_version", 900_000_000_00)
    db.session.commit()
    assert "预算不够" in _main(client.get(link))


def test_scenarios_stand_side_by_side(session: Any, client: FlaskClient) -> None:
    link = client.get(f"{_shown(client)}&v_rate=10&budget=1.00").headers["Location"]
    query = link.partition("?")[2]
    others = {"s": [query, query.replace("v_rate=10", "v_rate=30")]}
    compared = client.get(f"{PAGE}/compare", query_string=others).text
    assert "10 %" in compared and "30 %" in compared
    assert compared.index("支持比例") < compared.index("累计销售"), "what differs comes first"


def test_the_file_holds_raw_numbers_with_counts_by_group(session: Any, client: FlaskClient) -> None:
    link = client.get(f"{_shown(client)}&v_rate=10&budget=1234567.00").headers["Location"]
    sheet = client.get(f"{PAGE}/figures.csv?{link.partition('?')[2]}").text
    rows = {row[0]: row[1:] for row in csv.reader(StringIO(sheet.removeprefix("\ufeff")))}
    assert rows["支持比例"][:3] == ["%", "10", "20"]
    assert rows["预算总额"][:2] == ["元", "1234567.00"]
    counts = [row for name, row in rows.items() if name.endswith("，申报")]
    assert len(counts) == 2 and all(row[:2] == ["件", "1"] for row in counts), "district and size"
    assert all(
        re.fullmatch(r"-?\d+\.\d\d|", v) for r in rows.values() if r[0] == "元" for v in r[1:]
    )


def test_a_draft_is_turned_and_its_link_keeps_its_text(session: Any, client: FlaskClient) -> None:
    _shown(client)
    author = builders.user("administrator")
    draft = desk.new_draft(author, title="降门槛", base=published())
    db.session.commit()
    link = client.get(f"{PAGE}?draft={draft.id}&v_rate=10").headers["Location"]
    assert f"draft={draft.id}&text={draft.text_sha256[:16]}&v_rate=10" in link
    assert "底稿“降门槛”" in _main(client.get(link))
    assert "降门槛" in client.get(PAGE).text
    desk.save_text(draft, draft.text.replace("支持比例", "支持的比例"), author, draft.version)
    db.session.commit()
    gone = client.get(link)
    assert gone.status_code == 409 and "没有留下" in gone.text
    desk.save_text(draft, "scheme: [", author, draft.version)
    db.session.commit()
    assert client.get(f"{PAGE}?draft={draft.id}").status_code == 409
    assert "降门槛" not in client.get(PAGE).text, "no link to what cannot be opened"
    builders.post(client, "/sign-out", {}, form_at=PAGE)
    builders.sign_in(client, builders.user("approver"))
    assert client.get(f"{PAGE}?draft={draft.id}").status_code == 404, "drafts are the desk's"


def test_a_policy_that_pays_nothing_shows_no_budget(session: Any, client: FlaskClient) -> None:
    builders.sign_in(client, builders.user("administrator"))
    published("catalogue-2022")
    quota = (builders.POLICIES / "insurance_equipment-2024.yaml").read_text("utf-8")
    pays = operations.publish(quota, None).document.get("pays", True)
    db.session.commit()
    for scheme, version in (("catalogue", "2022-1"), ("insurance_equipment", "2024-1")):
        page = client.get(f"{PAGE}?scheme={scheme}&version={version}", follow_redirects=True)
        shown = scheme != "catalogue" and pays
        assert ('name="budget"' in page.text) == shown, scheme


@pytest.mark.parametrize(
    ("tail", "status"),
    [
        ("&v_rate=101", 422),
        ("&v_min_total_sales=-1", 422),
        ("&v_rate=", 422),
        ("&budget=1e9", 422),
        ("&growth=101", 422),
        ("&growth=abc", 422),
        ("&v_max_contracts=" + "9" * 400, 422),
        ("&nonsense=1", 302),
        ("&version=nowhere", 302),
    ],
)
def test_bad_numbers_are_told_at_their_field(
    session: Any, client: FlaskClient, tail: str, status: int
) -> None:
    answer = client.get(_shown(client, "approver") + tail)
    assert answer.status_code == status
    assert ("有 1 处要改" in answer.text) == (status == 422)
    if status == 422:
        assert "照此方案" not in answer.text, "no figure stands beside a number that is wrong"
        assert answer.text.count('class="field-error"') == 1


def test_what_is_not_there_is_404(session: Any, client: FlaskClient) -> None:
    link = client.get(_shown(client)).headers["Location"]
    for address in (
        f"{PAGE}?scheme=first_version&version=9",
        f"{PAGE}/figures.csv?scheme=first_version&version=9",
        f"{PAGE}/compare?s=scheme%3Dx",
        f"{PAGE}?draft=1",
        f"{PAGE}?draft=x",
        re.sub(r"until=\d+", "until=99999", link),
        re.sub(r"until=\d+", "until=-1", link),
        re.sub(r"day=[^&]+", "day=2999-01-01", link),
        re.sub(r"day=[^&]+", "day=2024-02-30", link),
    ):
        assert client.get(address).status_code == 404, address
    assert "还没有方案" in client.get(f"{PAGE}/compare").text


def test_the_number_of_cases_does_not_change_the_number_of_queries(
    session: Any, client: FlaskClient
) -> None:
    address = _shown(client)
    few = client.get(f"{address}&v_rate=10").headers["Location"]
    for _ in range(3):
        builders.submitted()
    db.session.commit()
    more = client.get(f"{address}&v_rate=10").headers["Location"]
    [policy] = db.session.scalars(select(Policy).join(DecisionRecord).distinct())
    document = operations.document_of(policy)

    def sent(link: str) -> int:
        # Nothing remembered, so that every case is read.
        document.kept.clear()
        simulator_cases._results.clear()
        return queries(client, link)

    asked = {}
    for name, link in (("few", few), ("more", more)):
        compared = f"{PAGE}/compare?{urlencode({'s': link.partition('?')[2]})}"
        asked[name] = sent(link), sent(compared)
    assert asked["more"] == asked["few"]
    assert max(asked["more"]) <= 14
