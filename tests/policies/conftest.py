"""The browser of this room's tests."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.browser import ForgetfulBrowser


@pytest.fixture
def client(app: Flask, session: Any) -> FlaskClient:
    """The browser."""
    return ForgetfulBrowser(app, app.response_class)
