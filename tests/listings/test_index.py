"""The index alone, over plain rows: what is found, in which order, with which counts."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalogue.listings import building
from catalogue.listings.figures import MEETS, judge, limits_in
from catalogue.listings.index import Busy, Reader, Replica, State, listed_fields
from catalogue.listings.near import near
from catalogue.listings.search import PER_PAGE, Near, Page, Search, search
from catalogue.listings.synonyms import NOTHING, Thesaurus

TODAY = date(2026, 11, 24)


def entry(number: int, name: str, **given: Any) -> dict[str, Any]:
    """One listing as the database would give it."""
    return {
        "id": number,
        "number": f"SHCP-2026-{number:04d}",
        "name": name,
        "firm_name": "示例（上海）装备有限公司",
        "model": None,
        "kind": "equipment",
        "domain": None,
        "novelty": None,
        "advancement": None,
        "district": None,
        "region": "上海市",
        "year": 2026,
        "summary": "",
        "specifications": [],
        "listed_on": TODAY - timedelta(days=30),
        "valid_until": TODAY + timedelta(days=365),
        "first_purchase": False,
        "sample": False,
        "source_list": None,
        "status": "listed",
        **given,
    }


ENTRIES = [
    entry(1, "12 英寸介质刻蚀机", model="SL-E300", domain="ic", first_purchase=True),
    entry(2, "等离子体去胶与刻蚀一体机", model="YX-AS208", domain="ic"),
    entry(3, "高深宽比硅通孔工艺模块", domain="equipment", summary="用于干法刻蚀工艺",
          valid_until=TODAY + timedelta(days=60)),
    entry(4, "刻蚀工艺仿真软件", kind="software", domain="digital", firm_name="样例软件有限公司",
          valid_until=TODAY - timedelta(days=1)),
    entry(5, "电力变压器 ODFS-400000/500", kind="other", valid_until=None, year=2021,
          specifications=[{"name": "额定电压", "value": "500", "unit": "kV"}]),
    entry(6, "文心一言", kind="other", valid_until=TODAY),
]  # fmt: skip


@pytest.fixture
def replica(tmp_path: Path) -> Replica:
    made = Replica(tmp_path / "index")
    with made.writing():
        made.rebuild(ENTRIES, "here", 100)
    return made


@pytest.fixture
def reader(replica: Replica) -> Reader:
    found = replica.reader()
    assert found is not None
    return found


def ask(reader: Reader, q: str = "", page: int = 1, sort: str = "relevance", **chosen: Any) -> Page:
    values = {name: tuple(value.split()) for name, value in chosen.items()}
    return search(reader, Search(q, values, sort, page), TODAY)


def found(reader: Reader, q: str = "", **options: Any) -> set[int]:
    return {int(hit.number[-4:]) for hit in ask(reader, q, **options).hits}


@pytest.mark.parametrize(
    ("q", "numbers"),
    [
        ("刻蚀", {1, 2, 3, 4}),
        ("刻蚀机", {1, 2}),
        ("keshi", {1, 2, 4}),
        ("KESHI", {1, 2, 4}),
        ("ks", {1, 2, 4}),
        ("sl-e300", {1}),
        ("ＳＬＥ３００", {1}),
        ("sl e 300", {1}),
        ("sle", {1}),
        ("SL-E300刻蚀机", {1}),
        ("odfs400000", {5}),
        ("变压", {5}),
        ("蚀一", {2}),
        ("机", {1, 2}),
        ("额定电压", {5}),
        ("样例软件", {4}),
        ("刻蚀 样例", {4}),
        ("SHCP-2026-0006", {6}),
        ("shcp20260006", {6}),
        ("变压器 刻蚀", set()),
        ("。。。", set()),
        ('"刻蚀', {1, 2, 3, 4}),
        ("name_words:刻蚀 OR *", set()),
        ("", {1, 2, 3, 4, 5, 6}),
    ],
)
def test_what_a_question_finds(reader: Reader, q: str, numbers: set[int]) -> None:
    assert found(reader, q) == numbers


def test_the_run_as_typed_comes_first(reader: Reader) -> None:
    assert [hit.number[-1] for hit in ask(reader, "刻蚀机").hits] == ["1", "2"]


def test_words_in_the_name_come_before_words_in_the_text(reader: Reader) -> None:
    assert ask(reader, "刻蚀").hits[-1].number == "SHCP-2026-0003"


def test_marks_and_reasons(reader: Reader) -> None:
    by_number = {hit.number[-1]: hit for hit in ask(reader, "刻蚀").hits}
    assert ("刻蚀", True) in by_number["1"].name
    assert [(r.field, r.words) for r in by_number["3"].reasons] == [("summary", ("刻蚀",))]
    (hit,) = ask(reader, "sl e 300").hits
    assert [(r.field, r.words) for r in hit.reasons] == [("model", ("SL-E300",))]
    spoken = ask(reader, "keshi").hits[0]
    assert spoken.reasons[0].how == "spoken"
    assert spoken.reasons[0].words == ("刻蚀",)


def test_a_facets_own_choice_leaves_its_siblings_counted(reader: Reader) -> None:
    page = ask(reader, "刻蚀", domain="ic", kind="equipment")
    assert page.total == 2
    assert page.facets["domain"] == {"digital": 0, "equipment": 1, "ic": 2, "none": 0}
    assert page.facets["kind"] == {"equipment": 2, "other": 0, "software": 0}
    assert page.facets["first_purchase"] == {"no": 1, "yes": 1}


def test_several_values_of_one_facet_widen_several_facets_narrow(reader: Reader) -> None:
    assert found(reader, domain="ic digital") == {1, 2, 4}
    assert found(reader, domain="ic digital", kind="software") == {4}
    assert found(reader, domain="none") == {5, 6}


def test_status_by_day(reader: Reader) -> None:
    assert found(reader, status="valid") == {1, 2, 3, 6}
    assert found(reader, status="expiring") == {3, 6}
    assert found(reader, status="expired") == {4}
    assert found(reader, status="undated") == {5}
    assert ask(reader).facets["status"] == {
        "valid": 4, "expiring": 2, "expired": 1, "undated": 1,
    }  # fmt: skip
    later = search(reader, Search(chosen={"status": ("expired",)}), TODAY + timedelta(days=1))
    assert later.total == 2


@pytest.mark.parametrize(
    ("sort", "order"), [("newest", "123456"), ("name", "1243 56"), ("remaining", "463125")]
)
def test_orders(reader: Reader, sort: str, order: str) -> None:
    numbers = "".join(hit.number[-1] for hit in ask(reader, sort=sort).hits)
    if sort == "name":
        assert sorted(numbers) == list("123456")
        assert numbers.index("5") < numbers.index("3") < numbers.index("4") < numbers.index("6")
    else:
        assert numbers == order


def test_equally_good_hits_stand_by_number_and_no_page_repeats_one(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    shuffled = [entry(n * 37 % 211 + 1, "刻蚀机") for n in range(211)]
    with replica.writing():
        replica.rebuild(shuffled[:100], "here", 1)
        state = replica.state()
        assert state is not None
        replica.apply(shuffled[100:], state)
    reader = replica.reader()
    assert reader is not None
    pages = [ask(reader, "刻蚀机", page=n) for n in range(1, 12)]
    numbers = [hit.number for page in pages for hit in page.hits]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 211
    assert len(pages[0].hits) == PER_PAGE


def test_a_change_replaces_and_a_removal_takes_out(replica: Replica) -> None:
    changed = [{**ENTRIES[0], "name": "清洗机"}, {**ENTRIES[1], "status": "removed"}]
    state = replica.state()
    assert state is not None
    with replica.writing():
        replica.apply(changed, state)
    reader = replica.reader()
    assert reader is not None
    assert found(reader, "刻蚀") == {3, 4}
    assert found(reader, "清洗") == {1}
    assert ask(reader).total == 5


def test_one_writer_per_folder(replica: Replica) -> None:
    second = Replica(replica.root)
    with replica.writing(), pytest.raises(Busy), second.writing():
        pass


def test_another_process_sees_what_the_writer_committed(replica: Replica) -> None:
    other = Replica(replica.root)
    before = other.reader()
    assert before is not None
    state = replica.state()
    assert state is not None
    with replica.writing():
        replica.apply([entry(7, "新产品")], state)
    after = other.reader()
    assert after is not None
    assert found(after, "新产品") == {7}


@pytest.mark.parametrize("harm", ["lost", "pointer", "meta", "generation"])
def test_a_lost_or_damaged_folder_has_no_reader(replica: Replica, harm: str) -> None:
    state = replica.state()
    assert state is not None
    if harm == "lost":
        shutil.rmtree(replica.root)
    elif harm == "pointer":
        replica.pointer.write_text("{not json")
    elif harm == "meta":
        (replica.root / state.folder / "meta.json").write_text("garbage")
    else:
        shutil.rmtree(replica.root / state.folder)
    assert Replica(replica.root).reader() is None
    fresh = Replica(replica.root)
    with fresh.writing():
        fresh.rebuild(ENTRIES, "here", 100)
    reader = fresh.reader()
    assert reader is not None
    assert ask(reader).total == 6


def test_old_generations_are_swept_away(replica: Replica) -> None:
    with replica.writing():
        replica.rebuild(ENTRIES[:1], "here", 101)
    assert len(list(replica.root.glob("g-*"))) == 1


def test_a_failed_build_leaves_the_old_generation(replica: Replica) -> None:
    with pytest.raises(KeyError), replica.writing():
        replica.rebuild([{"id": 1, "status": "listed"}], "here", 101)
    reader = replica.reader()
    assert reader is not None
    assert ask(reader).total == 6
    assert len(list(replica.root.glob("g-*"))) == 1


def test_an_empty_catalogue_answers(tmp_path: Path) -> None:
    replica = Replica(tmp_path)
    with replica.writing():
        replica.rebuild([], "here", 1)
    reader = replica.reader()
    assert reader is not None
    assert ask(reader, "刻蚀").total == 0
    assert ask(reader, status="valid").total == 0
    assert isinstance(replica.state(), State)


FIGURES = [
    entry(1, "光刻机甲", specifications=[
        {"name": "曝光波长", "value": "193", "unit": "nm"},
        {"name": "产能", "value": "≥ 120", "unit": "片/h"}]),
    entry(2, "光刻机乙", specifications=[{"name": "波长", "value": "0.248", "unit": "μm"}]),
    entry(3, "阀门", specifications=[
        {"name": "工作压力", "value": "2", "unit": "MPa"},
        {"name": "温度", "value": "-40~85", "unit": "℃"}]),
    entry(4, "压力泵", specifications=[{"name": "压力", "value": "30", "unit": "bar"}]),
    entry(5, "没有数字的", specifications=[{"name": "压力", "value": "较高", "unit": "MPa"}]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "numbers"),
    [
        ("波长 ≤ 193 nm", {1}),
        ("波长 < 193 nm", set()),
        ("波长 ≤ 0.25 um", {1, 2}),
        ("波长 ≥ 200 nm", {2}),
        ("压力 = 20 bar", {3}),
        ("压力 ≥ 2 MPa", {3, 4}),
        ("压力 > 2MPa", {4}),
        ("压力 ≥ 30", {4}),
        ("产能不小于100wph", {1}),
        ("产能 ≤ 200 片/小时", set()),
        ("温度 ≤ 85 ℃", {3}),
        ("温度 ≥ -50 ℃", {3}),
        ("温度 ≤ 80 ℃", set()),
        ("温度不高于 85度的", {3}),
        ("压力 ≤ 5 kg", set()),
        ("厚度 ≤ 5 mm", set()),
        ("压力20bar以上", {3, 4}),
        ("压力 ２ＭＰａ 及以上的", {3, 4}),
        ("20巴以上", {3, 4}),
        ("≤ 250 nm", {1, 2}),
        ("波长大于等于200纳米", {2}),
        ("工艺要求的曝光波长 0.2 μm 以内", {1}),
    ],
)
def test_a_limit_is_met_in_whatever_unit_it_was_stated(
    tmp_path: Path, limit: str, numbers: set[int]
) -> None:
    reader = _reader(tmp_path, FIGURES)
    left, limits = limits_in(limit)
    assert left == ""
    page = search(reader, Search(limits=tuple(limits)), TODAY)
    assert {int(hit.number[-4:]) for hit in page.hits} == numbers
    judged = {e["id"] for e in FIGURES if judge(e["specifications"], limits[0]) == MEETS}
    assert judged == numbers
    assert sum(page.facets["kind"].values()) == len(numbers)


def _reader(folder: Path, entries: list[dict[str, Any]]) -> Reader:
    replica = Replica(folder)
    with replica.writing():
        replica.rebuild(entries, "here", 1)
    reader = replica.reader()
    assert reader is not None
    return reader


def test_a_limit_on_what_is_no_figure_names_the_product(tmp_path: Path) -> None:
    reader = _reader(tmp_path, FIGURES)
    left, limits = limits_in("压力泵 20bar以上")
    page = search(reader, Search(left, limits=tuple(limits)), TODAY)
    assert [hit.facts["name"] for hit in page.hits] == ["压力泵"]
    assert (page.search.q, [str(each) for each in page.search.limits]) == ("压力泵", ["≥ 20 bar"])
    assert limits_in("≥ 20 bar")[1] == list(page.search.limits), "an address gives it back"


@pytest.mark.parametrize("typed", ["阀门 2MPa", "阀门 2 兆帕", "阀门 20 bar", "阀门２０巴"])
def test_an_amount_is_found_in_whatever_unit_and_says_so(tmp_path: Path, typed: str) -> None:
    page = ask(_reader(tmp_path, FIGURES), typed)
    assert [hit.facts["name"] for hit in page.hits] == ["阀门"]
    said = page.hits[0].reasons[-1]
    assert (said.field, said.words) == ("specifications", ("2 MPa",))
    assert said.how == ("word" if "MPa" in typed else "amount")


def test_what_a_name_ends_in_is_what_the_product_is(tmp_path: Path) -> None:
    names = ["起重机吊臂钢", "四十米自动化双小车岸边集装箱起重机", "高纯氢气", "氢气用阀"]
    reader = _reader(tmp_path, [entry(n, name) for n, name in enumerate(names, 1)])
    assert [hit.facts["name"] for hit in ask(reader, "起重机").hits] == [names[1], names[0]]
    assert [hit.facts["name"] for hit in ask(reader, "氢气").hits] == [names[2], names[3]]


def test_what_sounds_like_a_known_word_comes_after_what_means_it(tmp_path: Path) -> None:
    names = ["钕磁体", "计算机断层摄影设备"]
    reader = _reader(tmp_path, [entry(n, name) for n, name in enumerate(names, 1)])
    page = search(reader, Search("CT"), TODAY, Thesaurus([["CT", "计算机断层"]]))
    assert [hit.facts["name"] for hit in page.hits] == [names[1], names[0]]


@pytest.mark.parametrize(
    ("typed", "said"),
    [("SSX8OO-2O", "SSX800-20"), ("ssx8oo2o", "SSX800-20"), ("电镜", "电子显微镜")],
)
def test_signs_taken_for_others_and_short_forms_come_near(
    tmp_path: Path, typed: str, said: str
) -> None:
    reader = _reader(tmp_path, [entry(1, "透射电子显微镜", model="SSX800-20"), entry(2, "电缆")])
    asked = Search(typed)
    page = near(reader, search(reader, asked, TODAY), TODAY, NOTHING)
    assert page.near is not None and page.near.how == "slip"
    assert [(hit.facts["name"], hit.reasons[0].words) for hit in page.hits] == [
        ("透射电子显微镜", (said,))
    ]


def test_a_long_word_is_met_by_its_parts_and_an_unknown_one_comes_near_by_what_is_in_it(
    tmp_path: Path,
) -> None:
    names = ["智能电磁水表", "多参数智能水表", "车载充电机"]
    reader = _reader(tmp_path, [entry(n, name) for n, name in enumerate(names, 1)])
    assert [hit.facts["name"] for hit in ask(reader, "智能水表").hits] == [names[1], names[0]]
    known = Thesaurus([["充电桩", "charging pile"]])
    page = near(reader, search(reader, Search("充电桩"), TODAY, known), TODAY, known)
    assert [hit.facts["name"] for hit in page.hits] == ["车载充电机"]
    assert page.near == Near("fewer", ("充电",), ("充电桩",), 1)


def _by_id(fields: Iterable[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    return {each["id"]: each for each in fields}


@pytest.mark.parametrize("harm", ["nothing", "one killed", "all killed", "none start"])
def test_helpers_change_nothing_but_the_time(
    harm: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(building, "ALONE", 2)
    monkeypatch.setattr(building, "BATCH", 3)
    if harm == "none start":
        monkeypatch.setattr(building.sys, "executable", str(tmp_path / "no-python"))
    hands: list[Any] = []
    started = building._started
    monkeypatch.setattr(building, "_started", lambda n: hands.extend(started(n)) or hands)
    entries = [
        entry(n, f"刻蚀机{n}", listed_on=TODAY, status="removed" if n == 5 else "listed")
        for n in range(1, 30)
    ]
    made = []
    for number, fields in enumerate(building.built(entries, helpers=2)):
        made.append(fields)
        if number == 6 and harm in ("one killed", "all killed"):
            for hand in hands[: 1 if harm == "one killed" else 2]:
                hand.kill()
    assert len(made) == 28
    assert _by_id(made) == _by_id(listed_fields(entries))
    assert all(hand.poll() is not None for hand in hands), "no helper is left behind"
