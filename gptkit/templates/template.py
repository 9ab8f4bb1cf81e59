"""The values that a prompt file becomes: templates, parameters, test cases."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

if TYPE_CHECKING:
    from gptkit.core.yaml_tree import Problem, YamlNode


Kind = Literal["text", "integer", "number", "boolean", "choice", "file", "list", "system"]
Input = Literal["required", "optional", "attachment", "none"]
Value = str | int | float | bool | tuple[str, ...]

KINDS: tuple[Kind, ...] = get_args(Kind)
INPUTS: tuple[Input, ...] = get_args(Input)
GIT_SUBCOMMANDS = ("diff", "log", "show")
"""What of git may be an input: gptkit keeps these from starting programs that a repository names."""
INPUT_VARIABLES = ("text", "request", "files")
"""Variables that every template has: the input, the request about the input, and the input files."""
CIRCUMSTANCES = ("script", "format", "earlier", "user_system", "user_shell", "attachments")
"""Variables that every template may ask for, unless it declares a parameter of that name: the script of the
input, the format of the document, whether earlier turns are sent along, the user's system and shell, the
names of attached files."""
ATTACHMENT_KINDS = ("image", "pdf")
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
    """Whether a boolean has no negative form: `--show` without a `--no-show`."""
    least: int | None = None
    """The smallest number allowed."""
    metavar: str = ""
    """The word for its value in `--help`, where that of its kind says too little."""
    is_rare: bool = False
    """Whether `--help` leaves the option to `--help-all`."""

    @property
    def variable(self) -> str:
        """The name of the parameter as a variable of the template."""
        return self.name.replace("-", "_")

    @property
    def empty_value(self) -> Value:
        """The falsy value of the variable if the parameter is not given and has no default."""
        if self.kind == "boolean":
            return False
        return () if self.kind == "list" else ""


class Case(NamedTuple):
    """One entry of `tests:`: the input, the values of parameters, the model's reply, the expectations."""

    line: int
    text: str
    request: str
    values: Mapping[str, Value]
    reply: str
    expect: Mapping[str, tuple[str, ...]]
    attachments: tuple[str, ...] = ()
    """The names of attached files, which need not exist."""
    extras: Mapping[str, object] = {}
    """The values of keys and expectations that capabilities add."""


class CaseWords(NamedTuple):
    """The keys and the expectations that a capability adds to test cases; no two may have one name."""

    keys: tuple[str, ...] = ()
    expectations: tuple[str, ...] = ()


class InputCommand(NamedTuple):
    """Commands for a prompt that gets no text: the output of the first that prints something is the input.

    `empty` is the sentence for the user if none prints anything.
    """

    commands: tuple[tuple[str, ...], ...]
    empty: str = ""


class Template(NamedTuple):
    """A checked prompt file.

    `examples` are pairs of a user's and an assistant's turn. `lines` holds the line of each key, `blocks`
    the line on which the text after a `|` begins.
    """

    name: str
    source: str
    description: str
    usage: tuple[str, ...] = ()
    """Command lines that `--help` shows as examples."""
    group: str = ""
    """The heading under which `gptkit --help` lists the command; empty for the common one."""
    system: str = ""
    user: str = DEFAULT_USER
    examples: tuple[tuple[str, str], ...] = ()
    options: tuple[Parameter, ...] = ()
    arguments: tuple[Parameter, ...] = ()
    input: Input = "required"
    input_command: InputCommand | None = None
    model: str = ""
    parameters: Mapping[str, object] = {}
    output: str = "markdown"
    schema: Mapping[str, object] | None = None
    nothing: str = ""
    """The sentence with which the model says that there is nothing to do; empty if it has none."""
    attachments: tuple[str, ...] = ()
    """The kinds of files that may be attached: `image`, `pdf`."""
    capabilities: Mapping[str, object] = {}
    variables: tuple[str, ...] = ()
    """Variables that the capabilities of the template add."""
    cases: tuple[Case, ...] = ()
    lines: Mapping[str, int] = {}
    blocks: Mapping[str, int] = {}

    @property
    def system_option(self) -> Parameter | None:
        """The option whose value takes the place of the system message; None without one."""
        return next((option for option in self.options if option.kind == "system"), None)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """The options and then the arguments."""
        return self.options + self.arguments


class Extension(Protocol):
    """A capability, as far as the parser of prompt files and the command builder know it."""

    @property
    def key(self) -> str:
        """The key of a prompt file that declares the capability."""

    @property
    def options(self) -> tuple[Parameter, ...]:
        """Options that the capability adds to a command."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that the capability adds to a template."""

    @property
    def check(self) -> Callable[["YamlNode", Callable[["Problem"], None]], object]:
        """A function from the key's node to the capability's own value, which reports problems."""

    @property
    def claims(self) -> frozenset[str]:
        """What only one capability of a prompt file may claim."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The formats of output that the capability works with; empty for all."""

    @property
    def case_words(self) -> CaseWords:
        """What the capability adds to the test cases of a prompt file."""


class Vocabulary(NamedTuple):
    """What the parser of prompt files must know of the program: output formats, capabilities, reserved names.

    `check_schema` returns what is wrong with a JSON Schema, None if nothing is.
    """

    formats: tuple[str, ...]
    extensions: tuple[Extension, ...] = ()
    reserved_options: frozenset[str] = frozenset()
    reserved_shorts: frozenset[str] = frozenset()
    reserved_names: frozenset[str] = frozenset()
    check_schema: Callable[[Mapping[str, object]], str | None] = lambda _: None
