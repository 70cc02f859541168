"""What a policy file may not be: each refusal names its line and reason, in words and quickly."""

from __future__ import annotations

import time

import pytest

from catalogue.policies.rules import PolicyRefused, load
from catalogue.policies.source import MAX_BYTES
from tests.policies.small import TEXT, changed

FLOOR = "value: 1000.00, unit: 元"
REQUIRE = "require: total(contracts) >= p.floor"

RULE = TEXT[TEXT.index("  - id: total") : TEXT.index("stages:")]
MANY_CONTRACTS = f"  - {{name: 多, facts: {{contracts: [{'{amount: 1.00}, ' * 400}]}}}}\n"
PAIRS = "contracts.all(a, contracts.all(b, a.amount >= b.amount || a.amount >= p.floor))"


def refusal(text: str) -> PolicyRefused:
    with pytest.raises(PolicyRefused) as caught:
        load(text)
    return caught.value


def test_the_small_policy_loads() -> None:
    document = load(TEXT)
    assert (document.scheme, document.version) == ("first_version", "T-1")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (REQUIRE, "require: total(contracts) >= p.flor", "没有参数 p.flor"),
        (REQUIRE, "require: total(contract) >= p.floor", "第 7 列：没有事实 contract"),
        (REQUIRE, "require: total(contracts) >= today", "第 1 列：金额和日期不能放在一起"),
        (REQUIRE, "require: total(contracts) >= 500000", "金额不和写死的数放在一起"),
        (REQUIRE, "require: total(contracts) >= p.rate", "金额和比例不能放在一起"),
        (REQUIRE, "require: total(contracts) / 3 >= p.floor", "金额相除会丢掉零头"),
        (REQUIRE, "require: total(contracts) >= p.floor || 1 > 2 + ", "没有写完，还缺一个值"),
        (REQUIRE, "require: p.floor > 0", "没有读任何事实，结果永远一样"),
        (REQUIRE, "require: 'contracts.amount > p.floor'", "contracts 是列表"),
        (REQUIRE, "require: 'contracts.all(p, true)'", "变量 p 已经是别的名字"),
        (REQUIRE, "require: 'contracts.all(c, c.signed_on)'", "这里应是是否，写的是日期"),
        (REQUIRE, "require: 'total(contracts, \"signed_on\") > 0'", "日期不能求和"),
        (REQUIRE, "require: 'share(total(contracts), 2) > 0'", "这一项应是比例，写的是数字"),
        (REQUIRE, "require: 'nth(p.rate, 1) == p.rate'", "这里应是列表"),
        (REQUIRE, "require: 'enterprise.name >= \"a\"'", "文字不分大小"),
        ("    otherwise", "    applies: enterprise.size == 'large'\n    otherwise", "要一起写"),
        ("    otherwise", "    unknown: guess\n    otherwise", "unknown 写 ask 或 needs_person"),
        (
            "  rate: {",
            "  spare: {value: 1, label: 多余, article: 第一条, confidence: 见}\n  rate: {",
            "参数 spare 没有用到",
        ),
        ("stages:", RULE.replace("id: total", "id: again") + "stages:", "与 total 的条件一模一样"),
        ("value: total(contracts), article", "value: count(contracts), article", "应得出金额"),
        (
            "base_facts",
            "split: [{id: a, label: 甲, article: 第一条}, {id: b}]\nbase_facts",
            "只有最后一份可以不写 value",
        ),
        ("amount: 333.33}", "amount: 333.33, shares: {a: 1}}", "split 里没有 a"),
        ("{amount: 999.99}", "{amount: 999.98}", "缺例子：差一个单位"),
        ("[{amount: 1000.00}]", "[{amount: 1000.01}]", "缺例子：正好在门槛上"),
        ("read: '{total(contracts)}'", "read: '{total(contracts) | date}'", "不能写成 date"),
        (REQUIRE, "require: 'contracts.all(c, c.amont > 1)'", "没有事实 contracts[].amont"),
        (REQUIRE, "require: product.nam == p.floor", "没有事实 product.nam"),
        (REQUIRE, "require: sum(contracts) >= p.floor", "没有函数 sum"),
        (REQUIRE, "require: contracts[0].amount >= p.floor", "不用下标取值"),
        (REQUIRE, "require: total(contracts) >= ", "写法有误"),
        (REQUIRE, "require: 'total(contracts) >= 1.5'", "不写小数"),
        (REQUIRE, f"require: {'(' * 30}true{')' * 30}", "括号嵌套"),
        (REQUIRE, f"require: {'true && ' * 200}true", "个字符"),
        (
            "words: 累计不低于 {p.floor}",
            "words: 累计不低于 {total(contracts)}",
            "没有事实 contracts",
        ),
        ("words: 累计不低于 {p.floor}", "words: 累计不低于 {p.floor", "花括号没有成对"),
        ("otherwise: ineligible", "otherwise: maybe", "otherwise 写"),
        ("article: 第一条\n    require", "article: 第二条\n    require", "没有条文“第二条”"),
        (FLOOR, "value: -1.00, unit: 元", "0 以上"),
        (FLOOR, "value: 0.001, unit: 元", "最多两位小数"),
        (FLOOR, "value: .nan, unit: 元", "不是一个数"),
        (FLOOR, "value: 99999999999999999999, unit: 元", "数字超过"),
        ("value: 0.333333, unit: 比例", "value: 20, unit: 比例", "0 到 1 的小数"),
        ("from: 2020-01-01", "from: 2024-02-30", "没有 2024-02-30 这一天"),
        ("to: 2020-12-31", "to: 2019-12-31", "早于"),
        ("title: 小政策", "title: 小政策\ntitle: 又一个", "写了两次"),
        ("title: 小政策", "title: 小政策\nsurprise: 1", "没有 surprise 这一节"),
        ("notice: {working_days: 5, placeholder: true}\n", "", "缺 notice 这一节"),
        ("title: 小政策", "title: &a 小政策", "不支持锚点"),
        ("title: 小政策", "title: !!python/object:os.system x", "不支持类型标签"),
        ("scheme: first_version", "scheme: third", "scheme 只能是"),
        ("[formal_check, committee, notice]", "[formal_check, lunch]", "没有环节 lunch"),
        ("[formal_check, committee, notice]", "[notice, formal_check]", "依次"),
        ("confidence: 见}\nparameters", "confidence: 真的}\nparameters", "confidence 只能是"),
        ('value: "share(base, p.rate)"', "value: base * p.rate", "第 1 列：比例不能直接计算"),
        ("value: total(contracts), article", "value: amount, article", "步骤 amount 写在后面"),
        (REQUIRE, "require: total(contracts)", "应是一个成立或不成立的条件，写的是金额"),
        ("expect: {total: fail}", "expect: {total: pass}", "应为 pass，算得 fail"),
        ("amount: 333.33", "amount: 333.34", "金额应为 333.34，算得 333.33"),
        ("{amount: 999.99}", "{amount: 1000.01}", "没有一个“不符”的例子"),
        ("{amount: 999.99}", "{amout: 999.99}", "没有事实 contracts.amout"),
        ("id: total\n", "id: Total!\n", "小写字母"),
    ],
)
def test_a_faulty_file_is_refused_with_its_reason(old: str, new: str, reason: str) -> None:
    assert reason in str(refusal(changed(old, new)))


