"""Every setting there is, in one table: its type, default, environment variables and meaning."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

DEFAULT_MODEL = "gpt-6-luna"
"""The least expensive model of the current generation (2026-11: 0.10 USD in, 0.50 USD out per million
tokens) that the SDK's list does not mark as deprecated."""

DEFAULT_BASE_URL = "https://api.openai.com/v1"

Kind = Literal["text", "integer", "number", "boolean", "choice", "map", "texts", "command"]


class Setting(NamedTuple):
    """One row. `bound` ones go only to the host of the base URL that they were set beside."""

    name: str
    kind: Kind
    description: str
    default: object = None
    environment: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    above: float | None = None
    """The value is greater than this."""
    least: float | None = None
    bound: bool = False
    secret: bool = False
    project: bool = False
    """A project's own `.gptkit/config.yaml` may set it: it changes how an answer reads, and neither
    where anything goes, what is run, nor what may be spent."""


SETTINGS: Mapping[str, Setting] = {
    row.name: row
    for row in (
        Setting("model", "text", "model that answers", DEFAULT_MODEL, ("GPTKIT_MODEL",)),
        Setting(
            "base_url", "text", "address of the OpenAI-compatible API", DEFAULT_BASE_URL, ("OPENAI_BASE_URL",)
        ),
        Setting("profile", "text", "profile in use", environment=("GPTKIT_PROFILE",)),
        Setting("temperature", "number", "sampling temperature", least=0, project=True),
        Setting("max_tokens", "integer", "most tokens of one answer", least=1),
        Setting("parameters", "map", "any other API parameters, sent as they are"),
        Setting("headers", "map", "HTTP headers sent with every request", bound=True, secret=True),
        Setting("organization", "text", "organization that pays", environment=("OPENAI_ORG_ID",), bound=True),
        Setting("project_id", "text", "project that pays", environment=("OPENAI_PROJECT_ID",), bound=True),
        Setting("api_key_env", "text", "environment variable that holds the key", bound=True),
        Setting("api_key_command", "command", "command that prints the key, run without a shell", bound=True),
        Setting(
            "proxy",
            "text",
            "proxy URL (http, https, socks5, socks5h), or none",
            environment=("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"),
        ),
        Setting("no_proxy", "texts", "hosts that are reached directly", (), ("NO_PROXY",)),
        Setting("ca_file", "text", "file of trusted certificates", environment=("SSL_CERT_FILE",)),
        Setting("ca_folder", "text", "folder of trusted certificates", environment=("SSL_CERT_DIR",)),
        Setting(
            "allow_http",
            "boolean",
            "allow unencrypted http to other machines",
            False,
            ("GPTKIT_ALLOW_HTTP",),
        ),
        Setting("connect_timeout", "number", "seconds to connect", 10.0, above=0),
        Setting("idle_timeout", "number", "seconds without a byte", 60.0, above=0),
        Setting("first_token_timeout", "number", "seconds to the first word", 600.0, above=0),
        Setting("token_timeout", "number", "seconds between two words", 120.0, above=0),
        Setting("attempts", "integer", "most requests for one answer, the first included", 4, least=1),
        Setting(
            "wait_budget", "number", "most seconds to wait between attempts, all together", 60.0, least=0
        ),
        Setting("stdin_wait", "number", "seconds to wait for an idle standard input", 3.0, least=0),
        Setting("jobs", "integer", "pieces of a long input to work on at once", 4, least=1),
        Setting(
            "ask_above", "number", "US dollars above which a long job asks before it begins", 1.0, least=0
        ),
        Setting("monthly_limit", "number", "most US dollars to spend in a calendar month", above=0),
        Setting(
            "finish", "choice", "whether an answer must say why it ended", "strict", (), ("strict", "lenient")
        ),
        Setting("prices", "map", "a model's [input, output] in USD per million tokens"),
        Setting("context_window", "integer", "tokens that the model takes at most", least=1),
        Setting("log", "boolean", "keep a history of what was asked and answered", True),
        Setting("markdown", "boolean", "render Markdown on a terminal", True, project=True),
    )
}
