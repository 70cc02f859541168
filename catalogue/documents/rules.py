"""What a file really is, judged by its bytes and never by its name."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from io import BytesIO
from typing import BinaryIO

import pypdf
from PIL import Image

PDF = "application/pdf"
PNG = "image/png"
JPEG = "image/jpeg"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

EXTENSIONS = {PDF: ".pdf", PNG: ".png", JPEG: ".jpg", XLSX: ".xlsx", DOCX: ".docx"}
MAX_PIXELS = 80_000_000
MAX_UNPACKED = 200_000_000
MAX_MEMBERS = 5_000


class Unacceptable(ValueError):
    """The file is not one that we take; the text says why, in the reader's words."""


def media_type_of(stream: BinaryIO) -> str:
    """The media type of an acceptable file; raises Unacceptable with the reason."""
    stream.seek(0)
    head = stream.read(16)
    stream.seek(0)
    if head.startswith(b"%PDF-"):
        return _pdf(stream)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _image(stream, "PNG", PNG)
    if head.startswith(b"\xff\xd8\xff"):
        return _image(stream, "JPEG", JPEG)
    if head.startswith(b"PK\x03\x04"):
        return _office(stream)
    raise Unacceptable("只收 PDF、PNG、JPEG、XLSX、DOCX；这个文件的内容不是其中一种")


def _pdf(stream: BinaryIO) -> str:
    stream.seek(0)
    data = stream.read()
    end = data.rfind(b"%%EOF")
    if end < 0 or data[end + 5 :].strip(b"\r\n\t \x00"):
        raise Unacceptable("这个 PDF 不完整，或末尾有多余内容，请重新导出")
    try:
        reader = pypdf.PdfReader(BytesIO(data))
        if reader.is_encrypted:
            raise Unacceptable("这个 PDF 加了密码，请去掉密码再传")
        if not 1 <= len(reader.pages) <= 2000:
            raise Unacceptable("这个 PDF 的页数不在 1 到 2000 之间")
    except Unacceptable:
        raise
    except Exception as error:  # a parser of hostile input may raise anything; all mean refuse
        raise Unacceptable("这个 PDF 打不开，请重新导出") from error
    if re.search(rb"/(JavaScript|JS|Launch|EmbeddedFile|RichMedia|XFA)\b", data):
        raise Unacceptable("这个 PDF 带有脚本、附件或可执行动作，请另存为普通 PDF")
    return PDF


def _image(stream: BinaryIO, kind: str, media_type: str) -> str:
    stream.seek(0)
    try:
        with Image.open(stream, formats=[kind]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unacceptable("图片的像素太大，请缩小后再传")
            image.verify()
    except Unacceptable:
        raise
    except Exception as error:  # a parser of hostile input may raise anything; all mean refuse
        raise Unacceptable("这张图片打不开，请重新保存后再传") from error
    return media_type


def _office(stream: BinaryIO) -> str:
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            names = {member.filename for member in members}
    except zipfile.BadZipFile as error:
        raise Unacceptable("这个文件打不开，请重新保存后再传") from error
    if len(members) > MAX_MEMBERS or sum(m.file_size for m in members) > MAX_UNPACKED:
        raise Unacceptable("这个文件解开后太大，请拆分后再传")
    if len(names) != len(members) or any(".." in n or n.startswith("/") for n in names):
        raise Unacceptable("这个文件的内部结构不正常，请重新保存后再传")
    if any(n.lower().endswith("vbaproject.bin") for n in names):
        raise Unacceptable("这个文件带有宏，请另存为不带宏的格式")
    if "[Content_Types].xml" in names and "xl/workbook.xml" in names:
        return XLSX
    if "[Content_Types].xml" in names and "word/document.xml" in names:
        return DOCX
    raise Unacceptable("只收 PDF、PNG、JPEG、XLSX、DOCX；压缩包请解开后逐件上传")


def safe_filename(name: str, media_type: str) -> str:
    """The name to show and to offer for saving: no path, no unseen characters, true ending."""
    base = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    base = "".join(c for c in base if unicodedata.category(c)[0] != "C").strip(" .")
    extension = EXTENSIONS.get(media_type, "")
    stem = base.rsplit(".", 1)[0] if "." in base else base
    return (stem[: 180 - len(extension)] or "文件") + extension
