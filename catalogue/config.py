"""Settings: read once from the environment, checked, and never changed afterwards."""

from __future__ import annotations

import os
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from sqlalchemy import Engine

ROOT = Path(__file__).resolve().parent.parent
MODES = ("demo", "test", "production")
MIB = 1024 * 1024

# What people copy out of tutorials and example files; production takes none of them.
DEFAULT_SECRETS = frozenset(
    {"changeme", "change-me", "default", "dev", "password", "portal", "postgres", "secret", "test"}
)
SECRET_LENGTH = 32
ACCOUNT_KEY_BYTES = 32
# Letters and digits that nobody confuses when typing them from a terminal.
READABLE = "".join(sorted(set(string.ascii_lowercase + string.digits) - set("l1o0i")))


class ConfigError(RuntimeError):
    """The settings do not allow a start; the message names each faulty setting and the cure."""


@dataclass(frozen=True)
class Config:
    """Every setting of one process.

    `database_url` and `redis_url` are empty until given by the environment or by
    `catalogue.embedded`; everything else is complete after `from_env`.
    """

    mode: str
    var_dir: Path
    secret_key: str = field(repr=False)
    account_key: bytes = field(repr=False)
    database_url: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    storage_dir: Path = Path()
    index_dir: Path = Path()
    keys_dir: Path = Path()
    fonts_dir: Path = Path()
    port: int = 8000
    base_url: str = ""
    max_upload_bytes: int = 20 * MIB
    mail_url: str = field(default="", repr=False)
    signing_pkcs12: Path | None = None
    signing_passphrase: str = field(default="", repr=False)
    signing_pkcs11: str = field(default="", repr=False)
    signing_pin: str = field(default="", repr=False)
    session_idle: timedelta = timedelta(minutes=30)
    session_absolute: timedelta = timedelta(hours=12)
    proxy_hops: int = 0
    debug: bool = False
    check_schema: bool = True

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The settings that `environ` describes.

        Raises ConfigError for a value that cannot be read, and in production for every secret
        or address that is missing, too short or a well-known default.
        """
        mode = environ.get("PORTAL_MODE", "").strip() or "demo"
        if mode not in MODES:
            raise ConfigError(f"PORTAL_MODE must be one of {', '.join(MODES)}, not {mode!r}.")
        var_dir = _path(environ, "PORTAL_VAR", ROOT / "var")
        if mode == "production":
            _refuse_unsafe(environ)
        port = _number(environ, "PORT", 8000, low=1, high=65535)
        pkcs12 = environ.get("SIGNING_PKCS12", "").strip()
        return cls(
            mode=mode,
            var_dir=var_dir,
            secret_key=environ.get("SECRET_KEY", "") or _kept_secret(var_dir, "secret-key"),
            account_key=_account_key(environ.get("ACCOUNT_KEY", ""), var_dir),
            database_url=environ.get("DATABASE_URL", "").strip(),
            redis_url=environ.get("REDIS_URL", "").strip(),
            storage_dir=_path(environ, "STORAGE_DIR", var_dir / "documents"),
            index_dir=_path(environ, "INDEX_DIR", var_dir / "index"),
            keys_dir=_path(environ, "KEYS_DIR", var_dir / "keys"),
            fonts_dir=_path(environ, "FONTS_DIR", var_dir / "fonts"),
            port=port,
            base_url=(environ.get("BASE_URL", "") or f"http://127.0.0.1:{port}").rstrip("/"),
            max_upload_bytes=_number(environ, "MAX_UPLOAD_BYTES", 20 * MIB, low=MIB),
            mail_url=_mail_url(environ, mode, var_dir),
            signing_pkcs12=Path(pkcs12).resolve() if pkcs12 else None,
            signing_passphrase=environ.get("SIGNING_PASSPHRASE", ""),
            signing_pkcs11=environ.get("SIGNING_PKCS11", "").strip(),
            signing_pin=_pin(environ),
            session_idle=timedelta(
                minutes=_number(environ, "SESSION_IDLE_MINUTES", 30, low=1, high=1440)
            ),
            session_absolute=timedelta(
                hours=_number(environ, "SESSION_ABSOLUTE_HOURS", 12, low=1, high=168)
            ),
            proxy_hops=_number(environ, "PROXY_HOPS", 0, low=0, high=5),
            debug=_switch(environ, "FLASK_DEBUG", default=False),
            check_schema=_switch(environ, "PORTAL_CHECK_SCHEMA", default=True),
        )

    @property
    def production(self) -> bool:
        """Whether real people and real money are behind this process."""
        return self.mode == "production"

    @property
    def demo(self) -> bool:
        """Whether pages carry the demo banner and the demo accounts may exist."""
        return self.mode == "demo"

    def flask(self) -> dict[str, Any]:
        """The mapping for `app.config`; the one place where names of extensions appear."""
        return {
            "MODE": self.mode,
            "DEMO": self.demo,
            "TESTING": self.mode == "test",
            "SECRET_KEY": self.secret_key,
            "ACCOUNT_KEY": self.account_key,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "VAR_DIR": self.var_dir,
            "STORAGE_DIR": self.storage_dir,
            "INDEX_DIR": self.index_dir,
            "KEYS_DIR": self.keys_dir,
            "FONTS_DIR": self.fonts_dir,
            "BASE_URL": self.base_url,
            "MAIL_URL": self.mail_url,
            "PORT": self.port,
            "PROXY_HOPS": self.proxy_hops,
            "SIGNING_PKCS12": self.signing_pkcs12,
            "SIGNING_PASSPHRASE": self.signing_passphrase,
            "SIGNING_PKCS11": self.signing_pkcs11,
            "SIGNING_PIN": self.signing_pin,
            "SQLALCHEMY_DATABASE_URI": psycopg_url(self.database_url),
            "SQLALCHEMY_ENGINE_OPTIONS": engine_options(),
            **self._compression(),
            **self._uploads(),
            **self._sessions(),
            **self._rate_limits(),
        }

    def _compression(self) -> dict[str, Any]:
        return {
            # Called by security.py, which knows what must not be packed.
            "COMPRESS_REGISTER": False,
            "COMPRESS_MIMETYPES": ["text/html", "text/css", "text/javascript", "image/svg+xml"],
            "COMPRESS_ALGORITHM": ["br", "gzip"],
            "COMPRESS_ALGORITHM_STREAMING": ["br", "deflate"],
        }

    def _uploads(self) -> dict[str, Any]:
        return {
            "MAX_UPLOAD_BYTES": self.max_upload_bytes,
            # One file of the largest size plus the other fields of its form.
            "MAX_CONTENT_LENGTH": self.max_upload_bytes + MIB,
            "MAX_FORM_MEMORY_SIZE": MIB,
            "MAX_FORM_PARTS": 1000,
        }

    def _sessions(self) -> dict[str, Any]:
        return {
            # The __Host- prefix makes browsers refuse the cookie from a sibling domain or over
            # plain HTTP; without TLS they would refuse it altogether, hence only in production.
            "SESSION_COOKIE_NAME": "__Host-portal" if self.production else "portal",
            "SESSION_COOKIE_SECURE": self.production,
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            "SESSION_COOKIE_PATH": "/",
            "SESSION_IDLE": self.session_idle,
            "SESSION_ABSOLUTE": self.session_absolute,
            "PERMANENT_SESSION_LIFETIME": self.session_absolute,
            "WTF_CSRF_ENABLED": True,
            "WTF_CSRF_CHECK_DEFAULT": True,
            # The token lives as long as the session: a draft left open over lunch still saves.
            "WTF_CSRF_TIME_LIMIT": None,
            "WTF_CSRF_SSL_STRICT": self.production,
            # On, it would ask Flask-Babel, which is not here, and forms would speak English.
            "WTF_I18N_ENABLED": False,
            "PREFERRED_URL_SCHEME": "https" if self.production else "http",
            "TRUSTED_HOSTS": self._trusted_hosts(),
        }

    def _trusted_hosts(self) -> list[str] | None:
        """Hosts that production answers to: its own and the loopback of the health checks."""
        if not self.production:
            return None
        return [urlsplit(self.base_url).hostname or "", "127.0.0.1", "localhost"]

    def _rate_limits(self) -> dict[str, Any]:
        return {
            # The suite has one address and no patience; its own test switches the limits on.
            "RATELIMIT_ENABLED": self.mode != "test",
            "RATELIMIT_STORAGE_URI": self.redis_url or "memory://",
            "RATELIMIT_STORAGE_OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1}
            if self.redis_url
            else {},
            # Redis is a doorbell: without it limits are counted per process, not dropped.
            "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
            "RATELIMIT_HEADERS_ENABLED": True,
        }


def psycopg_url(url: str) -> str:
    """`url` with the driver that SQLAlchemy must use, whatever spelling the operator chose."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def engine_options() -> dict[str, Any]:
    """Options for `create_engine`: every wait has an end, so a stuck server is an error page."""
    limits = {
        "statement_timeout": "30s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "60s",
        "timezone": "UTC",
    }
    return {
        "pool_pre_ping": True,
        "pool_size": 5,
        "max_overflow": 10,
        "pool_timeout": 10,
        "connect_args": {
            "connect_timeout": 5,
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
        },
    }


