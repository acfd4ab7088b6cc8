"""A run of the sender that signs: every message carries its signatures, whoever made it and in whatever thread."""

import dkim
import pytest
import sqlalchemy as sa

from newsletter.dkim_keys import SigningKey, dns_record, load_key, make_key
from newsletter.sealed import Messages
from newsletter.transport.base import Kind, Outcome
from tests.newsletter.ledger_builders import KEYS, a_released_issue, leave, states
from tests.newsletter.test_sender import ACCEPTED, Wire, a_flusher, send


@pytest.fixture(scope="module")
def keys() -> tuple[SigningKey, ...]:
    made = (("s1", make_key()), ("s2", make_key(ed25519=True)))
    return tuple(load_key(raw, domain="news.example", selector=s, where="here") for s, raw in made)


def a_signing_flusher(engine: sa.Engine, keys: tuple[SigningKey, ...]):  # type: ignore[no-untyped-def]  # as a_flusher
    flusher = a_flusher(engine)
    old = flusher.messages
    flusher.messages = Messages(
        keys=KEYS,
        web_url=old.web_url,
        from_domain=old.from_domain,
        zone=old.zone,
        signing_keys=keys,
    )
    return flusher


def verifies(body: bytes, keys: tuple[SigningKey, ...]) -> bool:
    records = {f"{k.selector}._domainkey.{k.domain}.".encode(): dns_record(k).value for k in keys}

    def ask(name: bytes, timeout: int = 5) -> bytes:
        return records[name].encode()

    oracle = dkim.DKIM(body)
    return all(oracle.verify(idx=number, dnsfunc=ask) for number in range(len(keys)))


def test_every_message_that_leaves_is_signed_by_every_key(
    sqlite_engine: sa.Engine, keys: tuple[SigningKey, ...]
) -> None:
    issue = a_released_issue(sqlite_engine, 60, batch=25)
    wire = Wire(sqlite_engine, issue)
    send(wire, flusher=a_signing_flusher(sqlite_engine, keys))
    assert sorted(wire.recipients) == sorted(f"reader{n}@example.net" for n in range(1, 61))
    assert set(states(sqlite_engine, issue).values()) == {"sent"}
    assert wire.unnamed == []
    assert all(body.startswith(b"DKIM-Signature: ") for body in wire.bodies)
    assert all(verifies(body, keys) for body in wire.bodies[:5] + wire.bodies[-5:])
    addresses = [body.partition(b"\r\nTo: ")[2].partition(b"\r\n")[0] for body in wire.bodies]
    assert addresses == [recipient.encode() for recipient in wire.recipients]


def test_who_left_after_a_message_was_made_is_not_sent_it(
    sqlite_engine: sa.Engine, keys: tuple[SigningKey, ...]
) -> None:
    issue = a_released_issue(sqlite_engine, 60)

    def leaves(nth: int) -> None:
        if nth == 5:
            for subscriber in range(1, 61):
                leave(sqlite_engine, subscriber)

    wire = Wire(sqlite_engine, issue, hook=leaves)
    send(wire, flusher=a_signing_flusher(sqlite_engine, keys))
    assert len(wire.recipients) <= 5 + 2 * wire.connections + 4


def test_a_message_that_met_weather_is_repeated_with_the_same_bytes(
    sqlite_engine: sa.Engine, keys: tuple[SigningKey, ...]
) -> None:
    issue = a_released_issue(sqlite_engine, 12)
    weather = Outcome(kind=Kind.WEATHER, text="wait")
    wire = Wire(sqlite_engine, issue, reply=lambda nth: weather if nth <= 5 else ACCEPTED)
    send(wire, flusher=a_signing_flusher(sqlite_engine, keys))
    assert set(states(sqlite_engine, issue).values()) == {"sent"}
    by_reader: dict[str, set[bytes]] = {}
    for recipient, body in zip(wire.recipients, wire.bodies, strict=True):
        by_reader.setdefault(recipient, set()).add(body)
    assert len(wire.recipients) == 17
    assert all(len(bodies) == 1 for bodies in by_reader.values())
