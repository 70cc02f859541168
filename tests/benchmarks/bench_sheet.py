"""XLSX lines a second of the subsidy list against bare XlsxWriter in constant memory."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO

import xlsxwriter

from catalogue.funds import sheet
from catalogue.money import money_words

ABOUT = sheet.About("2026 年度资金清单", ("年度：2026",), datetime(2026, 11, 23, tzinfo=UTC), False)


def lines(count: int) -> Iterator[sheet.Line]:
    """Invented lines with texts of usual length."""
    for number in range(count):
        yield sheet.Line(
            number=f"SB-2026-{number:06d}",
            firm=f"示例（上海）微纳装备有限公司第 {number} 号",
            credit_code="91310115MA0DEM0X2M",
            district="浦东新区",
            product="12 英寸介质刻蚀机",
            scheme="首台套装备",
            contracts="HT-2026-001、HT-2026-002",
            amount_fen=100_000_01 + number * 37,
            bank="工商银行张江支行",
            holder="示例（上海）微纳装备有限公司",
            account="6222 **** 5969",
            policy_version="2019-1",
            articles="第五条、第八条",
            state="已核定",
        )


def bare(count: int) -> bytes:
    """The same cells by XlsxWriter alone: the limit."""
    buffer = BytesIO()
    book = xlsxwriter.Workbook(buffer, {"constant_memory": True})
    page = book.add_worksheet()
    money = book.add_format({"num_format": "#,##0.00"})
    for row, line in enumerate(lines(count)):
        page.write_number(row, 0, row)
        page.write_string(row, 1, line.number)
        page.write_string(row, 2, line.firm)
        page.write_string(row, 3, line.credit_code)
        page.write_string(row, 4, line.district)
        page.write_string(row, 5, line.product)
        page.write_string(row, 6, line.scheme)
        page.write_string(row, 7, line.contracts)
        page.write_number(row, 8, line.amount_fen / 100, money)
        page.write_string(row, 9, WORDS[row % len(WORDS)])
        page.write_string(row, 10, line.bank)
        page.write_string(row, 11, line.holder)
        page.write_string(row, 12, line.account)
        page.write_string(row, 13, line.policy_version)
        page.write_string(row, 14, line.articles)
        page.write_string(row, 15, line.state)
    book.close()
    return buffer.getvalue()


WORDS = [money_words(100_000_01 + n * 37) for n in range(100)]


def measured(count: int, rounds: int) -> tuple[float, float]:
    """Best seconds of ours and of the bare writer, taken in turns."""
    ours, limit = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        bare(count)
        limit.append(time.perf_counter() - start)
        start = time.perf_counter()
        sheet.xlsx(lines(count), ABOUT)
        ours.append(time.perf_counter() - start)
    return min(ours), min(limit)


def main() -> None:
    """Print both rates, their ratio, and the peak memory of this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    ours, limit = measured(chosen.lines, chosen.rounds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"XLSX {chosen.lines} lines: {chosen.lines / ours:,.0f}/s, bare XlsxWriter"
        f" {chosen.lines / limit:,.0f}/s, {ours / limit:.2f} times the limit (bar 1.50),"
        f" peak {peak} MB (bar 200)"
    )


if __name__ == "__main__":
    main()
