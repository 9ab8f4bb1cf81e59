"""Parses an API base URL, and builds the bytes of a request to it without any HTTP library."""

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


class BaseUrl(NamedTuple):
    """The parts of a base URL.

    `login` is `user:password`; `url` may be shown, since it leaves out login and query.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str
    login: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def host_port(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host_header}{self.path}"


class HttpRequest(NamedTuple):
    """One HTTP request; `body` is empty if it is sent in pieces."""

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


def parse_base_url(base_url: str) -> BaseUrl:
    """Parse a base URL. Raises ConfigurationError for anything but an http or https address."""
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
    return BaseUrl(parts.scheme, host, port or _PORTS[parts.scheme], path, query, login)


def build_http_request(
    endpoint: Endpoint, base_url: BaseUrl, method: str, path: str, body: Mapping[str, object] | None
) -> HttpRequest:
    """Build the request for `path` below the base URL.

    Raises NoPermissionError for a key that cannot be sent.
    """
    content = b"" if body is None else _encode_json(body)
    content_headers = {} if body is None else {"Content-Type": _JSON, "Content-Length": str(len(content))}
    location = f"{base_url.path}{path}" + (f"?{base_url.query}" if base_url.query else "")
    return HttpRequest(method, location, build_headers(endpoint, base_url, content_headers), content)


def build_headers(
    endpoint: Endpoint, base_url: BaseUrl, content_headers: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Build all headers of a request; `content_headers` describe its body, and replace `Accept`."""
    headers = {
        "Host": base_url.host_header,
        "User-Agent": f"gptkit/{__version__}",
        "Accept": _JSON,
        "Accept-Encoding": "gzip, deflate",
        **_authorization(endpoint, base_url),
    }
    if endpoint.organization:
        headers["OpenAI-Organization"] = endpoint.organization.strip()
    if endpoint.project:
        headers["OpenAI-Project"] = endpoint.project.strip()
    headers |= content_headers
    _add_custom_headers(headers, endpoint.headers)
    for name, value in headers.items():
        if not _VALUE.fullmatch(value):
            raise ConfigurationError(f"header '{name}': its value holds a character that HTTP does not allow")
    return tuple(headers.items())


def api_key(endpoint: Endpoint) -> str:
    """Return the API key without spaces around it, or "". Raises NoPermissionError for an impossible key."""
    stripped = (endpoint.key or "").strip()
    if not all("!" <= character <= "~" for character in stripped):
        raise NoPermissionError(
            "the API key holds a space, a line break or a character that no key has",
            hint="store it again with 'gptkit keys set'",
        )
    return stripped


def _authorization(endpoint: Endpoint, base_url: BaseUrl) -> dict[str, str]:
    secret = api_key(endpoint)
    if secret and "api-version=" in base_url.query:  # Azure takes tokens of its directory as `Bearer`
        return {"api-key": secret}
    if secret:
        return {"Authorization": f"Bearer {secret}"}
    if base_url.login:
        from base64 import b64encode

        return {"Authorization": f"Basic {b64encode(base_url.login.encode()).decode()}"}
    return {}


def _add_custom_headers(headers: dict[str, str], custom: Mapping[str, str]) -> None:
    known = {name.lower(): name for name in headers}
    for name, value in custom.items():
        if not _TOKEN.fullmatch(name):
            raise ConfigurationError(f"header '{name}': not a header name")
        if name.lower() in _FRAMING:
            raise ConfigurationError(f"header '{name}': gptkit sets it itself")
        headers[known.setdefault(name.lower(), name)] = value.strip()


def _encode_json(body: Mapping[str, object]) -> bytes:
    """Encode a body byte for byte as the SDK encodes it."""
    try:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode()
    except UnicodeEncodeError:
        raise DataError("request: the text holds half a character (a lone surrogate)") from None
    except (TypeError, ValueError, RecursionError):
        unfit = next((name for name, value in body.items() if not _is_json(value)), "request")
        raise DataError(f"parameter '{unfit}': its value cannot be written as JSON") from None


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
