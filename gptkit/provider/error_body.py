"""Parses the error bodies of servers: what they say, about which parameter, and how long to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from gptkit.core.chat import STREAM
from gptkit.provider.stream import page_title

_MESSAGE_LIMIT = 4096
"""Characters of a message that are searched; a few hundred are shown."""

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
_LOCATION = re.compile(r"""['"]?loc['"]?:\s*[\[(]\s*(?:['"]body['"],\s*)?['"]([a-z_][a-z0-9_]*)['"]""")
_NUMBER = r"(\d[\d,_]*)"
_CONTEXT_LENGTH = rf"maximum context length is {_NUMBER}.*?(?:requested|resulted in)(?: about)? {_NUMBER}"
_TOKEN_COUNTS = (  # and whether the allowed number comes before the sent one
    (re.compile(_CONTEXT_LENGTH, re.DOTALL), True),
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
"""Messages about a value that no model takes; to drop such a parameter would hide the user's mistake."""


_BAD_KEY = re.compile(
    r"(?:incorrect|invalid|expired)[ _]api[ _-]?key"
    r"|api[ _-]?key[ _](?:is )?(?:not valid|invalid|incorrect|expired)",
    re.IGNORECASE,
)
_NO_SYSTEM_ROLE = re.compile(
    r"(?:system|developer)[ _](?:role|message|prompt|instruction)s?\b[^.]{0,40}(?:\bnot|n't|\bun)\s?"
    r"(?:be )?(?:support|allow|enabl|accept|available|permit)"
    r"|(?:does not|doesn't|do not|don't|not) support[^.]{0,40}\bsystem\b"
    r"|(?:invalid|unknown|unsupported|unexpected) (?:message )?role:?\s*['\"`]?system\b"
    r"|\brole:?\s*['\"`]?system\b[^.]{0,20}\bnot\b|\bsystem['\"`]? is not a valid\b"
    r"|invalid value: ['\"`]system\b"
    r"|\bonly user and assistant\b|\b(?:must|should) be (?:one of )?['\"`]user\b"
    r"|(?<!system message, )conversation roles must alternate",
    re.IGNORECASE,
)
"""Also the words of chat templates (Gemma, Mistral) that llama.cpp and vLLM pass on."""
_NO_STREAM = re.compile(
    r"\bstream(?:ing)?\b[^.]{0,40}(?:\bnot|n't|\bun)\s?(?:be )?(?:support|allow|enabl|available|permit)"
    r"|(?:does not|doesn't|do not|don't|not) support (?:\w+ )?stream(?:ing)?\b"
    r"|only supports? (?:the )?stream(?:ing)?\b|\b(?:cannot|can't) stream\b"
    r"|\bstream(?:ing)?\b[^.]{0,20}\bdisabled\b|\bstream['\"`]? (?:must|should) be false\b",
    re.IGNORECASE,
)
"""What servers say that cannot stream, or that can do nothing else (Qwen)."""
_NO_ATTACHMENT = re.compile(
    r"image_url is only supported|(?:image|file|pdf|vision)s?(?: inputs?)? (?:is|are) not supported"
    r"|(?:not|n't) support (?:any )?(?:image|file|pdf|vision|multi-?modal)|support image input"
    r"|not a multi-?modal model|missing data required for image|\bat most \d+ image"
    r"|(?:unsupported|unknown) (?:chat )?(?:content )?part type|unsupported content\W{0,4}type"
    r"|unknown variant \W?(?:image_url|file)|invalid value: \W?(?:image_url|file)"
    r"|input should be \W?text|取值范围[^.]{0,9}text",
    re.IGNORECASE,
)
"""What servers say to a request with an image or a PDF that their model cannot take: OpenAI, llama.cpp,
Ollama, OpenRouter, vLLM, DeepSeek, DashScope, validation libraries, BigModel."""
_ONE_VALUE = re.compile(
    r"unsupported[_ ]value|does not support|only the default|(?:should|must) be\b|invalid[_ ]value",
    re.IGNORECASE,
)
"""What servers say of the value of a parameter that the model knows."""
_MODEL = re.compile(r"model|deployment|engine|模型", re.IGNORECASE)


class ErrorReport(NamedTuple):
    """What an error body says.

    `kind` is the server's code and type, `wait` how many seconds it advises to wait. All texts are foreign.
    """

    message: str
    kind: str
    parameter: str
    status: int | None
    counts: tuple[int, int] | None = None
    wait: float | None = None

    @property
    def is_out_of_credit(self) -> bool:
        """Whether the account is empty; for a server that advises to wait, its code alone can say so."""
        text = self.kind if self.wait is not None else f"{self.kind} {self.message}"
        return bool(_NO_CREDIT.search(text))

    @property
    def is_bad_key(self) -> bool:
        return bool(_BAD_KEY.search(f"{self.kind} {self.message}"))

    def names_model(self, model: str) -> bool:
        """Whether the server speaks of the model, not of the path of the URL."""
        name = rf"(?<!\w){re.escape(model)}(?!\w)"
        return bool(_MODEL.search(f"{self.kind} {self.message}") or re.search(name, self.message))

    @property
    def is_refused(self) -> bool:
        """Whether the provider refuses the content of the request; another request may be answered."""
        return bool(_REFUSED.search(f"{self.kind} {self.message}"))

    @property
    def rejected_parameter(self) -> str:
        """The parameter that the model does not know; empty if only its value is wrong."""
        bad_value = _BAD_VALUE.search(self.kind) or _BAD_VALUE.search(self.message)
        if not self.parameter and _NO_STREAM.search(self.message):
            return STREAM
        return "" if bad_value else self.parameter

    @property
    def rejects_one_value(self) -> bool:
        return bool(_ONE_VALUE.search(f"{self.kind} {self.message}"))

    @property
    def rejects_system_role(self) -> bool:
        return bool(_NO_SYSTEM_ROLE.search(self.message))

    @property
    def rejects_attachments(self) -> bool:
        """Whether the model takes no such attachments; to be asked of a request that has some."""
        return bool(_NO_ATTACHMENT.search(self.message))

    @property
    def is_too_long(self) -> bool:
        return bool(_TOO_LONG.search(self.kind) or (not self.parameter and _TOO_LONG.search(self.message)))


