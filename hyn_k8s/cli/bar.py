"""The live progress bar of ``hyn-k8s run`` in a terminal.

Done of total, running, failed, best, rate, time left, and a link to Dask's dashboard. What the
script prints appears above it; it is drawn on standard error, so output can be piped away.
"""

from __future__ import annotations

import sys
import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hyn_k8s.search.progress import (
    Progress,
    best_text,
    duration_text,
    losses,
    rate_text,
)

REFRESHES_PER_SECOND = 4
BAR_WIDTH = 30


class BarReporter:
    """Draws the latest search of a session while it runs, and leaves its last state standing."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live: Live | None = None
        self._progress: Progress | None = None

    def show(self, progress: Progress) -> None:
        if self._live is None or self._progress is None or self._progress.search != progress.search:
            self._stop()
            self._progress = progress
            self._live = Live(
                get_renderable=self._render,
                console=self._console,
                refresh_per_second=REFRESHES_PER_SECOND,
                redirect_stdout=sys.stdout.isatty(),  # a file or a pipe keeps what is its own
            )
            self._live.start()
        self._progress = progress
        if progress.ended is not None:
            self._stop()

    def tell(self, sentence: str) -> None:
        self._console.print(Text(sentence))

    def close(self) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _render(self) -> Group:
        assert self._progress is not None, "shown before it is drawn"
        return render(self._progress, time.time())


def render(progress: Progress, now: float) -> Group:
    """The bar's two lines at the moment ``now``."""
    first = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=max(1, progress.total), completed=progress.done, width=BAR_WIDTH)
    first.add_row(progress.search, bar, f"{progress.done}/{progress.total}", _pace(progress, now))
    counts = [f"{progress.running} running", f"best {best_text(progress)}"]
    second = Text("  " + "  ·  ".join(counts))
    if progress.failed:
        second.append(f"  ·  {progress.failed} failed", style="red")
    for words in losses(progress.workers_lost, progress.processes_lost):
        second.append(f"  ·  {words}", style="yellow")
    if progress.dashboard and progress.ended is None:
        second.append("  ·  ")
        second.append(progress.dashboard, style=f"link {progress.dashboard} cyan")
    return Group(first, second)


def _pace(progress: Progress, now: float) -> str:
    rate = progress.rate(now)
    if progress.ended is not None:
        spent = duration_text(progress.ended - progress.begun)
        return spent if rate is None else f"{spent}  {rate_text(rate)}"
    eta = progress.eta_seconds(now)
    if rate is None or eta is None:
        return duration_text(now - progress.begun)
    return f"{rate_text(rate)}  {duration_text(eta)} left"
