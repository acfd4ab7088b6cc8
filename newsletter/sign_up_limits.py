"""The SQL and the rule of the sign-up limits: how often an address may be asked and a network may ask (mail.md 7.1).

Addresses and networks are kept as hashes under a key that changes daily; a window of days is asked with the hashes of
each of its days.
"""

import ipaddress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from newsletter.tables import notices, sign_ups
from newsletter.tokens import Keys

KEPT = timedelta(days=30)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_S = sign_ups.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted before this request: mails to the address, requests of the network, mails to the address's
    domain and to anybody."""

    address_day: int
    address_month: int
    network_hour: int
    network_day: int
    domain_hour: int
    mailed_hour: int


def may_mail(counts: Counts, *, signed: bool) -> bool:
    """True when one more mail may go out. A form without a signed time (pasted into another site, or kept for more
    than a day) has stricter limits."""
    hour, day = (5, 20) if signed else (3, 10)
    return (
        counts.address_day < 1
        and counts.address_month < 3
        and counts.network_hour < hour
        and counts.network_day < day
        and counts.domain_hour < 100
        and counts.mailed_hour < 1_000
    )


def network_of(host: str) -> str:
    """The network that a host counts for: its /24 or /64; what is no address counts as itself."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    prefix = 24 if address.version == 4 else 64
    return str(ipaddress.ip_network((address, prefix), strict=False))


def count_sign_ups(
    conn: sa.Connection, keys: Keys, *, address_key: str, network: str, now: datetime
) -> Counts:
    """What has been asked for by now."""
    days = [(now - back * _DAY).date() for back in range(KEPT.days + 1)]
    address = [_hashed(keys, "sign-up address", day, address_key) for day in days]
    networks = [_hashed(keys, "sign-up network", day, network) for day in days[:2]]
    domains = [_hashed(keys, "sign-up domain", day, _domain(address_key)) for day in days[:2]]

    def count(*where: sa.ColumnElement[bool]) -> int:
        return conn.execute(
            sa.select(sa.func.count()).select_from(sign_ups).where(*where)
        ).scalar_one()

    to_address = (_S.address_hash.in_(address), _S.mailed)
    of_network = _S.network_hash.in_(networks)
    return Counts(
        address_day=count(*to_address, _S.at > now - _DAY),
        address_month=count(*to_address, _S.at > now - KEPT),
        network_hour=count(of_network, _S.at > now - _HOUR),
        network_day=count(of_network, _S.at > now - _DAY),
        domain_hour=count(_S.domain_hash.in_(domains), _S.mailed, _S.at > now - _HOUR),
        mailed_hour=count(_S.mailed, _S.at > now - _HOUR),
    )


def record_sign_up(
    conn: sa.Connection,
    keys: Keys,
    *,
    address_key: str,
    network: str,
    mailed: bool,
    now: datetime,
) -> None:
    """Notes one request, for the limits of the next."""
    conn.execute(
        sa.insert(sign_ups).values(
            network_hash=_hashed(keys, "sign-up network", now.date(), network),
            address_hash=_hashed(keys, "sign-up address", now.date(), address_key),
            domain_hash=_hashed(keys, "sign-up domain", now.date(), _domain(address_key)),
            at=now,
            mailed=mailed,
        )
    )


def was_told_lately(conn: sa.Connection, subscriber: int, kind: str, now: datetime) -> bool:
    """True when a notice of this kind went to a subscriber in the last 30 days."""
    query = sa.select(sa.func.count()).where(
        notices.c.subscriber == subscriber,
        notices.c.kind == kind,
        notices.c.created > now - KEPT,
    )
    return conn.execute(query).scalar_one() > 0


def _domain(address_key: str) -> str:
    return address_key.rpartition("@")[2]


def _hashed(keys: Keys, purpose: str, day: date, value: str) -> str:
    return keys.mac(purpose, f"{day.isoformat()} {value}".encode()).hex()
