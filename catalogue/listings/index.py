"""The index: a disposable tantivy replica of the catalogue, one folder for all processes of a host.

PostgreSQL is the truth. Whatever is wrong with the folder (lost, damaged, made by another
version, built from another database), the cure is the same: build it again beside, then move
the pointer file. Readers follow the pointer; the one writer holds the lock file.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import tantivy

from catalogue.listings import words
from catalogue.listings.figures import ends

# Raise it whenever fields or tokens change: each version keeps its own pointer, so that two
# versions of the program may run side by side while one replaces the other.
SCHEMA_VERSION = 3
NONE = "none"
FACETS = (
    "domain",
    "kind",
    "novelty",
    "advancement",
    "district",
    "year",
    "first_purchase",
)
# The columns of a listing that a result shows.
CARD = (
    "number",
    "name",
    "firm_name",
    "model",
    "kind",
    "domain",
    "novelty",
    "advancement",
    "district",
    "region",
    "year",
    "summary",
    "specifications",
    "listed_on",
    "valid_until",
    "first_purchase",
    "sample",
    "source_list",
)
SORTS = ("newest", "remaining", "name")
WORD_FIELDS = ("name", "firm", "body")

# A whole build has room for larger pieces, which need less joining.
_WRITER_BYTES, _BUILDER_BYTES = 30_000_000, 120_000_000
_LAST_DAY = date.max.toordinal()
_ANALYSER = "given"

Entry = Mapping[str, Any]
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """What the folder holds: of which database, up to which transaction.

    ``horizon``: every change of an earlier transaction is in. ``recent``: listings written by
    transactions at or past the horizon that are in already, with that transaction.
    """

    folder: str
    identity: str
    horizon: int
    recent: Mapping[str, int] = field(default_factory=dict)


class Busy(Exception):
    """Another process or thread writes this folder at present."""


def schema() -> tantivy.Schema:
    """The fields; `fields_of` fills them."""
    build = tantivy.SchemaBuilder()
    build.add_unsigned_field("id", indexed=True, fast=True)
    for name in WORD_FIELDS:
        build.add_text_field(f"{name}_words", tokenizer_name=_ANALYSER, index_option="freq")
        build.add_text_field(f"{name}_signs", tokenizer_name=_ANALYSER, index_option="position")
    for name in ("model", "spoken", "number", "exact", "firm_spoken", "heads", "amounts", "alike"):
        build.add_text_field(name, tokenizer_name=_ANALYSER, index_option="basic")
    for name in (*FACETS, *(f"by_{sort}" for sort in SORTS)):
        build.add_text_field(name, tokenizer_name="raw", fast=True, index_option="basic")
    build.add_integer_field("until", indexed=True, fast=True)
    build.add_integer_field("rank", fast=True)
    build.add_text_field("figures", tokenizer_name=_ANALYSER, index_option="basic")
    for name in ("low", "high"):
        build.add_json_field(name, tokenizer_name="raw", fast=True, index_option="basic")
    build.add_bytes_field("card", stored=True)
    return build.build()


SCHEMA = schema()
_as_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


def fields_of(entry: Entry) -> Fields:
    """One listing as the index keeps it; ``entry`` has the columns of `models.Listing`."""
    name, firm, body = entry["name"], entry["firm_name"], _body(entry)
    until: date | None = entry["valid_until"]
    listed: date = entry["listed_on"]
    number, model = entry["number"], entry["model"] or ""
    firm_words, firm_signs, firm_spoken = _firm_fields(firm)
    fields: Fields = {
        "id": entry["id"],
        "model": " ".join(words.model_tokens(model, name)),
        "alike": " ".join(map(words.unmistaken, words.model_keys(model, name))),
        "spoken": " ".join(words.pinyin_tokens(name)),
        "firm_words": firm_words,
        "firm_signs": firm_signs,
        "firm_spoken": firm_spoken,
        "heads": " ".join(words.head_tokens(name)),
        "amounts": " ".join(words.amount_tokens(f"{name}\n{body}")),
        "number": words.compact(number),
        "exact": " ".join(filter(None, map(words.compact, (name, model)))),
        "rank": number_rank(number),
        "until": until.toordinal() if until else 0,
        "by_newest": f"{_LAST_DAY - listed.toordinal():07d} {number}",
        "by_remaining": f"{until.toordinal() if until else _LAST_DAY:07d} {number}",
        "by_name": f"{words.sort_key(name)} {number}",
        "card": _as_json(card(entry)).encode(),
    }
    if figures := entry["specifications"]:
        fields["figures"] = " ".join(words.compact(str(item.get("name", ""))) for item in figures)
        low, high = ends(figures)
        fields |= {name: each for name, each in (("low", low), ("high", high)) if each}
    for prefix, text in (("name", name), ("body", body)):
        fields[f"{prefix}_words"] = " ".join(words.word_tokens(text))
        fields[f"{prefix}_signs"] = " ".join(words.sign_tokens(text))
    for facet in FACETS:
        fields[facet] = facet_value(entry[facet])
    return fields


@lru_cache(maxsize=2_000)
def _firm_fields(firm: str) -> tuple[str, str, str]:
    """Words, signs and pinyin of a firm: many products share one."""
    tokens = (words.word_tokens(firm), words.sign_tokens(firm), words.pinyin_tokens(firm, span=4))
    words_, signs, spoken = map(" ".join, tokens)
    return words_, signs, spoken


def listed_fields(entries: Iterable[Entry]) -> Iterator[Fields]:
    """The fields of every entry that is listed."""
    return (fields_of(entry) for entry in entries if entry["status"] == "listed")


def number_rank(number: str) -> int:
    """A whole number that orders listings as their numbers do: prefix, year, running number."""
    digits = "".join(sign for sign in number if sign.isdigit())[:17]
    return (0 if number.startswith("SHCP") else 10**17) + int(digits or 0)


def facet_value(value: object) -> str:
    """A column's value as the facet's word; an unknown one is `NONE`, never left out."""
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def card(entry: Entry) -> dict[str, Any]:
    """What a result item shows, kept in the index so that a search asks nothing else."""
    return {key: entry[key] for key in CARD}


def _body(entry: Entry) -> str:
    figures = map(words.figure_text, entry["specifications"] or ())
    return "\n".join([entry["summary"] or "", entry["region"] or "", *figures])


class Reader:
    """One state of one generation of the index. It never changes: a later state is `renewed`."""

    def __init__(self, index: tantivy.Index, state: State) -> None:
        index.reload()
        self.index = index
        self.searcher = index.searcher()
        self.state = state
        self.known = self._known()
        # What was made of this very state: parsed facts, answers, whole pages. Who asks fills
        # them; a thread that still holds an earlier state fills that one's.
        self.cards: dict[Any, Any] = {}
        self.answers: dict[Any, Any] = {}
        self.pages: dict[Any, Any] = {}
        self._figures: list[str] | None = None

    @classmethod
    def opened(cls, path: Path, state: State) -> Reader:
        """The generation in this folder; raises what tantivy raises when it is damaged."""
        # Never a constructor here: it would make an empty index where one has just been lost.
        index = tantivy.Index.open(str(path))
        analyser = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        index.register_tokenizer(_ANALYSER, analyser)
        return cls(index, state)

    def figure_names(self) -> list[str]:
        """The names of all stated figures, as compared; found once for this state."""
        if self._figures is None:
            self._figures = [name for name, _ in self.searcher.terms_with_prefix("figures", "")]
        return self._figures

    def renewed(self, state: State) -> Reader:
        """The same generation with what the writer committed since."""
        return Reader(self.index, state)

    def _known(self) -> dict[str, list[str]]:
        wanted = {name: {"terms": {"field": name, "size": 1000}} for name in FACETS}
        if not self.searcher.num_docs:
            return {name: [] for name in FACETS}
        found = self.searcher.aggregate(tantivy.Query.all_query(), wanted)
        return {
            name: sorted(str(bucket["key"]) for bucket in found[name]["buckets"]) for name in FACETS
        }


class Replica:
    """The folder of one host: a lock, a pointer per schema version, generations beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pointer = root / f"current-{SCHEMA_VERSION}.json"
        self._stamp: tuple[int, int] | None = None
        self._reader: Reader | None = None

    def reader(self) -> Reader | None:
        """The current generation, or None when there is none that can be opened."""
        stamp = self._pointer_stamp()
        if stamp is None:
            self._stamp = self._reader = None
            return None
        if stamp == self._stamp:
            return self._reader
        state = self.state()
        self._reader = self._opened(state) if state else None
        self._stamp = stamp
        return self._reader

    def state(self) -> State | None:
        """What the pointer file says; None when it is missing or unreadable."""
        try:
            return State(**json.loads(self.pointer.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder's lock; raises Busy at once when somebody else does."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Busy from error
            yield

    def rebuild(
        self,
        entries: Iterable[Entry],
        identity: str,
        horizon: int,
        fields: Callable[[Iterable[Entry]], Iterable[Fields]] = listed_fields,
    ) -> None:
        """Build a new generation and point to it; ``fields`` makes them. Call while `writing`."""
        state = State(f"g-{secrets.token_hex(6)}", identity, horizon)
        path = self.root / state.folder
        path.mkdir()
        try:
            tantivy.Index(SCHEMA, path=str(path))
            index = Reader.opened(path, state).index
            self._write(index.writer(_BUILDER_BYTES, 1), fields(entries))
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        self._point(state)
        self._sweep()

    def apply(self, entries: Iterable[Entry], state: State) -> None:
        """Replace these listings in the current generation. Call while `writing`.

        The pointer moves after the commit: killed between the two, the same listings are
        replaced once more, which changes nothing.
        """
        index = Reader.opened(self.root / state.folder, state).index
        writer = index.writer(_WRITER_BYTES, 1)
        changed = list(entries)
        for entry in changed:
            # By query: the binding reads a bare number as signed, and would find nothing.
            same = tantivy.Query.term_query(SCHEMA, "id", entry["id"])
            writer.delete_documents_by_query(same)
        self._write(writer, listed_fields(changed))
        self._point(state)

    def note(self, state: State) -> None:
        """Remember a later horizon when nothing changed. Call while `writing`."""
        self._point(state)

    def discard(self) -> None:
        """Give up the current generation: the next look finds none and builds it again."""
        self.pointer.unlink(missing_ok=True)

    def _write(self, writer: tantivy.IndexWriter, documents: Iterable[Fields]) -> None:
        for fields in documents:
            writer.add_document(tantivy.Document.from_dict(fields, SCHEMA))
        writer.commit()
        writer.wait_merging_threads()

    def _opened(self, state: State) -> Reader | None:
        try:
            if self._reader is not None and self._reader.state.folder == state.folder:
                return self._reader.renewed(state)
            if not (self.root / state.folder / "meta.json").is_file():
                return None
            return Reader.opened(self.root / state.folder, state)
        except (OSError, ValueError):
            return None

    def _point(self, state: State) -> None:
        draft = self.pointer.with_suffix(f".{secrets.token_hex(4)}")
        draft.write_text(json.dumps(asdict(state)))
        draft.replace(self.pointer)

    def _pointer_stamp(self) -> tuple[int, int] | None:
        try:
            found = self.pointer.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _sweep(self) -> None:
        kept = set()
        for pointer in self.root.glob("current-*.json"):
            try:
                kept.add(json.loads(pointer.read_text())["folder"])
            except (OSError, ValueError, KeyError):
                continue
        for folder in self.root.glob("g-*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
