"""A Chromium, the running portal, and people who each bring a browser of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from catalogue import embedded
from tests.journeys import portal as portals
from tests.journeys import steps
from tests.journeys.cases import prepare

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
]
PATIENCE_MS = 30_000


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one journeys are skipped, or fail if they are required."""
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    if own and Path(own).is_file():
        return own
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"no Chromium: looked for Playwright's own and {', '.join(NAMES)}"
        if os.environ.get("BROWSER_REQUIRED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def browser(chromium: str) -> Iterator[Browser]:
    """A headless Chromium.

    One per journey: Playwright keeps an event loop running in this thread, in which nobody else
    (the signing of certificates in other tests) could start one.
    """
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def portal(
    chromium: str, services: embedded.Services, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[portals.Portal]:
    """The portal as `flask serve` runs it; asked for after Chromium, which may be missing."""
    running = portals.start(services, tmp_path_factory.mktemp("portal"))
    yield running
    running.stop()


Enter = Callable[..., Page]


@pytest.fixture(scope="session")
def cases(portal: portals.Portal) -> dict[str, list[str]]:
    """A case in every hand; by role, the addresses to which no link leads."""
    with portal.rooms():
        return prepare()


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def script(request: pytest.FixtureRequest) -> bool:
    """Whether the browsers of this journey run scripts; journeys that ask for it go both ways."""
    return bool(request.param)


@pytest.fixture
def enter(
    portal: portals.Portal, browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Enter]:
    """A person before a browser: `enter()` is anybody, `enter("finance@demo.test")` signs in.

    Errors in the console, among them every breach of the content security policy, requests to
    another host, and answers of 500 and above fail the journey at its end; that the page itself
    was refused or not found does not.
    """
    complaints: list[str] = []
    opened = []
    ways = {"java_script_enabled": request.getfixturevalue("script")} if _both(request) else {}

    def _enter(email: str | None = None, **options: Any) -> Page:
        desk = {"viewport": {"width": 1280, "height": 900}}
        context = browser.new_context(
            base_url=portal.address,
            locale="zh-CN",
            accept_downloads=True,
            **{**desk, **ways, **options},
        )
        opened.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        _listen(page, portal.address, complaints)
        if email is not None:
            steps.sign_in(page, email, portals.PASSWORD)
        return page

    yield _enter
    for context in opened:
        context.close()
    assert not complaints, "\n".join(complaints)


def _both(request: pytest.FixtureRequest) -> bool:
    return "script" in request.fixturenames


def _listen(page: Page, address: str, complaints: list[str]) -> None:
    page.on(
        "request",
        lambda asked: (
            complaints.append(f"{page.url} asks another host: {asked.url}")
            if not asked.url.startswith((address, "data:", "blob:", "about:"))
            else None
        ),
    )
    page.on(
        "console",
        lambda said: (
            complaints.append(f"console on {page.url}: {said.text}")
            if said.type == "error"
            and not (page.url == said.location["url"] and "a status of 4" in said.text)
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(f"script on {page.url}: {error}"))
    page.on(
        "response",
        lambda answer: (
            complaints.append(f"{answer.status} of {answer.url}") if answer.status >= 500 else None
        ),
    )
