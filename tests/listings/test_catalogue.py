"""The catalogue over the real database: import, follow, search, pages and the JSON answer."""

from __future__ import annotations

import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError

from catalogue.audit.operations import trail
from catalogue.database import db, utc_now
from catalogue.errors import Refused
from catalogue.listings import follow, kept
from catalogue.listings.ask import ask
from catalogue.listings.commands import import_listings
from catalogue.listings.models import Listing
from catalogue.listings.operations import import_rows, remove, shanghai_day
from catalogue.listings.search import MAX_PAGE, Search
from tests import builders

SEED = Path("seeds/products.csv")


def imported(*, skip_existing: bool = False) -> Any:
    with SEED.open("rb") as stream:
        report = import_rows(stream, None, skip_existing=skip_existing, sample=True)
    if report.sound:
        db.session.commit()
    else:
        db.session.rollback()
    return report


@pytest.fixture
def catalogue(app: Flask, session: Any) -> Iterator[Any]:
    """An empty catalogue on a follower that looks at every search."""
    following = follow.follower()
    following.look_every = 0
    yield session
    following.look_every = follow.LOOK_EVERY


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every SQL statement sent while inside."""
    sent: list[str] = []

    def note(*arguments: Any) -> None:
        sent.append(arguments[2])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


# ---------------------------------------------------------------- import


def test_a_list_is_imported_whole_marked_as_sample_and_recorded(catalogue: Any) -> None:
    report = imported()
    assert (report.added, report.present) == (146, 0)
    assert db.session.scalar(select(db.func.count()).select_from(Listing)) == 146
    first = db.session.scalars(select(Listing).order_by(Listing.id)).first()
    assert first is not None
    assert (first.number, first.name, first.kind) == ("SL-2021-0001", "核石墨", "material")
    assert first.sample
    assert first.valid_until is None
    assert [e.action for e in trail(first)] == ["listing.import"]


def test_the_same_file_again_changes_nothing_and_says_so(catalogue: Any) -> None:
    imported()
    with SEED.open("rb") as stream:
        again = import_rows(stream, None)
    assert len(again.problems) == 146
    assert "目录里已有（SL-2021-0001）" in str(again.problems[0])
    db.session.rollback()
    skipped = imported(skip_existing=True)
    assert (skipped.added, skipped.present) == (0, 146)
    assert "没有新增" in next(skipped.lines())


def test_one_faulty_line_keeps_the_whole_file_out(
    app: Flask, catalogue: Any, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(SEED.read_bytes() + "20x1,甲,首台套,乙,丙,丁,戊\n".encode())
    result = app.test_cli_runner().invoke(import_listings, [str(bad)])
    assert result.exit_code == 1
    assert "第 148 行，年度" in result.output
    assert db.session.scalar(select(db.func.count()).select_from(Listing)) == 0


def test_the_command_imports_and_repeats_quietly(app: Flask, catalogue: Any) -> None:
    runner = app.test_cli_runner()
    first = runner.invoke(import_listings, [str(SEED)])
    assert first.exit_code == 0, first.output
    assert "导入 146 件产品" in first.output
    again = runner.invoke(import_listings, ["--skip-existing", str(SEED)])
    assert again.exit_code == 0
    assert "没有新增" in again.output
    assert runner.invoke(import_listings, [str(SEED)]).exit_code == 1


def test_numbers_go_on_where_the_year_stopped(catalogue: Any) -> None:
    imported()
    head = "year,list,kind,product_name,firm_name,region,source\n"
    import_rows(io.BytesIO((head + "2012,新名单,首台套,起重机,厂,,\n").encode()), None)
    db.session.commit()
    number = db.session.scalar(select(Listing.number).where(Listing.name == "起重机"))
    assert number == "SL-2012-0003"


@pytest.mark.parametrize(
    "change",
    [
        "number = 'X-1'",
        "name = ''",
        "kind = 'toy'",
        "status = 'gone'",
        "status = 'removed'",
        "year = 3000",
        "valid_until = '1999-01-01'",
        "source_list = NULL",
        "specifications = '{}'",
    ],
)
def test_the_database_repeats_the_promise(catalogue: Any, change: str) -> None:
    imported()
    with pytest.raises(IntegrityError):
        db.session.execute(text(f"UPDATE listing SET {change} WHERE id = 1"))
    db.session.rollback()


def test_an_entry_is_never_deleted(catalogue: Any) -> None:
    imported()
    with pytest.raises(IntegrityError):
        db.session.execute(text("DELETE FROM listing WHERE id = 1"))
    db.session.rollback()


# ---------------------------------------------------------------- follow


def test_a_change_is_findable_and_a_removal_is_not(catalogue: Any) -> None:
    imported()
    assert ask(Search("核石墨"), shanghai_day()).total == 1
    listing = db.session.scalars(select(Listing).where(Listing.name == "核石墨")).one()
    listing.name = "核级石墨块"
    db.session.commit()
    assert ask(Search("石墨块"), shanghai_day()).total == 1
    remove(listing, None, "名单更正")
    db.session.commit()
    page = ask(Search("石墨块"), shanghai_day())
    assert (page.total, page.complete) == (0, True)
    with pytest.raises(Refused):
        remove(listing, None, " ")


def test_a_change_that_commits_late_is_not_missed(catalogue: Any) -> None:
    imported()
    assert ask(Search(), shanghai_day()).total == 146
    with db.engine.connect() as slow:
        slow.execute(text("UPDATE listing SET name = '慢产品' WHERE id = 1"))
        # A later transaction commits first, and the index takes it in.
        db.session.execute(text("UPDATE listing SET name = '快产品' WHERE id = 2"))
        db.session.commit()
        assert ask(Search("快产品"), shanghai_day()).total == 1
        assert ask(Search("慢产品"), shanghai_day()).near
        slow.commit()
    db.session.rollback()
    assert ask(Search("慢产品"), shanghai_day()).near is None


def test_an_emptied_table_empties_the_index(catalogue: Any) -> None:
    imported()
    assert ask(Search(), shanghai_day()).total == 146
    db.session.execute(text("TRUNCATE listing RESTART IDENTITY CASCADE"))
    db.session.commit()
    assert ask(Search(), shanghai_day()).total == 0


@pytest.mark.parametrize("harm", ["lost", "meta", "pointer"])
def test_a_lost_or_damaged_index_is_built_again_by_itself(
    app: Flask, catalogue: Any, harm: str
) -> None:
    imported()
    assert ask(Search(), shanghai_day()).total == 146
    replica = follow.follower().replica
    state = replica.state()
    assert state is not None
    if harm == "lost":
        shutil.rmtree(replica.root)
    elif harm == "meta":
        (replica.root / state.folder / "meta.json").write_text("garbage")
    else:
        replica.pointer.write_text("garbage")
    db.session.execute(text("UPDATE listing SET name = '改名产品' WHERE id = 1"))
    db.session.commit()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        page = ask(Search("改名产品"), shanghai_day())
        assert page.total == 1
        if page.complete:
            break
    assert page.complete
    assert ask(Search("bianyaqi"), shanghai_day()).total == 4


def test_without_an_index_the_database_answers(
    catalogue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported()
    full = ask(Search("变压器", {"kind": ("other",)}), shanghai_day())
    monkeypatch.setattr(follow.Follower, "reader", lambda self: None)
    page = ask(Search("变压器", {"kind": ("other",)}), shanghai_day())
    assert (full.complete, page.complete) == (True, False)
    assert page.total == full.total == 3
    assert {hit.number for hit in page.hits} == {hit.number for hit in full.hits}
    assert page.facets["year"]["none"] == full.facets["year"]["none"]
    assert ask(Search("没有%_\x00"), shanghai_day()).total == 0


def test_many_listings_are_indexed_beside_the_request(
    catalogue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "AT_ONCE", 50)
    imported()
    shutil.rmtree(follow.follower().replica.root, ignore_errors=True)
    first = ask(Search("变压器"), shanghai_day())
    assert first.total == 4
    deadline = time.monotonic() + 20
    while not ask(Search("bianyaqi"), shanghai_day()).complete and time.monotonic() < deadline:
        time.sleep(0.05)
    page = ask(Search("bianyaqi"), shanghai_day())
    assert (page.total, page.complete) == (4, True)


def test_the_command_rebuilds_and_says_how_many(app: Flask, catalogue: Any) -> None:
    imported()
    ask(Search(), shanghai_day())
    replica = follow.follower().replica
    before = replica.state()
    done = app.test_cli_runner().invoke(args=["rebuild-index"])
    assert done.exit_code == 0, done.output
    assert "146 个产品" in done.output
    after = replica.state()
    assert before is not None and after is not None and after.folder != before.folder
    with replica.writing():
        busy = app.test_cli_runner().invoke(args=["rebuild-index"])
    assert busy.exit_code == 1 and "另一个进程" in busy.output
    assert replica.state() == after


def test_searching_from_many_threads_while_listings_change(app: Flask, catalogue: Any) -> None:
    imported()
    failures: list[BaseException] = []

    def look() -> None:
        try:
            for _ in range(15):
                with app.app_context():
                    assert ask(Search("变压器"), shanghai_day()).total == 4
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(10):
        db.session.execute(
            text("UPDATE listing SET name = :name WHERE id = 1"), {"name": f"产品{number}"}
        )
        db.session.commit()
    for thread in threads:
        thread.join()
    assert failures == []
    assert ask(Search("产品9"), shanghai_day()).total >= 1


# ---------------------------------------------------------------- a certified product


def test_a_concluded_application_is_listed_under_its_certificates_number(
    client: FlaskClient, catalogue: Any
) -> None:
    application = builders.concluded("catalogue")
    db.session.commit()
    listing = db.session.scalars(select(Listing)).one()
    product = application.product
    assert listing.application_id == application.id
    assert listing.number.startswith("SHCP-")
    assert (listing.name, listing.domain) == (product.name, product.domain)
    assert listing.valid_until is not None
    assert listing.valid_until > listing.listed_on
    assert not listing.sample
    assert [e.action for e in trail(listing)] == ["listing.publish"]
    found = client.get("/catalogue", query_string={"q": product.name})
    assert listing.number in found.text
    page = client.get(f"/catalogue/{listing.number}")
    assert page.status_code == 200
    assert f'href="/certificates/{listing.number}"' in page.text
    assert "列入目录" in page.text


def test_a_claim_for_money_lists_nothing(catalogue: Any) -> None:
    builders.concluded("first_version")
    db.session.commit()
    assert db.session.scalars(select(Listing)).all() == []


# ---------------------------------------------------------------- pages


def test_the_results_page_costs_the_same_however_many_it_shows(
    client: FlaskClient, catalogue: Any
) -> None:
    imported()
    client.get("/catalogue")
    with statements() as many:
        assert client.get("/catalogue?sort=name&page=2").status_code == 200
    with statements() as few:
        assert client.get("/catalogue?q=文心一言").status_code == 200
    # Two for each look at the database; here the page looks, and then its search.
    assert len(many) == len(few) <= 4, many


def test_the_product_page_asks_a_fixed_number_of_queries(
    client: FlaskClient, catalogue: Any
) -> None:
    imported()
    with statements() as sent:
        assert client.get("/catalogue/SL-2021-0001").status_code == 200
    assert len(sent) <= 3, sent


def test_every_state_is_an_address(client: FlaskClient, catalogue: Any) -> None:
    imported()
    page = client.get("/catalogue?q=变压器&kind=other&year=none&unknown=1").text
    assert "找到 3 件产品" in page
    assert 'name="kind" value="other" checked' in page
    assert "首台套装备" in page
    assert f'href="/catalogue?q={quote("变压器")}&amp;year=none"' in page
    assert "unknown" not in page.split("<main", 1)[1].split("</main>")[0]
    assert "<mark>变压器</mark>" in page


@pytest.fixture
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The minute of a kept page does not pass while a test compares pages."""
    now = utc_now()
    monkeypatch.setattr(kept, "utc_now", lambda: now)


