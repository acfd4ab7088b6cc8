"""Signatures that dkimpy verifies, whatever is in the mail; and the faults of keys."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.dkim import OVERSIGNED, SIGNED, Signing, compile_signing, sign_message
from newsletter.dkim_keys import (
    DkimKeyError,
    SigningKey,
    dns_record,
    is_aligned,
    load_key,
)
from newsletter.headers import mailbox
from newsletter.message import LoadedEdition, compile_joiner, load_edition
from newsletter.render import SealedIssue
from tests.newsletter.dkim_keys import DOMAIN, a_key, a_pem, both_keys, verdicts
from tests.newsletter.mail_samples import (
    DATE,
    KEYS,
    SITE,
    WEB_URL,
    a_post,
    a_recipient,
    a_week,
    sealed,
)

ISSUE = sealed([a_post(number) for number in range(1, 4)])
PLAIN = (
    b"From: a@news.riverline.example\r\nTo: b@example.org\r\nSubject: x\r\n"
    b"Date: Tue, 15 Sep 2009 23:00:00 +0000\r\nMessage-ID: <1@news.riverline.example>\r\n"
    b"List-Unsubscribe: <https://mail.riverline.example/u/1>\r\nPrecedence: bulk\r\n"
)


def loaded(issue: SealedIssue) -> LoadedEdition:
    chosen = issue.editions[0]
    parts = dict(enumerate(issue.parts))
    return load_edition(chosen.program, parts, language=chosen.language, seal=chosen.seal)


def signed(issue: SealedIssue, keys: tuple[SigningKey, ...], **reader: object) -> bytes:
    """A reader's message as the sender makes it."""
    joiner = compile_joiner(
        loaded(issue),
        issue_id=812,
        date=DATE,
        keys=KEYS,
        web_url=WEB_URL,
        from_domain=DOMAIN,
        zone=SITE.zone,
    )
    values = joiner.values(a_recipient(**reader))
    return compiled(joiner.edition, keys).sign(values) + joiner.joined(values)


def compiled(edition: LoadedEdition, keys: tuple[SigningKey, ...]) -> Signing:
    signing = compile_signing(edition, keys, DATE)
    assert signing is not None
    return signing


def of_items(*items: bytes | str) -> LoadedEdition:
    """An edition of these constants and fields."""
    pieces = tuple(item if isinstance(item, bytes) else b"" for item in items)
    holes = tuple((at, item) for at, item in enumerate(items) if isinstance(item, str))
    return LoadedEdition(language="en", pieces=pieces, holes=holes)


def join(edition: LoadedEdition, values: Mapping[str, bytes]) -> bytes:
    names = dict(edition.holes)
    return b"".join(
        values[names[at]] if at in names else piece for at, piece in enumerate(edition.pieces)
    )


def test_both_signatures_of_a_digest_verify() -> None:
    message = signed(sealed(a_week()), both_keys(), name="Ana Ruiz")
    assert verdicts(message, both_keys()) == [True, True]
    assert re.findall(rb" a=([a-z0-9-]+);", message) == [b"rsa-sha256", b"ed25519-sha256"]


def test_two_domains_make_two_signatures() -> None:
    keys = (a_key(), a_key(domain="riverline.example"))
    message = signed(ISSUE, keys)
    assert verdicts(message, keys) == [True, True]
    assert re.findall(rb" d=([a-z.]+);", message) == [
        b"news.riverline.example",
        b"riverline.example",
    ]


def test_without_keys_nothing_is_signed() -> None:
    assert compile_signing(loaded(ISSUE), (), DATE) is None
    assert sign_message(PLAIN + b"\r\nx\r\n", (), DATE) == PLAIN + b"\r\nx\r\n"


def test_an_edition_is_canonicalised_when_it_is_compiled() -> None:
    assert compiled(loaded(ISSUE), both_keys()).is_prepared


ADDRESSES = st.builds(
    "{}@{}.example".format,
    st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~-é日", min_size=1, max_size=64),
    st.text("abc019", min_size=1, max_size=60),
)
NAMES = st.one_of(st.none(), st.text('aé日"\\<>, ', max_size=120))


@settings(max_examples=80, deadline=None)
@given(ADDRESSES, NAMES)
def test_signatures_verify_whatever_the_reader_is_called(address: str, name: str | None) -> None:
    message = signed(ISSUE, both_keys(), address=address, name=name)
    assert verdicts(message, both_keys()) == [True, True]
    head, _, rest = message.partition(b"From:")
    assert sign_message(b"From:" + rest, both_keys(), DATE) == message
    assert head.isascii()
    assert all(len(line) <= 76 for line in head.split(b"\r\n"))


