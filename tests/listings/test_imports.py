"""A clerk's CSV: every fault is named with its line, and a sound file is read whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalogue.listings import imports

HEAD = "year,list,kind,product_name,firm_name,region,source\n"
SEED = Path("seeds/products.csv").read_bytes()


def report_of(*lines: str, head: str = HEAD) -> imports.Report:
    return imports.read((head + "\n".join(lines)).encode())


def problems(*lines: str, head: str = HEAD) -> list[str]:
    return [str(problem) for problem in report_of(*lines, head=head).problems]


@pytest.mark.parametrize(
    "data",
    [SEED, b"\xef\xbb\xbf" + SEED, SEED.decode().encode("gb18030"), SEED.replace(b"\n", b"\r\n")],
    ids=["utf-8", "bom", "gb18030", "crlf"],
)
def test_the_seed_list_is_sound_in_every_encoding(data: bytes) -> None:
    report = imports.read(data)
    assert report.problems == []
    assert len(report.rows) == 146
    assert report.rows[0].name == "核石墨"
    assert report.rows[0].kind == "material"


def test_chinese_headings_in_any_order() -> None:
    head = "产品名称,单位名称,类别,名单,年度,地区,来源\n"
    (row,) = report_of("刻蚀机,示例厂,首台套,某名单,2021,上海市,", head=head).rows
    assert (row.name, row.kind, row.year, row.source_list) == (
        "刻蚀机",
        "equipment",
        2021,
        "某名单",
    )


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("首台套（储备）", "equipment"),
        ("首台（套）", "equipment"),
        ("首版次", "software"),
        ("首批次", "material"),
        ("医疗器械", "other"),
        ("非首批次", "other"),
    ],
)
def test_wording_of_a_list_becomes_our_kind(words: str, kind: str) -> None:
    assert imports.kind_of(words) == kind


def test_a_tier_is_taken_only_when_the_list_states_one() -> None:
    sure, unsure = report_of(
        "2021,甲,首批次,A,厂,浙江,抄本；档次=国内领先",
        "2021,甲,首批次,B,厂,浙江,抄本；档次=国际领先或国际先进",
    ).rows
    assert sure.advancement == "dom_lead"
    assert unsure.advancement is None


def test_every_fault_is_reported_with_its_line() -> None:
    long = "长" * 121
    assert problems(
        "20x1,甲,首台套,,厂,上海,",
        "2021,甲,首台套,A\x07,厂,上海,",
        f"2021,甲,首台套,{long},厂,上海,",
        "2021,甲,首台套,B,厂,上海,x",
        "2021,甲,首台套,B,厂,上海,y",
        "2021,甲,首台套",
        "1899,甲,首台套,C,厂,上海,",
    ) == [
        "第 2 行，产品名称：没有填",
        "第 2 行，年度：“20x1”不是 1990 到 2100 之间的年份，未知请留空",
        "第 3 行，产品名称：含有换行或看不见的控制字符",
        "第 4 行，产品名称：有 121 个字，不能超过 120 个字",
        "第 6 行，产品名称：与第 5 行重复（名单、产品、单位都相同）",
        "第 7 行：应有 7 格，读到 3 格；文字里的逗号要加引号",
        "第 8 行，年度：“1899”不是 1990 到 2100 之间的年份，未知请留空",
    ]


def test_line_numbers_count_as_an_editor_counts() -> None:
    (problem,) = problems('2021,甲,首台套,"A', 'B",厂,上海,', "2021,甲,首台套,C,厂,上海,")
    assert problem.startswith("第 2 行，产品名称：含有换行")
    assert problems("", "", "x,甲,首台套,C,厂,上海,")[0].startswith("第 4 行")


def test_spaces_and_width_of_spaces_make_no_second_product() -> None:
    (problem,) = problems(
        "2021,甲,首台套,刻蚀  机,厂,上海,", "2021,甲,首台套, 刻蚀\u3000机,厂 ,上海,"
    )
    assert "与第 2 行重复" in problem


def test_hidden_and_garbled_characters_are_refused() -> None:
    assert "控制字符" in problems("2021,甲,首台套,A\u200bB,厂,上海,")[0]
    assert "控制字符" in problems("2021,甲,首台套,A\u202eB,厂,上海,")[0]
    assert "乱码" in problems("2021,甲,首台套,A\ufffdB,厂,上海,")[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "文件是空的"),
        (b"\xef\xbb\xbf\r\n", "文件是空的"),
        (HEAD.encode(), "文件里没有产品"),
        (HEAD.encode("utf-16"), "不是 CSV 文本"),
        (b"PK\x03\x04....", "不是 CSV 文本"),
        (HEAD.encode() + b"2021,\xff\xff,x", "第 2 行：编码既不是 UTF-8 也不是 GB18030"),
        (HEAD.encode() + b'2021,"open', "引号或分隔符有误"),
        (b"year,list,kind\n1,2,3", "产品名称（product_name）、单位名称（firm_name）"),
        (HEAD.replace("year", "list").encode(), "“名单”（list）这一列出现了不止一次"),
        (HEAD.replace(",", ";").encode(), "表头缺少这些列"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data: bytes, message: str) -> None:
    report = imports.read(data)
    assert not report.sound
    assert any(message in str(problem) for problem in report.problems), list(report.lines())
    assert report.rows == [] or not report.sound


def test_a_huge_cell_is_a_fault_and_no_crash() -> None:
    assert not report_of(f"2021,甲,首台套,{'x' * 200_000},厂,上海,").sound
