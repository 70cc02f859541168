"""Synonyms: what they widen, how a buyer does without one, who may change them, what is kept."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from catalogue.audit.operations import trail
from catalogue.database import db
from catalogue.listings import words
from catalogue.listings.ask import ask
from catalogue.listings.models import Synonym
from catalogue.listings.operations import load_synonyms, shanghai_day
from catalogue.listings.search import Search
from catalogue.listings.synonyms import Thesaurus, check
from tests import builders
from tests.listings.test_catalogue import SEED, catalogue, imported

__all__ = ["catalogue"]
GROUPS = (("刻蚀机", "蚀刻机", "etcher"), ("风电机组", "wind turbine"), ("变压器", "transformer"))


def needs(q: str, dropped: tuple[str, ...] = ()) -> list[list[str]]:
    """The other words put in for each part of a question."""
    found = Thesaurus(GROUPS).needs(words.question(q), dropped)
    return [[variant.word for variant in need.variants] for need in found]


def test_a_word_brings_its_others_wherever_it_stands() -> None:
    assert needs("刻蚀机") == [["蚀刻机", "etcher"]]
    assert needs("ＥＴＣＨＥＲＳ") == [["刻蚀机", "蚀刻机"]]
    assert needs("蝕刻機") == [["刻蚀机", "etcher"]]
    assert needs("海上风电机组价格") == [["wind turbine"]]
    assert needs("wind turbine tower") == [["风电机组"], []]
    assert needs("刻蚀机", ("etcher",)) == [["蚀刻机"]]
    assert needs("泵") == [[]]


@pytest.mark.parametrize(
    "group",
    [
        ["泵"],
        ["泵", "，"],
        ["泵", "ＰＵＭＰ", "pump"],
        ["字" * 41, "泵"],
        [*"甲乙丙丁戊己庚辛壬癸子丑寅"],
    ],
)
def test_a_group_that_says_nothing_is_refused(group: list[str]) -> None:
    assert check(group)


def _post(client: FlaskClient, address: str, **values: str) -> Any:
    return builders.post(client, address, values)


def test_a_change_of_staff_counts_at_the_next_question(client: FlaskClient, catalogue: Any) -> None:
    imported()
    staff = builders.user("reviewer", "审查员甲")
    db.session.commit()
    assert ask(Search("transformer"), shanghai_day()).total == 0
    builders.sign_in(client, staff)
    assert _post(client, "/catalogue/synonyms", words="变压器\ntransformer").status_code == 303
    assert ask(Search("transformer"), shanghai_day()).total == 4
    page = client.get("/catalogue?q=transformer").text
    assert "是“transformer”的同义词" in page
    dropped = "/catalogue?q=transformer&amp;drop=%E5%8F%98%E5%8E%8B%E5%99%A8"
    assert f'href="{dropped}"' in page
    without = client.get(dropped.replace("&amp;", "&")).text
    assert "没有找到产品" in without and "不用同义词“变压器”" in without

    group = db.session.scalars(select(Synonym)).one()
    assert "审查员甲" in client.get("/catalogue/synonyms?word=trans").text
    address = f"/catalogue/synonyms/{group.id}"
    assert _post(client, address, words="变压器").status_code == 422
    assert _post(client, address, words="变压器\n变电器", note="旧称").status_code == 303
    meant = ask(Search("变电器"), shanghai_day())
    assert meant.total == 4 and meant.near is None
    assert _post(client, address, retire="yes").status_code == 303
    assert ask(Search("变电器"), shanghai_day()).near is not None, "only its parts are met"
    db.session.refresh(group)
    assert group.changed_by is not None and group.changed_by.name == "审查员甲"
    assert [e.action for e in trail(group)] == [
        "synonym.add", "synonym.change", "synonym.retire",
    ]  # fmt: skip
    assert "停用" in client.get(address).text


def test_the_database_keeps_every_group(catalogue: Any) -> None:
    assert load_synonyms(SEED.parent / "synonyms.yaml", None) > 200
    assert load_synonyms(SEED.parent / "synonyms.yaml", None) == 0
    db.session.commit()
    for harm in (
        "DELETE FROM synonym",
        "UPDATE synonym SET words = '[\"a\"]'",
        "UPDATE synonym SET created_at = now() + interval '1 day'",
        "UPDATE synonym SET words = (SELECT words FROM synonym WHERE id = 1)",
    ):
        with pytest.raises(IntegrityError):
            db.session.execute(text(harm))
        db.session.rollback()
