"""Sentences that know which error they are about, so that nobody has to read them to find out."""

from __future__ import annotations

from hyn_k8s.errors import HynError


class Trouble(str):
    """A sentence for the user about an ``error`` that ends nothing yet.

    Whoever shows sentences shows it as any other; whoever watches a run sees what it is about.
    """

    error: HynError

    def __new__(cls, sentence: str, error: HynError) -> Trouble:
        made = super().__new__(cls, sentence)
        made.error = error
        return made
