"""The driver's pod: ``python -m hyn_k8s.driver run`` takes a search from its start to its Outcome.

It waits for Dask's scheduler and a worker, runs the user's script by way of ``search.runner``,
answers ``GET /progress``, and leaves an Outcome and an exit code that say whether another driver
should go on. ``report`` leaves the Outcome of a run that has ended earlier. Nothing here knows of
Kubernetes: what comes in is the environment and a RunConfig, what goes out are two documents.
"""
