"""Stands in for the MCP server `mcp-server-time`."""

from __future__ import annotations

import json
import sys

TOOL = {
    "name": "get_current_time",
    "description": "Show the time.",
    "inputSchema": {
        "type": "object",
        "properties": {"timezone": {"type": "string"}},
        "required": ["timezone"],
    },
    "annotations": {"readOnlyHint": True},
}
RESULTS = {
    "initialize": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "clock"}},
    "tools/list": {"tools": [TOOL]},
    "tools/call": {"content": [{"type": "text", "text": "11:15"}]},
}

for line in sys.stdin:
    asked = json.loads(line)
    if "id" in asked:
        print(
            json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": RESULTS[asked["method"]]}), flush=True
        )
