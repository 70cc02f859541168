"""Every page, for everybody who may enter it: it fits any window and paper; axe finds nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from catalogue.accounts.models import ROLES
from seeds import people
from tests.journeys import axe, steps
from tests.journeys import portal as portals
from tests.journeys.cases import NEWCOMER
from tests.laws.access_list import ACCESS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Enter = Callable[..., Page]
Cases = dict[str, list[str]]

PHONE = {"width": 390, "height": 844}
# 1280 px at 400 % are 320: what WCAG 1.4.10 asks of a page; at 200 % they are 640.
SMALL = {"width": 320, "height": 640}
ZOOMED = {"width": 640, "height": 450}
DESK = {"width": 1280, "height": 900}
# A4 within the margins of print.css, upright; sheets of the staff lie.
PAPER, LYING = {"width": 688, "height": 900}, {"width": 1016, "height": 640}
FILES = re.compile(
    r"^/(static|library|documents|api)/|\.(pdf|xlsx|csv|jsonl?|xml|txt|py|pem|yaml|atom)\b"
    r"|/(feed|pdf)\b|^/\w+z$|^/verifier/status/"
)
# Parts that htmx fetches, and a post whose address leads back.
NO_PAGES = {"applications.findings", "listings.suggest", "policies.simulator.figures"} | {
    "accounts.sign_out",
    "reviews.check",
}
# Files without an ending in their address.
NO_PAGES |= {"funds.file", "statistics.open_data.file"}
# Those for which no case is made yet; each is looked at once a link leads there.
WITHOUT_A_CASE = {
    "applications.fitting.carry",
    "funds.award",
    "listings.digests.new",
    "listings.frozen.check",
    "listings.frozen.new",
    "listings.synonyms.change",
    "notices.corrections.index",
    "reviews.confirm_send_back",
    "reviews.experts",
}
ELDER = "(on) => document.documentElement.classList.toggle('elder', on)"
LOOK = """() => ({
  over: document.documentElement.scrollWidth - window.innerWidth,
  cut: [...document.querySelectorAll('body *:not(.visually-hidden, script)')]
    .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
    // in 长者模式 a wide table may scroll in its own frame
    .filter((one) => !one.closest('.elder .table-frame'))
    .filter((one) => one.checkVisibility({visibilityProperty: true}))
    .slice(0, 3).map((one) => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`),
})"""
LINKS = """() => [...document.querySelectorAll('a[href^="/"]:not([download])')]
  .map((one) => one.getAttribute('href').split('#')[0])"""
# Of what only a screen can use, what a sheet of paper would still show.
PRESSED = """() => [...document.querySelectorAll(
    'header.site-head, .bar, .skip, main form .button, main a.button')]
  .filter((one) => one.checkVisibility()).map((one) => one.outerHTML.slice(0, 120))"""


def _fits(page: Page, what: str = "") -> list[str]:
    """What of the page lies beside the window, if anything."""
    found: dict[str, Any] = page.evaluate(LOOK)
    # The sheet clips what hangs over, so nothing may end beyond the edge either.
    whole = found["over"] <= 0 and not found["cut"]
    return [] if whole else [f"{page.url} at {page.viewport_size} {what}: {found}"]


def _faults(page: Page) -> list[str]:
    """What is wrong at any size, in 长者模式, on paper, or by axe; leaves the page small."""
    faults: list[str] = []
    page.set_viewport_size(DESK)
    faults += axe.faults(page)
    page.emulate_media(media="print")
    page.set_viewport_size(LYING if page.locator("body.staff").count() else PAPER)
    faults += _fits(page, "on paper")
    faults += [f"{page.url} prints {what}" for what in page.evaluate(PRESSED)]
    page.emulate_media(media="screen")
    page.evaluate(ELDER, True)
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        faults += _fits(page, "in elder mode")
    page.evaluate(ELDER, False)
    page.set_viewport_size(ZOOMED)
    faults += _fits(page)
    page.set_viewport_size(SMALL)
    return faults + _fits(page)


# Who was shown what, for the last test of the walk.
walked: dict[str, set[str]] = {}
WALKERS = {
    "anybody": None,
    "applicant": "firm1@demo.test",
    "signatory": "signer1@demo.test",
    "newcomer": NEWCOMER,
} | {role: people.address(role) for role in ROLES if role not in ("applicant", "signatory")}
STARTS = {"anybody": ["/", "/sign-in", "/register"], "newcomer": []}


def _kind(address: str) -> str:
    """Addresses of one page with other numbers and other values are of one kind."""
    path, _, query = address.partition("?")
    path = re.sub(r"/[^/]*\d[^/]*", "/*", path)
    path = re.sub(r"/findings/[^/]+", "/findings/*", path)
    return "?".join([path, *sorted({pair.partition("=")[0] for pair in query.split("&")} - {""})])


def _walk(page: Page, starts: list[str], endpoint: Callable[[str], str], public: bool) -> set[str]:
    """Every kind of page that links lead to; the endpoints. Fails with all that is wrong.

    The first page of an endpoint is looked at from all sides, the others on a small phone. Pages
    for anybody are left to anybody's own walk.
    """
    faults: list[str] = []
    told: set[str] = set()
    waiting, kinds = list(starts), set(map(_kind, starts))
    page.set_viewport_size(SMALL)
    for address in waiting:
        answer = page.goto(address, wait_until="domcontentloaded")
        if answer is None or answer.status >= 400:
            faults.append(f"{address}: {answer and answer.status}")
            continue
        found = endpoint(address)
        faults += _fits(page) if found in told else _faults(page)
        told.add(found)
        for link in page.evaluate(LINKS):
            if _kind(link) in kinds or FILES.search(link):
                continue
            kinds.add(_kind(link))
            if public or ACCESS[endpoint(link)] != "public":
                waiting.append(link)
    assert not faults, "\n".join(faults)
    return told


@pytest.mark.parametrize("who", WALKERS)
def test_every_page_fits_prints_and_is_accessible(
    enter: Enter, portal: portals.Portal, cases: Cases, who: str
) -> None:
    addresses = portal.app.url_map.bind("portal")

    def endpoint(address: str) -> str:
        return str(addresses.match(address.partition("?")[0])[0])

    starts = STARTS.get(who, ["/home", "/"]) + cases.get(who, [])
    walked[who] = _walk(enter(WALKERS[who]), starts, endpoint, public=who == "anybody")


def test_no_page_is_forgotten(portal: portals.Portal) -> None:
    """Each that answers a GET was walked by somebody: a link or a case leads there."""
    if set(walked) != set(WALKERS):
        pytest.skip("needs everybody's walk")
    pages = {
        rule.endpoint
        for rule in portal.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not FILES.search(rule.rule)
    }
    assert pages <= set(ACCESS)
    forgotten = pages - NO_PAGES - WITHOUT_A_CASE - set().union(*walked.values())
    assert not forgotten, sorted(forgotten)


@pytest.mark.usefixtures("cases")
def test_a_refusal_fits_prints_and_is_accessible(enter: Enter) -> None:
    page = enter("firm1@demo.test")
    faults = []
    for address, status in (("/nothing-here", 404), ("/funds", 403)):
        answer = page.goto(address)
        assert answer is not None and answer.status == status
        faults += _faults(page)
    assert not faults, "\n".join(faults)


@pytest.mark.usefixtures("cases", "script")
def test_a_phone_leads_from_a_product_over_a_notice_to_ones_own_desk(enter: Enter) -> None:
    page = enter(viewport=PHONE)
    page.goto("/")
    page.get_by_role("searchbox").fill("变压器")
    steps.press(page, "查找")
    page.locator("summary").filter(has_text="筛选").click()
    expect(page.locator(".facet").first).to_be_visible()
    assert not _fits(page)
    steps.reload_until(page, page.locator(".result-name a"))
    page.locator(".result-name a").first.click()
    expect(page.locator("h1")).to_contain_text("变压器")
    assert not _fits(page)
    page.goto("/notices")
    page.locator("main h2 a, main h3 a, main .notice-name a").first.click()
    expect(page.locator("h1")).to_be_visible()
    assert not _fits(page)
    page.locator("summary").filter(has_text="菜单").click()
    assert not _fits(page)
    steps.follow(page, "登录")
    page.locator("#email").fill("firm1@demo.test")
    page.locator("#password").fill(portals.PASSWORD)
    steps.press(page, "登录")
    expect(page).to_have_url(re.compile("/home$"))
    assert not _fits(page)
