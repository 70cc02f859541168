"""The daily files: every dataset whole and what changed in it, as JSON Lines and as CSV."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from sqlalchemy import Select, select

from catalogue import jobs
from catalogue.database import db
from catalogue.documents.operations import open_document, store_generated
from catalogue.funds.models import Award
from catalogue.funds.sheet import text_cell
from catalogue.listings import api_views
from catalogue.listings.api import dumped, path_of
from catalogue.listings.api_schema import SCHEMAS, Json
from catalogue.listings.models import Listing
from catalogue.notices.models import Notice, NoticeItem
from catalogue.policies.models import Policy, Round
from catalogue.statistics import open_data, open_data_ocds
from catalogue.statistics.models import ENDINGS, DataFile

# The job that makes one dataset's files of one day.
KIND = "open_data"
# As long as the worker lets a task live, so that nobody takes over a large catalogue still at work.
jobs.lasts(KIND, timedelta(seconds=300))
MEDIA_TYPES = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "ocds": "application/json",
}
_NAME = re.compile(
    r"([a-z-]{1,40}?)(?:-([0-9]{4}-[0-9]{2}-[0-9]{2})(-changes)?)?\.(jsonl|csv|ocds\.json)"
)
# Rows fetched at a time, and bytes of a file that stay in memory.
BATCH, IN_MEMORY = 1_000, 4_000_000
# The first column of a change file, and what it can say.
CHANGE = "change"
CHANGES = {"added": "新增", "changed": "改动", "removed": "不再公开"}


@dataclass(frozen=True)
class Dataset:
    """What is published daily: ``rows`` in the order of ``key``, each as a record of ``shape``.

    ``id`` names the field by which a record is known from day to day.
    """

    name: str
    title: str
    shape: str
    rows: Callable[[], Select[Any]]
    key: Any
    as_record: Callable[..., Json]
    id: str = "id"

    @property
    def fields(self) -> Json:
        """Each field with its schema, in the order of the columns."""
        found: Json = SCHEMAS[self.shape]["properties"]
        return found

    def records(self) -> Iterator[Json]:
        """Every record, a batch in memory at a time."""
        statement = self.rows().order_by(self.key).execution_options(yield_per=BATCH)
        for row in db.session.execute(statement):
            yield self.as_record(*row)


# The place in this list is a part of the job's subject: new ones go to the end.
DATASETS = (
    Dataset(
        "listings",
        "目录条目",
        api_views.LISTING,
        lambda: select(Listing),
        Listing.id,
        api_views.as_record,
        id="number",
    ),
    Dataset(
        "notices",
        "公示",
        open_data.NOTICE,
        open_data.notices,
        Notice.id,
        open_data.notice_record,
    ),
    Dataset(
        "notice-items",
        "公示的产品",
        open_data.NOTICE_ITEM,
        open_data.notice_items,
        NoticeItem.id,
        open_data.item_record,
    ),
    Dataset(
        "policies",
        "政策版本",
        open_data.POLICY,
        open_data.policies,
        Policy.id,
        open_data.policy_record,
    ),
    Dataset(
        "rounds",
        "申报批次",
        open_data.ROUND,
        open_data.rounds,
        Round.id,
        open_data.round_record,
    ),
    Dataset(
        "awards",
        "核定资金",
        open_data.AWARD,
        open_data.awards,
        Award.id,
        open_data.award_record,
    ),
)
BY_NAME = {each.name: each for each in DATASETS}
_SUBJECTS_PER_DAY = 100


def ask_for(day: date) -> None:
    """Ask, in the caller's transaction, for the files of ``day``; what is there is not remade."""
    for place in range(len(DATASETS)):
        jobs.enqueue(KIND, day.toordinal() * _SUBJECTS_PER_DAY + place)


def make(subject_id: int) -> None:
    """Make the files of one dataset of one day, unless they are there.

    They appear together or not at all: rows and bytes belong to the job's one transaction, and
    bytes that a broken job left in the store are named by no row.
    """
    ordinal, place = divmod(subject_id, _SUBJECTS_PER_DAY)
    day, dataset = date.fromordinal(ordinal), DATASETS[place]
    if _whole(dataset.name, DataFile.day == day) is not None:
        return
    earlier = _whole(dataset.name, DataFile.day < day)
    with ExitStack() as stack:
        whole = _Pair(stack, list(dataset.fields))
        changes = _Pair(stack, [CHANGE, *dataset.fields])
        known = _known(earlier, dataset.id)
        for record in dataset.records():
            line = whole.write(record)
            if earlier is None:
                continue
            before = known.pop(record[dataset.id], None)
            if before != _digest(line):
                changes.write({CHANGE: "changed" if before else "added", **record})
        for gone in known:
            changes.write({CHANGE: "removed", dataset.id: gone})
        whole.keep(DataFile(dataset=dataset.name, day=day, kind="whole"))
        if dataset is BY_NAME["awards"] and whole.records:
            _keep_releases(day, whole.records)
        if earlier is not None:
            found = DataFile(dataset=dataset.name, day=day, kind="changes", since=earlier.day)
            changes.keep(found)


