"""Which of a search's objects are to be made now, and what stands in their way.

Names are those of the search, so an object of an earlier search may still have one, or somebody
else's: nothing is made beside them, since each part is found by its name.
"""

from __future__ import annotations

from hyn_k8s.api.schema import Manifest
from hyn_k8s.names import DRIVER
from hyn_k8s.objects import (
    Search,
    config_map,
    dask_cluster,
    driver_job,
    network_policy,
    report_job,
)
from hyn_k8s.operator.actions import Action, Apply, deletion
from hyn_k8s.operator.ending import final_outcome, has_ended_driver
from hyn_k8s.operator.observation import Observation, is_ending
from hyn_k8s.operator.retries import is_due, is_renewed, trials_done
from hyn_k8s.operator.settings import OperatorSettings


def missing_objects(seen: Observation, search: Search, settings: OperatorSettings) -> list[Action]:
    """Those of the search's objects that are not there; none while older ones are on their way.

    Dask's controller takes parts of an earlier cluster for those of the new one, and these go a
    moment later. A driver's pod may outlive its Job, and there is one driver at a time.
    """
    if _predecessors(seen):
        return []
    if seen.cluster is None and (seen.deployments or seen.remains):
        parts = (*seen.deployments, *seen.remains)
        return [deletion(each) for each in parts if not is_ending(each)]
    actions = _closing(seen, search, settings)
    if seen.config is None:
        actions.append(Apply(config_map(search)))
    if seen.cluster is None:
        actions.append(Apply(dask_cluster(search, search.spec.executors)))
    if seen.driver is None:
        if not seen.pods_of(DRIVER):
            actions.append(Apply(driver_job(search, trials_done(seen))))
    elif is_renewed(seen):
        actions += [deletion(seen.driver)] if is_due(seen) else []
    elif has_ended_driver(seen) and final_outcome(seen) is None and seen.report is None:
        actions.append(Apply(report_job(search)))
    return actions


def _closing(seen: Observation, search: Search, settings: OperatorSettings) -> list[Action]:
    """The NetworkPolicy, before there is a pod that it is to be around.

    One that is there and says something else is of an installation with other controllers, which
    could not ask any more; or somebody has opened it.
    """
    if settings.network_policy is None:
        return []
    wanted = network_policy(search, settings.network_policy)
    there = seen.network_policy
    return [] if there is not None and there["spec"] == wanted["spec"] else [Apply(wanted)]


def _predecessors(seen: Observation) -> list[Manifest]:
    """Objects that are on their way out, and whose names are needed."""
    named = (seen.cluster, seen.driver, seen.config, seen.report, seen.network_policy)
    there = [each for each in named if each is not None]
    return [each for each in there if is_ending(each) or not seen.owns(each)]


def taken_name(seen: Observation) -> Manifest | None:
    """An object of a name that is needed, and that is nobody's of ours; it stays as it is."""
    for each in _predecessors(seen):
        owners = each["metadata"].get("ownerReferences") or []
        if not seen.owns(each) and not any(owner["kind"] == "SearchJob" for owner in owners):
            return each
    return None
