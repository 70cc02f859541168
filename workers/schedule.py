"""When the clock itself rings: the sweep, the heartbeat, the daily and the nightly job."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "sweep": {"task": "portal.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "sign-log": {"task": "portal.sign_log", "schedule": 60.0, "options": {"expires": 60}},
    "daily": {"task": "portal.daily", "schedule": crontab(hour=17, minute=5)},
    "catch-up": {"task": "portal.daily", "schedule": crontab(hour=0, minute=10)},
    "digests": {"task": "portal.look_for_digests", "schedule": crontab(hour=7, minute=30)},
    "records-replay": {"task": "portal.records_replay", "schedule": crontab(hour=2, minute=30)},
}
