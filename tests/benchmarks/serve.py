"""Requests a second for 304 and 200 of a prepared feed: `dateline run` against nginx on the same file and core.

A real daemon and a real build of 60 posts; nginx twice, once as plain as can be and once with the file that
`dateline feeds nginx` prints. Servers have one core, the load has the other; rounds go round, ratios are taken round by
round. A shared machine moves rates more than CPU time a request, so both are told.
"""

import argparse
import http.client
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dateline.actions.build import build
from dateline.nginx import nginx_text
from tests.benchmarks.http_load import load
from tests.benchmarks.newsroom import Mailing, build_newsroom, write_config
from tests.benchmarks.processes import ROOT
from tests.benchmarks.sinks import free_port

POSTS = 60
_PATH = "/feeds/all.atom"
_ASKED = {"304": 30, "200 as it is": 25, "200 gzip": 25}
_NGINX = "/usr/sbin/nginx"
_PLAIN = "server {{ listen 127.0.0.1:{port}; root {public}; gzip_static on; }}"
_CONF = """\
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors; user root;
events {{ worker_connections 512; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    types {{ application/atom+xml atom; }}
    {server}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs: where, and the process that does the work."""

    name: str
    port: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One round of one server: answers a second, and CPU time an answer."""

    rate_per_s: float
    cpu_us: float


def main(argv: list[str]) -> None:
    """`serve [--rounds N] [--seconds S] [--connections N]`."""
    parser = argparse.ArgumentParser(prog="serve")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=32)
    given = parser.parse_args(argv)
    cores = sorted(os.sched_getaffinity(0))
    if shutil.which("wrk") is None:
        print("wrk is missing (apt-get install wrk): the load is too small to compare by")
    with (
        tempfile.TemporaryDirectory() as place,
        _daemon(Path(place) / "newsroom", cores[0]) as (ours, public),
        _nginx(Path(place) / "plain", public, cores[0], is_plain=True) as plain,
        _nginx(Path(place) / "file", public, cores[0], is_plain=False) as with_file,
    ):
        size = (public / _PATH[1:]).stat().st_size
        packed = (public / f"{_PATH[1:]}.gz").stat().st_size
        print(f"{_PATH}: {size / 1000:.0f} kB, {packed / 1000:.0f} kB as gzip; {POSTS} posts")
        servers = (ours, plain, with_file)
        for name in _ASKED:
            figures: dict[str, list[Figure]] = {server.name: [] for server in servers}
            for _ in range(given.rounds):
                for server in servers:
                    figures[server.name].append(
                        _measured(server, name, cores[-1], given.seconds, given.connections)
                    )
            _tell(name, figures, [server.name for server in servers])


def _measured(server: Server, name: str, core: int, seconds: float, connections: int) -> Figure:
    headers = {"Accept-Encoding": "gzip"} if name == "200 gzip" else {}
    if name == "304":
        headers["If-None-Match"] = _tag(server.port)
    cpu, began = _cpu_s(server.pid), time.perf_counter()
    if name == "304":
        _check(server.port, headers, 304)
    answers = load(server.port, _PATH, headers, core=core, seconds=seconds, connections=connections)
    took = time.perf_counter() - began
    return Figure(
        rate_per_s=answers / took, cpu_us=(_cpu_s(server.pid) - cpu) / max(answers, 1) * 1e6
    )


def _tell(name: str, figures: dict[str, list[Figure]], names: list[str]) -> None:
    ours, plain, with_file = (figures[one] for one in names)
    print(f"\n{name}:")
    for one in names:
        rates = [figure.rate_per_s for figure in figures[one]]
        cpu = statistics.median(figure.cpu_us for figure in figures[one])
        print(
            f"  {one:<22} {statistics.median(rates):>8,.0f} a second "
            f"[{min(rates):,.0f}-{max(rates):,.0f}], {cpu:.1f} us CPU each"
        )
    rate = statistics.median(a.rate_per_s / b.rate_per_s for a, b in zip(ours, plain, strict=True))
    cpu = statistics.median(b.cpu_us / a.cpu_us for a, b in zip(ours, plain, strict=True))
    same = statistics.median(
        a.rate_per_s / b.rate_per_s for a, b in zip(with_file, plain, strict=True)
    )
    print(f"  dateline run / nginx: {rate:.0%} in rate, {cpu:.0%} in CPU; asked {_ASKED[name]}%")
    print(f"  nginx with our file / nginx: {same:.0%} in rate")


@contextmanager
def _daemon(folder: Path, core: int) -> Iterator[tuple[Server, Path]]:
    """`dateline run` with its feeds built, and their folder."""
    newsroom = build_newsroom(folder, 1, posts=POSTS, is_released=False)
    port = free_port()
    write_config(folder, Mailing(), web_port=port)
    press = newsroom.open()
    build(press)
    press.engine.dispose()
    command = [sys.executable, "-m", "dateline", "run", "--config", str(newsroom.config)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        _await(port, process)
        yield Server(name="dateline run", port=port, pid=process.pid), press.public
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def _nginx(folder: Path, public: Path, core: int, *, is_plain: bool) -> Iterator[Server]:
    folder.mkdir()
    port = free_port()
    file = nginx_text(
        web_url="https://letters.frontera.example", public=str(public), listen=f"127.0.0.1:{port}"
    )
    server = _PLAIN.format(port=port, public=public) if is_plain else file
    (folder / "nginx.conf").write_text(_CONF.format(folder=folder, server=server))
    command = [_NGINX, "-c", str(folder / "nginx.conf"), "-e", str(folder / "errors")]
    process = subprocess.Popen(["taskset", "-c", str(core), *command])
    try:
        _await(port, process)
        tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        name = "nginx" if is_plain else "nginx with our file"
        yield Server(name=name, port=port, pid=int(tasks[0]))
    finally:
        process.terminate()
        process.wait(30)


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            _tag(port)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server does not answer")


def _tag(port: int) -> str:
    return _check(port, {}, 200).getheader("ETag") or ""


def _check(port: int, headers: dict[str, str], status: int) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", _PATH, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == status, answer.status
    return answer


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
