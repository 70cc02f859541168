"""Test clients whose requests share nothing but cookies, as in real life."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.testing import FlaskClient


class Browser(FlaskClient):
    """Requests share nothing with the test's own context: not the person, not the session."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **kwargs)


class ForgetfulBrowser(FlaskClient):
    """Requests on the test's own database session, each without what the last one knew."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        for name in list(g):
            g.pop(name)
        return super().open(*args, **kwargs)
