"""The lock on `var/deliver.lock`: one sender at a time for one press; whoever holds it knows the former one dead."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

FILE_NAME = "deliver.lock"
_STEP_S = 0.1


class DeliverLock:
    """An flock on a file: the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._handle: int | None = None

    def acquire(self, who: str, *, wait_s: float = 0.0) -> bool:
        """Takes the lock, waiting at most `wait_s`, and notes in the file `who` holds it; False when another does."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # O_CLOEXEC (Python's default) keeps children from inheriting the lock and outliving us with it
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    os.close(handle)
                    return False
                time.sleep(_STEP_S)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{who}, process {os.getpid()}\n".encode(), 0)
        self._handle = handle
        return True

    def holder(self) -> str:
        """Who holds it, as noted by the holder."""
        try:
            return self._path.read_text("utf-8").strip() or "another process"
        except OSError:
            return "another process"

    def release(self) -> None:
        """Lets go; does nothing when it is not held."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> "DeliverLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def is_held(folder: Path) -> bool:
    """True while some process sends for this press."""
    try:
        handle = os.open(folder / FILE_NAME, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
