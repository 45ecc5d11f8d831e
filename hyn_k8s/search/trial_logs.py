"""What is kept of a trial's output, and how the bytes of one pipe are told apart. Decisions only.

A trial process has one pipe for all that is printed in it, by itself and by processes that it has
started, for as long as it lives. Processes of joblib outlive the trial that started them, so a pipe
for each trial would break under them. Where a trial begins and ends, the trial process writes a
mark into the pipe: whatever lies behind the mark was printed after it.
"""

from __future__ import annotations

import datetime
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MOST_BYTES = 1024 * 1024
"""How much of a trial's output is kept: as much of its beginning as of its end."""

REDACTED = b"[redacted]"
"""What stands where a key was printed."""

_NOTE_BYTES = 100
"""How long a line that says what is left out may be."""


@dataclass(frozen=True)
class Begun:
    """A trial begins in the process."""

    path: str
    """Where its log is kept, relative to the storage root."""
    number: int
    worker: str
    again: bool
    """Whether the trial may have been begun before, and have a log."""
    at: float
    """When it begins, in seconds since the epoch."""

    def header(self, after_others: bool) -> bytes:
        """The line above what this attempt prints."""
        again = " again" if after_others else ""
        at = datetime.datetime.fromtimestamp(self.at, datetime.UTC)
        moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"--- trial {self.number}{again} on {self.worker}, {moment} ---\n".encode()


@dataclass(frozen=True)
class Over:
    """The trial has ended, the process has not."""


Mark = Begun | Over


def encode_mark(token: bytes, mark: Mark) -> bytes:
    """``mark`` as it is written into the pipe at once; ``token`` is known to its two ends only."""
    return b"\0" + token + b"\0" + json.dumps(vars(mark)).encode() + b"\n"


class Marked:
    """Splits what is read from the pipe into what was printed, and marks."""

    def __init__(self, token: bytes) -> None:
        self._sign = b"\0" + token + b"\0"
        self._held = b""

    def split(self, data: bytes) -> Iterator[bytes | Mark]:
        """What is complete with ``data``, in its order; half a mark waits for the rest."""
        data, self._held = self._held + data, b""
        while (at := data.find(self._sign)) >= 0:
            end = data.find(b"\n", at)
            if end < 0:
                break
            if at:
                yield data[:at]
            fields = json.loads(data[at + len(self._sign) : end])
            yield Begun(**fields) if fields else Over()
            data = data[end + 1 :]
        certain = at if at >= 0 else len(data) - _begun_length(data, [self._sign])
        self._held = data[certain:]
        if certain:
            yield data[:certain]


class Redactor:
    """Takes keys out of output that comes in pieces."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """``secrets`` may be empty, and have empty ones."""
        written = {form for each in secrets if len(each) > 2 for form in _as_written(each)}
        self._secrets = sorted((each.encode() for each in written), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets)))
        self._held = b""

    def take(self, data: bytes) -> bytes:
        """What is certain with ``data``; what may be the beginning of a key waits for the rest."""
        data = self._held + data
        certain = len(data) - _begun_length(data, self._secrets)
        if any(secret in data for secret in self._secrets):
            for match in self._pattern.finditer(data):
                if match.start() < certain < match.end():
                    certain = match.start()
        self._held = data[certain:]
        return self._redacted(data[:certain])

    def rest(self) -> bytes:
        """What is left when nothing more comes."""
        data, self._held = self._held, b""
        return self._redacted(data)

    def _redacted(self, data: bytes) -> bytes:
        if not any(secret in data for secret in self._secrets):
            return data
        return self._pattern.sub(REDACTED, data)


def _as_written(secret: str) -> set[str]:
    """The forms in which texts have ``secret``: as it is, in a URL, in JSON."""
    return {secret, urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1]}


def _begun_length(data: bytes, words: Sequence[bytes]) -> int:
    """How many bytes at the end of ``data`` may be the beginning of one of ``words``."""
    return max(
        (
            length
            for word in words
            for length in range(1, min(len(word), len(data) + 1))
            if data.endswith(word[:length])
        ),
        default=0,
    )


class HeadAndTail:
    """Output that may be endless, in ``most`` bytes: its beginning and its end."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._half = (most - _NOTE_BYTES) // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._size = 0

    def add(self, data: bytes) -> None:
        """Take more output."""
        self._size += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._half:
            del self._tail[: -self._half]

    @property
    def held(self) -> int:
        """How many bytes it has in memory."""
        return len(self._head) + len(self._tail)

    def text(self, most: int | None = None) -> bytes:
        """What is kept of it, or less, in ``most`` bytes, with a line that says how much is not."""
        half = self._half if most is None else min(self._half, (most - _NOTE_BYTES) // 2)
        if self._size <= 2 * half:
            return bytes(self._head + self._tail)
        head, tail = self._head[:half], (self._head + self._tail)[-half:]
        left_out = self._size - len(head) - len(tail)
        return b"%s\n--- %d bytes are left out here ---\n%s" % (head, left_out, tail)

    @classmethod
    def of(cls, data: bytes, most: int) -> bytes:
        """What is kept of ``data`` in ``most`` bytes."""
        kept = cls(most)
        kept.add(data)
        return kept.text()


class Log:
    """The log of one trial while it runs."""

    def __init__(self, begun: Begun) -> None:
        self.begun = begun
        self.earlier: bytes | None = None if begun.again else b""
        """What earlier attempts left; None before somebody has looked."""
        self.has_any = False
        """Whether there is anything to keep."""
        self._ends_in_line = False
        self._kept = HeadAndTail()

    @property
    def held(self) -> int:
        """How many bytes it has in memory."""
        return self._kept.held + len(self.earlier or b"")

    def add(self, data: bytes) -> None:
        """Take more output."""
        self.has_any = True
        self._kept.add(data)
        self._ends_in_line = not data.endswith(b"\n")

    def close(self, cause: str) -> None:
        """Add the last line: what has ended the trial."""
        start = "\n" if self._ends_in_line else ""
        self.add(f"{start}--- trial {self.begun.number} did not end by itself: {cause}\n".encode())

    def text(self) -> bytes:
        """The whole file.

        Of earlier attempts, which may have left as much as is kept, a quarter is kept.
        """
        assert self.earlier is not None, "somebody looks before"
        header = self.begun.header(bool(self.earlier))
        if not self.earlier:
            return header + self._kept.text(MOST_BYTES - len(header))
        line = b"" if self.earlier.endswith(b"\n") else b"\n"
        before = HeadAndTail.of(self.earlier, MOST_BYTES // 4) + line + header
        if not self.has_any:
            return before + b"--- this attempt has printed nothing ---\n"
        return before + self._kept.text(MOST_BYTES - len(before))
