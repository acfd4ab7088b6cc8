"""SMTP replies: read within bounds, and what each means at the moment it came (pure; mail.md 3.2 and 5.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from newsletter.transport.base import Kind, Outcome

MAX_LINE = 2048
"""RFC 5321 4.5.3.1.5 says 512; real servers write more."""
MAX_LINES = 100
MAX_TEXT = 1000

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$|:)")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\u00a0-\uffff]+")

DEAD_CODES = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"})
_DEAD_TEXT = re.compile(
    r"""user\ unknown | unknown\ (?:user|recipient|local|mailbox|address) | no\ such\ (?:user|recipient|mailbox|
    address|person|domain) | (?:user|recipient|mailbox|account|address)\ (?:was\ |is\ )?(?:not\ found | unknown |
    does\ not\ exist | doesn'?t\ exist | not\ exist | has\ been\ (?:disabled|deleted|closed) | disabled | inactive |
    no\ longer) | does\ not\ have\ an?\ \S*\ ?account | no\ mailbox\ (?:here|by\ that\ name) | invalid\ (?:recipient|
    mailbox|user) | not\ a\ valid\ (?:user|mailbox|recipient) | mailbox\ (?:unavailable|not\ available)\W+user |
    (?:host|domain)\ (?:name\ )?(?:unknown | not\ found | does\ not\ exist) | unknown\ (?:host|domain) |
    unrouteable\ address | address\ rejected\W+(?:user|unknown) """,
    re.VERBOSE | re.IGNORECASE,
)
_ALIVE_TEXT = re.compile(
    r"""spam | block | polic(?:y|ies) | quota | full\b | dmarc | dkim | \bspf\b | relay | \brate | throttl | reputation |
    blacklist | denylist | listed | too\ (?:many|large|big) | size """,
    re.VERBOSE | re.IGNORECASE,
)
_RATE_TEXT = re.compile(
    r"""\brate\b | rate-?limit | ratelimit | too\ (?:many|fast|much) | throttl | slow\ down | try\ again\ more\ slowly |
    exceeded.{0,30}(?:limit|quota\ of\ (?:messages|mails?)) | limit\ exceeded | insufficient\ system\ (?:storage|resources) |
    insufficient\ (?:disk|storage) | disk\ full | system\ (?:storage|resources) | server\ (?:is\ )?busy |
    resources\ temporarily""",
    re.VERBOSE | re.IGNORECASE,
)
_MAILBOX_FULL = re.compile(
    r"mailbox|over\s?quota|user.{0,20}quota|recipient.{0,20}quota", re.IGNORECASE
)
_OUR_FAULT = re.compile(
    r"""authenticat | not\ authori[sz]ed\ to\ send | sender\ (?:address\ )?(?:rejected|denied|not\ (?:allowed|verified)) |
    relay(?:ing)?\ (?:access\ )?(?:denied|not\ permitted) | unable\ to\ relay |
    must\ issue\ a\ STARTTLS""",
    re.VERBOSE | re.IGNORECASE,
)


class Phase(StrEnum):
    """What the client had last said when a reply came."""

    CONNECT = "connect"
    EHLO = "EHLO"
    TLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "final dot"


class BadReply(Exception):
    """What came is no reply of SMTP, or is longer than any should be; the connection is of no more use."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply; `text` is its lines joined by a space, printable and bounded, the enhanced code included."""

    code: int
    text: str
    lines: tuple[str, ...] = ()

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 3463) where the reply begins with one of its own class."""
        return _enhanced(self.text[:12], self.code // 100)


@lru_cache(maxsize=256)
def _enhanced(beginning: str, code_class: int) -> str | None:
    """By the first characters, which are few: what follows them, a queue's id, is another each time."""
    found = _ENHANCED.match(beginning)
    return found[0] if found and found[1] == str(code_class) else None


