"""The table of forms, and that help and documentation know every row."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from restr.cli.main import main
from restr.errors import ConfigError
from restr.inference.forms import ANSWER_FORMS, FILE_FORMS, OUTPUT_FORMS, PICTURE_ANSWERS, answer_content, png_bytes

DOCS = Path(__file__).parents[2] / "docs"


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text))


def test_documentation_and_help_name_every_form(capsys: pytest.CaptureFixture[str]) -> None:
    table = (DOCS / "python.md").read_text(encoding="utf-8").partition("## Forms")[2].partition("\n## ")[0]
    rows = [[cell.strip().strip("`") for cell in line.split("|")[1:4]] for line in table.splitlines()[4:] if line]
    saved = {row[0].partition("`")[0] for row in rows}
    assert saved == set(FILE_FORMS), (
        "docs/python.md, Forms: a row for each form, its name in the first column if it is saved"
    )
    sent = {row[1] for row in rows if row[1]}
    assert sent == set(ANSWER_FORMS), "docs/python.md, Forms: the name in the second column if the server sends it"
    (line,) = [line for line in (DOCS / "server.md").read_text().splitlines() if line.startswith("`formats` are ")]
    assert set(ANSWER_FORMS) <= words(line), "docs/server.md: name it in the line that begins with `formats` are"
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    assert set(FILE_FORMS) <= words(capsys.readouterr().out)


def test_the_server_offers_the_forms_of_the_table() -> None:
    schemas = pytest.importorskip("restr.server.schemas")
    assert get_args(schemas.Format) == ANSWER_FORMS
    assert ANSWER_FORMS[-len(PICTURE_ANSWERS) :] == PICTURE_ANSWERS
    assert get_args(schemas.Picture) == PICTURE_ANSWERS
    for name in ANSWER_FORMS:
        assert schemas.Found.model_fields[name].description == OUTPUT_FORMS[name].help


def test_a_form_that_is_not_sent_is_refused() -> None:
    with pytest.raises(ConfigError, match=f"choose from {', '.join(ANSWER_FORMS)}"):
        answer_content(None, "heatmap")


def test_png_files_hold_the_picture_whatever_the_compression() -> None:
    picture = Image.new("L", (5, 4), 200)
    for fast in (False, True):
        assert Image.open(io.BytesIO(png_bytes(picture, fast=fast))).tobytes() == picture.tobytes()
