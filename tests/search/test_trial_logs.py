"""What is kept of output that comes in any pieces: marks, keys, beginning and end."""

from __future__ import annotations

import random
import re

import pytest

from hyn_k8s.search.trial_logs import (
    MOST_BYTES,
    Begun,
    HeadAndTail,
    Log,
    Mark,
    Marked,
    Over,
    Redactor,
    encode_mark,
)

TOKEN = b"0123456789abcdef"
BEGUN = Begun("heart-1/search-1/logs/00007.txt", 7, "node-1", False, 1767225600.0)
AGAIN = Begun("heart-1/search-1/logs/00007.txt", 7, "node-2", True, 1767225660.0)


def pieces(data: bytes, seed: int) -> list[bytes]:
    """``data`` cut anywhere."""
    draw = random.Random(seed)
    cuts = sorted(draw.randrange(len(data) + 1) for _ in range(draw.randrange(12)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


class TestMarks:
    @pytest.mark.parametrize("seed", range(50))
    def test_they_divide_what_is_printed_wherever_it_is_cut(self, seed: int) -> None:
        late = b"\0" + TOKEN[:5] + b"late"
        printed: list[bytes | Mark] = [b"before\n", BEGUN, b"of 7\n\0", Over(), late, AGAIN]
        sent = b"".join(
            each if isinstance(each, bytes) else encode_mark(TOKEN, each) for each in printed
        )
        marked = Marked(TOKEN)
        found: list[bytes | Mark] = []
        for piece in pieces(sent, seed):
            for each in marked.split(piece):
                if isinstance(each, bytes) and found and isinstance(found[-1], bytes):
                    found[-1] += each
                else:
                    found.append(each)
        assert found == printed

    def test_one_is_written_at_once(self) -> None:
        assert len(encode_mark(TOKEN, BEGUN)) < 4096

    def test_the_beginning_of_one_that_never_comes_is_output(self) -> None:
        marked = Marked(TOKEN)
        assert [*marked.split(b"a\0"), *marked.split(b"b")] == [b"a", b"\0b"]


class TestKeys:
    @pytest.mark.parametrize("seed", range(100))
    def test_none_is_left_wherever_the_output_is_cut(self, seed: int) -> None:
        keys = ["AKIA12", "AKIA12/with+more", "aba", ""]
        text = b"AKIA12 AKIA12/with+more. abaaba AKIA AKIA12%2Fwith%2Bmore ab"
        redactor = Redactor(keys)
        found = b"".join(redactor.take(piece) for piece in pieces(text, seed)) + redactor.rest()
        left = b"[redacted] [redacted]. [redacted][redacted] AKIA [redacted] ab"
        assert found == left

    def test_what_cannot_be_one_is_not_held_back(self) -> None:
        redactor = Redactor(["secret"])
        assert redactor.take(b"step 1 of 5\n") == b"step 1 of 5\n"

    def test_without_any_all_passes(self) -> None:
        redactor = Redactor(["", "ab"])
        assert redactor.take(b"ab\n") == b"ab\n"

    def test_a_long_row_of_beginnings_does_not_stay(self) -> None:
        redactor = Redactor(["aaaa"])
        passed = sum(len(redactor.take(b"a")) for _ in range(1_000))
        assert passed > 0
        assert re.fullmatch(rb"(\[redacted\])*a{0,3}", redactor.rest())


class TestHeadAndTail:
    def test_little_is_kept_as_it_is(self) -> None:
        kept = HeadAndTail(1_000)
        for number in range(20):
            kept.add(b"line %d\n" % number)
        assert kept.text() == b"".join(b"line %d\n" % number for number in range(20))

    @pytest.mark.parametrize("piece", [1, 7, 500, 100_000])
    def test_of_much_the_ends_are_kept_and_the_rest_is_counted(self, piece: int) -> None:
        whole = random.Random(1).randbytes(100_000)
        kept = HeadAndTail(1_000)
        for start in range(0, len(whole), piece):
            kept.add(whole[start : start + piece])
        text = kept.text()
        assert len(text) <= 1_000
        note = re.search(rb"\n--- (\d+) bytes are left out here ---\n", text)
        assert note is not None
        head, tail = text[: note.start()], text[note.end() :]
        assert whole.startswith(head)
        assert whole.endswith(tail)
        assert len(head) + len(tail) + int(note[1]) == len(whole)
        assert min(len(head), len(tail)) >= 450


class TestLogs:
    def test_one_begins_with_who_ran_it(self) -> None:
        log = Log(BEGUN)
        log.add(b"hello\n")
        assert log.text() == b"--- trial 7 on node-1, 2026-01-01T00:00:00Z ---\nhello\n"

    def test_the_cause_has_the_last_line_to_itself(self) -> None:
        log = Log(BEGUN)
        log.add(b"half a line")
        log.close("it was killed")
        *_, half, last = log.text().splitlines()
        assert half == b"half a line"
        assert last == b"--- trial 7 did not end by itself: it was killed"

    def test_another_attempt_is_below_and_says_so(self) -> None:
        log = Log(AGAIN)
        log.earlier = b"of the first\n"
        log.add(b"of the second\n")
        first, header, second = log.text().splitlines()
        assert (first, second) == (b"of the first", b"of the second")
        assert header.startswith(b"--- trial 7 again on node-2")

    def test_the_first_attempt_is_no_other_one_though_it_may_have_been(self) -> None:
        log = Log(AGAIN)
        log.earlier = b""
        log.add(b"hello\n")
        assert log.text() == b"--- trial 7 on node-2, 2026-01-01T00:01:00Z ---\nhello\n"

    def test_one_that_prints_nothing_is_below_another_one_that_did(self) -> None:
        log = Log(AGAIN)
        log.earlier = b"of the first"
        *_, last = log.text().splitlines()
        assert last == b"--- this attempt has printed nothing ---"

    @pytest.mark.parametrize("begun", [BEGUN, AGAIN])
    def test_all_attempts_together_are_no_more_than_is_kept(self, begun: Begun) -> None:
        log = Log(begun)
        log.earlier = b"earlier\n" * MOST_BYTES if begun.again else b""
        for _ in range(30):
            log.add(b"x" * 100_000)
        assert MOST_BYTES - 1000 < len(log.text()) <= MOST_BYTES
        assert f"--- {3_000_000 - log.text().count(b'x')} bytes are".encode() in log.text()
        assert log.text().startswith(b"earlier" if begun.again else b"--- trial 7")
