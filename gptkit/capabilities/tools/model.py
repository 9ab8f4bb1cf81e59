"""The values of tools: what a tool file declares, what the model calls, and what came of a call."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

Risk = Literal["read", "write", "destructive"]
RISKS: tuple[Risk, ...] = get_args(Risk)
"""From the class that changes nothing to the class that cannot be taken back."""
Travel = Literal["auto", "tools", "structured"]
TRAVELS: tuple[Travel, ...] = get_args(Travel)
ArgumentKind = Literal["text", "integer", "number", "boolean", "choice", "file", "list"]
ARGUMENT_KINDS: tuple[ArgumentKind, ...] = get_args(ArgumentKind)
TIMEOUT = 30.0
"""Seconds that a call may take where the tool file says nothing."""
START = 20.0
"""Seconds that a server of tools may take to start where the tool file says nothing."""
ANSWER, ASK_USER = "answer", "ask_user"
"""Names of steps that are no tools of a file."""
PLACES = ("project", "home", "here")
"""Folders that a template may name: of the tool file, of the user, and the current one."""


class Argument(NamedTuple):
    """An argument of a command that the model fills in; `pattern` matches the whole value."""

    name: str
    kind: ArgumentKind = "text"
    help: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    minimum: float | None = None
    maximum: float | None = None
    optional: bool = False
    default: object = None


class Command(NamedTuple):
    """A command of a tool file.

    `run` is its template: one element for each argument of the process; an element that is a tuple falls away
    when an optional argument in it is not given.
    """

    name: str
    description: str
    run: tuple[str | tuple[str, ...], ...]
    arguments: tuple[Argument, ...]
    risk: Risk
    timeout: float = TIMEOUT
    folder: str = "{here}"
    env: Mapping[str, str] = {}
    ok: tuple[int, ...] = (0,)
    most: int | None = None
    stdin: str = ""


class ApiSource(NamedTuple):
    """Operations of an HTTP API that an OpenAPI description lists; `select` is empty for all of them.

    The mappings after `select` are by the names of operations, except `fix`, which is by argument.
    """

    name: str
    file: str
    server: str
    select: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}
    risk: Mapping[str, Risk] = {}
    fix: Mapping[str, object] = {}
    narrow: Mapping[str, Mapping[str, Mapping[str, object]]] = {}
    most: Mapping[str, int] = {}
    omit: tuple[str, ...] = ()
    timeout: float = TIMEOUT


class McpSource(NamedTuple):
    """Tools of an MCP server: a process (`run`), or a server at `url`."""

    name: str
    run: tuple[str, ...]
    url: str
    select: tuple[str, ...]
    headers: Mapping[str, str] = {}
    env: Mapping[str, str] = {}
    folder: str = "{here}"
    risk: Mapping[str, Risk] = {}
    fix: Mapping[str, object] = {}
    narrow: Mapping[str, Mapping[str, Mapping[str, object]]] = {}
    most: Mapping[str, int] = {}
    timeout: float = TIMEOUT
    start: float = START


class ToolsConfig(NamedTuple):
    """What a prompt file says under `tools`."""

    commands: tuple[Command, ...] = ()
    apis: tuple[ApiSource, ...] = ()
    servers: tuple[McpSource, ...] = ()
    calls: Travel = "auto"

    @property
    def is_empty(self) -> bool:
        return not (self.commands or self.apis or self.servers)

    @property
    def has_foreign_definitions(self) -> bool:
        """Whether definitions of tools stand outside of the tool file."""
        return bool(self.apis or self.servers)


class Operation(NamedTuple):
    """An operation of an HTTP API, ready to be requested.

    `places` says for each argument where its value goes (`path`, `query`, `header`, `body`, `whole body`) and
    under which name.
    """

    source: str
    method: str
    server: str
    path: str
    places: Mapping[str, tuple[str, str]]
    headers: Mapping[str, str]
    content_type: str = ""


class RemoteTool(NamedTuple):
    """A tool of an MCP server, by the name that the server gives it."""

    source: str
    name: str


class Tool(NamedTuple):
    """A tool that is offered to the model; `schema` is the JSON schema of its arguments.

    `narrow` holds schemas of single arguments that hold beside `schema`, `fix` the arguments that the program
    gives. `hint` is what a server says of its own tool. `strict` is the strict form of `schema`, None without
    one.
    """

    name: str
    description: str
    schema: Mapping[str, object]
    risk: Risk
    action: Command | Operation | RemoteTool
    file: str = ""
    most: int | None = None
    narrow: Mapping[str, Mapping[str, object]] = {}
    fix: Mapping[str, object] = {}
    timeout: float = TIMEOUT
    hint: str = ""
    strict: Mapping[str, object] | None = None


class RequestedCall(NamedTuple):
    """A call as the model made it; `arguments` is None if the text of them is no JSON object."""

    id: str
    tool: str
    arguments: Mapping[str, object] | None


class ToolAction(NamedTuple):
    """A checked call: exactly what is done when it is allowed. `does` is what is shown of it."""

    tool: Tool
    arguments: Mapping[str, object]
    does: str
    id: str = ""
    argv: tuple[str, ...] = ()
    """The arguments of the process; empty for other sources."""
    stdin: bytes = b""
    url: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What two calls of the same have in common."""
        from json import dumps

        return self.tool.name, dumps(self.arguments, sort_keys=True, ensure_ascii=False)


Ending = Literal["ok", "failed", "unknown", "refused", "not approved", "not done", "planned"]


class Result(NamedTuple):
    """What came of a call. `output` is what the tool said, `note` what the program says of it.

    `status` is the exit code or the HTTP status. `unknown` is an action that may have happened.
    """

    ending: Ending
    output: bytes = b""
    note: str = ""
    status: int | None = None
    seconds: float = 0.0
    size: int = 0
    errors: str = ""


class RefusedCallError(Exception):
    """Raised for a call that is not made; the message tells the model why."""