LINES = st.lists(st.text("ab=.é \t", max_size=12).map(str.encode), max_size=8)
BODIES = LINES.map(b"\r\n".join)
VALUES = st.fixed_dictionaries(
    {
        "to": st.sampled_from(
            [
                b"b@example.org",
                b"Ana   Ruiz\t <b@example.org> ",
                b" =?utf-8?q?Jos=C3=A9?=\r\n =?utf-8?q?_Ruiz?=\r\n  <b@example.org>",
                "\t josé@example.org".encode(),
            ]
        ),
        "text.since": BODIES,
        "text.address": BODIES.map(lambda body: body + b"\r\n"),
    }
)


@settings(max_examples=300, deadline=None)
@given(BODIES, BODIES, BODIES, VALUES, st.booleans())
def test_what_is_prepared_is_what_the_whole_message_gives_and_verifies(
    first: bytes, second: bytes, last: bytes, values: dict[str, bytes], on_lines: bool
) -> None:
    end = b"\r\n" if on_lines else b""
    edition = of_items(
        b"From:  a@news.riverline.example \r\nTo: ",
        "to",
        b"\r\nSubject: a  b\t\r\n c\r\n\r\n" + first + end,
        "text.since",
        second + end,
        "text.address",
        last + b"\r\n",
    )
    whole = join(edition, values)
    message = compiled(edition, both_keys()).sign(values) + whole
    assert message == sign_message(whole, both_keys(), DATE)
    assert verdicts(message, both_keys()) == [True, True]


@pytest.mark.parametrize(
    ("items", "values"),
    [
        pytest.param(
            (b"\r\n\r\nx\r\n", "text.since", b"\r\nx\r\n"),
            {"text.since": b"a "},
            id="a space before a line end that is everybody's",
        ),
        pytest.param(
            (b"\r\n\r\nx\r\n", "text.since", b" x\r\n"),
            {"text.since": b"a "},
            id="a space on either side of a joint",
        ),
        pytest.param(
            (b"\r\n\r\nx ", "text.since", b"x\r\n"),
            {"text.since": b" a\r\n"},
            id="a field that ends a line which everybody's space began",
        ),
        pytest.param(
            (b"\r\n\r\nx\r\n", "text.since", "text.address", b"x\r\n"),
            {"text.since": b"\r\n", "text.address": b" \r\n"},
            id="two fields beside each other",
        ),
        pytest.param(
            (b"\r\n\r\n", "text.since"), {"text.since": b"\r\n"}, id="a field alone, and empty"
        ),
        pytest.param(
            (b"\r\nSubject: a ", "text.since", b"\r\n\r\nx\r\n"),
            {"text.since": b""},
            id="a header whose field is empty",
        ),
        pytest.param(
            (b"\r\nSubject: ", "text.since", b" and ", "text.address", b"\r\n\r\nx\r\n"),
            {"text.since": b"a", "text.address": b"b"},
            id="a header with two fields",
        ),
        pytest.param(
            (b"\r\nSubject: a ", "text.since", b"\r\n\r\nx\r\n"),
            {"text.since": b"b\tc"},
            id="a header with a tab in its field",
        ),
        pytest.param(
            (b"\r\n\r\nx\r\n", "text.since", b"x\r\n"),
            {"text.since": b"a  b\r\n"},
            id="several spaces in a field",
        ),
    ],
)
def test_joints_at_odd_places_give_the_canonical_form_of_the_whole(
    items: tuple[bytes | str, ...], values: dict[str, bytes]
) -> None:
    first, *others = items
    assert isinstance(first, bytes)
    edition = of_items(b"From: a@news.riverline.example" + first, *others)
    whole = join(edition, values)
    message = compiled(edition, both_keys()).sign(values) + whole
    assert message == sign_message(whole, both_keys(), DATE)
    assert verdicts(message, both_keys()) == [True, True]