def parse_error_body(body: object) -> ErrorReport:
    """Parse an error body: an object, an array of such objects (Gemini), or text that is no JSON."""
    if isinstance(body, list):
        return parse_error_body(body[0] if body else "")
    if isinstance(body, Mapping):
        inner = body.get("error")
        if isinstance(inner, Mapping):
            return parse_error_body(inner)
        message = _message(body)[:_MESSAGE_LIMIT]
        kind = " ".join(str(body[name])[:100] for name in ("code", "type", "status") if body.get(name))
        counts, wait = _counts(body), _retry_delay(body)
        return ErrorReport(message, kind, _parameter(body, message), _status(body), counts, wait)
    text = body if isinstance(body, str) else ""
    if text.lstrip()[:1] == "<":
        text = page_title(text.encode()) or "a web page"
    return ErrorReport(text[:_MESSAGE_LIMIT], "", _parameter({}, text[:_MESSAGE_LIMIT]), None)


def token_counts(report: ErrorReport) -> tuple[int, int] | None:
    """Return the tokens that were sent and that are allowed; None unless the server says both."""
    if report.counts:
        return report.counts
    for pattern, allowed_first in _TOKEN_COUNTS:
        if match := pattern.search(report.message):
            one, other = (int(re.sub(r"\D", "", number)) for number in match.groups())
            return (other, one) if allowed_first else (one, other)
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `retry-after-ms` or `retry-after` (seconds or a date) asks to wait."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return _seconds_until(headers.get("retry-after", ""))


def _seconds_until(date: str) -> float | None:
    from email.utils import parsedate_to_datetime
    from time import time

    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time())
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _counts(body: Mapping[object, object]) -> tuple[int, int] | None:
    sent, allowed = body.get("n_prompt_tokens"), body.get("n_ctx")
    return (sent, allowed) if isinstance(sent, int) and isinstance(allowed, int) else None


def _retry_delay(body: Mapping[object, object]) -> float | None:
    """Return the seconds of Google's `RetryInfo`, such as `"retryDelay": "15.002s"`."""
    details = body.get("details")
    for row in details if isinstance(details, list) else []:
        delay = row.get("retryDelay") if isinstance(row, Mapping) else None
        if isinstance(delay, str) and re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?s", delay):
            return float(delay[:-1])
    return None


def _message(body: Mapping[object, object]) -> str:
    for name in ("message", "detail", "error", "msg", "error_description", "title", "errors"):
        value = body.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, Mapping):
            return _message(value)
        if isinstance(value, list) and value:
            rows = [row for row in value if isinstance(row, Mapping)]
            return "; ".join(_validation_text(row) for row in rows) if rows else str(value[0])
    return ""


def _validation_text(row: Mapping[object, object]) -> str:
    """Format one message of a validation library, with its location."""
    place = row.get("loc")
    path = ".".join(str(part) for part in place if part != "body") if isinstance(place, list | tuple) else ""
    return f"{path}: {_message(row)}" if path else _message(row)


def _parameter(body: Mapping[object, object], message: str) -> str:
    named = body.get("param")
    if isinstance(named, str) and (root := re.match(r"[A-Za-z_]\w*", named)):
        return root[0]
    if place := _first_location(body):
        return place
    for pattern in (_LOCATION, _PARAMETER, _QUOTED_PARAMETER):
        if match := pattern.search(message):
            return match[1]
    return ""


def _first_location(value: object) -> str:
    """Find the first `loc` of a validation library in a nested answer."""
    if isinstance(value, Mapping):
        place = value.get("loc")
        if isinstance(place, list | tuple):
            return next((part for part in place if isinstance(part, str) and part != "body"), "")
        return next((name for inner in value.values() if (name := _first_location(inner))), "")
    if isinstance(value, list):
        return next((name for inner in value if (name := _first_location(inner))), "")
    return ""


def _status(body: Mapping[object, object]) -> int | None:
    for name in ("status", "code", "status_code"):
        value = body.get(name)
        number = int(value) if isinstance(value, str) and value.isdigit() and len(value) == 3 else value
        if isinstance(number, int) and not isinstance(number, bool) and 400 <= number <= 599:
            return number
    return None
