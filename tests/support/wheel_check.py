"""An installed gptkit answers once: run by `.ci/run` with the path of the program in a fresh environment."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake.server import FakeServer


def main(program: str) -> None:
    """Raises AssertionError when the program does not do its main job from a folder of its own."""
    with FakeServer() as server, tempfile.TemporaryDirectory() as folder:
        server.say("Bonjour")
        environ = {
            "GPTKIT_HOME": folder,
            "HOME": folder,
            "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": server.url,
            "PATH": "/usr/bin:/bin",
        }

        def run(*args: str, stdin: str = "") -> str:
            done = subprocess.run(
                [program, *args],
                input=stdin,
                env=environ,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), (args, done)
            return done.stdout

        assert run("translate", "--to", "French", stdin="Hello") == "Bonjour\n"
        assert run("translate", "--model", "echo", stdin="Hello") == "Hello\n"
        assert "translate" in run("prompts", "list")
        assert "--tone" in run("email", "--help")
        assert run("prompts", "test").count(" 0 failed") == run("prompts", "list").count("\n")
        assert run("--version").startswith("gptkit ")
    print("the wheel answers")


if __name__ == "__main__":
    main(sys.argv[1])
