"""The 申报书: an application as it stands, with what was found and how the amount comes about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from catalogue.applications.models import Application
from catalogue.database import SHANGHAI
from catalogue.documents.paper import (
    INK_2,
    RULE,
    WIDTH,
    Cell,
    Papers,
    Row,
    Tag,
)
from catalogue.enterprises.taxonomies import district_name, honour_name
from catalogue.money import money_text, money_words
from catalogue.policies.document import ROUNDING, SCHEMES, PolicyDocument
from catalogue.policies.models import DecisionRecord
from catalogue.products.taxonomies import advancement_name, domain_name, novelty_name

ISSUER = "创新产品推荐目录平台"
LABEL_WIDTH, HASH_DIGITS = 108.0, 16
VERDICTS = {"eligible": "符合", "ineligible": "不符合", "needs_person": "转人工审查"}
RESULTS = {"fail": Tag("× 不符", "solid"), "pass": Tag("✓ 符合", "plain")}
UNKNOWN = Tag("? 无法判定")
PLACEHOLDER = Tag("示范参数")
ORDER = {"fail": 0, "unknown": 1, "pass": 2}
EDGES = {"fail": "solid", "unknown": "dotted"}
UNFILLED = "未填"


def papers_of(
    application: Application,
    document: PolicyDocument,
    kept: DecisionRecord | None,
    remarks: Mapping[str, Mapping[str, Any]],
    *,
    specimen: bool,
) -> Papers:
    """The rows of the 申报书; ``kept`` is the record of the newest check, ``remarks`` by rule."""
    report = application.report
    rows = [
        *_cover(application, document, specimen=specimen),
        *_firm(application),
        *_product(application),
        *_answers(application, document),
        *(_contracts(application, document) if document.contracts else ()),
        *_materials(application, document),
    ]
    if report is None:
        rows += [*_section("自动核验"), _words("提交后自动核验，结果会列在这里。")]
    else:
        checked = f"{_moment(report.created_at)} 核验　{VERDICTS[report.verdict]}"
        rows += [*_section("自动核验", checked), *_findings(report.findings, remarks)]
        rows += _worksheet(report.worksheet, report.amount_fen, document)
    rows += _proof(application, document, kept)
    number = application.number
    return Papers(
        title=f"申报书 {number} {application.product.name}",
        rows=tuple(rows),
        running=f"{ISSUER}　申报书　{number}" + ("　示范环境，不作任何证明" if specimen else ""),
        foot=f"{number}　{application.standing.public}　{application.enterprise.name[:40]}",
        author=ISSUER,
    )


def _cover(application: Application, document: PolicyDocument, *, specimen: bool) -> Iterator[Row]:
    over = f"申报书　{SCHEMES[document.scheme]}　{application.round.title}"
    product = application.product
    yield Row((Cell(over, size=10, colour=INK_2),), pad=2, keep=True)
    yield Row((Cell(f"{product.name} {product.model}", size=22, bold=True),), pad=4, keep=True)
    yield Row((Cell(application.enterprise.name, size=12, colour=INK_2),), pad=2, keep=True)
    submitted = application.submitted_at
    facts = [
        ("申报编号", application.number),
        ("回执号", application.receipt_number or "还没有提交"),
        ("提交时间", f"{_moment(submitted)}（北京时间）" if submitted else "还没有提交"),
        ("现在的状态", f"{application.standing.public}（{_moment(application.state_since)} 起）"),
        ("规则", f"{document.title}　{document.version} 版"),
    ]
    yield Row((Cell("", size=1),), pad=0, space=10, rule=3)
    yield from _pairs(facts, first_rule=False)
    if specimen:
        yield _words("示范环境的样张，不作任何证明。标有示范参数的数没有公开依据，仅供演示。")


def _section(title: str, aside: str = "") -> Iterator[Row]:
    yield Row(
        (
            Cell(title, width=140, size=13, bold=True),
            Cell(aside, x=140, width=WIDTH - 140, size=9, colour=INK_2, align="right"),
        ),
        space=20,
        rule=2,
        pad=5,
        keep=True,
    )


def _words(text: str) -> Row:
    return Row((Cell(text, size=9, colour=INK_2),), pad=4)


def _pairs(pairs: list[tuple[str, str]], *, first_rule: bool = True) -> Iterator[Row]:
    for index, (label, value) in enumerate(pairs):
        yield Row(
            (
                Cell(label, width=LABEL_WIDTH - 12, size=9.5, colour=INK_2),
                Cell(
                    value or UNFILLED,
                    x=LABEL_WIDTH,
                    width=WIDTH - LABEL_WIDTH,
                    colour=Cell("").colour if value else INK_2,
                ),
            ),
            rule=0.5 if index or first_rule else 0,
            rule_colour=RULE,
        )


def _firm(application: Application) -> Iterator[Row]:
    firm = application.enterprise
    yield from _section("单位")
    yield from _pairs(
        [
            ("单位名称", firm.name),
            ("信用代码", firm.credit_code),
            ("所在区", district_name(firm.district) if firm.district else ""),
            ("成立日期", _day(firm.founded_on)),
            ("称号", "、".join(honour_name(honour.kind) for honour in firm.honours) or "无"),
        ]
    )


def _product(application: Application) -> Iterator[Row]:
    product = application.product
    patents = [f"{patent.number}　{_day(patent.granted_on)}" for patent in product.patents]
    advancement = product.advancement
    yield from _section("产品")
    yield from _pairs(
        [
            ("产品名称", product.name),
            ("版本号" if product.kind == "software" else "型号", product.model),
            ("领域", domain_name(product.domain)),
            ("创新档次", novelty_name(product.novelty)),
            ("技术水平", advancement_name(advancement) if advancement else ""),
            ("首次销售", _day(product.first_sold_on) or "还没有销售"),
            ("简介", product.summary),
            ("知识产权", "\n".join(patents) or "无"),
        ]
    )


def _answers(application: Application, document: PolicyDocument) -> Iterator[Row]:
    if not document.answers:
        return
    yield from _section("申报内容")
    yield from _pairs(
        [(answer.label, _value(answer, application.answers)) for answer in document.answers]
    )


def _value(asked: Any, given: Mapping[str, Any]) -> str:
    """What was given for a question, or for a column of a contract, in words."""
    value = given.get(asked.id)
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if asked.type == "money" and isinstance(value, int):
        return f"{money_text(value)} 元"
    return str(getattr(asked, "options", {}).get(value, value))


def _contracts(application: Application, document: PolicyDocument) -> Iterator[Row]:
    contracts = application.contracts
    yield from _section("合同与到账", f"{len(contracts)} 份，金额单位：元")
    places = ((0, 190), (198, 62), (264, 62), (330, 74), (409, WIDTH - 409))
    names = ("合同编号与买方", "签订", "发票", "金额", "到账")
    head = Row(
        tuple(
            Cell(name, x=x, width=width, size=8.5, bold=True, align=_side(index))
            for index, (name, (x, width)) in enumerate(zip(names, places, strict=True))
        ),
        rule=0.75,
        wash=True,
        keep=True,
    )
    yield head
    columns = document.contracts.columns if document.contracts else ()
    for contract in contracts:
        said = [
            f"{column.label}　{value}"
            for column in columns
            if (value := _value(column, contract.details))
        ]
        values = (
            "\n".join([contract.number, contract.buyer_name, *said]),
            _day(contract.signed_on),
            _day(contract.invoiced_on) or UNFILLED,
            money_text(contract.amount_fen),
            UNFILLED if contract.received_fen is None else money_text(contract.received_fen),
        )
        yield Row(
            tuple(
                Cell(value, x=x, width=width, size=9, align=_side(index))
                for index, (value, (x, width)) in enumerate(zip(values, places, strict=True))
            ),
            rule=0.5,
            rule_colour=RULE,
            head=(head,),
        )
    total = money_text(sum(contract.amount_fen for contract in contracts))
    x, width = places[3]
    yield Row(
        (
            Cell("合计", width=190, size=9, bold=True),
            Cell(total, x=x - 60, width=width + 60, size=9, bold=True, align="right"),
        ),
        rule=0.75,
    )


def _side(column: int) -> str:
    return "right" if column >= 3 else "left"


def _materials(application: Application, document: PolicyDocument) -> Iterator[Row]:
    yield from _section("材料", f"{len(application.evidence)} 件")
    pairs = []
    for material in document.materials:
        files = [
            f"{evidence.document.filename}\nSHA-256 {evidence.document.sha256[:HASH_DIGITS]}…"
            for evidence in application.evidence
            if evidence.material == material.id
        ]
        missing = "没有附" if material.required else "没有附（选附）"
        pairs.append((material.name, "\n".join(files) or missing))
    yield from _pairs(pairs)


def _findings(
    findings: list[Mapping[str, Any]], remarks: Mapping[str, Mapping[str, Any]]
) -> Iterator[Row]:
    for finding in sorted(findings, key=lambda each: ORDER.get(each["result"], 1)):
        yield from _finding(finding, remarks.get(finding["rule"]))


def _finding(finding: Mapping[str, Any], remark: Mapping[str, Any] | None) -> Iterator[Row]:
    edge, result = EDGES.get(finding["result"], ""), RESULTS.get(finding["result"], UNKNOWN)
    indent = 12.0 if edge else 0.0
    lines: list[tuple[str, str, Tag | None]] = [
        ("读到", finding["read"], None),
        ("缺", "、".join(finding["missing"]), None),
    ]
    gap = finding["gap"]
    threshold = "，".join(part for part in (finding["threshold"], gap) if part)
    lines += [
        ("门槛", threshold, PLACEHOLDER if finding["placeholder"] else None),
        ("依据", finding["article"], None),
        ("怎样能过" if finding["result"] == "fail" else "接下来", finding["remedy"], None),
        ("人工复核", _remark(remark), None),
    ]
    told = [(label, text, tag) for label, text, tag in lines if text]
    yield Row(
        (
            Cell(finding["title"], x=indent, width=WIDTH - indent - 80, size=10.5, bold=True),
            Cell(
                "",
                x=WIDTH - 80,
                width=80,
                align="right",
                tag=result,
            ),
        ),
        rule=0.5,
        rule_colour=RULE,
        edge=edge,
        pad=3,
        keep=bool(told),
    )
    for index, (label, text, tag) in enumerate(told):
        yield Row(
            (
                Cell(label, x=indent, width=60, size=9, colour=INK_2),
                Cell(text, x=indent + 60, width=WIDTH - indent - 60, size=9.5, tag=tag),
            ),
            edge=edge,
            pad=1.5,
            keep=index < len(told) - 1,
        )
    yield Row((Cell("", size=4),), edge=edge, pad=0)


def _remark(remark: Mapping[str, Any] | None) -> str:
    if remark is None:
        return ""
    said = f"经人工复核不予采用，按{remark['counts_as']}计"
    if remark["waiting"]:
        said = f"已申请不予采用，等另一人确认；确认前仍按{remark['result']}计"
    return f"{said}。理由：{remark['reason']}"


def _worksheet(
    lines: list[Mapping[str, Any]], total_fen: int | None, document: PolicyDocument
) -> Iterator[Row]:
    if not lines:
        return
    yield from _section("金额测算", "单位：元")
    for number, line in enumerate(lines, start=1):
        told = [line["label"], line["operands"], line["note"], f"依据　{line['article']}"]
        yield Row(
            (
                Cell(str(number), width=16, size=9, colour=INK_2),
                Cell(
                    "\n".join(text for text in told if text),
                    x=20,
                    width=330,
                    size=9.5,
                    tag=PLACEHOLDER if line["placeholder"] else None,
                ),
                Cell(_amount(line["amount_fen"]), x=355, width=WIDTH - 355, align="right"),
            ),
            rule=0.5,
            rule_colour=RULE,
        )
    yield Row(
        (
            Cell("核算金额", width=200, size=10, bold=True),
            Cell(_amount(total_fen), x=200, width=WIDTH - 200, size=15, bold=True, align="right"),
        ),
        rule=1,
        keep=True,
    )
    words = "" if total_fen is None else f"{money_words(total_fen)}\n"
    marked = "含示范参数，" if any(line["placeholder"] for line in lines) else ""
    note = f"{words}{marked}不是承诺，以审定为准。规则版本 {document.version}。{ROUNDING}"
    yield _words(note)


def _amount(fen: int | None) -> str:
    return "无法判定" if fen is None else money_text(fen)


def _proof(
    application: Application, document: PolicyDocument, kept: DecisionRecord | None
) -> Iterator[Row]:
    yield from _section("凭据")
    record = "还没有核验"
    if kept is not None:
        record = f"{kept.sha256}\n可下载 record.json，用公开的重算程序逐字节核对。"
    yield from _pairs(
        [
            ("规则文本", f"SHA-256 {document.sha256}"),
            ("核验记录", record),
            ("第几稿", str(application.version)),
        ]
    )


def _day(value: date | None) -> str:
    return value.isoformat() if value else ""


def _moment(value: datetime) -> str:
    return value.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