def _pages() -> dict[Any, bytes]:
    reader = follow.follower().replica.reader()
    assert reader is not None
    return reader.pages


@pytest.mark.usefixtures("one_minute")
def test_a_page_is_rendered_once_for_all_who_are_nobody_until_a_change(
    client: FlaskClient, app: Flask, catalogue: Any
) -> None:
    imported()
    first = client.get("/catalogue?q=石墨&sort=name")
    assert "Set-Cookie" not in first.headers and "csrf_token" not in first.text
    with statements() as sent:
        other = app.test_client().get("/catalogue?unknown=1&sort=name&q=%20石墨")
    assert (other.data, len(_pages())) == (first.data, 1)
    assert not [one for one in sent if "FROM listing" in one and "revision" not in one]
    assert other.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    db.session.execute(text("UPDATE listing SET name = '石墨新名' WHERE name = '核石墨'"))
    db.session.commit()
    assert "新名" in client.get("/catalogue?q=石墨&sort=name").text


@pytest.mark.usefixtures("one_minute")
def test_what_is_for_one_visitor_only_is_never_kept(
    client: FlaskClient, app: Flask, catalogue: Any
) -> None:
    imported()
    plain = client.get("/catalogue").data
    person = builders.user("buyer", "买家甲")
    db.session.commit()
    builders.sign_in(client, person)
    assert "买家甲" in client.get("/catalogue").text
    builders.post(client, "/sign-out", {}, form_at="/catalogue")
    assert "已退出登录" in client.get("/catalogue").text
    assert client.get("/catalogue").data == plain
    assert client.get("/catalogue?kind=nothing").status_code == 200
    assert len(_pages()) == 1
    builders.post(client, "/display?next=/catalogue", {"next": "/catalogue", "elder": "on"})
    assert 'class="elder"' in client.get("/catalogue").text
    assert app.test_client().get("/catalogue").data == plain


