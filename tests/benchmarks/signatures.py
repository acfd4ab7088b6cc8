"""Keys for the senders that sign, and a look whether they really do: dkimpy is the judge."""

import base64
import tempfile
from collections.abc import Mapping
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from tests.benchmarks.newsroom import Mailing, build_newsroom, write_config
from tests.benchmarks.processes import SenderFailed, run_module
from tests.benchmarks.sinks import capturing_sink


def write_keys(folder: Path, kind: str) -> dict[str, Path]:
    """A new key, `rsa` (2048 bits) or `ed25519`: its file, by its selector."""
    key = generate_private_key(65537, 2048) if kind == "rsa" else Ed25519PrivateKey.generate()
    path = folder / f"{kind}.pem"
    path.touch(0o600)
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    return {kind: path}


def written_signature(folder: Path, keys: Mapping[str, Path]) -> str:
    """What dkimpy says of a message that is sent with these keys, in a few words."""
    with tempfile.TemporaryDirectory(dir=folder) as place, capturing_sink() as (port, messages):
        room = build_newsroom(Path(place) / "newsroom", 1)
        write_config(room.folder, Mailing(port=port, dkim=keys))
        try:
            run_module("ours", room.folder, "--issue", room.issue)
        except SenderFailed as failed:
            return f"could not be tried: {str(failed).splitlines()[-1]}"
    return judged(messages[0], keys)


def judged(message: bytes, keys: Mapping[str, Path]) -> str:
    """What dkimpy says of one message."""
    if b"DKIM-Signature:" not in message.partition(b"\r\n\r\n")[0]:
        return "NOT SIGNED"
    records = {f"{name}._domainkey.": _record(path) for name, path in keys.items()}

    def answer(name: bytes, timeout: int = 5) -> bytes | None:
        asked = name.decode()
        return next((text for start, text in records.items() if asked.startswith(start)), None)

    whole = dkim.DKIM(message)
    try:
        good = all(whole.verify(idx=place, dnsfunc=answer) for place in range(len(keys)))
    except (dkim.DKIMException, IndexError) as error:
        return f"SIGNED, BUT DKIMPY SAYS: {error}"
    return "signed, dkimpy agrees" if good else "SIGNED, BUT DKIMPY DOES NOT AGREE"


def _record(path: Path) -> bytes:
    """What DNS would say of a key (RFC 6376 3.6.1, RFC 8463 4)."""
    key = load_pem_private_key(path.read_bytes(), None)
    if isinstance(key, RSAPrivateKey):
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    assert isinstance(key, Ed25519PrivateKey)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(public)
