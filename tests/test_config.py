"""Settings: what is read, what is made up once, and what production refuses."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from wtforms import HiddenField, SelectField
from wtforms.validators import InputRequired

from catalogue.config import Config, ConfigError, demo_password, psycopg_url, require_current_schema
from catalogue.forms import PostedForm

KEY = "0123456789abcdef" * 4


class Recorder(dict[str, str]):
    """An environment that remembers which names were asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


def environment_names(folder: Path) -> set[str]:
    """Every variable that the settings read in any mode."""
    asked = set()
    for values in (production(folder), {"PORTAL_VAR": str(folder)}):
        recorder = Recorder(values)
        Config.from_env(recorder)
        asked |= recorder.asked
    return asked


def production(folder: Path, **changes: str) -> dict[str, str]:
    """An environment with which production starts."""
    certificate = folder / "signing.p12"
    certificate.write_bytes(b"p12")
    return {
        "PORTAL_MODE": "production",
        "PORTAL_VAR": str(folder),
        "SECRET_KEY": KEY,
        "ACCOUNT_KEY": KEY,
        "DATABASE_URL": "postgresql://portal:3f1c9a77@db/portal",
        "REDIS_URL": "redis://:77aa31@redis/0",
        "BASE_URL": "https://catalogue.example",
        "SIGNING_PKCS12": str(certificate),
        "SIGNING_PASSPHRASE": "a passphrase of its own",
        **changes,
    }


def test_demo_needs_no_setting_and_keeps_its_secrets(tmp_path: Path) -> None:
    first = Config.from_env({"PORTAL_VAR": str(tmp_path)})
    second = Config.from_env({"PORTAL_VAR": str(tmp_path)})
    assert first == second
    assert first.demo
    assert len(first.secret_key) >= 32
    assert len(first.account_key) == 32
    assert first.storage_dir == tmp_path / "documents"
    for kept in (tmp_path / "secrets").iterdir():
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_two_folders_have_two_secrets(tmp_path: Path) -> None:
    one = Config.from_env({"PORTAL_VAR": str(tmp_path / "one")})
    two = Config.from_env({"PORTAL_VAR": str(tmp_path / "two")})
    assert one.secret_key != two.secret_key
    assert demo_password(one) != demo_password(two)


def test_demo_password_is_made_once(tmp_path: Path) -> None:
    config = Config.from_env({"PORTAL_VAR": str(tmp_path)})
    assert demo_password(config) == demo_password(config)
    assert re.fullmatch(r"[a-z0-9]{4}(-[a-z0-9]{4}){2}", demo_password(config))


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    config = Config.from_env(production(tmp_path))
    for secret in (KEY, "3f1c9a77", "77aa31", "a passphrase of its own"):
        assert secret not in repr(config)


