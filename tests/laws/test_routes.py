"""Every route stands in one list with who may enter; strangers are refused at each."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from flask import Flask

from catalogue.accounts.access import declared
from catalogue.accounts.models import ROLES
from catalogue.security import KEEPS_NOTHING, ONE_CLICK
from tests import builders
from tests.laws.access_list import ACCESS


def test_the_list_equals_the_url_map(app: Flask) -> None:
    found = {
        endpoint: " ".join(sorted(access))
        for endpoint, access in declared(app).items()
        if any(rule.endpoint == endpoint for rule in app.url_map.iter_rules())
    }
    assert found == ACCESS


def _address(rule: Any) -> str:
    values = {
        name: 999_999 if "Integer" in type(converter).__name__ else "nothing"
        for name, converter in rule._converters.items()
    }
    for name, converter in rule._converters.items():
        if "Any" in type(converter).__name__:
            values[name] = min(converter.items)
    return rule.build(values)[1]


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_is_kept_out_where_the_list_says_so(
    app: Flask, client: Any, session: Any, role: str | None
) -> None:
    if role is not None:
        user = builders.user(role)
        session.commit()
        builders.sign_in(client, user)
    for rule in app.url_map.iter_rules():
        access = ACCESS[rule.endpoint].split()
        if rule.endpoint in ("static", "accounts.sign_out") or "GET" not in rule.methods:
            continue
        response = client.get(_address(rule))
        where = f"{role} at {rule.rule}: {response.status_code}"
        if access == ["public"] or (role and (access == ["signed_in"] or role in access)):
            assert response.status_code not in (401, 403, 405), where
            assert response.status_code < 500 or rule.endpoint == "ready", where
        elif role is None:
            assert response.status_code == 303, where
            assert "/sign-in" in response.headers["Location"], where
        else:
            assert response.status_code == 403, where


def test_every_post_without_its_token_is_refused(app: Flask, client: Any, session: Any) -> None:
    for rule in app.url_map.iter_rules():
        if "POST" in rule.methods and rule.endpoint not in (*KEEPS_NOTHING, *ONE_CLICK):
            assert client.post(_address(rule)).status_code == 400, rule.rule


def test_every_response_carries_the_headers(client: Any) -> None:
    for address in ("/", "/nothing-here", "/sign-in", "/healthz"):
        response = client.get(address)
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy and "unsafe-inline" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Request-Id"]


def test_pages_and_styles_are_packed_but_no_page_that_holds_a_token(client: Any) -> None:
    for asked, address in product(("br", "gzip"), ("/catalogue", "/schemes")):
        response = client.get(address, headers={"Accept-Encoding": asked})
        assert response.headers["Content-Encoding"] == asked, address
        assert "Accept-Encoding" in response.headers["Vary"]
    style = client.get("/static/css/parts.css", headers={"Accept-Encoding": "br"})
    assert style.headers["Content-Encoding"] == "br"
    kept = {"Accept-Encoding": "br", "If-None-Match": style.headers["ETag"]}
    assert client.get("/static/css/parts.css", headers=kept).status_code == 304
    assert "Content-Encoding" not in client.get("/catalogue").headers
    form = client.get("/sign-in", headers={"Accept-Encoding": "br"})
    assert b"csrf_token" in form.data and "Content-Encoding" not in form.headers


def test_a_style_is_kept_for_good_only_at_the_address_of_its_content(client: Any) -> None:
    page = client.get("/accessibility").text
    styles = re.findall(r'(/static/css/[^"?]+)\?v=([^"]+)"', page)
    assert len(styles) == 5
    for path, mark in styles:
        assert "immutable" in client.get(f"{path}?v={mark}").headers["Cache-Control"]
        assert client.get(f"{path}?v=another").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/nothing.css?v=1").status_code == 404