def test_a_refusal_names_the_line() -> None:
    text = changed(REQUIRE, "require: total(contracts) >= p.flor")
    line = next(n for n, t in enumerate(text.splitlines(), 1) if "p.flor" in t)
    assert refusal(text).problems[0].line == line


def test_all_faults_are_named_at_once() -> None:
    text = changed("confidence: 见}\nparameters", "confidence: 真的}\nparameters").replace(
        "value: 0.333333", "value: 33"
    )
    assert len(refusal(text).problems) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n",
        "a: [",
        "\t",
        "[" * 5_000,
        "a:\n" + "".join(f"{' ' * i}b:\n" for i in range(1, 300)),
        "a: &x [1]\nb: *x\n",
        "x: " + "a" * MAX_BYTES,
        TEXT + "\nterms: {" + ", ".join(f"k{i}: v" for i in range(9_000)) + "}\nnope: 1\n",
        "{? [a] : b}",
        "\x00",
        "\ud800",
        "a" * 10_000_000,
        changed(REQUIRE, f"require: '{PAIRS}'").replace(
            "examples:\n", "examples:\n" + MANY_CONTRACTS * 4
        ),
        TEXT + "gaps: [" + "[" * 15 + "]" * 15 + "]\n",
        TEXT.replace("rules:\n", "rules:\n" + RULE * 150, 1),
        TEXT.replace("words: 累计", "words: '" + "{p.floor}" * 100 + "' # ", 1),
    ],
    ids=[
        "empty",
        "list",
        "open",
        "tab",
        "brackets",
        "deep",
        "alias",
        "long",
        "wide",
        "key",
        "nul",
        "surrogate",
        "10 MB",
        "work",
        "nested",
        "rules",
        "holes",
    ],
)
def test_hostile_text_is_refused_in_words_within_a_second(text: str) -> None:
    started = time.process_time()
    assert refusal(text).problems[0].reason
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("value: 1000.00", "value: 010", 8, "数字不以 0 开头"),
        ("value: 1000.00", "value: １０００", 8, "元的值应是数字"),
        ("value: 1000.00", "value: -1000.00", 8, "金额须为 0 以上"),
        ("value: 1000.00", "value: .nan", 8, ".nan 不是一个数"),
        ("value: 1000.00", "value: 1e400", 8, "元的值应是数字"),
        ("value: 0.333333", "value: 20", 9, "0 到 1 的小数，例如 0.20"),
        ("from: 2020-01-01", "from: 2024-02-30", 4, "没有 2024-02-30 这一天"),
        ("title: 小政策", "title: 小政策\ntitle: 大政策", 4, "键“title”写了两次"),
        ("title: 小政策", 'title: "小\\0政策"', 3, "看不见的字符 U+0000"),
        ("title: 小政策", "title: 小\u202e政策", 3, "看不见的字符 U+202E"),
        ("title: 小政策", '"ti\\u200btle": 小政策', 3, "看不见的字符 U+200B"),
        ("title: 小政策", "title: 小\x00政策", 3, "看不见的字符 U+0000"),
        (REQUIRE, "require: day(2024, 2, 30) <= today", 15, "没有 2024-2-30 这一天"),
    ],
)
def test_a_value_that_could_be_read_two_ways_is_refused_at_its_line(
    old: str, new: str, line: int, reason: str
) -> None:
    first = refusal(changed(old, new)).problems[0]
    assert (first.line, reason in first.reason) == (line, True), first


def test_a_byte_order_mark_at_the_head_is_no_fault() -> None:
    assert load(f"\ufeff{TEXT}").version == "T-1"


def test_macros_within_macros_are_bounded() -> None:
    deep = "contracts.all(a, contracts.all(b, contracts.all(c, contracts.all(d, true))))"
    assert "逐项遍历" in str(refusal(changed(REQUIRE, f"require: '{deep}'")))
