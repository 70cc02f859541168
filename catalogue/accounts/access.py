"""Who may enter which page: each view declares it, and an undeclared view stops the start."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from flask import Flask, abort, redirect, request, url_for
from flask_login import current_user

PUBLIC = frozenset({"public"})
SIGNED_IN = frozenset({"signed_in"})

# Signs of an escaped address within a redirect; proxies hold all headers in 4 or 8 KB.
MOST_IN_HEADER = 3_000

View = Callable[..., Any]


def public(view: View) -> View:
    """Anyone may enter."""
    view.access = PUBLIC  # type: ignore[attr-defined]
    return view


def signed_in(view: View) -> View:
    """Any signed-in person may enter."""
    return _guarded(view, SIGNED_IN)


def allow(*roles: str) -> Callable[[View], View]:
    """Only people who hold one of ``roles`` may enter."""
    return lambda view: _guarded(view, frozenset(roles))


def _guarded(view: View, access: frozenset[str]) -> View:
    @wraps(view)
    def entered(*args: Any, **kwargs: Any) -> Any:
        if not current_user.is_authenticated:
            return redirect(url_for("accounts.sign_in", next=_here()), code=303)
        if access != SIGNED_IN and not current_user.has_role(*access):
            abort(403)
        return view(*args, **kwargs)

    entered.access = access  # type: ignore[attr-defined]
    return entered


def _here() -> str | None:
    if request.method != "GET":
        return None
    here = request.full_path.rstrip("?")
    return here if fits_a_header(here) else None


def fits_a_header(address: str) -> bool:
    """Whether a redirect can hold an address: proxies and browsers refuse a header beyond it."""
    return len(quote(address)) <= MOST_IN_HEADER


def declared(app: Flask) -> dict[str, frozenset[str]]:
    """Endpoint → who may enter; raises RuntimeError for a view that does not say."""
    access: dict[str, frozenset[str]] = {}
    for endpoint, view in app.view_functions.items():
        entry = getattr(view, "access", None)
        if endpoint == "static":
            entry = PUBLIC
        if entry is None:
            raise RuntimeError(f"{endpoint} does not declare who may enter")
        access[endpoint] = entry
    return access
