"""Headers on every response, a request id, and the idle end of a session."""

from __future__ import annotations

import secrets
from typing import Any

import structlog
from flask import Flask, Response, g, request, session
from flask_login import current_user, logout_user

from catalogue.database import utc_now

POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none';"
    " form-action 'self'; img-src 'self'; script-src 'self'; style-src 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def register(app: Flask) -> None:
    """Install the hooks that run around every request."""

    @app.before_request
    def name_request() -> None:
        g.request_id = secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.before_request
    def end_idle_session() -> None:
        if request.endpoint in ("static", "pages.library", "alive", "ready"):
            return
        now = utc_now().timestamp()
        seen, began = session.get("seen"), session.get("began", now)
        if seen is not None and (
            now - seen > app.config["SESSION_IDLE"].total_seconds()
            or now - began > app.config["SESSION_ABSOLUTE"].total_seconds()
        ):
            logout_user()
            session.clear()
            return
        # Written at most once a minute, so that reading pages rarely sends a cookie.
        if "_user_id" in session and (seen is None or now - seen > 60):
            session["seen"] = now
            session.setdefault("began", now)

    @app.after_request
    def add_headers(response: Response) -> Any:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if app.config["MODE"] == "production":
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if request.endpoint != "static" and "Cache-Control" not in response.headers:
            private = current_user and current_user.is_authenticated
            response.headers["Cache-Control"] = "no-store" if private else "no-cache"
        response.headers["X-Request-Id"] = g.get("request_id", "-")
        return response