def test_production_starts_with_everything_given(tmp_path: Path) -> None:
    settings = Config.from_env(production(tmp_path)).flask()
    assert settings["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert settings["SESSION_COOKIE_SECURE"]
    assert settings["TRUSTED_HOSTS"][0] == "catalogue.example"
    assert settings["SQLALCHEMY_DATABASE_URI"].startswith("postgresql+psycopg://")
    assert not (tmp_path / "secrets").exists()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SECRET_KEY", "", "SECRET_KEY is missing"),
        ("SECRET_KEY", "changeme", "SECRET_KEY is a well-known default"),
        ("SECRET_KEY", "abc123", "SECRET_KEY is too short"),
        ("SECRET_KEY", "a" * 64, "SECRET_KEY is too short or too uniform"),
        ("ACCOUNT_KEY", "", "ACCOUNT_KEY is missing"),
        ("ACCOUNT_KEY", "00" * 32, "ACCOUNT_KEY is too uniform"),
        ("ACCOUNT_KEY", "0123456789abcdef", "ACCOUNT_KEY must be 32 bytes"),
        ("DATABASE_URL", "", "DATABASE_URL is missing"),
        ("DATABASE_URL", "postgresql://portal:postgres@db/x", "DATABASE_URL carries a well-known"),
        ("REDIS_URL", "", "REDIS_URL is missing"),
        ("REDIS_URL", "redis://:password@redis/0", "REDIS_URL carries a well-known"),
        ("BASE_URL", "", "BASE_URL is missing"),
        ("BASE_URL", "http://catalogue.example", "BASE_URL must start with https"),
        ("SIGNING_PKCS12", "", "SIGNING_PKCS12 is missing"),
        ("SIGNING_PKCS12", "/nowhere/key.p12", "SIGNING_PKCS12 names no file"),
        ("SIGNING_PKCS11", "pkcs11:token=portal", "SIGNING_PKCS12 and SIGNING_PKCS11: give one"),
        ("SIGNING_PKCS11", "pkcs11:token=portal", "SIGNING_PIN is missing"),
        ("SIGNING_PIN_FILE", "/nowhere/pin", "SIGNING_PIN_FILE cannot be read"),
        ("SIGNING_PASSPHRASE", "", "SIGNING_PASSPHRASE is missing"),
        ("SIGNING_PASSPHRASE", "secret", "SIGNING_PASSPHRASE is a well-known default"),
        ("FLASK_DEBUG", "1", "FLASK_DEBUG is on"),
    ],
)
def test_production_refuses_and_says_which(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        Config.from_env(production(tmp_path, **{name: value}))


def test_production_takes_a_token_and_its_pin_from_a_file(tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text("4711-0815\n")
    token = {"SIGNING_PKCS12": "", "SIGNING_PASSPHRASE": "", "SIGNING_PKCS11": "pkcs11:token=x"}
    config = Config.from_env(production(tmp_path, **token, SIGNING_PIN_FILE=str(pin)))
    assert config.flask()["SIGNING_PIN"] == "4711-0815"
    assert config.flask()["SIGNING_PKCS11"] == "pkcs11:token=x"
    assert "4711-0815" not in repr(config)


def test_production_names_all_faults_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_env({"PORTAL_MODE": "production", "PORTAL_VAR": str(tmp_path)})
    for name in ("SECRET_KEY", "ACCOUNT_KEY", "DATABASE_URL", "REDIS_URL", "SIGNING_PASSPHRASE"):
        assert name in str(caught.value)


def test_production_has_no_demo_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no demo"):
        demo_password(Config.from_env(production(tmp_path)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_MODE", "staging"),
        ("PORT", "80 80"),
        ("PORT", "70000"),
        ("PORT", "８０００"),
        ("MAX_UPLOAD_BYTES", "-1"),
        ("PROXY_HOPS", "many"),
        ("PORTAL_CHECK_SCHEMA", "perhaps"),
    ],
)
def test_an_unreadable_value_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Config.from_env({"PORTAL_VAR": str(tmp_path), name: value})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_the_address_gets_our_driver(scheme: str) -> None:
    assert psycopg_url(f"{scheme}://u@h/d") == "postgresql+psycopg://u@h/d"


def test_pending_migrations_are_refused(services: object, tmp_path: Path) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "one.py").write_text("revision = 'one'\ndown_revision = None\n")
    engine = create_engine(psycopg_url(services.database_url))  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"Pending migrations.*needs one"):
        require_current_schema(engine, tmp_path)
    engine.dispose()


def test_a_form_says_in_chinese_what_nobody_worded(app: Any) -> None:
    class Asked(PostedForm):
        version = HiddenField(validators=[InputRequired()])
        kind = SelectField(choices=[("a", "甲")])

    with app.test_request_context(method="POST", data={"kind": "b"}):
        form = Asked(meta={"csrf": False})
        assert not form.validate()
        assert form.errors == {"version": ["该字段是必填字段。"], "kind": ["不是有效的选择。"]}
