#!/usr/bin/env python3
"""How fast a check of 30 shards on S3 is. See README.md.

    bench/s3.py [--runs 5] [--rtt-ms 80] [--profile release|debug] [--as-built]
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = ROOT / "target" / "bench"
sys.path.insert(0, str(ROOT / "tests" / "outside"))
sys.dont_write_bytecode = True
import checkpoints

# Wall time as a multiple of the listing and two round trips.
TARGET = 1.5


class Server(threading.Thread):
    """As much of S3 as a reader asks for, every answer `rtt` seconds after its request."""

    def __init__(self, folder, rtt):
        super().__init__(daemon=True)
        self.folder, self.rtt, self.requests, self.bytes = folder, rtt, 0, 0
        self.ready = threading.Event()
        self.start()
        self.ready.wait()

    def run(self):
        asyncio.run(self.serve())

    async def serve(self):
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await server.serve_forever()

    async def talk(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                await asyncio.sleep(self.rtt)
                answer = self.answer(head)
                self.requests += 1
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def answer(self, head):
        target = head.split(" ")[1]
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        if "list-type" in target:
            keys = "".join(f"<Contents><Key>model/{path.name}</Key><LastModified>2026-11-22T06:00:00.000Z</LastModified><ETag>&quot;{path.name}&quot;</ETag><Size>{path.stat().st_size}</Size></Contents>" for path in sorted(self.folder.iterdir()))
            return self.message("200 OK", f"<ListBucketResult>{keys}</ListBucketResult>".encode())
        path = self.folder / urllib.parse.unquote(target.split("?")[0]).rsplit("/", 1)[1]
        first, last = map(int, fields["range"].removeprefix("bytes=").split("-"))
        with open(path, "rb") as file:
            file.seek(first)
            body = file.read(last - first + 1)
        return self.message("206 Partial Content", body, f'Content-Range: bytes {first}-{last}/{path.stat().st_size}\r\nETag: "{path.name}"\r\nLast-Modified: Sun, 22 Nov 2026 06:00:00 GMT\r\n')

    def message(self, status, body, fields=""):
        self.bytes += len(body)
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


def main():
    parser = argparse.ArgumentParser(description="See bench/README.md.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rtt-ms", type=int, default=80)
    parser.add_argument("--profile", default="release", choices=["release", "debug"])
    parser.add_argument("--as-built", action="store_true", help="do not build anew")
    options = parser.parse_args()
    flags = ["--release"] if options.profile == "release" else []
    if not options.as_built:
        subprocess.run(["cargo", "build", *flags, "-p", "byom-preflight"], cwd=ROOT, check=True)
    folder = SCRATCH / "s3" / "model"
    shutil.rmtree(folder.parent, ignore_errors=True)
    headers = checkpoints.write_model(folder, checkpoints.SEVENTY, 30)
    server = Server(folder, options.rtt_ms / 1000)
    env = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}", "AWS_ACCESS_KEY_ID": "AKIDBENCH", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
    command = [ROOT / "target" / options.profile / "byom-preflight", "check", "s3://models/model/", "--format", "json"]
    seconds = []
    for _ in range(options.runs):
        server.requests = server.bytes = 0
        started = time.perf_counter()
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        seconds.append(time.perf_counter() - started)
        if done.returncode not in (0, 1):
            raise SystemExit(f"it ended with {done.returncode}: {done.stderr} {done.stdout[-500:]}")
    trips = 3 * options.rtt_ms / 1000
    ratio = statistics.median(seconds) / trips
    met = "met" if ratio <= TARGET else "NOT met"
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.profile}, medians of {options.runs} runs")
    print(f"30 shards on S3, {options.rtt_ms} ms a request: {statistics.median(seconds) * 1000:.0f} ms = {ratio:.2f} x the listing and two round trips (at most {TARGET}: {met})")
    print(f"  {server.requests} requests, {server.bytes} bytes; the headers have {headers}")


main()
