"""Signing in and out."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user

from catalogue.accounts import operations
from catalogue.accounts.access import fits_a_header, public, signed_in
from catalogue.accounts.forms import SignInForm
from catalogue.accounts.models import User
from catalogue.database import db

bp = Blueprint("accounts", __name__)


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Any:
    if current_user.is_authenticated and request.method == "GET":
        return redirect(url_for("messages.home"), code=303)
    form = SignInForm()
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate_on_submit():
            user, problem, status = _try(form)
            if user is not None:
                target = local_target(request.args.get("next"))
                begin_session(user)
                return redirect(target, code=303)
            form.email.errors = [problem]
    return render_template("accounts/sign_in.html", form=form), status


def begin_session(user: User) -> None:
    """Sign ``user`` in under a new session; what an earlier session held is gone."""
    session.clear()
    login_user(user)
    session.permanent = True


def _try(form: SignInForm) -> tuple[Any, str, int]:
    email, address = form.email.data.strip().lower(), request.remote_addr or "-"
    if operations.throttled(email, address):
        return None, "试得太频繁，请过 5 分钟再试", 429
    user = operations.authenticate(email, form.password.data, address)
    db.session.commit()
    return user, "邮箱或密码不对", 422


def local_target(target: str | None) -> str:
    """``target`` when it is a path of this site, else the person's home."""
    home = url_for("messages.home")
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return home
    if any(ord(c) < 33 or c == "\\" for c in target) or not fits_a_header(target):
        return home
    parts = urlsplit(target)
    return home if parts.scheme or parts.netloc else target


@bp.post("/sign-out")
@signed_in
def sign_out() -> Any:
    logout_user()
    session.clear()
    flash("已退出登录。")
    return redirect(url_for("statistics.front"), code=303)
