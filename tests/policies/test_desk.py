"""The policy desk: values changed in place, examples looked at, and two persons to publish."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from catalogue import jobs
from catalogue.database import db
from catalogue.errors import Refused
from catalogue.policies import backtest_runs, desk, operations
from catalogue.policies.desk_examples import accepted, moved_along, outcomes
from catalogue.policies.desk_text import changed_places, places, rewritten
from catalogue.policies.models import BackTestOpening, Policy, PolicyDraft
from catalogue.policies.reading import parse
from catalogue.policies.source import read
from tests import builders
from tests.policies.small import TEXT, changed

SEEDED = sorted(builders.POLICIES.glob("*.yaml"))
FLOOR = ("parameters", "floor", "value")


# ------------------------------------------------------------------ the text


NEW = {"money": 7_654, "number": 321, "rate": Decimal("0.25"), "date": date(2031, 2, 3)}


@pytest.mark.parametrize("path", SEEDED, ids=lambda path: path.stem)
def test_changed_values_change_their_own_lines_only(path: Path) -> None:
    before = path.read_text("utf-8")
    found = [p for p in places(read(before)) if p.kind in NEW and p.value is not None]
    after = rewritten(before, {place.path: NEW[place.kind] for place in found})
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    differing = [(old, new) for old, new in lines if old != new]
    assert 0 < len(differing) <= len(found)
    assert all(new.count(":") == old.count(":") for old, new in differing)
    # What is written back gives the first text again, comments and all.
    exact = {p.path: p.value for p in found if p.kind in ("date", "number")}
    back = rewritten(after, exact)
    rest = rewritten(before, {p.path: NEW[p.kind] for p in found if p.path not in exact})
    assert back == rest


@given(
    st.decimals(0, 10**9, places=2),
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1),
)
def test_any_value_is_written_so_that_it_reads_the_same(money: Decimal, items: list[str]) -> None:
    base = changed(
        "parameters:\n",
        "parameters:\n  # 备注\n"
        "  kinds: {value: [a, b], label: 类, article: 第一条, confidence: 见}\n"
        "  more:\n    value:\n    - a  # 甲\n    - b\n    label: 类\n    article: 第一条\n"
        "    confidence: 见\n",
    )
    kinds, more = ("parameters", "kinds", "value"), ("parameters", "more", "value")
    made = read(rewritten(base, {FLOOR: money, kinds: items, more: items})).data["parameters"]
    assert made["floor"]["value"] == money
    assert made["kinds"]["value"] == made["more"]["value"] == items


def test_an_end_that_was_not_there_is_added_and_taken_away() -> None:
    base = changed("{from: 2020-01-01, to: 2020-12-31}", "{from: 2020-01-01}")
    ended = rewritten(base, {("effective", "to"): date(2030, 1, 1)})
    assert "{from: 2020-01-01, to: 2030-01-01}" in ended
    assert parse(rewritten(ended, {("effective", "to"): None})).effective_to is None


def test_boundary_examples_follow_a_moved_threshold() -> None:
    raised = rewritten(TEXT, {FLOOR: Decimal("2500.00")})
    assert sum(not example.agrees for example in outcomes(parse(raised))) == 1
    base = raised.replace(
        "- {name: 正好, ", "- {name: 正好, facts: {contracts: [{amount: 1000.00}]}, "
    )
    made, notes = moved_along(base, {FLOOR: (Decimal("1000.00"), Decimal("2500.00"))})
    assert len(notes) == 2
    assert "facts: {contracts: [{amount: 2500.00}]}" in made
    assert "amount: 2499.99" in made


def test_differences_are_told_in_words() -> None:
    new = changed("value: 1000.00", "value: 2500.00").replace("0.333333", "0.125")
    told = [(place.label, place.old, place.new) for place in changed_places(TEXT, new)]
    assert told == [
        ("门槛", "1,000.00 元", "2,500.00 元"),
        ("比例", "33.3333%", "12.5%"),
    ]


# ------------------------------------------------------------------ the story


def fields(page: str) -> dict[str, str]:
    """What a browser would post of the form of values: name → value."""
    form = page[page.index('<form method="post" class="form"') :]
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and 'type="checkbox"' not in tag:
            found[name.group(1)] = value.group(1) if value else ""
    for name, content in re.findall(
        r'<textarea[^>]*name="([^"]+)"[^>]*>\s*(.*?)</textarea>', form, re.DOTALL
    ):
        found[name] = content.strip()
    for name, options in re.findall(
        r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL
    ):
        chosen = re.search(r'<option selected value="([^"]*)"', options)
        found[name] = chosen.group(1) if chosen else ""
    return found


def field_of(page: str, label: str) -> str:
    """The name of the field with this label."""
    found = re.search(rf'<label for="(\w+)">{label}', page)
    assert found, label
    return found.group(1)


def work() -> None:
    """The worker."""
    for kind, job_id in jobs.due():
        if kind == backtest_runs.KIND:
            assert jobs.perform(job_id, {kind: backtest_runs.run_chunk})


def test_a_threshold_is_raised_tried_and_published_by_a_second_person(client: FlaskClient) -> None:
    kept = builders.submitted("first_version")
    base = kept.policy
    author, second = builders.user("administrator", "甲"), builders.user("administrator", "乙")
    db.session.commit()
    builders.sign_in(client, author)
    assert "以此为底稿" in client.get("/policies/desk").text
    begun = builders.post(client, f"/policies/desk/versions/{base.id}/draft", {}, "/policies/desk")
    address = begun.headers["Location"]
    page = client.get(address).text
    form = fields(page)
    floor, version, starts, ends = (
        field_of(page, label) for label in ("累计销售下限", "版本号", "施行日期", "截止日期")
    )
    assert form[floor] == "500000.00"
    typed = {
        **form, floor: "6000000", version: "2031-1", starts: "2031-01-01", ends: "", "move": "y",
    }  # fmt: skip
    wrong = builders.post(client, address, {**typed, floor: "六百万"})
    assert wrong.status_code == 422
    assert "请填金额" in wrong.text and "六百万" in wrong.text and "2031-1" in wrong.text
    assert builders.post(client, address, typed).status_code == 303
    draft = db.session.scalars(select(PolicyDraft)).one()
    home = f"/policies/desk/drafts/{draft.id}"
    assert "# 上海市首版次软件专项支持" in draft.text
    shown = client.get(home).text
    assert "500,000.00 元" in shown and "6,000,000.00 元" in shown
    assert "个与预期不同" in shown

    # The old page of another window does not overwrite what was saved meanwhile.
    late = builders.post(client, address, {**typed, floor: "7000000"})
    assert late.status_code == 422 and "又存过" in late.text

    assert builders.post(client, f"{home}/back-tests", {}, home).status_code == 409
    failing = re.findall(r'name="example" value="(\d+)"', shown)
    again = {"example": failing, "version": draft.version}
    assert builders.post(client, f"{home}/examples", again, home).status_code == 303
    assert "全部与预期相同" in client.get(home).text

    started = builders.post(client, f"{home}/back-tests", {}, home)
    test_page = started.headers["Location"]
    assert '共 <b class="num">1</b> 件' in client.get(test_page).text
    work()
    assert client.get(test_page, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    assert kept.number not in client.get(test_page).text
    builders.post(client, f"{test_page}/open", {}, test_page)
    result = client.get(test_page).text
    assert kept.number in result and "累计销售金额" in result
    draft = db.session.scalars(select(PolicyDraft)).one()
    own = {"version": draft.version, "sure": "y"}
    assert builders.post(client, f"{home}/publish", own, home).status_code == 403

    builders.post(client, "/sign-out", {}, home)
    builders.sign_in(client, second)
    assert client.get(f"{home}/values").status_code == 403
    early = builders.post(client, f"{home}/publish", own, home)
    assert early.status_code == 409 and "第二位管理员打开过回测结果" in early.text
    builders.post(client, f"{test_page}/open", {}, test_page)
    assert builders.post(client, f"{home}/publish", {"version": 1}, home).status_code == 422
    assert builders.post(client, f"{home}/publish", own, home).status_code == 303
    published = db.session.scalars(select(Policy).where(Policy.version == "2031-1")).one()
    assert published.source == draft.text
    assert published.effective_to is None
    assert builders.post(client, f"{home}/publish", own, home).status_code == 409


def test_a_faulty_text_is_kept_and_its_lines_are_named(client: FlaskClient) -> None:
    author = builders.user("administrator")
    db.session.commit()
    builders.sign_in(client, author)
    faulty = changed("p.floor\n", "p.flor\n")
    form = {"scheme": "first_version", "title": "新的", "text": faulty.replace("\n", "\r\n")}
    made = builders.post(client, "/policies/desk/drafts/new", form)
    page = client.get(made.headers["Location"]).text
    line = faulty.splitlines().index("    require: total(contracts) >= p.flor") + 1
    assert f"第 {line} 行" in page and "没有参数 p.flor" in page
    assert db.session.scalars(select(PolicyDraft)).one().text == faulty
    edit = made.headers["Location"] + "/text"
    posted = {"text": TEXT, "version": 1}
    assert builders.post(client, edit, posted).status_code == 303
    nothing = builders.post(client, edit, {"text": "\x00" + TEXT, "version": 2})
    assert nothing.status_code == 422
    assert client.get(made.headers["Location"] + "/changes").status_code == 200


def test_only_administrators_enter_the_desk(client: FlaskClient) -> None:
    builders.sign_in(client, builders.user("approver"))
    assert client.get("/policies/desk").status_code == 403
    assert client.get("/policies/desk/drafts/1").status_code == 403


# ------------------------------------------------------------------ promises


def a_draft() -> tuple[PolicyDraft, Any, Any]:
    """A draft ready but for its back-test, its author and another administrator."""
    base = operations.publish(TEXT, None)
    author, second = builders.user("administrator"), builders.user("administrator")
    draft = desk.new_draft(author, title="下一版", base=base)
    later = changed('"T-1"', '"T-2"').replace(
        "from: 2020-01-01, to: 2020-12-31", "from: 2021-01-01"
    )
    desk.save_text(draft, later, author, 1)
    return draft, author, second


def test_a_changed_word_asks_for_another_back_test(session: Any) -> None:
    draft, author, second = a_draft()
    test = backtest_runs.start(draft, author)
    assert (test.state, test.total) == ("done", 0)
    for person in (author, second, second):
        backtest_runs.open_result(test, person)
    assert session.query(BackTestOpening).count() == 2
    desk.save_text(draft, draft.text.replace("小政策", "大政策"), author, draft.version)
    with pytest.raises(Refused, match="回测"):
        desk.publish(draft, second, draft.version)
    assert session.query(Policy).count() == 1


@pytest.mark.parametrize("lacking", ["test", "author", "second", "same", "nothing"])
def test_the_database_publishes_only_what_two_persons_opened(session: Any, lacking: str) -> None:
    draft, author, second = a_draft()
    publisher = author if lacking == "same" else second
    test = backtest_runs.start(draft, author)
    for person in (author, second):
        if (lacking, person) not in (("author", author), ("second", second)):
            backtest_runs.open_result(test, person)
    if lacking == "test":
        desk.save_text(draft, draft.text.replace("小政策", "大政策"), author, draft.version)
    policy = operations.publish(draft.text, None)
    statement = text(
        "UPDATE policy_draft SET state = 'published', closed_at = now(), policy_id = :policy,"
        " published_by_id = :person WHERE id = :draft"
    )
    bound = {"policy": policy.id, "person": publisher.id, "draft": draft.id}
    if lacking == "nothing":
        session.execute(statement, bound)
        with pytest.raises(DBAPIError, match="closed draft"):
            session.execute(text("UPDATE policy_draft SET title = 'x'"))
    else:
        with pytest.raises(DBAPIError, match=r"back-test that author|four_eyes"):
            session.execute(statement, bound)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM policy_draft",
        "UPDATE policy_draft SET text = text || ' '",
        "UPDATE policy_draft SET scheme = 'first_set'",
        "UPDATE policy_draft SET author_id = author_id + 1",
        "UPDATE policy_draft SET state = 'withdrawn'",
        "UPDATE back_test_opening SET opened_at = now()",
        "DELETE FROM back_test_opening",
    ],
)
def test_the_database_keeps_drafts_and_openings(session: Any, statement: str) -> None:
    draft, author, _ = a_draft()
    backtest_runs.open_result(backtest_runs.start(draft, author), author)
    session.flush()
    with pytest.raises(DBAPIError):
        session.execute(text(statement))


def test_an_open_ended_version_holds_until_the_next_begins(session: Any) -> None:
    open_ended = changed("{from: 2020-01-01, to: 2020-12-31}", "{from: 2020-01-01}")
    operations.publish(open_ended, None)
    with pytest.raises(Refused, match="重叠"):
        operations.publish(open_ended.replace('"T-1"', '"T-2"').replace("2020-01", "2019-01"), None)
    later = operations.publish(
        open_ended.replace('"T-1"', '"T-2"').replace("2020-01-01", "2024-01-01"), None
    )
    assert operations.version_for("first_version", date(2025, 1, 1)) is later
    before = operations.version_for("first_version", date(2023, 12, 31))
    assert before is not None
    assert before.version == "T-1"


def test_no_view_publishes_past_the_two_persons() -> None:
    callers = {
        path.name
        for path in Path("catalogue").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr == "publish"
        and isinstance(node.value, ast.Name)
        and node.value.id in ("operations", "policies")
    }
    assert callers == {"desk.py"}


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(*args: Any) -> None:
        sent.append(args[2])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_the_desk_asks_the_same_number_of_queries_however_many_drafts(client: FlaskClient) -> None:
    base = operations.publish(TEXT, None)
    author = builders.user("administrator")
    desk.new_draft(author, title="一", base=base)
    db.session.commit()
    builders.sign_in(client, author)
    client.get("/policies/desk")
    db.session.expire_all()
    with counted() as few:
        client.get("/policies/desk")
    for number in range(9):
        desk.new_draft(builders.user("administrator"), title=f"底稿 {number}", base=base)
    db.session.commit()
    db.session.expire_all()
    with counted() as many:
        assert "底稿 8" in client.get("/policies/desk").text
    assert len(many) <= len(few)


def test_a_hostile_paste_is_refused_in_words(client: FlaskClient) -> None:
    builders.sign_in(client, builders.user("administrator"))
    db.session.commit()
    page = "/policies/desk/drafts/new"
    form = {"scheme": "first_version", "title": "敌意"}
    nul = builders.post(client, page, {**form, "text": "a: 1\nb: \x00\n"})
    assert nul.status_code == 422 and "第 2 行有看不见的控制字符" in nul.text
    huge = builders.post(client, page, {**form, "text": "a" * 10_000_000})
    assert huge.status_code == 422 and "文件超过 128 kB" in huge.text
    deep = builders.post(client, page, {**form, "text": "[" * 50_000})
    assert "嵌套超过 16 层" in client.get(deep.headers["Location"]).text, "kept, and told"


# ------------------------------------------------------------------ whom the amount goes to

SPLIT = """\
split:
  - {id: user, label: 用户, value: "share(amount, p.rate)", article: 第一条}
  - {id: maker, label: 研制单位, article: 第一条}
base_facts"""


def test_shares_of_an_example_are_checked_and_accepted_like_its_amount() -> None:
    shares = "amount: 333.33, shares: {user: 111.11, maker: 222.22}}"
    text = changed("base_facts", SPLIT).replace("amount: 333.33}", shares)
    assert all(example.agrees for example in outcomes(parse(text)))
    lower = text.replace("value: 0.333333", "value: 0.5")
    told = {check.what: check.got for check in outcomes(parse(lower))[0].checks}
    assert (told["用户一份"], told["研制单位一份"]) == ("250.00 元", "250.00 元")
    made = accepted(lower, [0])
    assert "amount: 500.00, shares: {user: 250.00, maker: 250.00}}" in made
    assert outcomes(parse(made))[0].agrees