def demo_password(config: Config) -> str:
    """The password of every `<role>@demo.test`, made once per state folder.

    Raises ConfigError in production, where no such account may exist.
    """
    if config.production:
        raise ConfigError("PORTAL_MODE=production has no demo accounts and no demo password.")
    return _kept(
        config.var_dir / "demo-password",
        lambda: "-".join("".join(secrets.choice(READABLE) for _ in range(4)) for _ in range(3)),
    )


def require_current_schema(engine: Engine, migrations_dir: Path | str) -> None:
    """Raise ConfigError, naming both revisions, when the database is not at the code's schema."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    wanted = set(ScriptDirectory(str(migrations_dir)).get_heads())
    with engine.connect() as connection:
        found = set(MigrationContext.configure(connection).get_current_heads())
    if wanted != found:
        raise ConfigError(
            f"Pending migrations: the database is at {_listed(found)}, the code needs "
            f"{_listed(wanted)}. Run `flask --app wsgi db upgrade` with PORTAL_CHECK_SCHEMA=off."
        )


def _refuse_unsafe(environ: Mapping[str, str]) -> None:
    """Raise one ConfigError that lists everything production may not start with."""
    faults = [
        *_secret_faults(environ),
        *_signing_faults(environ),
        *(
            f"{name} is missing"
            for name in ("DATABASE_URL", "REDIS_URL", "BASE_URL")
            if not environ.get(name, "").strip()
        ),
    ]
    for name in ("DATABASE_URL", "REDIS_URL"):
        password = _url_password(environ.get(name, ""))
        if password is not None and password.lower() in DEFAULT_SECRETS:
            faults.append(f"{name} carries a well-known default password")
    if environ.get("BASE_URL", "").strip() and not environ["BASE_URL"].startswith("https://"):
        faults.append("BASE_URL must start with https:// (the session cookie is Secure)")
    if _switch(environ, "FLASK_DEBUG", default=False):
        faults.append("FLASK_DEBUG is on")
    if faults:
        raise ConfigError("PORTAL_MODE=production refuses to start: " + "; ".join(faults) + ".")


def _secret_faults(environ: Mapping[str, str]) -> list[str]:
    faults = []
    secret = environ.get("SECRET_KEY", "").strip()
    if not secret:
        faults.append("SECRET_KEY is missing")
    elif secret.lower() in DEFAULT_SECRETS:
        faults.append("SECRET_KEY is a well-known default")
    elif len(secret) < SECRET_LENGTH or len(set(secret)) < SECRET_LENGTH // 4:
        faults.append(f"SECRET_KEY is too short or too uniform ({SECRET_LENGTH} characters)")
    account_key = environ.get("ACCOUNT_KEY", "").strip()
    if not account_key:
        faults.append("ACCOUNT_KEY is missing")
    elif len(set(account_key)) < SECRET_LENGTH // 4:
        faults.append("ACCOUNT_KEY is too uniform to be a key")
    return faults


def _signing_faults(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the one key that signs: an archive with its passphrase, or a token."""
    pkcs12 = environ.get("SIGNING_PKCS12", "").strip()
    if environ.get("SIGNING_PKCS11", "").strip():
        faults = [] if _pin(environ) else ["SIGNING_PIN is missing"]
        return [*faults, "SIGNING_PKCS12 and SIGNING_PKCS11: give one"] if pkcs12 else faults
    faults = []
    if not pkcs12:
        faults.append("SIGNING_PKCS12 is missing (or SIGNING_PKCS11)")
    elif not Path(pkcs12).is_file():
        faults.append("SIGNING_PKCS12 names no file")
    if not environ.get("SIGNING_PASSPHRASE"):
        faults.append("SIGNING_PASSPHRASE is missing")
    elif environ["SIGNING_PASSPHRASE"].lower() in DEFAULT_SECRETS:
        faults.append("SIGNING_PASSPHRASE is a well-known default")
    return faults


