"""Rows of workbooks and of CSV files."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterator, Sequence
from io import BytesIO, StringIO

from gptkit.core.errors import DataError
from gptkit.readers import ENCRYPTED, UNLOCK, Block, DocumentData, DocumentPlace
from gptkit.readers.archive import Archive

OLD_OFFICE = b"\xd0\xcf\x11\xe0"
OLD_KINDS = (
    ("EncryptedPackage", "it is encrypted"),
    ("__properties_version1.0", "it is a message of Outlook (.msg), which gptkit does not read"),
    ("WordDocument", "it is an old document of Word (.doc), which gptkit does not read"),
    ("PowerPoint Document", "it is an old presentation (.ppt), which gptkit does not read"),
)
"""Names in the directory of an old Office file, and what is wrong with such a file."""
LONGEST_HEADER = 300
SEPARATOR = " | "


def read_workbook(source: DocumentData) -> Iterator[Block]:
    """Each row of each sheet, below the sheet's name and its first row."""
    import python_calamine

    if source.data.startswith(OLD_OFFICE):
        _refuse_old(source)
    else:
        Archive(source)  # for the limits
    try:
        workbook = python_calamine.load_workbook(BytesIO(source.data))
        for name in workbook.sheet_names:
            sheet = workbook.get_sheet_by_name(name)
            rows = ([_shown(value) for value in row] for row in sheet.iter_rows())
            yield from _blocks(((at, at, row) for at, row in enumerate(rows, 1)), name, "row")
    except python_calamine.PasswordError:
        raise DataError(f"{source.name}: {ENCRYPTED}", hint=UNLOCK) from None
    except python_calamine.CalamineError:
        raise DataError(f"{source.name}: it is a damaged workbook") from None


def _refuse_old(source: DocumentData) -> None:
    for name, fault in OLD_KINDS:
        if name.encode("utf-16-le") in source.data:
            raise DataError(f"{source.name}: {fault}", hint="save a copy as PDF or in a newer format")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        return str(value.date() if value.time() == datetime.time() else value)
    return str(value)


def read_csv(source: DocumentData) -> Iterator[Block]:
    """Each row by its lines, below the first row."""
    text = source.text()
    rows = csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text))
    csv.field_size_limit(len(text) + 1)

    def numbered() -> Iterator[tuple[int, int, Sequence[str]]]:
        end = 0
        for row in rows:
            first, end = end + 1, rows.line_num
            yield first, end, row

    try:
        yield from _blocks(numbered(), None, "line")
    except csv.Error as error:
        raise DataError(f"{source.name}: line {rows.line_num}: {error}") from None


def _delimiter(text: str) -> str:
    """What stands most often in the first line."""
    line = text[:10_000].split("\n", 1)[0]
    return max(",;\t|", key=line.count)


def _blocks(rows: Iterator[tuple[int, int, Sequence[str]]], sheet: str | None, kind: str) -> Iterator[Block]:
    """A block for each row that holds something, with the first such row as a heading of all others."""
    above = (sheet,) if sheet else ()
    heading = above
    for first, end, cells in rows:
        text = SEPARATOR.join(cell.strip() for cell in cells).strip(" |")
        if not text:
            continue
        yield Block(text, DocumentPlace(kind, first, end, sheet), heading)
        if heading is above and len(cells) > 1:
            heading = (*above, text[:LONGEST_HEADER])
