"""The public log in a browser: its pages, and proofs that other code can check."""

from __future__ import annotations

import json
from typing import Any

from flask import current_app
from flask.testing import FlaskClient

from catalogue import keys
from catalogue.audit import log, merkle
from tests import builders


def test_a_stranger_takes_the_log_away_and_rebuilds_its_root(
    session: Any, client: FlaskClient
) -> None:
    assert "还没有记入任何条目" in client.get("/log").text
    assert client.get("/log/checkpoint.json").status_code == 404
    application = builders.concluded()
    session.commit()
    log.sign_checkpoint(keys.of(current_app.config))
    session.commit()
    lines = client.get("/log/entries.jsonl").text.splitlines()
    leaves = []
    for place, line in enumerate(lines):
        entry = json.loads(line)
        assert entry.pop("position") == place
        data = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        leaves.append(merkle.leaf_hash(data.encode()))
    kinds = {json.loads(line)["kind"] for line in lines}
    assert {"decision", "certificate"} <= kinds
    signed = client.get("/log/checkpoint.json").get_json()
    assert keys.verify(signed["checkpoint"].encode(), signed["signature"], signed["certificate"])
    root = bytes.fromhex(json.loads(signed["checkpoint"])["root"])
    found = client.get(f"/log?q={application.number}").text
    assert application.number in found
    answer = client.get("/log/inclusion.json?position=0").get_json()
    path = [bytes.fromhex(step) for step in answer["path"]]
    assert merkle.includes(leaves[0], 0, len(leaves), path, root)
    assert answer["path"] == [] or answer["path"][0] in client.get("/log/0").text


def test_what_is_not_there_is_404(session: Any, client: FlaskClient) -> None:
    log.append("notice", "GS-2026-0001", "0" * 64)
    session.commit()
    for address in (
        "/log/7",
        "/log/99999999999999999999",
        "/log/inclusion.json",
        "/log/inclusion.json?position=0",
        "/log/consistency.json?from=1&to=2",
        "/log/checkpoint.json?size=99999999999999999999",
        "/log/entries.jsonl?from=3&to=1",
    ):
        assert client.get(address).status_code == 404, address
    assert "没有这个编号或哈希" in client.get("/log?q=%3Cb%3E").text


def test_a_place_that_no_log_reaches_is_no_page(client: FlaskClient, session: Any) -> None:
    for far in ("9" * 19, "9" * 400, "-1"):
        for rest in (
            f"?before={far}",
            f"/checkpoint.json?size={far}",
            f"/inclusion.json?position={far}",
            f"/entries.jsonl?from={far}",
            f"/entries.jsonl?from=0&to={far}",
        ):
            assert client.get(f"/log{rest}").status_code == 404, rest
