"""The printed answer of the check page: what a certificate was worth on a day, as we know it now.

A buyer puts it into the purchase file. It carries the same as JSON (``answer.json``) and is signed
like a certificate; nothing of it is kept here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from catalogue.certificates.models import Certificate
from catalogue.certificates.rules import ACTS
from catalogue.certificates.wording import (
    ANSWER_ATTACHMENT,
    ANSWER_FORMAT,
    ISSUER,
    Wording,
    canonical,
)
from catalogue.database import SHANGHAI
from catalogue.documents.paper import INK_2, RULE, WIDTH, Cell, Papers, Row, Tag

LABEL = 120.0
MARKS = {"ok": "✓ ", "fail": "× "}


def papers_of(
    certificate: Certificate, day: date, asked_at: datetime, told: dict[str, Any], signer: str
) -> Papers:
    """The rows of the answer for ``day``; ``told`` is what the page tells programs of it."""
    words, standing = certificate.words, certificate.standing(day)
    answered = asked_at.astimezone(SHANGHAI)
    content = {
        "format": ANSWER_FORMAT,
        "asked_at": answered.isoformat(timespec="seconds"),
        "answer": standing.sentence,
        "product": words.product,
        "enterprise": words.enterprise,
        "credit_code": words.credit_code,
        **told,
    }
    tag = Tag(MARKS.get(standing.tag, "") + standing.label, "plain" if standing.valid else "solid")
    rows = (
        Row((Cell(f"证书核验答复　{words.formal_number}", colour=INK_2),), pad=2, keep=True),
        Row((Cell(f"{day} 是否有效", size=22, bold=True),), pad=4, keep=True),
        Row((Cell(standing.sentence, size=14, tag=tag),), pad=6),
        *(_notes(words, day, answered)),
        *_section("登记的内容"),
        *_pairs(_registered(certificate, words)),
        *_section("状态的经过"),
        *_pairs(_history(certificate)),
        *_section("这份答复"),
        *_pairs(
            [
                ("答复时间", f"{answered:%Y-%m-%d %H:%M:%S}（北京时间）"),
                ("签名", f"{ISSUER}　证书序列 {signer}"),
                ("怎样核对", "把本文件交到平台的证书核验页，或用离线核验程序。改动一字即不符。"),
                ("再查一次", words.check_url.partition("?")[0]),
            ]
        ),
    )
    running = f"证书核验答复　{certificate.number}" + (
        "　示范环境，不作任何证明" if words.specimen else ""
    )
    return Papers(
        title=f"核验答复 {certificate.number} {day}",
        rows=rows,
        running=running,
        foot=f"{certificate.number}　问 {day}　{answered:%Y-%m-%d %H:%M:%S} 答",
        author=ISSUER,
        attachments=((ANSWER_ATTACHMENT, canonical(content)),),
    )


def _notes(words: Wording, day: date, answered: datetime) -> Iterator[Row]:
    if day > answered.date():
        yield _note("这一天还没有到，按答复时登记的情况答。以后的变更不在这份答复里。")
    if words.specimen:
        yield _note("示范环境的样张，不作任何证明。")


def _note(text: str) -> Row:
    return Row((Cell(text, size=9.5, colour=INK_2),), pad=3)


def _registered(certificate: Certificate, words: Wording) -> list[tuple[str, str]]:
    term = f"{words.valid_from} 至 {words.valid_until}"
    pairs = [
        ("编号", f"{certificate.number}　{words.formal_number}"),
        ("产品", words.product),
        ("型号", words.model),
        ("申报单位", words.enterprise),
        ("统一社会信用代码", words.credit_code),
        ("有效期", term + ("　示范参数" if words.validity_placeholder else "")),
        ("核验码", certificate.check_code),
        ("文件 SHA-256", certificate.file_sha256 or "证书文件正在签发"),
    ]
    if certificate.replaces:
        pairs.append(("换发自", certificate.replaces.number))
    if certificate.follower:
        pairs.append(("由新证书代替", certificate.follower.number))
    return pairs


def _history(certificate: Certificate) -> list[tuple[str, str]]:
    pairs = [(_moment(certificate.registered_at), "登记编号")]
    if certificate.issued_at:
        pairs.append((_moment(certificate.issued_at), "签发证书"))
    for change in certificate.history:
        assert change.answered_at is not None
        pairs.append((_moment(change.answered_at), f"{ACTS[change.status]}证书\n{change.reason}"))
    return pairs


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def _section(title: str) -> Iterator[Row]:
    yield Row((Cell(title, size=13, bold=True),), space=20, rule=2, pad=5, keep=True)


def _pairs(pairs: list[tuple[str, str]]) -> Iterator[Row]:
    for index, (label, value) in enumerate(pairs):
        yield Row(
            (
                Cell(label, width=LABEL - 12, size=9.5, colour=INK_2),
                Cell(value, x=LABEL, width=WIDTH - LABEL),
            ),
            rule=0.5 if index else 0,
            rule_colour=RULE,
        )
