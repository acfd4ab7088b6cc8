"""The feed endpoint over a folder of documents, as a build leaves them, asked without a socket."""

import asyncio
import gzip
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import brotli

from dateline.redirects import Redirects, RedirectSettings
from dateline.web.feed_documents import FeedDocuments
from dateline.web.feed_files import FeedFiles
from feeds.conditional import document_hash

WEB = "https://press.example"
HUBS = ("https://hub.example/", "https://other.example/hub")
CHANGED = datetime(2009, 9, 15, 12, 0, tzinfo=UTC)
LATER = CHANGED + timedelta(hours=1)


@dataclass
class Answer:
    """What came back over ASGI."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def vary(self) -> set[str]:
        """What the answer depends on."""
        return {part.strip() for part in self.headers.get("vary", "").split(",")}


async def _behind(scope: Any, receive: Any, send: Any) -> None:
    """The application behind: answers 404 to everything."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"x-behind", b"1")]})
    await send({"type": "http.response.body", "body": b"behind"})


class FeedServer:
    """A press's `public` and `var/built`, and what answers for them."""

    def __init__(
        self,
        folder: Path,
        *,
        hubs: Sequence[str] = HUBS,
        redirects: Mapping[str, str] | None = None,
        taken: frozenset[str] = frozenset(),
    ) -> None:
        self.public = folder / "public"
        self.built = folder / "built"
        self.now = LATER
        self.seen: list[tuple[str, int, str, bool]] = []
        self.documents = FeedDocuments(
            self.public, self.built, web_url=WEB + "/", clock=lambda: self.now, hubs=hubs
        )
        rules = [
            RedirectSettings.model_validate({"from": old, "to": new})
            for old, new in (redirects or {}).items()
        ]
        self.files = FeedFiles(
            _behind,
            self.documents,
            Redirects(rules, web_url=WEB, taken=taken),
            on_answer=lambda *what: self.seen.append(what),
        )

    def write(
        self,
        name: str,
        body: bytes,
        changed: datetime = CHANGED,
        *,
        codings: Sequence[str] = (),
    ) -> None:
        """Puts a document there as a build does: compressed first, the document last, by renaming."""
        packed = {"gzip": (".gz", _gzip), "br": (".br", brotli.compress)}
        for ending, pack in [packed[coding] for coding in codings]:
            self._put(name + ending, pack(body), changed)
        self._put(name, body, changed)

    def write_sidecar(self, name: str, sidecar: Mapping[str, object]) -> None:
        """Puts the sidecar of a document there (`all.atom`)."""
        path = self.built / "documents" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sidecar))

    def write_gone(self, *paths: str) -> None:
        """Notes documents of feeds that are no more."""
        self.built.mkdir(parents=True, exist_ok=True)
        (self.built / "gone.json").write_text(json.dumps(paths))

    def ask(self, target: str, method: str = "GET", **headers: str | Sequence[str]) -> Answer:
        """One request for a decoded path with a query; header names with underscores; a sequence is several lines."""
        answer = Answer()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
                assert len(answer.headers) == len(message["headers"]), "no header twice"
            else:
                answer.body += message["body"]

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode("latin-1"),
            "headers": [
                (name.replace("_", "-").encode(), value.encode("latin-1"))
                for name, values in headers.items()
                for value in ([values] if isinstance(values, str) else values)
            ],
        }
        asyncio.run(self.files(scope, receive, send))
        return answer

    def _put(self, name: str, body: bytes, changed: datetime) -> None:
        path = self.public / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(".tmp")
        temporary.write_bytes(body)
        os.utime(temporary, (changed.timestamp(), changed.timestamp()))
        temporary.replace(path)


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A document in one state: its bytes, and the journal number of each entry's last change."""

    body: bytes
    spans: Sequence[tuple[int, int, int]]
    tail_at: int

    @property
    def hash(self) -> str:
        """What its tags are made of."""
        return document_hash(self.body)

    def sidecar(self, history: Sequence[tuple["Copy", int]]) -> dict[str, object]:
        """As a build writes it; `history` newest first."""
        return {
            "etag": self.hash,
            "number": history[0][1],
            "head": self.spans[0][0] if self.spans else self.tail_at,
            "tail_at": self.tail_at,
            "entries": [list(span) for span in self.spans],
            "history": [[copy.hash, number] for copy, number in history],
        }


def a_copy(
    entries: Sequence[tuple[bytes, int]], *, between: bytes = b"", head: bytes = b"<feed>"
) -> Copy:
    """A document of these entries, each with the number of its last change."""
    body, spans = head, []
    for index, (entry, number) in enumerate(entries):
        body += between if index else b""
        spans.append((len(body), len(entry), number))
        body += entry
    return Copy(body=body + b"</feed>", spans=spans, tail_at=len(body))
