"""Read the lines that a game sends, and parse each as an event."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Never, cast

from gptkit.core.errors import CannotReadError, DataError
from gptkit.core.excerpt import describe_unexpected
from gptkit.core.files import cause
from gptkit.core.sanitize import one_line

if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal


LINE_CAP = 1 << 20
DEPTH_CAP = 64
KEYS = ("player", "state", "session")
PATIENCE = 0.1
"""Seconds between checks whether to stop reading while the game is silent."""
_BLOCK = 1 << 16


class PlayerEvent(NamedTuple):
    """A line of the game."""

    number: int
    key: str  # of the session
    session: object = None  # as the game wrote it, for the reply
    player: str = ""  # what the player said or did
    state: Mapping[str, object] | None = None  # values of the world that the game sets
    fault: DataError | None = None  # why the line cannot be answered


def read_lines(terminal: Terminal, is_over: Callable[[], bool]) -> Iterator[bytes]:
    """Yield each line as soon as it is complete; of a line above LINE_CAP only the beginning."""
    rest = b""
    while not is_over():
        if not terminal.wait_readable(PATIENCE):
            continue
        try:
            block = cast("bytes | None", terminal.stdin.read(_BLOCK)) if terminal.stdin else b""
        except OSError as error:
            reason = cause(error)
            raise CannotReadError(f"standard input: {reason}") from error
        if block is None:
            continue
        *complete, rest = (rest + block).split(b"\n")
        yield from complete
        if not block:
            break
        rest = rest[: LINE_CAP + 1]
    if rest and not is_over():
        yield rest


def parse_event(number: int, line: bytes) -> PlayerEvent:
    """Parse a line of the game; a wrong line becomes an event with a fault."""
    try:
        fields = _object(line)
        session = fields.get("session")
        if session is not None and not isinstance(session, str | int):
            raise DataError("'session' must be a text or a number")
    except DataError as error:
        return PlayerEvent(number, "", fault=_with_line(number, error))
    key = json.dumps(session)
    try:
        return PlayerEvent(number, key, session, _player(fields), _state(fields))
    except DataError as error:
        return PlayerEvent(number, key, session, fault=_with_line(number, error))


def _object(line: bytes) -> Mapping[str, object]:
    if len(line) > LINE_CAP:
        raise DataError(f"longer than {LINE_CAP >> 20} MiB")
    try:
        data = json.loads(
            line.decode("utf-8-sig"),
            object_pairs_hook=_unique_keys,
            parse_float=_parse_float,
            parse_constant=_refuse_constant,
        )
        _check_value(data, 0)
    except UnicodeDecodeError:
        raise DataError("not UTF-8") from None
    except json.JSONDecodeError as error:
        unexpected = describe_unexpected(error.doc, error.pos)
        raise DataError(f"not JSON: {unexpected} at character {error.colno}") from None
    except (ValueError, RecursionError):
        raise DataError("not JSON: a number too long, or nested too deep") from None
    if not isinstance(data, dict):
        raise DataError('must be a JSON object such as {"player": "...", "session": "..."}')
    return data


def _unique_keys(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Make an object of its pairs; raises DataError for a key that is given twice."""
    result: dict[str, object] = {}
    for name, value in pairs:
        if name in result:
            raise DataError(f"the key '{one_line(name, 64)}' is given twice")
        result[name] = value
    return result


def _parse_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise DataError(f"not JSON: the number {digits[:20]} is too large")
    return number


def _refuse_constant(constant: str) -> Never:
    raise DataError(f"not JSON: {constant} is not a number")


def _check_value(value: object, depth: int) -> None:
    """Raise DataError for a value that cannot be written as JSON in UTF-8 again, or is nested too deep."""
    if isinstance(value, str) and not _is_encodable(value):
        raise DataError("half a character (a lone surrogate) in a text")
    if not isinstance(value, dict | list):
        return
    if depth == DEPTH_CAP:
        raise DataError(f"nested deeper than {DEPTH_CAP} levels")
    for part in (*value, *value.values()) if isinstance(value, dict) else value:
        _check_value(part, depth + 1)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _player(fields: Mapping[str, object]) -> str:
    unknown = [name for name in fields if name not in KEYS]
    if unknown:
        raise DataError(f"unknown key '{unknown[0]}'; allowed: {', '.join(KEYS)}")
    player = fields.get("player")
    if not isinstance(player, str) or not player.strip():
        raise DataError("'player' must be a text: what the player says or does")
    return player


def _state(fields: Mapping[str, object]) -> Mapping[str, object] | None:
    state = fields.get("state")
    if state is not None and not isinstance(state, dict):
        raise DataError("'state' must be a JSON object")
    return state


def _with_line(number: int, error: DataError) -> DataError:
    return DataError(f"line {number}: {error.message}")
