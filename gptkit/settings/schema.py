"""The table of all settings, with types, defaults and variables, and the check of their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from gptkit.settings.address import check_index_url, parse_base_url, parse_proxy_url

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import YamlNode


DEFAULT_MODEL = "gpt-6-luna"
"""The least expensive model of the current generation (2026-11: 0.10 USD in, 0.50 USD out per million
tokens) that the SDK's list does not mark as deprecated."""

DEFAULT_BASE_URL = "https://api.openai.com/v1"

Kind = Literal["text", "integer", "number", "boolean", "choice", "map", "texts", "command"]


class Setting(NamedTuple):
    """A setting.

    A `bound` value is sent only to the host of the base URL that it was set beside. A `secret` value is
    never shown.
    """

    name: str
    kind: Kind
    description: str
    default: object = None
    environment: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    above: float | None = None
    """The value must be greater than this."""
    least: float | None = None
    """The value must be at least this."""
    bound: bool = False
    secret: bool = False
    project: bool = False
    """Whether a project's `.gptkit/config.yaml` may set it: only what changes how an answer reads, not where
    anything is sent, what is run or what may be spent."""


SETTINGS: Mapping[str, Setting] = {
    row.name: row
    for row in (
        Setting("model", "text", "model to ask", DEFAULT_MODEL, ("GPTKIT_MODEL",)),
        Setting(
            "base_url", "text", "address of the OpenAI-compatible API", DEFAULT_BASE_URL, ("OPENAI_BASE_URL",)
        ),
        Setting("profile", "text", "profile in use", environment=("GPTKIT_PROFILE",)),
        Setting(
            "temperature",
            "number",
            "sampling temperature; the higher, the more varied the answer",
            least=0,
            project=True,
        ),
        Setting("max_tokens", "integer", "limit of tokens for one answer", least=1),
        Setting("parameters", "map", "other API parameters, sent unchanged"),
        Setting("headers", "map", "HTTP headers sent with every request", bound=True, secret=True),
        Setting(
            "organization",
            "text",
            "OpenAI organization that pays",
            environment=("OPENAI_ORG_ID",),
            bound=True,
        ),
        Setting(
            "project_id", "text", "OpenAI project that pays", environment=("OPENAI_PROJECT_ID",), bound=True
        ),
        Setting("api_key_env", "text", "environment variable that holds the key", bound=True),
        Setting("api_key_command", "command", "command that prints the key, run without a shell", bound=True),
        Setting(
            "proxy",
            "text",
            "proxy URL (http, https, socks5, socks5h), or none",
            environment=("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"),
        ),
        Setting("no_proxy", "texts", "hosts to reach without the proxy", (), ("NO_PROXY",)),
        Setting(
            "fetch_hosts",
            "texts",
            "hosts, also with a port, that -f may fetch pages from although they are not public",
            (),
        ),
        Setting("ca_file", "text", "file of trusted certificates", environment=("SSL_CERT_FILE",)),
        Setting("ca_folder", "text", "folder of trusted certificates", environment=("SSL_CERT_DIR",)),
        Setting(
            "allow_http",
            "boolean",
            "allow unencrypted http to other machines",
            False,
            ("GPTKIT_ALLOW_HTTP",),
        ),
        Setting("connect_timeout", "number", "seconds to wait for a connection", 10.0, above=0),
        Setting("idle_timeout", "number", "seconds to wait for the next byte", 60.0, above=0),
        Setting(
            "first_token_timeout", "number", "seconds to wait for the first word of an answer", 600.0, above=0
        ),
        Setting("token_timeout", "number", "seconds to wait for the next word of an answer", 120.0, above=0),
        Setting(
            "end_timeout",
            "number",
            "seconds to wait for more after the server has said why an answer ended",
            10.0,
            above=0,
        ),
        Setting("attempts", "integer", "limit of requests for one answer, the first included", 4, least=1),
        Setting(
            "wait_budget",
            "number",
            "limit of seconds to wait between the attempts for one answer",
            60.0,
            least=0,
        ),
        Setting("stdin_wait", "number", "seconds to wait for a silent standard input", 3.0, least=0),
        Setting("jobs", "integer", "pieces of a long input that are worked on at once", 4, least=1),
        Setting(
            "ask_above",
            "number",
            "estimated US dollars above which a long job asks before it starts",
            1.0,
            least=0,
        ),
        Setting(
            "index", "text", "shared index of documents, asked where no document is named: a PostgreSQL URL"
        ),
        Setting("monthly_limit", "number", "limit of US dollars to spend in a calendar month", above=0),
        Setting("stream", "boolean", "ask for answers as streams; false: in one piece", True),
        Setting(
            "finish",
            "choice",
            "strict, or lenient: accept an answer that does not say why it ended",
            "strict",
            (),
            ("strict", "lenient"),
        ),
        Setting(
            "calls",
            "choice",
            "how calls of tools travel, by tools of the API or structured as JSON",
            "auto",
            (),
            ("auto", "tools", "structured"),
        ),
        Setting("aliases", "map", "short names of models: the name, and the model that the name stands for"),
        Setting("prices", "map", "prices of models: [input, output] in USD per million tokens"),
        Setting("context_window", "integer", "tokens that the model can take at once", least=1),
        Setting("log", "boolean", "keep a history of requests and answers", True),
        Setting(
            "markdown", "boolean", "show answers as formatted Markdown on a terminal", True, project=True
        ),
    )
}