def _pin(environ: Mapping[str, str]) -> str:
    """The PIN of the signing token, from SIGNING_PIN or the file that SIGNING_PIN_FILE names."""
    pin, path = environ.get("SIGNING_PIN", ""), environ.get("SIGNING_PIN_FILE", "").strip()
    if pin or not path:
        return pin
    try:
        return Path(path).read_text().rstrip("\r\n")
    except (OSError, ValueError):
        raise ConfigError("SIGNING_PIN_FILE cannot be read.") from None


def _mail_url(environ: Mapping[str, str], mode: str, var_dir: Path) -> str:
    """Where letters go; without a setting a demonstration keeps them, production sends none."""
    url = environ.get("MAIL_URL", "").strip()
    if url and not url.startswith(("smtp://", "smtps://", "file:///")):
        raise ConfigError("MAIL_URL must start with smtp://, smtps:// or file:///.")
    return url or ("" if mode == "production" else (var_dir.resolve() / "mail").as_uri())


def _account_key(value: str, var_dir: Path) -> bytes:
    """The key that encrypts bank accounts: 32 bytes, written as 64 hexadecimal digits."""
    text = value.strip() or _kept_secret(var_dir, "account-key")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != ACCOUNT_KEY_BYTES:
        raise ConfigError(
            f"ACCOUNT_KEY must be {ACCOUNT_KEY_BYTES} bytes as {ACCOUNT_KEY_BYTES * 2} "
            "hexadecimal digits (for example from `openssl rand -hex 32`)."
        )
    return key


def _kept_secret(var_dir: Path, name: str) -> str:
    return _kept(var_dir / "secrets" / name, lambda: secrets.token_hex(SECRET_LENGTH))


def _kept(path: Path, make: Callable[[], str]) -> str:
    """The one line in `path`; made on first use, readable by its owner only.

    The file appears complete or not at all, and of two processes that start together one wins.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def _path(environ: Mapping[str, str], name: str, default: Path) -> Path:
    value = environ.get(name, "").strip()
    return Path(value).expanduser().resolve() if value else default


def _number(
    environ: Mapping[str, str], name: str, default: int, *, low: int, high: int = 2**31
) -> int:
    text = environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
    return int(text)


def _switch(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environ.get(name, "").strip().lower()
    if text in {"1", "true", "on", "yes"}:
        return True
    if text in {"0", "false", "off", "no"}:
        return False
    if text:
        raise ConfigError(f"{name} must be on or off, not {text!r}.")
    return default


def _url_password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


def _listed(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "nothing"
