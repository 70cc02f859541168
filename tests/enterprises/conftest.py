"""The client of this room's tests: its requests share nothing but cookies."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.enterprises import firms


@pytest.fixture
def client(app: Flask, session: Any) -> FlaskClient:
    return firms.browser(app)
