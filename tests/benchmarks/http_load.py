"""Load on a web server over kept connections: wrk where it is installed, else a small generator of our own.

Ours is slower than nginx, which then waits for it and works in small pieces: ratios against nginx look better than they are.
"""

import re
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence


def load(
    port: int, path: str, headers: Mapping[str, str], *, core: int, seconds: float, connections: int
) -> int:
    """How many answers came in `seconds`, asked from `core`; raises where one was wrong."""
    url = f"http://127.0.0.1:{port}{path}"
    named = [f"{name}: {value}" for name, value in headers.items()]
    wrk = shutil.which("wrk")
    if wrk is None:
        arguments = [str(port), path, str(seconds), str(connections), *named]
        said = _run(core, [sys.executable, "-m", "tests.benchmarks.http_load", *arguments])
        return int(said)
    flags = [f"-c{connections}", f"-d{seconds:g}", "-t1", "--latency"]
    said = _run(core, [wrk, *flags, *(part for one in named for part in ("-H", one)), url])
    if trouble := re.search(r"(Socket errors|Non-2xx).*", said):
        raise RuntimeError(f"{url}: {trouble[0]}")
    found = re.search(r"(\d+) requests in", said)
    assert found is not None, said
    return int(found[1])


def _run(core: int, command: Sequence[str]) -> str:
    pinned = ["taskset", "-c", str(core), *command]
    return subprocess.run(pinned, capture_output=True, text=True, check=True).stdout


def main(port: int, path: str, seconds: float, connections: int, headers: Sequence[str]) -> int:
    """Our own generator: the number of answers, read by their length."""
    request = "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()
    selector = selectors.DefaultSelector()
    left: dict[socket.socket, int] = {}
    for _ in range(connections):
        opened = socket.create_connection(("127.0.0.1", port))
        selector.register(opened, selectors.EVENT_READ)
        opened.sendall(request)
        left[opened] = 0
    answers = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in selector.select(1):
            one = key.fileobj
            assert isinstance(one, socket.socket)
            data = one.recv(1 << 20)
            assert data, "the server closed"
            if left[one] == 0:
                head, _, body = data.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                left[one] = (int(length[1]) if length else 0) - len(body)
            else:
                left[one] -= len(data)
            if left[one] == 0:
                answers += 1
                one.sendall(request)
    return answers


if __name__ == "__main__":
    print(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]))
