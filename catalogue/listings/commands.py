"""The command line of the catalogue: import a public list, load synonyms, rebuild the index."""

from __future__ import annotations

import time
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import func, select

from catalogue.database import db
from catalogue.listings import operations
from catalogue.listings.follow import follower
from catalogue.listings.index import Busy
from catalogue.listings.models import Listing
from catalogue.listings.operations import import_rows


def register(app: Flask) -> None:
    """Add the commands to ``flask --app wsgi``."""
    app.cli.add_command(import_listings)
    app.cli.add_command(load_synonyms)
    app.cli.add_command(rebuild_index)


@click.command("import-listings")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-existing", is_flag=True, help="Pass over products that are listed already.")
@click.option(
    "--sample/--official",
    default=None,
    help="Mark the entries as 示例数据 (the default outside production) or not.",
)
@with_appcontext
def import_listings(file: Path, *, skip_existing: bool, sample: bool | None) -> None:
    """Import a product list as CSV, all of it or nothing; exit code 1 when anything is wrong."""
    if sample is None:
        sample = current_app.config["MODE"] != "production"
    with file.open("rb") as stream:
        report = import_rows(stream, None, skip_existing=skip_existing, sample=sample)
    if report.sound:
        db.session.commit()
    else:
        db.session.rollback()
    for line in report.lines():
        click.echo(line, err=not report.sound)
    if not report.sound:
        raise SystemExit(1)


@click.command("load-synonyms")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_appcontext
def load_synonyms(file: Path) -> None:
    """Add those groups of a YAML file (seeds/synonyms.yaml) that are not there yet."""
    count = operations.load_synonyms(file, None)
    db.session.commit()
    click.echo(f"添加了 {count} 组同义词" if count else "没有新增：这些同义词都有了")


@click.command("rebuild-index")
@with_appcontext
def rebuild_index() -> None:
    """Build this host's search index anew; the old one answers until the new one is whole."""
    began = time.monotonic()
    connection = db.session.connection()
    count = connection.scalar(select(func.count()).select_from(Listing)) or 0
    bar = click.progressbar(length=count, label="正在重建检索索引")
    try:
        with bar:
            follower().rebuild(connection, lambda done: bar.update(done - bar.pos))
            bar.update(count - bar.pos)
    except Busy:
        click.echo("另一个进程正在写这个索引，请稍后再试", err=True)
        raise SystemExit(1) from None
    click.echo(f"索引已重建：{count:,} 个产品，用时 {time.monotonic() - began:.1f} 秒")