def test_sample_entries_say_so_and_unknown_facts_are_named(
    client: FlaskClient, catalogue: Any
) -> None:
    imported()
    for address in ("/catalogue?q=核石墨", "/catalogue/SL-2021-0001"):
        page = client.get(address).text
        assert "示例数据，非官方入选名单" in page
        assert "未填" in page


def test_an_empty_answer_says_which_condition_to_drop(client: FlaskClient, catalogue: Any) -> None:
    imported()
    page = client.get("/catalogue?q=变压器&kind=software").text
    assert "没有找到产品" in page
    assert "不限类别（首版次软件）" in page
    assert "有 4 件" in page
    both = client.get("/catalogue?q=变压器&kind=software&domain=ic").text
    assert "只按“变压器”，不限其他条件" in both
    nothing = client.get("/catalogue?q=完全没有这种东西").text
    assert "用拼音、型号查找" in nothing


def test_what_is_typed_is_text_and_never_markup(client: FlaskClient, catalogue: Any) -> None:
    imported()
    page = client.get("/catalogue", query_string={"q": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page
    page = client.get("/catalogue", query_string={"kind": "<b>x</b>", "sort": "'\""}).text
    assert "<b>x</b>" not in page
    assert "没有采用" in page


def test_an_over_long_question_is_refused_kindly(client: FlaskClient, catalogue: Any) -> None:
    answer = client.get("/catalogue", query_string={"q": "长" * 201})
    assert answer.status_code == 422
    assert "不能超过 200 个字" in answer.text
    assert client.get("/catalogue", query_string={"q": "长" * 200}).status_code == 200


@pytest.mark.parametrize("page", ["0", "-1", "x", "51", "9" * 40, "１", "1.5", " "])
def test_a_page_that_is_none_shows_the_first(
    client: FlaskClient, catalogue: Any, page: str
) -> None:
    imported()
    assert client.get("/catalogue", query_string={"page": page}).status_code == 200


def test_a_page_past_the_end_shows_the_last(client: FlaskClient, catalogue: Any) -> None:
    imported()
    assert "共 146 件" in client.get(f"/catalogue?page={MAX_PAGE}").text


@pytest.mark.parametrize("number", ["nope", "SHCP-2026-9999", "%00", "..%2f..", "长" * 200])
def test_an_unknown_number_is_a_page_that_says_so(
    client: FlaskClient, catalogue: Any, number: str
) -> None:
    assert client.get(f"/catalogue/{number}").status_code == 404


def test_a_removed_entry_keeps_its_page(client: FlaskClient, catalogue: Any) -> None:
    imported()
    listing = db.session.scalars(select(Listing).where(Listing.id == 1)).one()
    remove(listing, None, "名单更正")
    db.session.commit()
    page = client.get(f"/catalogue/{listing.number}")
    assert page.status_code == 200
    assert "已移出目录" in page.text
    assert "名单更正" in page.text


# ---------------------------------------------------------------- JSON


def test_the_json_answer_has_total_items_and_facets(client: FlaskClient, catalogue: Any) -> None:
    imported()
    answer = client.get("/api/v1/listings?q=byq&kind=other")
    body = json.loads(answer.data)
    assert answer.status_code == 200
    assert body["total"] == len(body["items"]) == 3
    assert {item["kind"] for item in body["items"]} == {"other"}
    assert all(item["sample"] for item in body["items"])
    assert body["items"][0]["why"][0]["how"] == "spoken"
    kinds = {option["value"]: option["count"] for option in body["facets"]["kind"]}
    assert kinds == {"equipment": 1, "material": 0, "other": 3, "software": 0}
    assert client.get(body["items"][0]["url"]).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["sort=price", "page=0", "page=x", "kind=toy", "year=20", "domain=nope", f"q={'x' * 201}"],
)
def test_bad_parameters_are_named(client: FlaskClient, catalogue: Any, query: str) -> None:
    answer = client.get(f"/api/v1/listings?{query}")
    assert answer.status_code == 400
    body = json.loads(answer.data)
    assert body["parameters"][0]["parameter"] == query.split("=", maxsplit=1)[0]


def test_validity_counts_by_the_day_in_shanghai(catalogue: Any) -> None:
    application = builders.concluded("catalogue")
    db.session.commit()
    listing = db.session.scalars(select(Listing)).one()
    last = listing.valid_until
    assert isinstance(last, date)
    valid = Search(chosen={"status": ("valid",)})
    assert ask(valid, last).total == 1
    assert ask(valid, last + timedelta(days=1)).total == 0
    assert application.id == listing.application_id


def test_suggestions_go_on_as_typed_with_and_without_script(
    client: FlaskClient, catalogue: Any
) -> None:
    imported()
    for typed in ("变压", "bianya", "ODFS-4", "海上升", "deeps", "中国电科"):
        lines = client.get(f"/catalogue/suggest?q={typed}", headers={"HX-Request": "true"}).text
        assert "product-lines" in lines and "<html" not in lines, typed
    page = client.get("/catalogue/suggest?q=变压").text
    assert "<html" in page and page.count("/catalogue/SL-") >= 4
    assert "<mark>" in page
    assert "product-lines" not in client.get("/catalogue/suggest?q=完全没有的").text
    assert client.get("/catalogue/suggest").status_code == 200


def test_the_count_is_told_and_an_answer_that_only_comes_near_says_what_it_lacks(
    client: FlaskClient, catalogue: Any
) -> None:
    imported()
    page = client.get("/catalogue?q=变压器").text
    assert '<h1 id="found"><span role="status">找到 4 件产品' in page, "a heading stays a heading"
    page = client.get("/catalogue?q=变压器 鹦鹉").text
    assert '<span role="status">没有完全符合的，有 4 件相近' in page
    assert "没有产品完全符合“变压器 鹦鹉”" in page
    assert "含“变压器”，没有“鹦鹉”" in page
    offered = page.split("只查“变压器”")[0].rsplit('href="', 1)[1].split('"')[0]
    assert "找到 4 件产品" in client.get(offered).text
    long = "长名" * 60
    db.session.execute(text("UPDATE listing SET name = :name WHERE id = 1"), {"name": long})
    db.session.commit()
    assert "找到 1 件产品" in client.get("/catalogue", query_string={"q": long}).text


def test_a_product_page_names_products_like_it(client: FlaskClient, catalogue: Any) -> None:
    imported()
    client.get("/catalogue")
    number = db.session.scalar(select(Listing.number).where(Listing.name == "文心一言"))
    other = db.session.scalar(select(Listing.number).where(Listing.name.contains("ODFS")))
    page = client.get(f"/catalogue/{other}").text
    assert "相似的产品" in page and "海上升压站用变压器" in page
    assert "相似的产品" not in client.get(f"/catalogue/{number}").text


def _spaced(client: FlaskClient, query: str) -> str:
    return json.dumps(json.loads(client.get(f"/api/v1/listings?{query}").data))


def test_a_limit_typed_in_boxes_becomes_an_address_and_a_fault_keeps_what_was_typed(
    client: FlaskClient, catalogue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported()
    figure = [{"name": "额定电压", "value": "500", "unit": "kV"}]
    listing = db.session.scalars(select(Listing).where(Listing.name.contains("ODFS"))).one()
    listing.specifications = figure
    db.session.commit()
    boxes = {"q": "变压器", "figure": "电压", "relation": "ge", "amount": "500000", "unit": "V"}
    page = client.get("/catalogue", query_string=boxes).text
    assert "找到 1 件产品" in page and "电压 ≥ 500000 V" in page
    assert "spec=" in page.split('class="chips"')[0]
    assert '"total": 0' in _spaced(client, "q=变压器 电压≥1MV")
    empty = client.get("/catalogue?q=变压器&spec=电压 ≥ 501 kV").text
    assert "不限“电压 ≥ 501 kV”" in empty and "有 4 件" in empty
    wrong = client.get("/catalogue", query_string={**boxes, "amount": "很高"}).text
    assert "请填数字" in wrong and 'value="很高"' in wrong and 'value="电压"' in wrong
    assert client.get("/api/v1/listings?spec=电压").status_code == 400
    monkeypatch.setattr(follow.Follower, "reader", lambda self: None)
    assert '"total": 1' in _spaced(client, "spec=电压 = 0.5 MV")
