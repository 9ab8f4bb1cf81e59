"""The errors of gptkit as a tree; each class is named after its `kind` and carries its exit code.

GptkitError
├── UsageError              2  bad option or argument; output would overwrite input
├── DataError              65  undecodable, a broken prompt file
│   └── TooLongError       65  more than the model's window holds
├── NoInputError           66  no such file or prompt; empty input
├── UnavailableError       69  the provider says no for good
├── InternalError          70  a caught bug
├── CannotWriteError       73  disk full, permissions
├── CannotReadError        74  a damaged file or store
├── TryAgainError          75  network, time-out, server trouble
│   └── RateLimitError     75  too many requests
├── ProtocolError          76  not an API answer, TLS failure, redirect, over a cap
├── NoPermissionError      77  no key or a bad one
├── ConfigurationError     78  settings or base URL invalid
├── IncompleteError        80  usable but cut
│   ├── CutAtLimitError    80  at the limit of tokens for an answer
│   └── WrongAnswerError   80  whole, but wrong on its face
├── RefusedError           81  refusal or content filter
├── BudgetError            82  a cap of the user was reached
├── NotApprovedError       83  an action was not approved
├── ActionFailedError      84  an approved action failed
└── NotFoundError          85  the documents do not hold the answer

SignalError is no GptkitError: a signal asked the program to end (128 + n).
"""

from typing import ClassVar, TypedDict, Unpack


class ErrorDetails(TypedDict, total=False):
    """What may be known about a failure besides its message."""

    hint: str  # what to do next, one line
    tries: int  # how often the request may be sent in all (1: not again)
    wait: float | None  # seconds that the server asks to wait at least before the next request
    billed: bool  # the provider may have charged the request although no answer came
    request_id: str  # the provider's name for the request
    parameter: str  # the API parameter that the provider did not accept
    one_value: bool  # only the value of the parameter was not accepted
    partial: bool  # a part of the answer was shown before the failure


class GptkitError(Exception):
    """A failure that is told to the user in one line and ends the program with `code`.

    `message` has the form `what: cause` in lower case, with foreign text in single quotes. `kind` is the
    failure's name in JSON. `attempts` counts the requests that were sent before the failure.
    """

    code: ClassVar[int] = 70
    kind: ClassVar[str] = "internal"

    def __init__(self, message: str, **details: Unpack[ErrorDetails]) -> None:
        super().__init__(message)
        self.message = message
        self.hint = details.get("hint", "")
        self.tries = details.get("tries", 1)
        self.wait = details.get("wait")
        self.billed = details.get("billed", False)
        self.request_id = details.get("request_id", "")
        self.parameter = details.get("parameter", "")
        self.one_value = details.get("one_value", False)
        self.partial = details.get("partial", False)
        self.attempts = 0

    def record(self) -> dict[str, object]:
        """The JSON object that `--json` prints as the last line of standard error."""
        return {
            "code": self.code,
            "kind": self.kind,
            "message": self.message,
            "retryable": self.code == TryAgainError.code,
            "attempts": self.attempts,
            "partial": self.partial,
            "request_id": self.request_id or None,
        }


class UsageError(GptkitError):
    code = 2
    kind = "usage"


class DataError(GptkitError):
    code = 65
    kind = "data"


class TooLongError(DataError):
    """The input is larger than the model's context window.

    `limit` is the size of the window in tokens if the server's message says it.
    """

    limit: int | None = None


class NoInputError(GptkitError):
    code = 66
    kind = "no_input"


class UnavailableError(GptkitError):
    code = 69
    kind = "unavailable"


class InternalError(GptkitError):
    code = 70
    kind = "internal"


class CannotWriteError(GptkitError):
    code = 73
    kind = "cannot_write"


class CannotReadError(GptkitError):
    code = 74
    kind = "cannot_read"


class TryAgainError(GptkitError):
    code = 75
    kind = "try_again"


class RateLimitError(TryAgainError):
    """The server wants fewer requests; all workers of a job then slow down together."""


class ProtocolError(GptkitError):
    code = 76
    kind = "protocol"


class NoPermissionError(GptkitError):
    code = 77
    kind = "no_permission"


class ConfigurationError(GptkitError):
    code = 78
    kind = "configuration"


class IncompleteError(GptkitError):
    code = 80
    kind = "incomplete"


class CutAtLimitError(IncompleteError):
    """The answer reached the limit of tokens: that of the request, or of the model."""


class WrongAnswerError(IncompleteError):
    """The answer is wrong on its face: it repeats itself, gives the prompt back, lacks a part of the text."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"wrong answer: {problem}", hint="--accept takes the answer as it is")
        self.problem = problem


class RefusedError(GptkitError):
    code = 81
    kind = "refused"


class BudgetError(GptkitError):
    code = 82
    kind = "budget"


class NotApprovedError(GptkitError):
    code = 83
    kind = "not_approved"


class ActionFailedError(GptkitError):
    code = 84
    kind = "action_failed"


class NotFoundError(GptkitError):
    code = 85
    kind = "not_found"


class SignalError(BaseException):
    """Raised by a signal that asks the program to end; the exit code is 128 + `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
