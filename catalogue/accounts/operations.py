"""Creating people, checking passwords in constant time, throttling failed sign-ins."""

from __future__ import annotations

import secrets
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, func, select

from catalogue.accounts.models import ROLES, FailedSignIn, User, UserRole
from catalogue.audit.operations import record
from catalogue.database import db, utc_now
from catalogue.errors import Refused

# OWASP's minimum for argon2id: 19 MiB, two passes.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Verified for unknown names, so that the answer takes the same time.
ABSENT = HASHER.hash(secrets.token_urlsafe(16))

WINDOW = timedelta(minutes=5)
TRIES_PER_EMAIL = 10
TRIES_PER_ADDRESS = 50
MIN_PASSWORD = 10


def create_user(
    email: str, name: str, password: str, roles: set[str], actor: User | None = None
) -> User:
    """Create a person; raises Refused when the address is taken or the password too short."""
    email = email.strip().lower()
    if len(password) < MIN_PASSWORD:
        raise Refused(f"密码至少 {MIN_PASSWORD} 位", field="password", status=422)
    if db.session.scalar(select(User.id).where(User.email == email)):
        raise Refused("这个邮箱已经注册，请直接登录", field="email", status=422)
    user = User(
        email=email,
        name=name.strip(),
        password_hash=HASHER.hash(password),
        session_stamp=secrets.token_hex(8),
        role_rows=[UserRole(role=role) for role in sorted(roles)],
    )
    if not roles <= ROLES.keys():
        raise ValueError(f"unknown role in {roles}")
    db.session.add(user)
    record("account.create", user, actor or None, roles=sorted(roles))
    return user


def give_role(user: User, role: str, actor: User | None) -> None:
    """Add a role; old sessions end, because what they may do has changed."""
    if role in user.roles:
        return
    user.role_rows.append(UserRole(role=role))
    user.session_stamp = secrets.token_hex(8)
    record("account.give_role", user, actor, role=role)


def throttled(email: str, address: str) -> bool:
    """Whether this name or address has failed too often in the last five minutes.

    The window slides, so nobody is locked out for good.
    """
    since = utc_now() - WINDOW
    by_email = db.session.scalar(
        select(func.count()).where(
            FailedSignIn.email == email,
            FailedSignIn.address == address,
            FailedSignIn.at > since,
        )
    )
    by_address = db.session.scalar(
        select(func.count()).where(FailedSignIn.address == address, FailedSignIn.at > since)
    )
    return (by_email or 0) >= TRIES_PER_EMAIL or (by_address or 0) >= TRIES_PER_ADDRESS


def authenticate(email: str, password: str, address: str) -> User | None:
    """The person with this name and password, or None; a failure is counted."""
    email = email.strip().lower()
    user = db.session.scalar(select(User).where(User.email == email))
    try:
        HASHER.verify(user.password_hash if user else ABSENT, password)
    except (VerifyMismatchError, InvalidHashError):
        user = None
    if user is None or not user.active:
        db.session.add(FailedSignIn(email=email[:254], address=address))
        db.session.execute(
            delete(FailedSignIn).where(FailedSignIn.at < utc_now() - timedelta(days=1))
        )
        return None
    db.session.execute(delete(FailedSignIn).where(FailedSignIn.email == email))
    record("account.sign_in", user, user)
    return user


def by_session(session_id: str) -> User | None:
    """The person of a session cookie; None once the stamp has changed."""
    key, _, stamp = session_id.partition(":")
    if not key.isdigit():
        return None
    user = db.session.get(User, int(key))
    return user if user and user.active and user.session_stamp == stamp else None
