"""What a person sees of a fault of the program: a line or two, and where the trace was put."""

import os
import tempfile
import traceback
from pathlib import Path

from dateline.redact import redacted


def tell_crash(error: Exception) -> str:
    """Writes the trace of `error` into a file of its own (0600, addresses removed) and gives the message for it."""
    trace = redacted("".join(traceback.format_exception(error)))
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(last[0].filename).name}:{last[0].lineno}" if last else ""
    try:
        handle, name = tempfile.mkstemp(prefix="dateline-", suffix=".trace")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(trace)
    except OSError:
        return f"{trace}\nA fault of the program: {type(error).__name__}{place}. Please report the trace above."
    return (
        f"A fault of the program: {type(error).__name__}{place}. Nothing was done after it. "
        f"The trace is in {name}; please report it."
    )
