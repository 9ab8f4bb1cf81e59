"""The options of a command that works on long input, and what its command line says of them."""

from collections.abc import Mapping
from typing import NamedTuple

from gptkit.exchange.capability import capability_options
from gptkit.templates.template import Parameter, Value

OPTIONS = (
    Parameter("jobs", "integer", help="Pieces of a long input to work on at once.", least=1),
    Parameter("as", "text", help="Format of the input, where its name and content do not tell."),
    Parameter("keys", "list", help="Which values of a JSON or YAML input, such as 'items.*.title'."),
    Parameter("glossary", "text", help="File of terms and their translations: CSV or TBX."),
    Parameter("report", "text", help="Write what could not be proved to this file, as JSON."),
    Parameter("memory", "boolean", default=True, help="Use and keep the answers to pieces."),
    Parameter("fresh", "boolean", plain=True, help="Ask again for what the memory holds."),
    Parameter("batch", "boolean", plain=True, help="Batch job of one input; only with `long: map`."),
    Parameter("yes", "boolean", plain=True, help="Do not ask whether a costly job is to go ahead."),
    Parameter("output-dir", "text", help="Folder for the results of the files in the folders given with -f."),
)


class JobOptions(NamedTuple):
    """What the command line says of OPTIONS; None and what is empty was not given."""

    jobs: int | None = None
    as_: str = ""
    keys: tuple[str, ...] = ()
    glossary: str = ""
    report: str = ""
    memory: bool = True
    fresh: bool = False
    batch: bool = False
    yes: bool = False
    output_dir: str = ""

    @property
    def ask_for_pieces(self) -> bool:
        """Who gives one of these wants even a short text to be worked on in pieces."""
        wanted = (self.as_, self.keys, self.glossary, self.report, self.output_dir)
        return bool(self.jobs or self.fresh or self.batch) or any(wanted)


def options_of(values: Mapping[str, Value]) -> JobOptions:
    return JobOptions(**capability_options(values, JobOptions._fields))
