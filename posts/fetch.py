"""The one HTTP client of the program. It is guarded: whoever names an address may be hostile (DESIGN.md 8.9).

A name is resolved once, every address it has is checked, and the connection goes to a checked address, so that a name
that changes its mind (DNS rebinding) gains nothing. The same at each redirect.
"""

import contextlib
import http.client
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from posts.deadline import Deadline
from posts.errors import SourceError
from posts.guard import refusal

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to IP addresses; raises OSError."""
Connect = Callable[[str, int, float | None], socket.socket]
"""IP address, port and time limit in seconds to a connected socket; raises OSError."""

FEEDS = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/html;q=0.8, */*;q=0.5"
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an answer may cost: bytes after unpacking, seconds to connect, between two reads, and in all."""

    size_bytes: int = 10_000_000
    connect_s: float = 10.0
    read_s: float = 10.0
    total_s: float = 60.0
    redirects: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer, whatever its status; `url` is where it came from after redirects."""

    status: int
    url: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def not_modified(self) -> bool:
        """True when the server says that what we have is still right."""
        return self.status == 304


def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, by the system's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, timeout_s: float | None) -> socket.socket:
    """A TCP connection to an IP address."""
    return socket.create_connection((address, port), timeout_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """The client. `user_agent` says who asks and where to complain; `ca_bundle` replaces the usual authorities."""

    user_agent: str = "Dateline"
    resolve: Resolve = resolve
    connect: Connect = connect
    ca_bundle: str | None = None

    def fetch(
        self,
        url: str,
        *,
        typed: str | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
        allow_private: bool = False,
        limits: Limits = Limits(),
        accept: str = FEEDS,
    ) -> Fetched:
        """Asks for `url`, follows redirects, and gives the answer of any status; safe to call again.

        Ports are 80, 443 and that of `typed`, the address that a person wrote (`url` itself where it is not given).
        Raises SourceError for whatever keeps an answer from coming, the guard and the limits included.
        """
        headers = {
            "User-Agent": self.user_agent,
            "Accept": accept,
            "Accept-Encoding": "gzip, deflate",
        }
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        request = _Request(method="GET", headers=headers, follows=_REDIRECTS)
        return self._ask(url, request, typed=typed, allow_private=allow_private, limits=limits)

    def post_form(
        self,
        url: str,
        fields: Sequence[tuple[str, str]],
        *,
        allow_private: bool = False,
        limits: Limits = Limits(),
    ) -> Fetched:
        """Posts a form to `url` and gives the answer of any status, its body cut where the limit is.

        Redirects are followed with the form, under the same guard, but not 303, which says that the form was taken
        and something else may be looked at (RFC 9110 15.4.4). Raises SourceError for whatever keeps an answer from
        coming; the form may have been taken all the same.
        """
        headers = {
            "User-Agent": self.user_agent,
            "Accept": "text/plain, */*;q=0.5",
            "Accept-Encoding": "gzip, deflate",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        request = _Request(
            method="POST",
            headers=headers,
            follows=_REDIRECTS - {303},
            body=urlencode(fields).encode("ascii"),
            cut_body=True,
        )
        return self._ask(url, request, typed=None, allow_private=allow_private, limits=limits)

    def _ask(
        self,
        url: str,
        request: "_Request",
        *,
        typed: str | None,
        allow_private: bool,
        limits: Limits,
    ) -> Fetched:
        """One request through its redirects, each of them checked anew, all within one deadline."""
        ports = {80, 443, _port(typed or url)}
        current = url
        with Deadline(limits.total_s) as deadline:
            for _ in range(limits.redirects + 1):
                allowed = _Checked(self, ports, allow_private=allow_private)
                answer = _ask_once(current, request, allowed, deadline, limits)
                target = answer.headers.get("Location")
                if answer.status not in request.follows or not target:
                    return answer
                current = _redirected(current, target)
        raise SourceError(f"redirects more than {limits.redirects} times.", where=shown_url(url))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is asked, the same at each redirect. `cut_body`: an answer that is too long is cut, not refused."""

    method: str
    headers: Mapping[str, str]
    follows: frozenset[int]
    body: bytes | None = None
    cut_body: bool = False


