"""What may pass is waited out; everything else is raised at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hyn_k8s.errors import ClusterError, HynError, ReleaseError
from hyn_k8s.release.patience import NotYet, until


def after(*errors: Exception) -> Callable[[], str]:
    """Raises each of ``errors``, then returns."""
    left = iter(errors)

    def look() -> str:
        for error in left:
            raise error
        return "here"

    return look


def test_what_comes_is_returned() -> None:
    assert until(after(NotYet("a"), NotYet("b")), seconds=5, pause=0) == "here"


@pytest.mark.parametrize("status", [None, 409, 429, 500, 503])
def test_an_error_that_may_pass_is_waited_out(status: int | None) -> None:
    away = ClusterError("get", "pod x", status, "away")
    assert until(after(away), seconds=5, pause=0) == "here"


@pytest.mark.parametrize(
    "error",
    [ClusterError("get", "pod x", 403, "no"), ReleaseError("r", "no"), KeyError("a mistake")],
)
def test_any_other_is_raised_at_once(error: Exception) -> None:
    with pytest.raises((HynError, KeyError)) as caught:
        until(after(error), seconds=60, pause=0)
    assert caught.value is error


def test_after_its_time_what_is_missing_is_raised() -> None:
    with pytest.raises(NotYet, match="a"):
        until(after(*[NotYet("a")] * 10_000), seconds=0.01, pause=0)
