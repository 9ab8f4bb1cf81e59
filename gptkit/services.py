"""Build each part of the program on its first use."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gptkit.core.chat import ChatRequest, Endpoint, Event, OutputFormat, Provider
from gptkit.core.errors import GptkitError, NoInputError, ProtocolError, UsageError, WrongAnswerError
from gptkit.core.paths import Paths, paths
from gptkit.core.redact import is_secret
from gptkit.exchange.budget import Budget, CostCap
from gptkit.exchange.invocation import AnswerCheck, RetryPolicy, Runtime
from gptkit.settings.load import Settings, load_settings
from gptkit.templates.template import Template, Vocabulary

if TYPE_CHECKING:
    from gptkit.core.prices import Prices
    from gptkit.core.terminal import Terminal
    from gptkit.exchange.capability import Capability, HousekeepingCommand
    from gptkit.history.journal import Journal
    from gptkit.history.model import Opening
    from gptkit.history.store import Store
    from gptkit.settings.rejected_parameters import RejectionFile
    from gptkit.templates.library import Library
    from gptkit.text.checks.answer import RunawayDetector

Value = TypeVar("Value")
OFFLINE = re.compile(r"echo\Z|local:")
"""Models that answer inside the process, without an endpoint or a key."""
NEWER_OPENAI = re.compile(r"(?:openai/)?(?:o[1-9]|gpt-(?:[5-9]|[1-9][0-9])|chatgpt-)")
"""Families of models for which the limit of an answer is called `max_completion_tokens`."""
OPENAI_HOST = "api.openai.com"
SMALLEST_WINDOW = 6000
"""Tokens of the smallest context window in the list of models."""


class Services:
    """The parts of one run of the program, each built on its first use.

    The `reserved_...` names belong to the command line, so that no prompt file can have them.
    """

    def __init__(
        self,
        terminal: Terminal,
        *,
        reserved_options: frozenset[str],
        reserved_shorts: frozenset[str],
        reserved_names: frozenset[str],
        capabilities: Sequence[Capability],
        housekeeping: Mapping[str, HousekeepingCommand],
    ) -> None:
        self.terminal = terminal
        self.capabilities = tuple(capabilities)
        self.housekeeping = housekeeping
        self.after_sending: list[Callable[[], None]] = []
        """What is called once when the next request is on the wire, while the server is at work."""
        self._shared: dict[object, Any] = {}
        self._reserved = (reserved_options, reserved_shorts, reserved_names)
        self._templates: dict[str, Template] = {}
        self._noticed: set[str] = set()

    @cached_property
    def paths(self) -> Paths:
        return paths(self.terminal.environ)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The formats, capabilities and reserved names that the parser of prompt files needs."""
        from gptkit.output.formats import FORMATS, check_schema

        options, shorts, names = self._reserved
        return Vocabulary(tuple(FORMATS), self.capabilities, options, shorts, names, check_schema)

    @cached_property
    def library(self) -> Library:
        from gptkit.templates.cache import TreeCache
        from gptkit.templates.library import Library, prompt_folders

        return Library(prompt_folders(self.paths), self.vocabulary, TreeCache(self.paths))

    def template(self, name: str) -> Template:
        """The template of a prompt, whose file is read once; raises as `Library.template` does."""
        if name not in self._templates:
            self._templates[name] = self.library.template(name)
        return self._templates[name]

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.paths, self.terminal.environ)

    def override(self, options: Mapping[str, object]) -> None:
        """Apply options of the command line to the settings, above all other values."""
        self.settings = self.settings.with_options(options)

    def model_name(self, *names: str | None) -> str:
        """The first given of the names, else the model of the settings; an alias becomes its model."""
        name = next(filter(None, names), "") or self.settings.text("model")
        aliases = self.settings.value("aliases")
        return str(aliases.get(name, name)) if isinstance(aliases, dict) else name

    def format(self, template: Template) -> OutputFormat:
        """The output format that a template declares."""
        from gptkit.output.formats import FORMATS

        return FORMATS[template.output](template.schema)

    def parameters(self, model: str) -> dict[str, object]:
        """The API parameters in the settings."""
        setting = self.settings.value("parameters")
        parameters = dict(setting) if isinstance(setting, dict) else {}
        if (temperature := self.settings.value("temperature")) is not None:
            parameters["temperature"] = temperature
        if (limit := self.settings.value("max_tokens")) is not None:
            parameters[self.token_limit_name(model)] = limit
        return parameters

    def token_limit_name(self, model: str) -> str:
        """The API parameter for the limit of an answer; after a rejection of it the other name is tried."""
        newer = self.settings.base_url().host == OPENAI_HOST or NEWER_OPENAI.match(model)
        return "max_completion_tokens" if newer else "max_tokens"

    @property
    def url(self) -> str:
        """The URL that requests are sent to."""
        return self.settings.base_url().call_url("/chat/completions")

    def endpoint(self, model: str) -> Endpoint:
        """The endpoint for a model; raises NoPermissionError if the model needs a key and there is none."""
        from gptkit.settings.endpoint import endpoint

        if self.is_offline(model):
            return Endpoint("http://127.0.0.1/v1")
        result = endpoint(self.settings)
        secret_headers = (value for name, value in result.headers.items() if is_secret(name))
        self.terminal.redactor.add([result.key or "", *secret_headers])
        return result

    def is_offline(self, model: str) -> bool:
        """Whether a model answers inside the process."""
        return OFFLINE.match(model) is not None

    @cached_property
    def history(self) -> Store:
        from gptkit.history.store import Store

        data = self.paths.require(self.paths.data)
        return Store(data / "history.db", data / "journal", self.terminal.unix_time)

    @cached_property
    def rejections(self) -> RejectionFile:
        from gptkit.settings.rejected_parameters import RejectionFile

        return RejectionFile(self.paths, self.settings.base_url().url, self.terminal.unix_time)

    @cached_property
    def prices(self) -> Prices:
        from gptkit.core.prices import Prices

        own, window = self.settings.value("prices"), self.settings.value("context_window")
        return Prices(
            own if isinstance(own, dict) else {},
            self.settings.base_url().url,
            window if isinstance(window, int) else None,
        )

    def journal(self, opening: Opening) -> Journal:
        """Begin a journal file; raises CannotWriteError or ConfigurationError."""
        from gptkit.history.journal import begin_journal

        return begin_journal(self.paths.require(self.paths.data) / "journal", opening)

    @cached_property
    def memory_history(self) -> Store:
        """A history in memory, for a conversation that is not recorded."""
        from gptkit.history.store import Store

        return Store(None, self.paths.data / "journal", self.terminal.unix_time)

    def capabilities_of(self, template: Template) -> tuple[Capability, ...]:
        """The capabilities that a template declares, in the order of the program."""
        return tuple(
            capability for capability in self.capabilities if capability.key in template.capabilities
        )

    def capability_stores(self, template: Template, keeping: bool = True) -> Mapping[str, object]:
        """The stores of the capabilities of a template, by key; read-only ones if not `keeping`."""
        return {
            capability.key: capability.store(self, keeping)
            for capability in self.capabilities_of(template)
            if capability.store is not None
        }

    def shared(self, make: Callable[[Services], Value]) -> Value:
        """The result of `make(self)`, which is called only the first time."""
        if make not in self._shared:
            self._shared[make] = make(self)
        return cast("Value", self._shared[make])

    def context_window(self, model: str, wanted: int | None = None) -> int | None:
        """The tokens that a request and its answer may have together, None if not known.

        With fewer `wanted` tokens than any model's window it is None too, so that the list of models, which
        takes long to load, is not needed.
        """
        if self.settings.value("context_window") is None and wanted is not None and wanted < SMALLEST_WINDOW:
            return None
        return self.prices.context_window(model)

    def budget(self, requests: int | None = None, dollars: float | None = None) -> Budget:
        """The limits of a run: `requests`, `dollars`, and what is left of the month's limit in US dollars."""
        if dollars is not None and not 0 <= dollars < float("inf"):
            raise UsageError("--max-cost: must be a number, and at least 0")
        caps = [] if dollars is None else [CostCap(dollars, "--max-cost")]
        if (limit := self.settings.value("monthly_limit")) is not None:
            used = self._spent(*_month(self.terminal.unix_time()))
            caps.append(CostCap(float(str(limit)), "the monthly_limit", used))
        host = self.settings.base_url().authority
        return Budget(requests, tuple(caps), self._price, host, self.terminal.unix_time)

    def _spent(self, since: float, until: float) -> float:
        """The US dollars spent in a period; prices that were not looked up then are looked up now."""
        known, unknown = self.history.spending(since, until)
        if not unknown:
            return known
        from gptkit.history.query import charges

        with self.history.reading() as connection:
            by_day = charges(connection, "day", since, until)
            return sum(self.prices.charge_cost(charge)[0] or 0.0 for _, charge in by_day)

    def _price(self, model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
        return self.prices.cost(model, prompt_tokens, completion_tokens)

    def runtime(
        self, form: OutputFormat, model: str, budget: Budget, verbose: bool, patient: bool = False
    ) -> Runtime:
        """The runtime for requests to a model.

        With `patient` answers do not stream, so the server may be silent as long as before a first word.
        """
        endpoint = self.endpoint(model)
        if patient or not self.settings.boolean("stream"):
            endpoint = endpoint._replace(deadlines=endpoint.deadlines.patient())
        providers: list[Provider] = []

        def provider(request: ChatRequest) -> Iterator[Event]:
            if not providers:
                from gptkit.provider import client

                providers.append(client.provider(endpoint, self._call_after_sending))
                if verbose:
                    self.terminal.print_error_line(
                        f"gptkit: transport: {client.transport_name(endpoint, request.model)}"
                    )
            return providers[0](request)

        return self._runtime(form, budget, verbose, provider)

    def _call_after_sending(self) -> None:
        while self.after_sending:
            self.after_sending.pop()()

    def dry_runtime(self, form: OutputFormat) -> Runtime:
        """Return a Runtime that cannot send anything, so that no key is needed."""
        return self._runtime(form, Budget(), False, lambda request: iter(()))

    def _runtime(self, form: OutputFormat, budget: Budget, verbose: bool, provider: Provider) -> Runtime:
        policy = RetryPolicy(self.settings.integer("attempts"), self.settings.number("wait_budget"))

        def notice(text: str) -> None:
            if verbose:
                self.terminal.print_error_line(f"gptkit: {text}")

        def notice_once(text: str) -> None:
            if text not in self._noticed:
                self._noticed.add(text)
                notice(text)

        return Runtime(
            provider=provider,
            format=form,
            rejections=self.rejections,
            budget=budget,
            policy=policy,
            now=self.terminal.monotonic,
            sleep=self.terminal.sleep,
            random=_random,
            notice=notice,
            notice_once=notice_once,
            json_format=_json_format,
            start_check=_start_check,
        )


def _month(now: float) -> tuple[float, float]:
    """Return the beginnings of this month and of the next in the user's time zone, in Unix seconds.

    What is dated later, since the clock was ahead for a while, is not spent in this month.
    """
    today = time.localtime(now)
    start, end = (
        time.mktime((today.tm_year, month, 1, 0, 0, 0, 0, 0, -1))
        for month in (today.tm_mon, today.tm_mon + 1)
    )
    return start, end


def _json_format(schema: Mapping[str, object]) -> OutputFormat:
    from gptkit.output.formats import FORMATS

    return FORMATS["json"](schema)


def _start_check(request: ChatRequest, runtime: Runtime) -> AnswerCheck:
    """Start the checks of any answer. Their module is loaded once the first text was handed on."""
    detectors: list[RunawayDetector] = []

    def feed(delta: str) -> GptkitError | None:
        if not detectors:
            from gptkit.text.checks.answer import RunawayDetector

            detectors.append(RunawayDetector(request.text, rewrites_text=runtime.rewrites_text))
        finding = detectors[0].feed(delta)
        return WrongAnswerError(finding.message) if finding else None

    def finish(whole: str, is_shown: bool) -> tuple[str, GptkitError | None]:
        from gptkit.text.checks import answer as checks

        answer = whole if is_shown else checks.without_thought(whole, request.prompt)
        if checks.is_invisible(answer):
            return answer, ProtocolError("empty answer")
        detector = checks.RunawayDetector(request.text, rewrites_text=runtime.rewrites_text)
        finding = detector.feed(answer, last=True)
        finding = finding or checks.answer_finding(answer, request.prompt, request.text)
        if finding is None and runtime.nothing and checks.says(answer, runtime.nothing):
            if not checks.holds_changes(request.text):
                return answer, NoInputError(f"the model finds nothing to do: '{runtime.nothing}'")
            return answer, WrongAnswerError(f"'{runtime.nothing}', but the diff has changed lines")
        return answer, WrongAnswerError(finding.message) if finding else None

    return AnswerCheck(feed, finish)


def _random() -> float:
    import random

    return random.random()  # noqa: S311 - spreads tries over time, guards nothing