def shown_url(url: str) -> str:
    """`url` for people and logs: without user name and password."""
    try:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return url


class _Checked:
    """The guard of one request: resolves once, checks every address, and remembers them for the connection."""

    def __init__(self, fetcher: Fetcher, ports: set[int | None], *, allow_private: bool) -> None:
        self.fetcher = fetcher
        self._ports = ports
        self._allow_private = allow_private

    def addresses(self, url: str) -> Sequence[str]:
        """The addresses that `url` may be fetched from; raises SourceError where one of them may not."""
        host, port = urlsplit(url).hostname or "", _port(url)
        if port is None or port not in self._ports:
            raise SourceError(
                f"asks for port {port}.",
                where=shown_url(url),
                remedy="Only 80, 443 and the port of the configured address are used.",
            )
        try:
            found = self.fetcher.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise SourceError(
                f"the name {host} cannot be resolved ({error})", where=shown_url(url)
            ) from error
        if not found:
            raise SourceError(f"the name {host} has no address", where=shown_url(url))
        for address in found:
            reason = refusal(address, allow_private=self._allow_private)
            if reason:
                is_named = host != str(address)
                raise SourceError(
                    f"{host} is at {address}, which {reason}." if is_named else f"{host} {reason}.",
                    where=shown_url(url),
                    remedy="Set `allow_private = true` beside the address if it is meant."
                    if "private" in reason
                    else "",
                )
        return found


class _CheckedAdapter(HTTPAdapter):
    """Connects to the addresses that were checked, whatever the name says by now; Host, SNI and certificate stay
    those of the name, because the pool still knows the name."""

    def __init__(self, addresses: Sequence[str], connect: Connect, deadline: Deadline) -> None:
        super().__init__(max_retries=0)
        self._open = _opener(addresses, connect, deadline)

    def get_connection_with_tls_context(self, *args, **kwargs):  # type: ignore[no-untyped-def]  # requests' own
        """A pool whose connections go to the checked addresses."""
        pool: Any = super().get_connection_with_tls_context(
            *args, **kwargs
        )  # its class attribute is untyped
        opener = self._open

        class Connection(pool.ConnectionCls):  # type: ignore[misc]  # HTTP or HTTPS, as the pool is
            def _new_conn(self) -> socket.socket:
                return opener(self)

        pool.ConnectionCls = Connection
        return pool


def _opener(
    addresses: Sequence[str], connect: Connect, deadline: Deadline
) -> Callable[[HTTPConnection], socket.socket]:
    def new_connection(connection: HTTPConnection) -> socket.socket:
        trouble: OSError | None = None
        for address in addresses:
            limit = connection.timeout if isinstance(connection.timeout, int | float) else None
            try:
                made = connect(address, connection.port, limit)
            except OSError as error:
                trouble = error
                continue
            made.settimeout(limit)
            deadline.watch(made)
            return made
        if isinstance(trouble, TimeoutError):
            raise ConnectTimeoutError(connection, "no answer") from trouble
        raise NewConnectionError(connection, str(trouble)) from trouble

    return new_connection


def _ask_once(
    url: str, request: _Request, guard: _Checked, deadline: Deadline, limits: Limits
) -> Fetched:
    """One request to one checked place; no proxy, no .netrc, no cookies, whatever the environment says."""
    with _explained(url, deadline, limits), requests.Session() as session:
        session.trust_env = False
        prepared = session.prepare_request(
            requests.Request(request.method, url, headers=dict(request.headers), data=request.body)
        )
        asked = prepared.url or ""
        if urlsplit(asked).scheme not in ("http", "https"):
            raise SourceError("is not an http or https address", where=shown_url(url))
        adapter = _CheckedAdapter(guard.addresses(asked), guard.fetcher.connect, deadline)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        with session.send(
            prepared,
            stream=True,
            allow_redirects=False,
            timeout=(
                min(limits.connect_s, deadline.remaining_s),
                min(limits.read_s, deadline.remaining_s),
            ),
            verify=guard.fetcher.ca_bundle or True,
        ) as response:
            redirect = response.status_code in _REDIRECTS
            body = b"" if redirect else _body(response, url, deadline, limits, cut=request.cut_body)
            return Fetched(
                status=response.status_code, url=asked, body=body, headers=response.headers
            )


