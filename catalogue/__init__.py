"""The portal: `create_app` joins configuration, database, sign-in, rooms and error pages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from catalogue.config import Config

# Low to high: a room imports only what stands before it.
ROOMS = (
    "accounts",
    "documents",
    "enterprises",
    "products",
    "policies",
    "applications",
    "notices",
    "reviews",
    "certificates",
    "listings",
    "funds",
    "statistics",
    "messages",
)


def create_app(config: Config) -> Flask:
    """One application, ready to serve.

    Raises RuntimeError when a view does not declare who may enter it, and ConfigError in
    production when migrations are pending, KeyUnusable when the signing key cannot serve.
    """
    # Imported here, so that the engine and the replay of records load without Flask.
    from flask import Flask
    from flask_login import LoginManager
    from flask_migrate import Migrate
    from flask_wtf import CSRFProtect
    from werkzeug.middleware.proxy_fix import ProxyFix

    from catalogue import cli, errors, health, keys, logs, pages, security
    from catalogue.accounts import access
    from catalogue.accounts.operations import by_session
    from catalogue.config import ROOT, require_current_schema
    from catalogue.database import db

    app = Flask(__name__, template_folder=str(ROOT / "templates"))
    app.config.update(config.flask())
    logs.configure(config)
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "catalogue" / "migrations"), compare_type=True)
    CSRFProtect(app)
    sign_in = LoginManager(app)
    sign_in.user_loader(by_session)
    if config.proxy_hops:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=config.proxy_hops, x_proto=config.proxy_hops, x_host=0
        )
    for room in ROOMS:
        app.register_blueprint(import_module(f"catalogue.{room}.views").bp)
    for part in (errors, security, health, pages, cli):
        part.register(app)
    access.declared(app)
    if config.production and config.check_schema:
        with app.app_context():
            require_current_schema(db.engine, ROOT / "catalogue" / "migrations")
        keys.of(app.config)
    return app
