"""Headers on every response, its compression, a request id, and the idle end of a session."""

from __future__ import annotations

import secrets
from typing import Any

import structlog
from flask import Flask, Response, abort, current_app, g, request, session
from flask_compress import Compress
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import logout_user

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
# What strangers may send, per address; sign-in has its own throttle, which locks nobody out.
LIMITS = {
    "notices.object_to": ("10 per minute; 60 per hour", ["POST"]),
    "notices.paper": ("60 per minute", ["GET"]),
    "enterprises.register": ("10 per minute", ["POST"]),
    "certificates.answer_pdf": ("10 per minute", ["GET"]),
    "certificates.check_file": ("20 per minute", ["POST"]),
    "certificates.show": ("120 per minute", ["GET"]),
    "certificates.status_json": ("120 per minute", ["GET"]),
    "reviews.overrides": ("60 per minute", ["GET"]),
    "listings.digests.new": ("30 per minute", ["POST"]),
    "listings.digests.stop": ("60 per minute", ["GET", "POST"]),
    "listings.feeds.feed": ("120 per minute", ["GET"]),
    "listings.frozen.check": ("60 per minute", ["GET"]),
    "listings.frozen.new": ("30 per minute", ["POST"]),
    "listings.frozen.pdf": ("30 per minute", ["GET"]),
    "listings.frozen.show": ("120 per minute", ["GET"]),
    "listings.need.page": ("120 per minute", ["GET"]),
    "listings.suggest": ("600 per minute", ["GET"]),
    "policies.trial.self_check": ("30 per minute", ["POST"]),
    "policies.trial.what_if": ("30 per minute", ["POST", "GET"]),
}
# All resources of the open API and its files together, per address.
OPEN = ("/api/", "/open-data/")
OPEN_LIMIT = "300 per minute"
# Any site may read what is open to all; its script may see what a polite reader needs.
OPEN_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, Retry-After, X-Request-Id, X-RateLimit-Limit,"
    " X-RateLimit-Remaining, X-RateLimit-Reset",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "If-None-Match",
    "Access-Control-Max-Age": "86400",
}
# Posts that change nothing and keep nothing need no token, and so set no cookie.
KEEPS_NOTHING = ("policies.trial.self_check", "policies.trial.what_if")


# What a mail program posts by itself (RFC 8058): the secret in the address is the token.
ONE_CLICK = ("listings.digests.stop",)


def register(app: Flask) -> None:
    """Install the hooks that run around every request."""
    # The views know their limiter only weakly; somebody must hold it.
    limiter = app.extensions["limiter_of_strangers"] = Limiter(get_remote_address, app=app)
    for endpoint in (*KEEPS_NOTHING, *ONE_CLICK):
        app.extensions["csrf"].exempt(app.view_functions[endpoint])
    for endpoint, (limit, methods) in LIMITS.items():
        # HEAD costs as much as GET, and would else go round its limit.
        counted = [*methods, "HEAD"] if "GET" in methods else methods
        view: Any = limiter.limit(limit, methods=counted)(app.view_functions[endpoint])
        app.view_functions[endpoint] = view
    open_limit = limiter.shared_limit(OPEN_LIMIT, scope="open", methods=["GET", "HEAD"])
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(OPEN):
            opened: Any = open_limit(app.view_functions[rule.endpoint])
            app.view_functions[rule.endpoint] = opened

    compress = Compress()
    compress.init_app(app)
    app.extensions["compress"] = compress
    # Flask calls them last to first: the headers are there before the page is packed.
    app.after_request(_compressed)
    app.before_request(_name_request)
    app.before_request(_refuse_nul)
    app.before_request(_end_idle_session)
    app.after_request(_add_headers)


def _name_request() -> None:
    g.request_id = secrets.token_hex(8)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _refuse_nul() -> None:
    """No text of the database holds U+0000, and asking it for one is an error there."""
    if b"%00" in request.query_string or b"\0" in request.query_string:
        abort(400)
    # The open API names the parameter at fault itself.
    if "\0" in request.path and not request.path.startswith(OPEN[0]):
        abort(404)


def _end_idle_session() -> None:
    if not session or request.endpoint in ("static", "pages.library", "alive", "ready"):
        return
    now = utc_now().timestamp()
    seen, began = session.get("seen"), session.get("began", now)
    settings = current_app.config
    if seen is not None and (
        now - seen > settings["SESSION_IDLE"].total_seconds()
        or now - began > settings["SESSION_ABSOLUTE"].total_seconds()
    ):
        logout_user()
        session.clear()
        return
    # Written at most once a minute, so that reading pages rarely sends a cookie.
    if "_user_id" in session and (seen is None or now - seen > 60):
        session["seen"] = now
        session.setdefault("began", now)


def _compressed(response: Response) -> Response:
    # Packed together, words of the address and the token of a form would tell each other's length
    # apart (BREACH): a page that holds a token goes out as it is.
    if "csrf_token" in g:
        return response
    packed: Response = current_app.extensions["compress"].after_request(response)
    return packed


def _add_headers(response: Response) -> Response:
    # No view sets any of them: adding costs a third of looking each one up first.
    response.headers.extend(HEADERS)
    if request.path.startswith(OPEN):
        response.headers.update(OPEN_HEADERS)
        if request.method == "OPTIONS":
            response.headers.update(PREFLIGHT_HEADERS)
    if current_app.config["MODE"] == "production":
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if request.endpoint != "static" and "Cache-Control" not in response.headers:
        # Asking the cookie, not the database: error pages must come while it is away.
        response.headers["Cache-Control"] = "no-store" if "_user_id" in session else "no-cache"
    response.headers["X-Request-Id"] = g.get("request_id", "-")
    return response
