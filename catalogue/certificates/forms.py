"""The form that takes a PDF to be checked."""

from __future__ import annotations

from flask_wtf.file import FileRequired

from catalogue.forms import EvidenceField, PostedForm


class FileCheckForm(PostedForm):
    """One file; it is compared, and never kept."""

    file = EvidenceField("证书文件（PDF）", validators=[FileRequired("请选择要核验的 PDF 文件")])
