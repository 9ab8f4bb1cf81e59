"""The program: `main` runs it over a terminal and returns the exit code, `entry_point` leaves with it."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # `python -m` looks for modules in the current folder first, and anyone may have put some there.
    del sys.path[0]

TYPE_CHECKING = False  # not from typing: nothing that takes long is loaded before `entry_point` says how
if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal


def main(argv: list[str], terminal: Terminal) -> int:
    """Run gptkit with these arguments; every failure ends as a message and its exit code."""
    from gptkit.core.errors import GptkitError, SignalError

    as_json = "--json" in (argv[: argv.index("--")] if "--" in argv else argv)
    try:
        from gptkit.app import build_services
        from gptkit.cli import fast_args

        with terminal.redirect_library_output():
            services = build_services(terminal)
            code = fast_args.run(argv, services)
            if code is not None:
                return code
            from gptkit.cli.root import run

            return run(argv, services)
    except GptkitError as error:
        terminal.report(error, as_json)
        return error.code
    except SignalError as stop:
        return 128 + stop.number
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        from gptkit.app import write_crash_report

        fault = write_crash_report(error, terminal)
        terminal.report(fault, as_json)
        return fault.code


def entry_point() -> None:
    """Run over the standard streams and leave with the exit code."""
    import gc

    gc.disable()  # before the imports: they leave hardly any garbage to look for
    from gptkit.core.errors import SignalError
    from gptkit.core.signals import catch_signals
    from gptkit.core.terminal import process_terminal

    try:
        catch_signals()
        terminal = process_terminal()
        if terminal.environ.get("_GPTKIT_COMPLETE"):
            # Typer then formats descriptions by itself; loading rich would take longer than all else.
            sys.modules["rich"] = None  # type: ignore[assignment]
        code = main(sys.argv[1:], terminal)
    except SignalError as stop:
        code = 128 + stop.number
    if code > 128:  # a second signal must not meet an interpreter that is half taken apart
        os._exit(code)
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    entry_point()