_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
# Patterns that are compiled on their first use, since most runs check no value with one.
_WHOLE = r"[+-]?[0-9]{1,15}"
_PROFILE = r"[a-z][a-z0-9-]{0,63}"
_DEVICES = r"con|prn|aux|nul|com[0-9]|lpt[0-9]"
_HEADER = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_TEXT_CAP = 8192
_MODEL_CAP = 200
_FRAMING = ("host", "connection", "content-length", "content-type", "transfer-encoding", "accept-encoding")


def parse_text(setting: Setting, text: str) -> object:
    """Parse the text of a variable, an option or `config set`; raises ValueError."""
    text = text.strip()
    if setting.kind == "boolean":
        return _boolean(text)
    if setting.kind == "texts":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if setting.kind == "map":
        from gptkit.core.yaml_tree import parse_value

        return check_entries(setting, parse_value(text))
    return check_value(setting, _words(text) if setting.kind == "command" else text)


def parse_node(setting: Setting, node: YamlNode, key: str) -> object:
    """Read the value of a setting from a YAML node, None for `null`; raises ValueError.

    `key` is the name of the setting, or for an entry of a map a name such as `headers.X-Title`.
    """
    if key != setting.name:
        return check_entry(setting, key.partition(".")[2], node.data())
    if node.kind == "nothing":
        return None
    if isinstance(node.value, str) and setting.kind != "map":
        return parse_text(setting, node.value)
    if setting.kind in ("texts", "command") and isinstance(node.value, list):
        return check_value(setting, tuple(_item_text(item) for item in node.value))
    raise ValueError(f"must be {_type_name(setting)}, not {node.kind}")


def check_value(setting: Setting, value: object) -> object:
    """Check a value and convert it to the type of the setting; raises ValueError."""
    if isinstance(value, tuple):
        if setting.kind == "command" and not value:
            raise ValueError("must not be empty")
        return value
    if setting.kind in ("integer", "number"):
        return _number(setting, value)
    if not isinstance(value, str) or setting.kind == "boolean":
        if setting.kind == "boolean" and isinstance(value, bool):
            return value
        raise ValueError(f"must be {_type_name(setting)}")
    if setting.choices and value not in setting.choices:
        raise ValueError(f"must be one of {', '.join(setting.choices)}")
    return _text(setting, value)


def check_entries(setting: Setting, value: object) -> Mapping[str, object]:
    """Check the entries of a map; raises ValueError."""
    if not isinstance(value, dict):
        raise ValueError("must be a mapping of names to values")
    return {name: check_entry(setting, name, entry) for name, entry in value.items()}


