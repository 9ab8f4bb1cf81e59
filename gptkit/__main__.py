"""Run gptkit: `main` on any terminal, `entry_point` on the standard streams of the process."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    # `python -m` looks for modules in the current folder first, where anyone may have put some.
    del sys.path[0]

TYPE_CHECKING = False  # not imported from typing, which takes long to load
if TYPE_CHECKING:
    from gptkit.core.terminal import Terminal


def main(argv: list[str], terminal: Terminal) -> int:
    """Run gptkit with these arguments and return the exit code; a failure is written to the terminal."""
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

        internal_error = write_crash_report(error, terminal)
        terminal.report(internal_error, as_json)
        return internal_error.code


def entry_point() -> None:
    """Run gptkit with the arguments of the process and exit."""
    import gc

    gc.disable()  # before the imports, which leave hardly any garbage
    from gptkit.core.errors import SignalError
    from gptkit.core.signals import catch_signals
    from gptkit.core.terminal import process_terminal

    try:
        catch_signals()
        terminal = process_terminal()
        if terminal.environ.get("_GPTKIT_COMPLETE"):
            # Without rich, which takes longer to load than all else, Typer formats descriptions itself.
            sys.modules["rich"] = None  # type: ignore[assignment]
        code = main(sys.argv[1:], terminal)
    except SignalError as stop:
        code = 128 + stop.number
    if code > 128:  # a second signal must not arrive while the interpreter shuts down
        os._exit(code)
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    entry_point()