def test_rfc6376_5_4_2_of_two_headers_with_one_name_the_lower_is_signed_first() -> None:
    twice = b"List-Help: <https://a.example/>\r\nList-Help: <https://b.example/>\r\n"
    message = sign_message(PLAIN + twice + b"\r\nx\r\n", both_keys(), DATE)
    assert verdicts(message, both_keys()) == [True, True]
    assert verdicts(message.replace(b"https://a.", b"https://c."), both_keys()) == [False, False]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\r\n", id="an empty line"),
        pytest.param(b"\r\n\r\n \t\r\n", id="lines of space alone"),
        pytest.param(b"a \t \r\n\r\n\r\n", id="spaces and empty lines at the end"),
        pytest.param(b"a    b\t\tc\r\n  d\r\n", id="several spaces in a line"),
        pytest.param(b".\r\n..\r\n.a\r\n", id="dots at line starts"),
        pytest.param(b"a" * 990 + b"\r\n", id="a long line"),
        pytest.param("é\u202e\r\n".encode(), id="not ASCII"),
    ],
)
def test_rfc6376_3_4_bodies_with_odd_edges_verify(body: bytes) -> None:
    message = sign_message(PLAIN + b"\r\n" + body, both_keys(), DATE)
    assert verdicts(message, both_keys()) == [True, True]


def test_a_message_that_ends_with_its_header_verifies() -> None:
    assert verdicts(sign_message(PLAIN + b"\r\n", both_keys(), DATE), both_keys()) == [True, True]


@pytest.mark.parametrize("header", [b"From", b"Cc", b"List-Unsubscribe", b"Subject", b"Reply-To"])
@pytest.mark.parametrize("at_end", [True, False])
def test_an_added_header_breaks_every_signature(header: bytes, at_end: bool) -> None:
    message = signed(ISSUE, both_keys())
    added = header + b": <https://evil.example/@x>\r\n"
    head, _, body = message.partition(b"\r\n\r\n")
    forged = head + b"\r\n" + added + b"\r\n" + body if at_end else added + message
    assert verdicts(forged, both_keys()) == [False, False]


def test_a_changed_precedence_breaks_nothing() -> None:
    message = signed(ISSUE, both_keys())
    changed = message.replace(b"Precedence: bulk", b"Precedence: list")
    assert changed != message
    assert verdicts(b"Received: by relay\r\n" + changed, both_keys()) == [True, True]


def test_a_changed_word_breaks_both_and_a_relays_space_neither() -> None:
    message = signed(ISSUE, both_keys())
    assert verdicts(message.replace(b"Story number 2", b"Story number 9"), both_keys()) == [
        False,
        False,
    ]
    spaced = message.replace(b"Subject: Story", b"Subject:   Story") + b"\r\n"
    assert verdicts(spaced, both_keys()) == [True, True]


def test_neither_length_nor_expiry_is_signed_and_the_time_is_the_issues_own() -> None:
    head = signed(ISSUE, both_keys()).partition(b"From:")[0]
    assert not re.search(rb"[ \t](l|x)=", head)
    assert head.count(f" t={int(DATE.timestamp())};".encode()) == 2


def test_every_header_that_matters_is_named_once_more_than_it_stands_there() -> None:
    message = signed(ISSUE, (a_key(),))
    found = re.search(rb" h=([^;]+);", message)
    assert found is not None
    named = re.sub(rb"\s", b"", found[1]).decode().split(":")
    head = message.partition(b"\r\n\r\n")[0].decode()
    for name in SIGNED:
        stands = len(re.findall(rf"(?im)^{name}:", head))
        assert named.count(name) == stands + (name in OVERSIGNED), name
    assert not {"return-path", "received", "precedence", "sender"} & set(named)


def test_8_6_a_retry_in_another_process_has_the_same_bytes() -> None:
    here = hashlib.sha256(signed(ISSUE, both_keys())).hexdigest()
    code = (
        "import hashlib, sys\n"
        "from newsletter.dkim_keys import load_key\n"
        "from tests.newsletter.test_dkim import DOMAIN, ISSUE, signed\n"
        "pems = sys.stdin.buffer.read().split(b'|')\n"
        "keys = tuple(load_key(p, domain=DOMAIN, selector=s, where='') for p, s in zip(pems, ('s1', 's2')))\n"
        "print(hashlib.sha256(signed(ISSUE, keys)).hexdigest())\n"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        input=a_pem() + b"|" + a_pem(ed25519=True),
        env={"PYTHONHASHSEED": "3", "PYTHONPATH": ".", "TZ": "Asia/Tokyo"},
        capture_output=True,
        check=True,
    )
    assert there.stdout.decode().strip() == here


def test_threads_sign_as_one_does() -> None:
    edition = of_items(b"From: a@news.riverline.example\r\nTo: ", "to", b"\r\n\r\nx\r\n")
    signing = compiled(edition, both_keys())
    values = [{"to": f"{number}@example.org".encode()} for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(signing.sign, values)) == [signing.sign(value) for value in values]


