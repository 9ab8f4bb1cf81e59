"""Whether a reply is a whole answer, and which failure it is if not."""

from __future__ import annotations

from gptkit.core.chat import Reply
from gptkit.core.errors import GptkitError, Incomplete, ProtocolFault, Refused, TryAgain
from gptkit.core.sanitize import one_line


def verdict(reply: Reply) -> GptkitError | None:
    """None only when the server said that the answer is whole, and there is one."""
    if reply.reason == "stop" and reply.text.strip() and not reply.refusal:
        return None
    failure = _failure(reply, bool(reply.text))
    failure.request_id = reply.request_id
    failure.partial = bool(reply.text)
    return failure


def _failure(reply: Reply, partial: bool) -> GptkitError:
    if reply.refusal:
        return Refused(f"the model refused: '{one_line(reply.refusal, 800)}'")
    match reply.reason:
        case "stop":
            return ProtocolFault("empty answer", tries=2)
        case None if partial:
            return Incomplete("answer cut short: the server never said that it is whole", tries=2)
        case None:
            return TryAgain("no answer: the server ended the stream at once", tries=4)
        case "length":
            return Incomplete(
                "answer cut at the token limit"
                if partial
                else "the token limit was reached before any answer",
                hint="a larger --max-tokens, or a model with a larger limit, gives the whole",
            )
        case "content_filter":
            return Refused("the provider's content filter stopped the answer")
        case "tool_calls" | "function_call":
            return ProtocolFault("the model called a tool that was not offered")
        case "error" if not partial:
            return TryAgain("the server stopped with an error", tries=4)
        case "error":
            return Incomplete("answer cut short: the server stopped with an error", tries=4)
        case reason:
            return Incomplete(f"answer not known to be whole: finish reason '{one_line(reason, 100)}'")
