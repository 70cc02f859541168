"""What a PDF carries beside its look: attached data, and tags that say in which order it is read.

ReportLab does neither by itself. The tags are those of ISO 32000-1, 14.7 and 14.8: every piece of
content belongs to one element, in reading order, or is an artifact (frames, rules, running lines).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from reportlab.pdfbase.pdfdoc import (
    PDFArray,
    PDFDictionary,
    PDFName,
    PDFPage,
    PDFStream,
    PDFString,
    PDFZCompress,
)
from reportlab.pdfgen.canvas import Canvas


def attach(canvas: Canvas, attachments: Sequence[tuple[str, bytes]]) -> None:
    """Put JSON files (name, bytes) into the document, so that others read it without typing."""
    document = canvas._doc  # noqa: SLF001 (ReportLab attaches no files by itself)
    names = PDFArray([])
    for index, (name, data) in enumerate(sorted(attachments)):
        content = PDFStream(
            PDFDictionary({"Type": PDFName("EmbeddedFile"), "Subtype": "/application#2Fjson"}),
            data,
            filters=[PDFZCompress],
        )
        specification = PDFDictionary(
            {
                "Type": PDFName("Filespec"),
                "F": PDFString(name),
                "UF": PDFString(name),
                "AFRelationship": PDFName("Data"),
                "EF": PDFDictionary({"F": document.Reference(content, f"attached{index}")}),
            }
        )
        names.sequence += [PDFString(name), document.Reference(specification, f"file{index}")]
    document.Catalog.Names = PDFDictionary({"EmbeddedFiles": PDFDictionary({"Names": names})})


class Reading:
    """The tags of one document: open a piece, draw it, go on; `close` before saving."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.document: Any = canvas._doc  # noqa: SLF001 (ReportLab writes no tags by itself)
        self._open = False
        # Of each finished page its elements; the last list is the page being drawn.
        self._pages: list[list[Any]] = [[]]
        self._whole = PDFDictionary({"Type": PDFName("StructElem"), "S": PDFName("Document")})
        self._parent = self.document.Reference(self._whole, "readingDocument")

    @contextmanager
    def piece(self, role: str, alt: str | None = None) -> Iterator[None]:
        """What is drawn inside is one element such as P, H1 or Figure; ``alt`` says it in words.

        Inside another piece it belongs to that.
        """
        if self._open:
            yield
            return
        here = self._pages[-1]
        element = {
            "Type": PDFName("StructElem"),
            "S": PDFName(role),
            "P": self._parent,
            "Pg": self.document.thisPageRef(),
            "K": len(here),
        }
        if alt is not None:
            element["Alt"] = PDFString(alt)
        name = f"reading{len(self._pages)}x{len(here)}"
        with self._marked(f"/{role} <</MCID {len(here)}>> BDC"):
            here.append(self.document.Reference(PDFDictionary(element), name))
            yield

    @contextmanager
    def artifact(self) -> Iterator[None]:
        """What is drawn inside is decoration, and not read."""
        if self._open:
            yield
            return
        with self._marked("/Artifact BMC"):
            yield

    @contextmanager
    def _marked(self, begin: str) -> Iterator[None]:
        self._open = True
        self.canvas.addLiteral(begin)
        yield
        self.canvas.addLiteral("EMC")
        self._open = False

    def show_page(self) -> None:
        """End the page, as the canvas does."""
        name = self.document.thisPageName()
        self.canvas.showPage()
        page = self.document.idToObject[name]
        page.__NoDefault__ = [*PDFPage.__NoDefault__, "StructParents", "Tabs"]
        page.StructParents, page.Tabs = len(self._pages) - 1, PDFName("S")
        self._pages.append([])

    def close(self) -> None:
        """Write the tree; no page may be added after."""
        places: list[Any] = []
        for number, elements in enumerate(self._pages[:-1]):
            places += [number, PDFArray(elements)]
        root = PDFDictionary(
            {
                "Type": PDFName("StructTreeRoot"),
                "K": self._parent,
                "ParentTree": PDFDictionary({"Nums": PDFArray(places)}),
                "ParentTreeNextKey": len(self._pages) - 1,
            }
        )
        self._whole.dict["P"] = self.document.Reference(root, "readingRoot")
        self._whole.dict["K"] = PDFArray([element for page in self._pages for element in page])
        self.document.Catalog.StructTreeRoot = root
        self.document.Catalog.MarkInfo = PDFDictionary({"Marked": "true"})
        self.document.Catalog.ViewerPreferences = PDFDictionary({"DisplayDocTitle": "true"})
