"""The doctor's first tool: a new key that signs mail, with all that is to be pasted for it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from newsletter.dkim_keys import DnsRecord, dns_record, load_key, make_key, signing_domain
from posts.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was written: its file, the record to publish, and the lines for config.toml."""

    file: Path
    domain: str
    selector: str
    algorithm: str
    record: DnsRecord
    config: str


def make_signing_key(
    path: Path, *, domain: str, selector: str, ed25519: bool, named: str | None = None
) -> NewKey:
    """Writes a new private key that only its owner can read; raises Refused where a file is there already.

    `named` is how config.toml calls the file, where that is not its whole path.
    """
    name = signing_domain(domain, where="--domain")
    raw = make_key(ed25519=ed25519)
    key = load_key(raw, domain=name, selector=selector, where=str(path))
    _write_private(path, raw)
    lines = {"domain": name, "selector": selector, "key_file": named or str(path)}
    return NewKey(
        file=path,
        domain=name,
        selector=selector,
        algorithm=key.algorithm,
        record=dns_record(key),
        config="[[mail.dkim]]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in lines.items()),
    )


def _write_private(path: Path, raw: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refused(
            "there is a file already, and a key is never overwritten",
            where=str(path),
            remedy="Choose another --selector (that is how keys are changed), or --output.",
        ) from None
    except OSError as error:
        raise Refused(
            f"the key cannot be written: {error.strerror}",
            where=str(path),
            remedy="Name another file with --output.",
        ) from None
    with os.fdopen(handle, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _toml(text: str) -> str:
    """A basic string: TOML's escapes are JSON's."""
    return json.dumps(text, ensure_ascii=False)
