"""A test client whose every request has a context of its own, as in real life."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient


class Browser(FlaskClient):
    """Requests share nothing with the test's own context: not the person, not the session."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        with self.application.app_context():
            return super().open(*args, **kwargs)
