"""The browser of these tests."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.notices.browser import Browser


@pytest.fixture
def client(app: Flask, session: Any) -> Browser:
    """A browser without a screen, on committed data only."""
    return Browser(app, app.response_class)
