"""`python -m tests.benchmarks NAME`: measures, prints ratios against a baseline of the same run, claims nothing."""

import sys
from importlib import import_module

from dateline.logs import configure_logs

BENCHMARKS = {
    "dkim": "composing and signing digests, against dkimpy",
    "editions": "sealing one issue in 1, 10 and 100 editions, against sealing each alone",
    "feeds": "building the feeds, and adding one post, against plain feedgen",
    "feeds_while_sending": "asking the daemon for feeds while it sends a digest at full speed",
    "latency": "sending to a sink that answers 50 ms late, against connections / latency",
    "million": "releasing an issue to a million readers, and the verbs beside it",
    "profile_send": "where our sender's time goes, thread by thread",
    "serve": "304 and 200 of a prepared feed from the daemon, against nginx on the same core",
    "send": "sending a digest over SMTP, against smtp-source, nodemailer and smtplib",
}


def main(arguments: list[str]) -> int:
    """Runs the named benchmark; it may take further arguments of its own."""
    if not arguments or arguments[0] not in BENCHMARKS:
        print(
            "python -m tests.benchmarks NAME",
            *(f"  {n}: {w}" for n, w in BENCHMARKS.items()),
            sep="\n",
        )
        return 2
    configure_logs(level="error")
    module = import_module(f"tests.benchmarks.{arguments[0]}")
    module.main(arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
