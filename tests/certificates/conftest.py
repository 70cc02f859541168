"""Fonts and keys that the tests of this room share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from catalogue import keys
from catalogue.documents.fonts import Fonts, prepare


@pytest.fixture(scope="session")
def fonts() -> Fonts:
    """The fonts of this checkout; cut once, then found."""
    return prepare(Path(os.environ.get("PORTAL_TEST_FONTS", Path.cwd() / "var" / "fonts")))


@pytest.fixture(scope="session")
def signatory(tmp_path_factory: pytest.TempPathFactory) -> keys.SigningKey:
    """Demonstration keys of this run."""
    return keys.load(tmp_path_factory.mktemp("keys"))
