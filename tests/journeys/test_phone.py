"""A phone: every page fits into its window, for everybody who may enter it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from catalogue.accounts.models import ROLES
from catalogue.config import ROOT
from catalogue.listings.operations import import_rows
from seeds import people
from tests.journeys import portal as portals
from tests.journeys import steps

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Enter = Callable[..., Page]

PRODUCTS = ROOT / "seeds" / "products.csv"
PHONE = {"width": 390, "height": 844}
# 1280 px at 400 % are 320: what WCAG 1.4.10 asks of a page.
SMALL = {"width": 320, "height": 640}
FILES = re.compile(r"^/(static|library|documents|api)/|\.(pdf|xlsx|csv|json|xml|txt)\b|/feed\b")
LOOK = """() => ({
  over: document.documentElement.scrollWidth - window.innerWidth,
  cut: [...document.querySelectorAll('body *:not(.visually-hidden, script)')]
    .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
    .filter((one) => one.checkVisibility({visibilityProperty: true}))
    .slice(0, 3).map((one) => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`),
  links: [...document.querySelectorAll('a[href^="/"]:not([download])')]
    .map((one) => one.getAttribute('href').split('#')[0]),
})"""


def _looked(page: Page) -> tuple[list[str], list[str]]:
    """What of the page lies beside the window, if anything; and where it leads."""
    found: dict[str, Any] = page.evaluate(LOOK)
    links: list[str] = found.pop("links")
    # The sheet clips what hangs over, so nothing may end beyond the edge either.
    whole = found["over"] <= 0 and not found["cut"]
    return ([] if whole else [f"{page.url} at {page.viewport_size}: {found}"]), links


def _fits(page: Page) -> None:
    assert not _looked(page)[0]


def _kind(address: str) -> str:
    """Addresses of one page with other numbers and other values are of one kind."""
    path, _, query = address.partition("?")
    path = re.sub(r"/[^/]*\d[^/]*", "/*", path)
    path = re.sub(r"/findings/[^/]+", "/findings/*", path)
    return "?".join([path, *sorted({pair.partition("=")[0] for pair in query.split("&")} - {""})])


def _walk(page: Page, starts: list[str], known: Iterable[str] = ()) -> set[str]:
    """Every kind of page that links lead to but for the known ones, at both widths."""
    waiting, seen = list(starts), {*known, *map(_kind, starts)}
    faults: list[str] = []
    for address in waiting:
        answer = page.goto(address, wait_until="domcontentloaded")
        assert answer is not None and answer.status < 400, f"{address}: {answer}"
        page.set_viewport_size(SMALL)
        faults += _looked(page)[0]
        page.set_viewport_size(PHONE)
        beside, links = _looked(page)
        faults += beside
        for link in links:
            if _kind(link) not in seen and not FILES.search(link):
                seen.add(_kind(link))
                waiting.append(link)
    assert not faults, "\n".join(faults)
    return seen


@pytest.fixture(scope="module")
def cases(portal: portals.Portal) -> None:
    """A case in every hand, so that each role's pages hold what they hold in use."""
    with portal.rooms():
        with PRODUCTS.open("rb") as stream:
            import_rows(stream, people.staff("administrator"), skip_existing=True, sample=True)
        portals.draft("first_version", 0, "software", 40)
        for position in (41, 42):
            portals.submitted(portals.draft("first_version", 0, "software", position))
        decided = portals.submitted(portals.draft("first_batch", 0, "material", 43))
        portals.passed(decided.number)
        announced = portals.submitted(portals.draft("catalogue", 0, "equipment", 44))
        portals.on_notice(announced.number)


@pytest.mark.usefixtures("cases")
def test_no_link_fails_and_no_page_scrolls_sideways_for_anybody(enter: Enter) -> None:
    public = _walk(enter(viewport=PHONE), ["/", "/sign-in", "/register"])
    clerk = _walk(enter("firm1@demo.test", viewport=PHONE), ["/home", "/"], public)
    _walk(enter("signer1@demo.test", viewport=PHONE), ["/home"], clerk)
    for role in set(ROLES) - {"applicant", "signatory"}:
        _walk(enter(people.address(role), viewport=PHONE), ["/home", "/", "/schemes"], public)
    assert len(public) > 15 and len(clerk - public) > 8


@pytest.mark.usefixtures("cases")
def test_a_phone_leads_from_a_product_over_a_notice_to_ones_own_desk(enter: Enter) -> None:
    page = enter(viewport=PHONE)
    page.goto("/")
    page.get_by_role("searchbox").fill("变压器")
    steps.press(page, "查找")
    page.locator("summary").filter(has_text="筛选").click()
    expect(page.locator(".facet").first).to_be_visible()
    _fits(page)
    steps.reload_until(page, page.locator(".result-name a"))
    page.locator(".result-name a").first.click()
    expect(page.locator("h1")).to_contain_text("变压器")
    _fits(page)
    page.goto("/notices")
    page.locator("main h2 a, main h3 a, main .notice-name a").first.click()
    expect(page.locator("h1")).to_be_visible()
    _fits(page)
    page.locator("summary").filter(has_text="菜单").click()
    _fits(page)
    steps.follow(page, "登录")
    page.locator("#email").fill("firm1@demo.test")
    page.locator("#password").fill(portals.PASSWORD)
    steps.press(page, "登录")
    expect(page).to_have_url(re.compile("/home$"))
    _fits(page)