def check_entry(setting: Setting, name: str, value: object) -> object:
    """Check an entry of a map; the value None removes the entry of a lower rank. Raises ValueError."""
    if setting.name == "parameters":
        from gptkit.core.chat import OWN_PARAMETERS

        if name in OWN_PARAMETERS:
            raise ValueError("gptkit sets it itself")
        return value
    if setting.name == "aliases":
        return _aliased_model(name, value)
    if setting.name == "prices":
        return _price(name, value)
    if not re.fullmatch(_HEADER, name):
        raise ValueError("is not the name of a header")
    if name.lower() in _FRAMING:
        raise ValueError("gptkit sets it itself")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be text")
    text = str(value).strip()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("holds a character that a header cannot")
    return text


def refuse_unusable(setting: Setting, value: object) -> None:
    """Raise ValueError for a URL that cannot be used."""
    if not isinstance(value, str):
        return
    if setting.name == "base_url":
        parse_base_url(value)
    elif setting.name == "proxy":
        parse_proxy_url(value)
    elif setting.name == "index":
        check_index_url(value)


def is_profile_name(name: str) -> bool:
    return bool(re.fullmatch(_PROFILE, name)) and not re.fullmatch(_DEVICES, name)


def _boolean(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE + _FALSE:
        raise ValueError("must be true or false")
    return word in _TRUE


def _number(setting: Setting, value: object) -> int | float:
    number: int | float
    if setting.kind == "integer":
        if isinstance(value, bool) or not re.fullmatch(_WHOLE, str(value)):
            raise ValueError("must be a whole number")
        number = int(str(value))
    else:
        number = _finite(value)
    if setting.least is not None and number < setting.least:
        raise ValueError(f"must be at least {setting.least:g}")
    if setting.above is not None and number <= setting.above:
        raise ValueError(f"must be more than {setting.above:g}")
    return number


def _aliased_model(alias: str, value: object) -> object:
    if not alias.strip() or not alias.isprintable() or len(alias) > _MODEL_CAP:
        raise ValueError("is not a name")
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("must be the name of a model")
    return value.strip()


def _price(model: str, value: object) -> object:
    """Check a price: `[input, output]`, or a mapping of these names."""
    if not model.strip() or not model.isprintable() or len(model) > _MODEL_CAP:
        raise ValueError("is not the name of a model")
    if value is None:
        return None
    if isinstance(value, dict) and value.keys() == {"input", "output"}:
        value = [value["input"], value["output"]]
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("must be [INPUT, OUTPUT] in USD per million tokens, such as [2, 8]")
    numbers = [_finite(price) for price in value]
    if min(numbers) < 0:
        raise ValueError("a price must be at least 0")
    return [int(number) if number.is_integer() else number for number in numbers]


def _finite(value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        raise ValueError("must be a number") from None
    if isinstance(value, bool) or not -1e9 < number < 1e9:  # false for NaN too
        raise ValueError("must be a number")
    return number


def _text(setting: Setting, text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    if len(text) > _TEXT_CAP:
        raise ValueError(f"is longer than {_TEXT_CAP} characters")
    if not text.isprintable():
        raise ValueError("holds a control character")
    if setting.name == "profile" and not is_profile_name(text):
        raise ValueError("must be a name of a to z, 0 to 9 and '-'")
    if setting.name == "api_key_env" and not re.fullmatch(_VARIABLE, text):
        raise ValueError("must be the name of an environment variable")
    return text


def _words(text: str) -> tuple[str, ...]:
    import shlex

    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise ValueError("cannot be split into words: a quotation is not closed") from None


def _item_text(node: YamlNode) -> str:
    if not isinstance(node.value, str):
        raise ValueError("must be a list of texts")
    return node.value


def _type_name(setting: Setting) -> str:
    return {
        "text": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "texts": "text or a list of texts",
        "command": "text or a list of texts",
        "map": "a mapping of names to values",
    }.get(setting.kind, f"one of {', '.join(setting.choices)}")
