"""The entry of every process: the web application, and the Celery application around it."""

from __future__ import annotations

from catalogue import create_app, embedded
from catalogue.config import Config
from workers import attach

# Processes that `flask serve` or an operator starts carry both addresses and start no server.
app = create_app(embedded.attach_until_exit(Config.from_env()))
celery = attach(app)