def test_a_message_without_from_is_not_signed() -> None:
    with pytest.raises(ValueError, match="without From"):
        sign_message(b"To: b@example.org\r\n\r\nx\r\n", both_keys(), DATE)


def test_a_long_folded_to_header_verifies() -> None:
    to = mailbox("To", "Ana María de la " * 12 + '"Ruiz"', "a" * 60 + "@example.org")
    assert "\r\n " in to
    message = sign_message(
        PLAIN.replace(b"b@example.org", to.encode()) + b"\r\nx\r\n", both_keys(), DATE
    )
    assert verdicts(message, both_keys()) == [True, True]


def _pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None
) -> bytes:
    lock = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def _short() -> bytes:
    return _pem(rsa.generate_private_key(65537, 1024))


def _public() -> bytes:
    key = serialization.load_pem_private_key(a_pem(), None)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _locked() -> bytes:
    key = serialization.load_pem_private_key(a_pem(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return _pem(key, b"secret")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        pytest.param(_short, "too short: 1024 bits", id="short"),
        pytest.param(lambda: b"", "is empty", id="empty"),
        pytest.param(lambda: b"hello", "not a private key", id="text"),
        pytest.param(lambda: a_pem()[:300], "not a private key", id="cut off"),
        pytest.param(_public, "public key", id="public"),
        pytest.param(_locked, "locked with a password", id="locked"),
        pytest.param(
            lambda: _pem(ec.generate_private_key(ec.SECP256R1())), "of this kind", id="curve"
        ),
    ],
)
def test_a_file_that_holds_no_fit_key_is_told_with_its_place(make: object, what: str) -> None:
    assert callable(make)
    raw = make()
    with pytest.raises(DkimKeyError, match=what) as told:
        load_key(raw, domain=DOMAIN, selector="s1", where="var/dkim-s1.pem")
    assert str(told.value).startswith("var/dkim-s1.pem: ")
    assert "keygen" in told.value.remedy


@pytest.mark.parametrize("domain", ["", "a b.example", "example", "x\r\ny.example", "-.example"])
def test_a_domain_that_is_none_is_refused(domain: str) -> None:
    with pytest.raises(DkimKeyError, match="no domain"):
        load_key(a_pem(ed25519=True), domain=domain, selector="s1", where="x")


def test_a_domain_of_other_letters_signs_as_a_label() -> None:
    key = load_key(a_pem(ed25519=True), domain="Noticias.España.example.", selector="s", where="x")
    assert key.domain == "noticias.xn--espaa-rta.example"
    message = sign_message(PLAIN + b"\r\nx\r\n", (key,), DATE)
    assert verdicts(message, (key,)) == [True]


def test_the_longest_domain_still_makes_a_header() -> None:
    domain = ".".join(["a" * 60] * 4)
    key = load_key(a_pem(ed25519=True), domain=domain, selector="b" * 60, where="x")
    message = sign_message(PLAIN + b"\r\nx\r\n", (key,), datetime(2026, 1, 1, tzinfo=UTC))
    assert verdicts(message, (key,)) == [True]
    assert all(len(line) <= 998 for line in message.split(b"\r\n"))


def test_a_record_comes_in_strings_that_dns_takes() -> None:
    record = dns_record(a_key())
    assert record.name == f"s1._domainkey.{DOMAIN}"
    assert [len(string) for string in record.strings] == [255, 155]
    assert record.value.startswith("v=DKIM1; k=rsa; p=MII")
    assert str(record).startswith(f's1._domainkey.{DOMAIN}. IN TXT ( "v=DKIM1; k=rsa; p=')
    (short,) = dns_record(a_key(ed25519=True)).strings
    assert short.startswith("v=DKIM1; k=ed25519; p=")


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(a_key()) == (
        f"SigningKey(domain='{DOMAIN}', selector='s1', algorithm='rsa-sha256')"
    )


@pytest.mark.parametrize(
    ("domain", "aligned"),
    [
        ("news.riverline.example", True),
        ("riverline.example", True),
        ("a.news.riverline.example", True),
        ("line.example", False),
        ("relay.example", False),
        ("xnews.riverline.example", False),
    ],
)
def test_a_signature_speaks_for_its_own_domain_and_those_below_and_above(
    domain: str, aligned: bool
) -> None:
    assert is_aligned(domain, DOMAIN) is aligned