def _keep_releases(day: date, records: int) -> None:
    """The awards once more, as one package of the Open Contracting Data Standard, which
    knows no empty one.
    """
    kept = DataFile(dataset="awards", day=day, kind="whole", format="ocds", records=records)
    rows = db.session.execute(open_data.awards().order_by(Award.id))
    releases = [open_data_ocds.release(*row) for row in rows]
    path = path_of("statistics.open_data.file", name=kept.name)
    body = dumped(open_data_ocds.package(path, day, releases))
    kept.document = store_generated(body, kept.name, MEDIA_TYPES["ocds"])
    db.session.add(kept)


def _whole(dataset: str, *which: Any) -> DataFile | None:
    return db.session.scalar(
        select(DataFile)
        .where(
            DataFile.dataset == dataset,
            DataFile.kind == "whole",
            DataFile.format == "jsonl",
            *which,
        )
        .order_by(DataFile.day.desc())
        .limit(1)
    )


def _known(earlier: DataFile | None, key: str) -> dict[Any, bytes]:
    """Each record of the earlier file by its id, as a digest of its line."""
    if earlier is None:
        return {}
    with open_document(earlier.document) as lines:
        return {record[key]: _digest(line) for line, record in _read(lines)}


def _read(lines: Iterable[bytes]) -> Iterator[tuple[bytes, Json]]:
    for line in lines:
        if line := line.rstrip(b"\n"):
            yield line, json.loads(line)


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()


class _Pair:
    """The same records written as JSON Lines and as CSV; equal records give equal bytes."""

    def __init__(self, stack: ExitStack, columns: list[str]) -> None:
        self.columns = columns
        self.records = 0
        self.files = {
            name: stack.enter_context(SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115 (the stack's)
            for name in ("jsonl", "csv")
        }
        # The byte-order mark tells Excel and WPS that the text is Chinese in UTF-8.
        self.files["csv"].write(b"\xef\xbb\xbf" + _csv_line(columns))

    def write(self, record: Json) -> bytes:
        """Append a record; its line of JSON."""
        line = dumped(record)
        self.files["jsonl"].write(line + b"\n")
        self.files["csv"].write(_csv_line([cell(record.get(name)) for name in self.columns]))
        self.records += 1
        return line

    def keep(self, file: DataFile) -> None:
        """Put both into the store, each with a row like ``file``."""
        if not self.records:
            # The store holds no empty files, and readers of JSON Lines pass over an empty line.
            self.files["jsonl"].write(b"\n")
        for name, content in self.files.items():
            content.seek(0)
            kept = DataFile(
                dataset=file.dataset,
                day=file.day,
                kind=file.kind,
                since=file.since,
                format=name,
                records=self.records,
            )
            kept.document = store_generated(cast(BinaryIO, content), kept.name, MEDIA_TYPES[name])
            db.session.add(kept)
        db.session.flush()


def _csv_line(cells: list[str]) -> bytes:
    target = io.StringIO()
    csv.writer(target, lineterminator="\r\n").writerow(cells)
    return target.getvalue().encode()


def cell(value: Any) -> str:
    """A value of a record for a CSV cell: empty for none, lists and objects as JSON.

    Text that a spreadsheet might run gets an apostrophe in front.
    """
    if isinstance(value, str):
        return text_cell(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return text_cell(dumped(value).decode())


def newest() -> dict[str, list[DataFile]]:
    """The files of each dataset's newest day, whole ones first."""
    days = (
        select(DataFile.dataset, db.func.max(DataFile.day).label("day"))
        .group_by(DataFile.dataset)
        .subquery()
    )
    found: dict[str, list[DataFile]] = {}
    for file in db.session.scalars(
        select(DataFile)
        .join(days, (days.c.dataset == DataFile.dataset) & (days.c.day == DataFile.day))
        .order_by(DataFile.kind.desc(), DataFile.format.desc())
    ):
        found.setdefault(file.dataset, []).append(file)
    return found


def named(name: str) -> DataFile | None:
    """The file of this name; a name without its day means the newest whole one."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    dataset, text, changes, ending = found.groups()
    which = [
        DataFile.dataset == dataset,
        DataFile.kind == ("changes" if changes else "whole"),
        DataFile.format == next(key for key, value in ENDINGS.items() if value == ending),
    ]
    if text:
        try:
            which.append(DataFile.day == date.fromisoformat(text))
        except ValueError:
            return None
    return db.session.scalar(select(DataFile).where(*which).order_by(DataFile.day.desc()).limit(1))
