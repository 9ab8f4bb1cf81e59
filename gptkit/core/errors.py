"""The error tree: each class carries the exit code that a script can branch on.

GptkitError
├── UsageFault            2  bad option or argument; output would overwrite input
├── DataFault            65  undecodable, a broken prompt file
│   └── TooLong          65  more than the model's window holds
├── NoInput              66  no such file or prompt; empty input
├── Unavailable          69  the provider says no for good
├── InternalFault        70  a caught bug
├── CannotWrite          73  disk full, permissions
├── CannotRead           74  a damaged file or store
├── TryAgain             75  network, time-out, server trouble
│   └── RateLimited      75  too many requests
├── ProtocolFault        76  not an API answer, TLS failure, redirect, over a cap
├── NoPermission         77  no key or a bad one
├── BadConfiguration     78  settings or base URL invalid
├── Incomplete           80  usable but cut
├── Refused              81  refusal or content filter
├── OverBudget           82  a cap of the user was reached
├── NotApproved          83  an action was not approved
├── ActionFailed         84  an approved action failed
└── NotFound             85  the documents do not hold the answer

Stopped stands beside it: a signal asked the program to end (128 + n).
"""

from typing import ClassVar, TypedDict, Unpack


class Facts(TypedDict, total=False):
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

    def __init__(self, message: str, **facts: Unpack[Facts]) -> None:
        super().__init__(message)
        self.message = message
        self.hint = facts.get("hint", "")
        self.tries = facts.get("tries", 1)
        self.wait = facts.get("wait")
        self.billed = facts.get("billed", False)
        self.request_id = facts.get("request_id", "")
        self.parameter = facts.get("parameter", "")
        self.partial = facts.get("partial", False)
        self.attempts = 0

    def record(self) -> dict[str, object]:
        """The failure as the object that `--json` prints last on standard error."""
        return {
            "code": self.code,
            "kind": self.kind,
            "message": self.message,
            "retryable": self.code == TryAgain.code,
            "attempts": self.attempts,
            "partial": self.partial,
            "request_id": self.request_id or None,
        }


class UsageFault(GptkitError):
    code = 2
    kind = "usage"


class DataFault(GptkitError):
    code = 65
    kind = "data"


class TooLong(DataFault):
    """More than the model's window holds; `limit` is its size in tokens where the server told it."""

    limit: int | None = None


class NoInput(GptkitError):
    code = 66
    kind = "no_input"


class Unavailable(GptkitError):
    code = 69
    kind = "unavailable"


class InternalFault(GptkitError):
    code = 70
    kind = "internal"


class CannotWrite(GptkitError):
    code = 73
    kind = "cannot_write"


class CannotRead(GptkitError):
    code = 74
    kind = "cannot_read"


class TryAgain(GptkitError):
    code = 75
    kind = "try_again"


class RateLimited(TryAgain):
    """The server wants fewer requests; all that are sent at once slow down together."""


class ProtocolFault(GptkitError):
    code = 76
    kind = "protocol"


class NoPermission(GptkitError):
    code = 77
    kind = "no_permission"


class BadConfiguration(GptkitError):
    code = 78
    kind = "configuration"


class Incomplete(GptkitError):
    code = 80
    kind = "incomplete"


class Refused(GptkitError):
    code = 81
    kind = "refused"


class OverBudget(GptkitError):
    code = 82
    kind = "budget"


class NotApproved(GptkitError):
    code = 83
    kind = "not_approved"


class ActionFailed(GptkitError):
    code = 84
    kind = "action_failed"


class NotFound(GptkitError):
    code = 85
    kind = "not_found"


class Stopped(BaseException):
    """A signal asked the program to end; the exit code is 128 + number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
