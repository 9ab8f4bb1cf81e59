"""Bytes become a Card: JSON of V1 to V3, a PNG or APNG picture with a card in it, a CHARX archive."""

from __future__ import annotations

import json
import math

from gptkit.characters import build, charx, png
from gptkit.characters.card import Card, Finding, Report
from gptkit.core.errors import DataFault
from gptkit.core.excerpt import unexpected

FILE_CAP = 128 << 20
JSON_CAP = 8 << 20
DEPTH_CAP = 64


def card(data: bytes, source: str, report: Report | None = None) -> Card:
    """The card of a file's content; `report` hears of everything that is not as it should be.

    Raises DataFault for what is no card, is damaged, too large, or lacks what the model is to read.
    """
    findings: list[Finding] = []
    try:
        found = build.card(_parsed(_json(data, findings.append)), findings.append)
    except DataFault as fault:
        raise DataFault(f"'{source}': {fault.message}") from None
    for finding in findings if report else ():
        report(finding)  # type: ignore[misc]
    grave = [finding for finding in findings if finding.grave]
    if found is None or grave:
        first = grave[0]
        more = f" (and {len(grave) - 1} more)" if len(grave) > 1 else ""
        field = f"{first.field}: " if first.field else ""
        raise DataFault(f"'{source}': {field}{first.message}{more}")
    return found


def _json(data: bytes, report: Report) -> bytes:
    if len(data) > FILE_CAP:
        raise DataFault(f"larger than {FILE_CAP >> 20} MiB")
    if data.startswith(png.SIGNATURE):
        return png.png_card(data, JSON_CAP, report)
    if charx.is_archive(data):
        return charx.charx_card(data, JSON_CAP)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        raise DataFault("no specification says how a WEBP picture holds a card; PNG does")
    if data.startswith(b"\xff\xd8\xff"):
        raise DataFault("a JPEG picture without a card in it")
    return data


def _parsed(data: bytes) -> object:
    if len(data) > JSON_CAP:
        raise DataFault(f"the card is larger than {JSON_CAP >> 20} MiB")
    if not data.strip():
        raise DataFault("empty")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataFault("not a character card, or not UTF-8") from None
    try:
        parsed = json.loads(text, parse_constant=_refused, parse_float=_finite)
        return _cleaned(parsed, 0)
    except json.JSONDecodeError as error:
        raise DataFault(f"not JSON: line {error.lineno}: {unexpected(error.doc, error.pos)}") from None
    except ValueError:  # a number of more digits than Python reads
        raise DataFault("not JSON: a number is too long") from None
    except RecursionError:
        raise _too_deep() from None


def _cleaned(value: object, depth: int) -> object:
    """Without NUL, which no API takes, and with U+FFFD for halves of characters, which no UTF-8 has."""
    if isinstance(value, str):
        return _whole(value)
    if not isinstance(value, dict | list):
        return value
    if depth == DEPTH_CAP:
        raise _too_deep()
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    return {_whole(key): _cleaned(item, depth + 1) for key, item in value.items()}


def _whole(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text)
    return text


def _refused(constant: str) -> object:
    raise DataFault(f"not JSON: {constant} is not a number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise DataFault(f"the number {digits[:20]} is too large")
    return number


def _too_deep() -> DataFault:
    return DataFault(f"nested deeper than {DEPTH_CAP} levels")
