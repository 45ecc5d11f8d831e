"""The random numbers of a run that has a seed: in the script's process, and in each trial.

Hypernets draws samples from one random state, its objectives from another, and what users train
draws from numpy's or Python's own. A trial on a worker gets numbers that depend on the seed and
the trial's number only, not on the worker or on what ran there before, so it comes to the same
wherever and whenever it runs.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

import numpy as np

_one_at_a_time = threading.Lock()


def seed_process(seed: int | None) -> None:
    """Let all random numbers of this process begin with ``seed``; with None, by chance."""
    from hypernets.core.random_state import set_random_state
    from hypernets.model import objectives

    random.seed(seed)
    np.random.seed(seed)
    objectives.random_state.seed(seed)
    set_random_state(seed)


@contextlib.contextmanager
def seeded_trial(seed: int | None, number: int) -> Iterator[None]:
    """Within, the random numbers of the trial ``number``; afterwards, by chance again.

    Without a seed nothing is changed. With one, the trials of a process wait for each other,
    since numpy's and Python's random states are the process's, not the thread's.
    """
    if seed is None:
        yield
        return
    with _one_at_a_time:
        seed_process(int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
        try:
            yield
        finally:
            seed_process(None)
