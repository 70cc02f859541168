"""The commands behind `flask --app wsgi`: start the portal, and what its operators run."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, time
from pathlib import Path

import click
import flask_migrate
from flask import Flask, current_app
from sqlalchemy import exists, select

from catalogue import embedded, keys, supervisor
from catalogue.accounts.models import ROLES, User
from catalogue.applications import operations as applications
from catalogue.audit import log
from catalogue.audit import operations as audit
from catalogue.certificates import status_files
from catalogue.config import ROOT, Config, demo_password
from catalogue.database import SHANGHAI, db, utc_now
from catalogue.documents import fonts
from catalogue.documents import operations as documents
from catalogue.funds import operations as funds
from catalogue.listings import commands as import_listings
from catalogue.notices import operations as notices
from catalogue.policies import operations as policies
from catalogue.statistics import open_data_files


def register(app: Flask) -> None:
    """Add the commands to `app`."""
    for command in (serve, check, daily, replay_records):
        app.cli.add_command(command)
    import_listings.register(app)


@click.command("check")
def check() -> None:
    """Verify audit chain, money identities, stored files, due jobs and the newest replay."""
    breaches = [
        *audit.breaches(),
        *log.log_breaches(),
        *funds.identities(),
        *applications.waiting_without_job(),
        *documents.missing_files(),
        *policies.unfaithful_records(),
    ]
    for breach in breaches:
        click.echo(breach)
    if breaches:
        raise SystemExit(1)
    click.echo(
        "Everything holds: audit chain, public log, money identities, files, due jobs, replay."
    )


@click.command("daily")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="As of the end of this day.")
def daily(day: datetime | None) -> None:
    """Close the notices whose period is over, sign the day's statuses, ask for its open data."""
    now = utc_now() if day is None else datetime.combine(day.date(), time.max, SHANGHAI)
    closed = notices.close_due(now)
    today = now.astimezone(SHANGHAI).date()
    status_files.make(today, keys.of(current_app.config))
    open_data_files.ask_for(today)
    db.session.commit()
    click.echo(f"{closed} cleared; the worker concludes them.")


@click.command("replay-records")
def replay_records() -> None:
    """Re-run every decision record now; a pass that was cut short goes on where it stopped."""
    run = policies.start_replay()
    db.session.commit()
    while run.finished_at is None:
        policies.replay_chunk(run.id)
        db.session.commit()
    click.echo(f"{run.checked} records re-run, {run.different} come out otherwise.")
    if run.different:
        raise SystemExit(1)


@click.command("serve")
def serve() -> None:
    """Start web, worker and beat here, with demo data on first use."""
    config = Config.from_env()
    if config.production:
        raise click.ClickException(
            "`serve` is for one machine. In production start web, worker and beat as "
            "docker-compose.yml shows."
        )
    supervisor.stop_on_signals()
    try:
        with supervisor.only_one(config.var_dir, config.base_url):
            _serve(config)
    except supervisor.AlreadyRuns as running:
        click.echo(f"The portal runs already: {running}")
    except supervisor.CannotServe as reason:
        raise click.ClickException(str(reason)) from None


def _serve(config: Config) -> None:
    keeper = supervisor.Supervisor(
        port=config.port,
        var_dir=config.var_dir,
        environment=_child_environment(),
        services=embedded.current(),
    )
    try:
        _prepare(config)
        keeper.start()
        click.echo(_welcome(config))
        keeper.watch()
    except KeyboardInterrupt:
        click.echo("\nStopping ...")
    finally:
        supervisor.ignore_signals()
        keeper.stop()


def _prepare(config: Config) -> None:
    """Bring schema, fonts and demo data to where the web process expects them."""
    migrations = ROOT / "catalogue" / "migrations"
    flask_migrate.upgrade(directory=str(migrations))
    db.session.remove()
    if not list(config.fonts_dir.glob("*.ttf")):
        click.echo("Preparing the fonts of the certificates (once) ...")
    fonts.prepare(config.fonts_dir)
    _seed_if_empty(config.var_dir / "run" / "seeding")


def _seed_if_empty(unfinished: Path) -> None:
    """Load the demo data into an empty database, or finish a load that was cut short."""
    empty = not db.session.scalar(select(exists().where(User.id.is_not(None))))
    db.session.remove()
    if not (empty or unfinished.exists()):
        return
    unfinished.touch()
    done = subprocess.run(
        [sys.executable, "-m", "seeds"], cwd=ROOT, env=_child_environment(), check=False
    )
    if done.returncode:
        raise supervisor.CannotServe("The demo data could not be loaded; see the lines above.")
    unfinished.unlink()


def _child_environment() -> dict[str, str]:
    """Our environment, with the addresses that keep a child from starting servers of its own."""
    return {
        **os.environ,
        "DATABASE_URL": current_app.config["DATABASE_URL"],
        "REDIS_URL": current_app.config["REDIS_URL"],
        "PYTHONUNBUFFERED": "1",
    }


def _welcome(config: Config) -> str:
    """The address and a table of the demo accounts, for the terminal."""
    password = demo_password(config)
    # Some work takes two of a kind: recording what experts said, publishing a policy.
    names = [*ROLES, "secretary", "administrator2"]
    rows = [f"    {name:<14} {name}@demo.test{'':<{14 - len(name)}} {password}" for name in names]
    return "\n".join(
        [
            "",
            f"  The portal runs at {config.base_url}   (Ctrl-C stops it)",
            "",
            f"    {'role':<14} {'sign in as':<24} password",
            *rows,
            "",
        ]
    )
