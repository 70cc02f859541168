"""The open API against its own document: whatever is asked, an answer that the document names."""

from __future__ import annotations

from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from catalogue.database import db
from tests import builders

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 8


def test_nothing_that_is_asked_breaks_the_api_or_its_document(app: Flask, session: Any) -> None:
    builders.concluded("catalogue")
    builders.concluded("first_version")
    db.session.commit()
    described = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    asked = 0
    for result in described.get_all_operations():
        operation = result.ok()

        @seed(20261124)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            case.call_and_validate(checks=CHECKS)

        ask()
    assert asked >= EXAMPLES * 10
