"""Searchers that learn: the meta-learner's model, its few candidates, a tree that moves on."""

from __future__ import annotations

import warnings

from hypernets.core import meta_learner
from hypernets.core.meta_learner import MetaLearner
from hypernets.core.trial import Trial, TrialHistory

from hyn_k8s.search.compat.learning import MetaRegressor
from tests.searches import sample


class TestMetaLearner:
    def test_it_fits_rewards_in_lists_of_one_without_a_warning(self) -> None:
        history = TrialHistory("max")
        for number in range(1, 9):
            reward = number / 10
            history.append(Trial(sample(reward, depth=number), number, [reward], 1.0))
        learner = MetaLearner(history, "tiny", None)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            learner.new_sample(sample(0.5))
            low, high = (learner.predict(sample(x, depth=5)) for x in (0.1, 0.8))
        assert type(low) is type(high) is float
        assert low < high

    def test_it_fits_plain_rewards_too(self) -> None:
        regressor = MetaRegressor(min_data=1, min_data_in_bin=1, verbosity=-1)
        assert regressor.fit([[0.0], [1.0]], [0.25, 0.75]) is regressor
        assert 0.2 < regressor.predict([[0.0]]) < regressor.predict([[1.0]]) < 0.8

    def test_it_keeps_to_one_core(self) -> None:
        assert meta_learner.LGBMRegressor()._model.get_params()["n_jobs"] == 1