def _body(
    response: requests.Response, url: str, deadline: Deadline, limits: Limits, *, cut: bool
) -> bytes:
    """The body, unpacked a piece at a time: a small answer may unpack to gigabytes."""
    too_large = SourceError(
        f"is larger than {limits.size_bytes // 1_000_000} MB", where=shown_url(url)
    )
    declared = response.headers.get("Content-Length", "")
    if not cut and declared.isdigit() and int(declared) > limits.size_bytes:
        raise too_large
    pieces: list[bytes] = []
    size = 0
    for piece in response.iter_content(_CHUNK_BYTES):
        size += len(piece)
        if size > limits.size_bytes:
            if cut:
                pieces.append(piece)
                return b"".join(pieces)[: limits.size_bytes]
            raise too_large
        if deadline.passed:
            break
        pieces.append(piece)
    if deadline.passed:  # a connection that was shut down reads like one that ended
        raise TimeoutError
    return b"".join(pieces)


@contextlib.contextmanager
def _explained(url: str, deadline: Deadline, limits: Limits) -> Iterator[None]:
    """Turns every way in which a request can fail into a SourceError in plain words."""
    try:
        yield
    except SourceError:
        raise
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
        ValueError,
    ) as error:
        where = shown_url(url)
        if deadline.is_over:
            what = f"took longer than {limits.total_s:g} seconds"
        elif isinstance(error, requests.exceptions.SSLError):
            what = f"has no certificate that can be trusted ({_cause(error)})"
        elif isinstance(error, requests.exceptions.ConnectTimeout):
            what = f"did not answer within {limits.connect_s:g} seconds"
        elif isinstance(error, requests.exceptions.ReadTimeout) or "Read timed out" in str(error):
            what = f"was silent for {limits.read_s:g} seconds"
        elif isinstance(
            error,
            requests.exceptions.InvalidURL
            | requests.exceptions.MissingSchema
            | requests.exceptions.InvalidSchema,
        ):
            what = "is not an http or https address"
        else:
            what = f"could not be read ({_cause(error)})"
        raise SourceError(what, where=where) from error


def _cause(error: BaseException) -> str:
    """The innermost reason in one line: the outer ones repeat the address, with any password in it."""
    inner: BaseException = error
    while True:
        following = inner.__cause__ or getattr(inner, "reason", None) or _argument(inner)
        if not isinstance(following, BaseException) or following is inner:
            break
        inner = following
    words = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return " ".join(words.split())[:200] or type(inner).__name__


def _argument(error: BaseException) -> BaseException | None:
    return next((arg for arg in reversed(error.args) if isinstance(arg, BaseException)), None)


def _port(url: str) -> int | None:
    try:
        parts = urlsplit(url)
        return parts.port or {"http": 80, "https": 443}.get(parts.scheme.lower())
    except ValueError:
        return None


def _redirected(url: str, target: str) -> str:
    """Where a redirect leads. A user name and password in it are dropped, for nobody here chose them; those that the
    operator typed go along on the same host, but never from https to http."""
    with contextlib.suppress(UnicodeError):
        # Servers send UTF-8 in a header that is read as Latin-1.
        target = target.encode("latin-1").decode("utf-8")
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, target))
        host = there.netloc.rpartition("@")[2]
        typed = here.netloc.rpartition("@")[0]
        if typed and here.hostname == there.hostname and there.scheme in ("https", here.scheme):
            host = f"{typed}@{host}"
        return urlunsplit(there._replace(netloc=host))
    except ValueError as error:
        raise SourceError(
            "redirects to something that is no address", where=shown_url(url)
        ) from error
