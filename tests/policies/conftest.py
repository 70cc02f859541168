"""A browser for this room's tests: nothing of one request is remembered in the next."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, g
from flask.testing import FlaskClient


class Browser(FlaskClient):
    """Tests share one app context, so what a request left in ``g`` must go before the next."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        for name in list(g):
            g.pop(name)
        return super().open(*args, **kwargs)


@pytest.fixture
def client(app: Flask, session: Any) -> FlaskClient:
    """The browser."""
    return Browser(app, app.response_class)
