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
├── RefusedError           81  refusal or content filter
├── BudgetError            82  a cap of the user was reached
├── NotApprovedError       83  an action was not approved
├── ActionFailedError      84  an approved action failed
└── NotFoundError          85  the documents do not hold the answer

SignalError stands beside it: a signal asked the program to end (128 + n).
"""

from typing import ClassVar, TypedDict, Unpack


class ErrorDetails(TypedDict, total=False):
    """What may be known of a failure beyond its message."""

    hint: str  # what to do next, one line
    tries: int  # how many requests in all this failure deserves (1: it is never sent again)
    wait: float | None  # seconds the server asked to wait before the next try; a minimum
    billed: bool  # the request may have been charged although no answer came
    request_id: str  # the provider's name for the request
    parameter: str  # the API parameter that the provider did not accept
    partial: bool  # text of the answer reached the user before the failure


class GptkitError(Exception):
    """What went wrong: `message` is `what: cause`, lower case, foreign text in single quotes."""

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
        self.partial = details.get("partial", False)
        self.attempts = 0

    def record(self) -> dict[str, object]:
        """The failure as the object that `--json` prints last on standard error."""
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
    """More than the model's window holds; `limit` is its size in tokens where the server told it."""

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
    """The server wants fewer requests; all that are sent at once slow down together."""


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
    """A signal asked the program to end; the exit code is 128 + number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
