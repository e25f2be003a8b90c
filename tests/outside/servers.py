"""Servers that the checks start on the loopback interface."""

import json
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager


@contextmanager
def loopback_hub(root, *options):
    """The hub over the folders of `root`; gives its addresses."""
    command = ["target/debug/loopback-hub", "--root", root, *options]
    hub = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(hub.stdout.readline())
    finally:
        hub.stdin.close()
        hub.wait()


def take_log(hub):
    with urllib.request.urlopen(hub["hub"] + "/__loopback__/log") as answer:
        return json.load(answer)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, name):
    """Waits until a process that was started listens."""
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise SystemExit(f"it ended at once: {name}")
        time.sleep(0.1)
    raise SystemExit(f"it does not answer: {name}")
