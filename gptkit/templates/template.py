"""What a prompt file says, as values."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import Problem, YamlNode


Kind = Literal["text", "integer", "number", "boolean", "choice", "file", "list"]
Input = Literal["required", "optional", "none"]
Value = str | int | float | bool | tuple[str, ...]

KINDS: tuple[Kind, ...] = get_args(Kind)
INPUTS: tuple[Input, ...] = get_args(Input)
INPUT_VARIABLES = ("text", "request", "files")
"""Variables that every template has: the input, what is wanted with it, and the input by file."""
DEFAULT_USER = "{% if request %}{{ request }}\n\n{% endif %}{{ text }}"


class Parameter(NamedTuple):
    """An option or a positional argument that a prompt file declares."""

    name: str
    kind: Kind = "text"
    default: Value | None = None
    short: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    line: int = 0
    plain: bool = False
    """A boolean that cannot be switched off: `--show` without a `--no-show`."""
    least: int | None = None
    """The smallest number that it takes."""
    metavar: str = ""
    """The word for its value in `--help`, where that of its kind says too little."""

    @property
    def variable(self) -> str:
        """Its name inside the template."""
        return self.name.replace("-", "_")

    @property
    def empty_value(self) -> Value:
        """What the template sees when it is neither given nor has a default: falsy."""
        if self.kind == "boolean":
            return False
        return () if self.kind == "list" else ""


class Case(NamedTuple):
    """One entry of `tests:`: given values, the reply to answer with, and what must hold."""

    line: int
    text: str
    request: str
    values: Mapping[str, Value]
    reply: str
    expect: Mapping[str, tuple[str, ...]]


class Template(NamedTuple):
    """A prompt file, checked. `examples` are turns of user and assistant.

    `lines` says where keys stand, `blocks` where the text of those written with `|` begins.
    """

    name: str
    source: str
    description: str
    system: str = ""
    user: str = DEFAULT_USER
    examples: tuple[tuple[str, str], ...] = ()
    options: tuple[Parameter, ...] = ()
    arguments: tuple[Parameter, ...] = ()
    input: Input = "required"
    model: str = ""
    parameters: Mapping[str, object] = {}
    output: str = "markdown"
    schema: Mapping[str, object] | None = None
    capabilities: Mapping[str, object] = {}
    variables: tuple[str, ...] = ()
    """Those that its capabilities give it."""
    cases: tuple[Case, ...] = ()
    lines: Mapping[str, int] = {}
    blocks: Mapping[str, int] = {}

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        return self.options + self.arguments


class Extension(Protocol):
    """What the parser and the command builder need to know of a capability."""

    @property
    def key(self) -> str:
        """The key of a prompt file that it answers to."""

    @property
    def options(self) -> tuple[Parameter, ...]:
        """Options that a command with this capability has beside its own."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that a template with this capability may use."""

    @property
    def check(self) -> Callable[["YamlNode", Callable[["Problem"], None]], object]:
        """Turns the key's node into the capability's own value, reporting what is wrong."""

    @property
    def is_exclusive(self) -> bool:
        """At most one of this kind goes into a file."""


class Vocabulary(NamedTuple):
    """The words that a prompt file may use beyond the fixed ones.

    `check_schema` says what is wrong with a JSON Schema, or returns None.
    """

    formats: tuple[str, ...]
    extensions: tuple[Extension, ...] = ()
    reserved_options: frozenset[str] = frozenset()
    reserved_shorts: frozenset[str] = frozenset()
    reserved_names: frozenset[str] = frozenset()
    check_schema: Callable[[Mapping[str, object]], str | None] = lambda _: None
