"""Every route stands in one list with who may enter; strangers are refused at each."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from catalogue import create_app
from catalogue.accounts.access import declared
from catalogue.accounts.models import ROLES
from catalogue.config import Config
from catalogue.database import db
from catalogue.embedded import Services
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


def test_no_address_makes_a_header_that_proxies_refuse(client: Any, session: Any) -> None:
    long = "长" * 5_000
    asked = client.get("/frozen/new/search", query_string={"q": long})
    assert asked.status_code == 303 and asked.headers["Location"] == "/sign-in"
    shown = builders.post(client, "/display", {"next": f"/catalogue?q={long}", "elder": "on"})
    assert shown.status_code == 303 and len(shown.headers["Location"]) < 100


def test_every_post_without_its_token_is_refused(app: Flask, client: Any, session: Any) -> None:
    for rule in app.url_map.iter_rules():
        if "POST" in rule.methods and rule.endpoint not in (*KEEPS_NOTHING, *ONE_CLICK):
            assert client.post(_address(rule)).status_code == 400, rule.rule


def _kept(person: Any) -> Any:
    db.session.commit()
    return person


def test_no_address_brings_the_database_a_nul(app: Flask, client: Any, session: Any) -> None:
    for rule in app.url_map.iter_rules():
        if "GET" not in rule.methods or ACCESS[rule.endpoint] != "public":
            continue
        address = _address(rule)
        assert client.get(f"{address}?v=%00").status_code in (400, 503), rule.rule
        # Only words of the address stand where "nothing" stands.
        found = client.get(address.replace("nothing", "%00"))
        assert found.status_code < 500 or rule.endpoint == "ready", rule.rule
    assert client.get("/digests/stop/%00").status_code == 404
    answer = builders.post(client, "/sign-in", {"email": "a\0@example.test", "password": "x"})
    assert answer.status_code == 422 and 'id="email-error"' in answer.text
    assert client.post("/what-if/first_version", data={"v": "\0"}).status_code == 404
    builders.sign_in(client, _kept(builders.user("administrator")))
    # One address within another hides it from the gate.
    inner = "/policies/simulator/compare?s=scheme%3D%2500%26version%3D%2500"
    assert client.get(inner).status_code == 404


def test_head_counts_towards_the_limit_of_get(
    services: Services, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config.from_env(
        {
            "PORTAL_MODE": "test",
            "PORTAL_VAR": str(tmp_path),
            "DATABASE_URL": services.database_url,
            "REDIS_URL": services.redis_url,
        }
    )
    monkeypatch.setattr(Config, "_rate_limits", lambda self: {"RATELIMIT_STORAGE_URI": "memory://"})
    client = create_app(config).test_client()
    address = "/certificates/SHCP-2026-9999/answer.pdf"
    # X-Forwarded-For is believed only from as many proxies as the operator named: here none.
    asked = [
        client.head(address, headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
        for n in range(11)
    ]
    assert asked == [404] * 10 + [429]


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
