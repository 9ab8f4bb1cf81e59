"""One API address taken apart, and the bytes of a request to it, without any HTTP library."""

import json
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from gptkit import __version__
from gptkit.core.chat import Endpoint
from gptkit.core.errors import ConfigurationError, DataError, NoPermissionError

_JSON = "application/json"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_FRAMING = {"host", "content-length", "transfer-encoding", "accept-encoding", "connection", "expect"}


class Target(NamedTuple):
    """Where a base URL points to; `url` is what may be shown: no user, no password, no query."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    login: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


class Outgoing(NamedTuple):
    """One HTTP request, complete; `body` is empty where it is sent in pieces."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def head(self) -> bytes:
        lines = [
            f"{self.method} {self.target} HTTP/1.1",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


_PORTS = {"http": 80, "https": 443}


def target(base_url: str) -> Target:
    """Raises ConfigurationError for what is not an http or https address."""
    if any(character <= " " or character == "\x7f" for character in base_url):
        raise ConfigurationError("base URL: holds a space or a control character")
    try:
        parts = urlsplit(base_url)
        port, host = parts.port, parts.hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        raise ConfigurationError("base URL: not an address") from None
    if parts.scheme not in _PORTS or not host:
        raise ConfigurationError(
            "base URL: not an http or https address", hint="write it like https://api.example.com/v1"
        )
    login = ""
    if parts.username or parts.password:
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path, query, login)


def message(
    endpoint: Endpoint, place: Target, method: str, path: str, body: Mapping[str, object] | None
) -> Outgoing:
    """The request for `path` below the base URL; raises NoPermissionError for a key that cannot be sent."""
    content = b"" if body is None else _json(body)
    about = {} if body is None else {"Content-Type": _JSON, "Content-Length": str(len(content))}
    location = f"{place.path}{path}" + (f"?{place.query}" if place.query else "")
    return Outgoing(method, location, headers(endpoint, place, about), content)


def headers(endpoint: Endpoint, place: Target, about: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Those of a request; `about` describes its body, and what may come back where that is not JSON."""
    made = {
        "Host": place.authority,
        "User-Agent": f"gptkit/{__version__}",
        "Accept": _JSON,
        "Accept-Encoding": "gzip, deflate",
        **_authorization(endpoint, place),
    }
    if endpoint.organization:
        made["OpenAI-Organization"] = endpoint.organization.strip()
    if endpoint.project:
        made["OpenAI-Project"] = endpoint.project.strip()
    made |= about
    _customise(made, endpoint.headers)
    for name, value in made.items():
        if not _VALUE.fullmatch(value):
            raise ConfigurationError(f"header '{name}': its value holds a character that HTTP does not allow")
    return tuple(made.items())


def key(endpoint: Endpoint) -> str:
    """The API key as it is sent, or nothing. Raises NoPermissionError for a key that no server can give."""
    stripped = (endpoint.key or "").strip()
    if not all("!" <= character <= "~" for character in stripped):
        raise NoPermissionError(
            "the API key holds a space, a line break or a character that no key has",
            hint="store it again with 'gptkit keys set'",
        )
    return stripped


def _authorization(endpoint: Endpoint, place: Target) -> dict[str, str]:
    secret = key(endpoint)
    if secret:
        return {"Authorization": f"Bearer {secret}"}
    if place.login:
        from base64 import b64encode

        return {"Authorization": f"Basic {b64encode(place.login.encode()).decode()}"}
    return {}


def _customise(headers: dict[str, str], custom: Mapping[str, str]) -> None:
    known = {name.lower(): name for name in headers}
    for name, value in custom.items():
        if not _TOKEN.fullmatch(name):
            raise ConfigurationError(f"header '{name}': not a header name")
        if name.lower() in _FRAMING:
            raise ConfigurationError(f"header '{name}': gptkit sets it itself")
        headers[known.setdefault(name.lower(), name)] = value.strip()


def _json(body: Mapping[str, object]) -> bytes:
    """Spelled as the SDK spells it, so that the two requests are equal byte for byte."""
    try:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except UnicodeEncodeError:
        raise DataError("request: the text holds half a character (a lone surrogate)") from None
    except (TypeError, ValueError, RecursionError):
        unfit = next((name for name, value in body.items() if not _fits(value)), "request")
        raise DataError(f"parameter '{unfit}': its value cannot be written as JSON") from None


def _fits(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
