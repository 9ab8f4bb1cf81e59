"""The MCP servers of one run: started side by side, kept until the end of the run."""

from __future__ import annotations

from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from gptkit.capabilities.tools import commands
from gptkit.capabilities.tools.environment import environment, resolve_secret
from gptkit.capabilities.tools.mcp import McpClient, McpTransport
from gptkit.capabilities.tools.mcp_transport import HttpTransport, PipeTransport
from gptkit.capabilities.tools.model import McpSource, RemoteTool, Result, Tool, ToolAction
from gptkit.core.chat import Endpoint
from gptkit.core.errors import GptkitError, TryAgainError
from gptkit.core.process import Processes, find_program

if TYPE_CHECKING:
    from gptkit.services import Services

LATE = 2.0
"""Seconds beyond the limit of a server after which nobody waits for its start any more."""


def trusted_endpoint(services: Services) -> Endpoint:
    """The certificates that the user trusts, for connections to servers of tools."""
    names = ("ca_file", "ca_folder")
    ca_file, ca_folder = (str(services.settings.value(name) or "") or None for name in names)
    return Endpoint("", ca_file=ca_file, ca_folder=ca_folder)


class Servers:
    """The servers that were started, by tool file and name."""

    def __init__(self, services: Services, processes: Processes) -> None:
        self._services = services
        self._processes = processes
        self._starts: dict[tuple[str, str], _Start] = {}

    def begin(self, source: McpSource, file: Path) -> None:
        """Begin to start a server, unless that has happened; does not wait."""
        key = (str(file.absolute()), source.name)
        if key not in self._starts:
            self._starts[key] = _Start(self._services, self._processes, source, file)

    def tools(self, source: McpSource, file: Path) -> list[Tool]:
        """The tools of a server as it defines them now. Raises TryAgainError, DataError."""
        self.begin(source, file)
        return self._starts[str(file.absolute()), source.name].wait()

    def call(self, action: ToolAction, tool: RemoteTool) -> Result:
        """Call a tool of a server that was started."""
        start = self._starts.get((action.tool.file, tool.source))
        if start is None or start.client is None:
            return Result("failed", note="the server was not started")
        return start.client.call(action, tool)

    def close(self) -> None:
        """End all servers; the next run starts them anew."""
        starts, self._starts = self._starts, {}
        for start in starts.values():
            start.close()


class _Start:
    """The start of a server in a thread of its own, up to the list of its tools."""

    def __init__(self, services: Services, processes: Processes, source: McpSource, file: Path) -> None:
        self.client: McpClient | None = None
        self._services = services
        self._processes = processes
        self._source = source
        self._file = file
        self._tools: list[Tool] = []
        self._failure: GptkitError | None = None
        self._lock = Lock()
        self._is_closed = False
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> list[Tool]:
        self._thread.join(2 * self._source.start + LATE)
        if self._failure is not None:
            raise self._failure
        if self._thread.is_alive():
            raise TryAgainError(f"the server '{self._source.name}': it does not answer")
        return self._tools

    def close(self) -> None:
        """End the server, or let none begin."""
        with self._lock:
            self._is_closed = True
            if self.client is not None:
                self.client.close()

    def _run(self) -> None:
        try:
            with self._lock:
                if self._is_closed:
                    return
                self.client = client = McpClient(self._source, self._transport())
            client.start()
            self._tools = client.tools(str(self._file.absolute()))
        except GptkitError as error:
            self._failure = error
        except Exception as error:  # closed meanwhile
            self._failure = TryAgainError(f"the server '{self._source.name}': {type(error).__name__}")

    def _transport(self) -> McpTransport:
        source, environ = self._source, self._services.terminal.environ
        if source.url:
            headers = {name: resolve_secret(value, environ) for name, value in source.headers.items()}
            return HttpTransport(source.url, headers, trusted_endpoint(self._services))
        places = commands.places(self._file, environ)
        program, *arguments = (commands.fill(part, {}, places) for part in source.run)
        argv = (find_program(program, environ), *arguments)
        folder = commands.fill(source.folder, {}, places)
        return PipeTransport(self._processes, argv, folder, environment(environ, source.env))
