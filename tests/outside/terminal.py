"""The program on a terminal of its own: a line of progress while a slow hub answers, and nothing of it afterwards."""

import os
import pty
import re
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import checkpoints
from program import result
from servers import loopback_hub

ERASED = "\r\x1b[K"
PROGRESS = re.compile(r"\r\x1b\[Kreading acme/tiny: \d+ requests, \d+ kB")


def on_terminal(command, env, interrupt=False):
    """What the program writes to its terminal, and the exit code; with Ctrl-C after the first line of progress."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], [str(word) for word in command], env)
    text, deadline = "", time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # how Linux tells that the other end is closed
            break
        text += chunk.decode(errors="replace")
        if interrupt and PROGRESS.search(text):
            os.write(terminal, b"\x03")
            interrupt = False
    else:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return text, os.waitstatus_to_exitcode(status)


def main():
    program, scratch = sys.argv[1], Path(sys.argv[2]).absolute()
    shutil.rmtree(scratch, ignore_errors=True)
    checkpoints.write_model(scratch / "root/acme/tiny", tag="acme/tiny")
    with loopback_hub(scratch / "root", "--rtt-ms", "700") as hub:
        env = {"PATH": os.environ["PATH"], "HOME": str(scratch), "HF_ENDPOINT": hub["hub"], "TERM": "xterm"}
        command = [program, "check", "acme/tiny"]

        text, code = on_terminal(command, env)
        shown = PROGRESS.findall(text)
        result(bool(shown) and code in (0, 1), "terminal, progress is shown while a slow hub answers", f"exit code {code}, {text[:200]!r}")
        rest = text[text.rfind("reading acme/tiny") :]
        result(ERASED in rest, "terminal, progress is gone when the report comes", repr(rest[:200]))

        text, code = on_terminal(command, env, interrupt=True)
        result(code == 130, "terminal, Ctrl-C ends with 130", f"exit code {code}")
        # The terminal itself echoes ^C.
        result(text.endswith(ERASED), "terminal, Ctrl-C leaves no line behind", repr(text[-200:]))

        text, code = on_terminal(command, env | {"TERM": "dumb"})
        result(not PROGRESS.search(text), "terminal, a dumb one gets no progress", repr(text[:200]))
        text, code = on_terminal(["sh", "-c", f"{program} check acme/tiny 2>{scratch}/errors"], env)
        errors = (scratch / "errors").read_text()
        result(code in (0, 1) and errors == "", "terminal, a file gets no progress", repr(errors))


main()
