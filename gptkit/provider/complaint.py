"""What a server's error body says, in whichever of the usual shapes it comes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from gptkit.provider.body import title

_LONGEST = 4096
"""Characters of a message that are looked at; a few hundred are shown."""

_PARAMETER = re.compile(
    r"""(?:unsupported\ (?:parameter|value)s?|unrecogni[sz]ed\ request\ arguments?(?:\ supplied)?
        |unknown\ (?:parameter|argument|field|name)s?|unexpected\ (?:parameter|argument|field)s?
        |extra\ inputs\ are\ not\ permitted|(?:parameter|argument|field)\ not\ (?:supported|allowed)
        |unexpected\ keyword\ argument|invalid\ (?:parameter|value)):?\s*
        ['"`]?(?P<name>[A-Za-z_][A-Za-z0-9_]*)""",
    re.IGNORECASE | re.VERBOSE,
)
_QUOTED_PARAMETER = re.compile(
    r"""['"`](?P<name>[a-z_][a-z0-9_]*)['"`]?(?:\ parameter)?\ (?:is|are|does|do)\ (?:not|n't|un|only\ )""",
    re.VERBOSE,
)
_PLACE = re.compile(r"""['"]?loc['"]?:\s*[\[(]\s*(?:['"]body['"],\s*)?['"]([a-z_][a-z0-9_]*)['"]""")
_NUMBER = r"(\d[\d,_]*)"
_CONTEXT = rf"maximum context length is {_NUMBER}.*?(?:requested|resulted in)(?: about)? {_NUMBER}"
_LIMITS = (  # and whether what is allowed comes before what was sent
    (re.compile(_CONTEXT, re.DOTALL), True),
    (re.compile(rf"{_NUMBER} tokens? > {_NUMBER}"), False),
    (re.compile(rf"token count \({_NUMBER}\) exceeds .*?\({_NUMBER}\)", re.DOTALL), False),
    (re.compile(rf"\({_NUMBER} tokens?\) exceeds .*?\({_NUMBER} tokens?\)", re.DOTALL), False),
)
_TOO_LONG = re.compile(
    r"context[_ ](?:length|size|window)|prompt is too long|too many tokens|exceed_context_size"
    r"|input token count|reduce the length",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(
    r"insufficient[_ ](?:quota|balance|credits?|funds)|credit[_ ]balance|exceeded your current quota"
    r"|billing[_ ](?:hard[_ ]limit|not[_ ]active)|(?:spend|spending|budget)[_ ]limit"
    r"|payment[_ ]required|out of credits",
    re.IGNORECASE,
)

_REFUSED = re.compile(
    r"content[_ ](?:filter|policy|management policy)|ResponsibleAIPolicyViolation|invalid_prompt"
    r"|moderation[_ ]blocked|safety[_ ]system|input was flagged|flagged as potentially",
    re.IGNORECASE,
)
_BAD_VALUE = re.compile(
    r"(?:above|below)[ _](?:the )?(?:max|min)|out[ _]of[ _]range|too (?:large|small|high|low)"
    r"|(?:less|greater|more) than(?: or equal)?|must be (?:between|at (?:least|most)|positive|a )"
    r"|expected a value|invalid[ _]type|(?:less|greater)_than",
    re.IGNORECASE,
)
"""A value that no model would take: the user is told, since leaving it out would hide the mistake."""


class Complaint(NamedTuple):
    """`kind` holds the server's own words for what it is: code and type. All of it is foreign text."""

    message: str
    kind: str
    parameter: str
    status: int | None
    counts: tuple[int, int] | None = None

    @property
    def no_credit(self) -> bool:
        return bool(_NO_CREDIT.search(f"{self.kind} {self.message}"))

    @property
    def refused(self) -> bool:
        """For what the request says; another request may well be answered."""
        return bool(_REFUSED.search(f"{self.kind} {self.message}"))

    @property
    def rejected(self) -> str:
        """The parameter that the model does not take; not one whose value alone is wrong."""
        bad_value = _BAD_VALUE.search(self.kind) or _BAD_VALUE.search(self.message)
        return "" if bad_value else self.parameter

    @property
    def too_long(self) -> bool:
        return bool(_TOO_LONG.search(self.kind) or (not self.parameter and _TOO_LONG.search(self.message)))


def complaint(body: object) -> Complaint:
    """From an error body: an object, or the text that was not JSON."""
    if isinstance(body, Mapping):
        inner = body.get("error")
        if isinstance(inner, Mapping):
            return complaint(inner)
        message = _message(body)[:_LONGEST]
        kind = " ".join(str(body[name])[:100] for name in ("code", "type", "status") if body.get(name))
        return Complaint(message, kind, _parameter(body, message), _status(body), _counts(body))
    text = body if isinstance(body, str) else ""
    if text.lstrip()[:1] == "<":
        text = title(text.encode()) or "a web page"
    return Complaint(text[:_LONGEST], "", _parameter({}, text[:_LONGEST]), None)


def tokens(said: Complaint) -> tuple[int, int] | None:
    """How many tokens were sent and how many are allowed, where the server says both."""
    if said.counts:
        return said.counts
    for pattern, allowed_first in _LIMITS:
        if found := pattern.search(said.message):
            one, other = (int(re.sub(r"\D", "", number)) for number in found.groups())
            return (other, one) if allowed_first else (one, other)
    return None


def wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait: `retry-after-ms`, seconds, or a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return _until(headers.get("retry-after", ""))


def _until(date: str) -> float | None:
    from email.utils import parsedate_to_datetime
    from time import time

    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time())
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _counts(body: Mapping[object, object]) -> tuple[int, int] | None:
    sent, allowed = body.get("n_prompt_tokens"), body.get("n_ctx")
    return (sent, allowed) if isinstance(sent, int) and isinstance(allowed, int) else None


def _message(body: Mapping[object, object]) -> str:
    for name in ("message", "detail", "error", "msg", "error_description", "title", "errors"):
        value = body.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, Mapping):
            return _message(value)
        if isinstance(value, list) and value:
            rows = [row for row in value if isinstance(row, Mapping)]
            return "; ".join(_row(row) for row in rows) if rows else str(value[0])
    return ""


def _row(row: Mapping[object, object]) -> str:
    """One complaint of a validation library: where and what."""
    place = row.get("loc")
    path = ".".join(str(part) for part in place if part != "body") if isinstance(place, list | tuple) else ""
    return f"{path}: {_message(row)}" if path else _message(row)


def _parameter(body: Mapping[object, object], message: str) -> str:
    named = body.get("param")
    if isinstance(named, str) and (root := re.match(r"[A-Za-z_]\w*", named)):
        return root[0]
    if place := _location(body):
        return place
    for pattern in (_PLACE, _PARAMETER, _QUOTED_PARAMETER):
        if found := pattern.search(message):
            return found[1]
    return ""


def _location(value: object) -> str:
    """The first `loc` of a validation library's answer, however deep it lies."""
    if isinstance(value, Mapping):
        place = value.get("loc")
        if isinstance(place, list | tuple):
            return next((part for part in place if isinstance(part, str) and part != "body"), "")
        return next((found for inner in value.values() if (found := _location(inner))), "")
    if isinstance(value, list):
        return next((found for inner in value if (found := _location(inner))), "")
    return ""


def _status(body: Mapping[object, object]) -> int | None:
    for name in ("status", "code", "status_code"):
        value = body.get(name)
        number = int(value) if isinstance(value, str) and value.isdigit() and len(value) == 3 else value
        if isinstance(number, int) and not isinstance(number, bool) and 400 <= number <= 599:
            return number
    return None
