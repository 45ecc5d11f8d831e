"""The random numbers of a process, where they stand, and those of each trial of a seeded run.

Hypernets draws samples from one random state, its objectives from another, and what users train
draws from numpy's or Python's own. A trial on a worker of a run that has a seed gets numbers that
depend on the seed and the trial's number only, not on the worker or on what ran there before, so
it comes to the same wherever and whenever it runs.
"""

from __future__ import annotations

import contextlib
import pickle
import random
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from hyn_k8s.search import private_names

_one_at_a_time = threading.Lock()


def seed_process(seed: int | None) -> None:
    """Let all random numbers of this process begin with ``seed``; with None, by chance."""
    from hypernets.core.random_state import set_random_state
    from hypernets.model import objectives

    random.seed(seed)
    np.random.seed(seed)
    objectives.random_state.seed(seed)
    set_random_state(seed)


def hypernets_random_state() -> Any:
    """What Hypernets draws samples from; another one each time, where nobody has set one."""
    from hypernets.core.random_state import get_random_state

    return get_random_state()


def random_states() -> tuple[Any, Any, Any, Any]:
    """Of Hypernets, its objectives, numpy and Python: samples may be drawn from any of them."""
    from hypernets.model import objectives

    own = hypernets_random_state().get_state(), objectives.random_state.get_state()
    return (*own, np.random.get_state(), random.getstate())


def set_random_states(states: tuple[Any, Any, Any, Any]) -> None:
    """Let random numbers go on where ``random_states`` saw them, drawn from the same objects."""
    from hypernets.model import objectives

    hypernets, objectives_, numpy, python = states
    hypernets_random_state().set_state(hypernets)
    objectives.random_state.set_state(objectives_)
    np.random.set_state(numpy)
    random.setstate(python)


def random_numbers() -> bytes:
    """The state of this process's random numbers, as a journal keeps it."""
    return pickle.dumps(random_states(), protocol=5)


def restore_random_numbers(state: bytes) -> None:
    """Let this process's random numbers go on where ``random_numbers`` saw them."""
    set_random_states(pickle.loads(state))


@contextlib.contextmanager
def other_random_numbers() -> Iterator[None]:
    """Within, samples are drawn from other numbers, the same in each process; then as before."""
    from hypernets.core import random_state

    scripts = private_names.scripts_random_state()
    numpy_state, python_state = np.random.get_state(), random.getstate()
    random_state.set_random_state(0)
    np.random.seed(0)
    random.seed(0)
    try:
        yield
    finally:
        private_names.put_back_random_state(scripts)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


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