class ReplyReader:
    """Makes replies of bytes as they come; raises BadReply on what is none. Bounded whatever is sent."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[bytes] = []
        self._code = b""

    def feed(self, received: bytes) -> list[Reply]:
        """The replies that `received` completes, in order."""
        if not (self._rest or self._lines):
            # as a rule an answer to a final dot, which is new each time, and behind it those to the next envelope
            first, found, others = received.partition(b"\r\n")
            if found and b"\n" not in first and (reply := _single(first)) is not None:
                known = _burst(others)
                if known is not None:
                    return [reply, *known]
        self._rest += received
        *lines, self._rest = self._rest.split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise BadReply("a line without an end")
        return [reply for line in lines if (reply := self._line(line.rstrip(b"\r"))) is not None]

    @property
    def is_empty(self) -> bool:
        """True when nothing is left over: what stood behind STARTTLS's reply would be an injection."""
        return not self._rest and not self._lines

    def _line(self, line: bytes) -> Reply | None:
        if not self._lines and (reply := _single(line)) is not None:
            return reply
        match = _LINE.fullmatch(line)
        if match is None or len(line) > MAX_LINE:
            raise BadReply(_printable(line[:80]) or "an empty line")
        code, more, text = match[1], match[2], match[3] or b""
        if self._lines and code != self._code:
            raise BadReply("a reply whose lines have different codes")
        if len(self._lines) >= MAX_LINES:
            raise BadReply("a reply without an end")
        self._code = code
        self._lines.append(text)
        if more == b"-":
            return None
        lines = tuple(_printable(part) for part in self._lines)
        self._lines = []
        return Reply(int(code), " ".join(lines)[:MAX_TEXT], lines)


@lru_cache(maxsize=64)
def _single(line: bytes) -> Reply | None:
    """A reply of one line, or None where it is none; a relay says the same three things for every message."""
    match = _LINE.fullmatch(line)
    if match is None or match[2] == b"-" or len(line) > MAX_LINE:
        return None
    text = _printable(match[3] or b"")
    return Reply(int(match[1]), text[:MAX_TEXT], (text,))


@lru_cache(maxsize=64)
def _burst(received: bytes) -> tuple[Reply, ...] | None:
    """Whole replies of one line each; None where it is anything else. A relay says the same for every envelope."""
    if not received:
        return ()
    *lines, rest = received.split(b"\r\n")
    replies = [_single(line) for line in lines]
    if rest or len(received) > MAX_LINE or any(b"\n" in line for line in lines):
        return None
    return tuple(reply for reply in replies if reply is not None) if all(replies) else None


def _printable(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if text.isascii() and text.isprintable():
        return text.strip()
    return _UNPRINTABLE.sub(" ", text).strip()


def is_dead(code: int | None, enhanced: str | None, text: str) -> bool:
    """True when a refusal says that nobody is there (mail.md 5.3): DEAD code or phrase, and no phrase of policy."""
    if code is None or not 500 <= code <= 599 or _ALIVE_TEXT.search(text):
        return False
    return enhanced in DEAD_CODES or bool(_DEAD_TEXT.search(text))


def outcome_of(phase: Phase, reply: Reply) -> Outcome:
    """What a refusal (or the acceptance after the dot) means for the message in hand."""
    if phase is Phase.DOT and 200 <= reply.code <= 299:
        return Outcome(
            kind=Kind.ACCEPTED, code=reply.code, enhanced=reply.enhanced, text=reply.text
        )
    kind = _kind_of(phase, reply)
    policy = kind is Kind.PERMANENT and _is_policy(reply)
    addressed = phase in (Phase.RCPT, Phase.DATA, Phase.DOT)
    return Outcome(
        # one reader's odd server must not stop an issue, nor be held against the reader: tried again, never dead
        kind=Kind.TEMPORARY if policy else kind,
        code=reply.code,
        enhanced=reply.enhanced,
        text=reply.text,
        slow_down=400 <= reply.code <= 499 and is_rate_answer(reply),
        of_relay=not addressed or (reply.enhanced or "").startswith(("4.3.", "5.3.")),
        policy=policy,
    )


def _kind_of(phase: Phase, reply: Reply) -> Kind:
    own = phase in (Phase.RCPT, Phase.DATA, Phase.DOT)
    if phase is Phase.DOT and reply.code < 400:
        return Kind.UNKNOWN
    if 400 <= reply.code <= 499 and own and reply.code != 421 and not is_rate_answer(reply):
        return Kind.TEMPORARY
    if reply.code >= 500 and (own or phase in (Phase.TLS, Phase.AUTH, Phase.MAIL)):
        return Kind.PERMANENT if own else Kind.OURS
    return Kind.WEATHER


def is_rate_answer(reply: Reply) -> bool:
    """True when a 4xx asks for fewer messages or says that the relay itself is short of something."""
    if reply.enhanced in ("4.2.2", "4.2.1") or _MAILBOX_FULL.search(reply.text):
        return False
    return reply.enhanced in ("4.3.1", "4.3.2", "4.4.5", "4.5.3") or bool(
        _RATE_TEXT.search(reply.text)
    )


def _is_policy(reply: Reply) -> bool:
    if reply.code in (530, 535, 538) or (reply.enhanced or "").startswith("5.7."):
        return True
    return bool(_OUR_FAULT.search(reply.text))
