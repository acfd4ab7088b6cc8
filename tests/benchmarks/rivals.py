"""What we are measured against: smtp-source, nodemailer, and smtplib composing with the standard library.

`python -m tests.benchmarks.rivals FOLDER PORT MESSAGES` is the smtplib sender as a process of its own.
"""

import shutil
import smtplib
import subprocess
import sys
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from tests.benchmarks.processes import Run, Stopwatch, run_module, timed_run, told_run
from tests.benchmarks.sinks import find_program

NODEMAILER = "nodemailer@10.6.1"
SENDER = "digest@news.frontera.example"
_SCRIPT = Path(__file__).with_name("nodemailer_sender.cjs")
_ADDRESS = "@@address@@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """What the others send: our message as a whole, and its two parts with a mark where the address stands."""

    folder: Path
    size: int


def write_pattern(folder: Path, message: bytes) -> Pattern:
    """Writes `message.eml`, `message.html` and `message.txt`, which the other senders read."""
    folder.mkdir()
    (folder / "message.eml").write_bytes(message)
    parsed = message_from_bytes(message, policy=policy.default)
    address = parsed["To"].addresses[0].addr_spec
    for kind, ending in (("html", "html"), ("plain", "txt")):
        part = parsed.get_body((kind,))
        assert part is not None
        text = part.get_content().replace(address, _ADDRESS)
        assert _ADDRESS in text
        (folder / f"message.{ending}").write_text(text, "utf-8")
    return Pattern(folder=folder, size=len(message))


def smtp_source(pattern: Pattern, port: int, messages: int, connections: int) -> Run:
    """One constant message of the same size, timed as a whole process (it starts in a few milliseconds)."""
    program = find_program("smtp-source")
    assert program is not None
    count = ("-s", str(connections), "-m", str(messages), "-l", str(pattern.size))
    people = ("-f", SENDER, "-t", "reader@mail.example")
    return timed_run([program, "-d", *count, *people, f"127.0.0.1:{port}"], messages)


def smtplib_composing(pattern: Pattern, port: int, messages: int, connections: int) -> Run:
    """The usual way in Python: an EmailMessage each, over one connection."""
    return run_module("rivals", pattern.folder, port, messages)


@dataclass(frozen=True, slots=True)
class Nodemailer:
    """nodemailer's pool, `composing` from HTML and text or handing over finished bytes."""

    installed: Path
    composing: bool

    def __call__(self, pattern: Pattern, port: int, messages: int, connections: int) -> Run:
        """Its run."""
        told = (port, messages, connections, "compose" if self.composing else "raw")
        command = ["node", str(_SCRIPT), str(self.installed), str(pattern.folder), *map(str, told)]
        return told_run(command)


def install_nodemailer(folder: Path) -> str | None:
    """Installs it into `folder`; gives a sentence where that cannot be."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    folder.mkdir()
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder)]
    done = subprocess.run([*command, NODEMAILER], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"npm could not install {NODEMAILER}: {done.stderr.strip()[-200:]}"
    return None


def _send_with_smtplib(folder: Path, port: int, messages: int) -> Run:
    html = (folder / "message.html").read_text("utf-8")
    text = (folder / "message.txt").read_text("utf-8")
    watch = Stopwatch()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for number in range(messages):
            address = f"reader.{number}@mail.example"
            message = EmailMessage()
            message["From"] = f"La Frontera <{SENDER}>"
            message["To"] = address
            message["Subject"] = "What the river said"
            message["Message-ID"] = f"<{number}@news.frontera.example>"
            message["List-Unsubscribe"] = f"<https://letters.frontera.example/u/{number}>"
            message.set_content(text.replace(_ADDRESS, address))
            message.add_alternative(html.replace(_ADDRESS, address), subtype="html")
            server.send_message(message)
    return watch.run(messages)


if __name__ == "__main__":
    _send_with_smtplib(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])).print()
