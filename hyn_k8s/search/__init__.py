"""The documented Hypernets system made to work: ``search()`` with trials in parallel on Dask.

Knows Hypernets, Dask and the shared storage; knows nothing of Kubernetes. Read ``settings`` for
what steers it, ``dispatcher`` for the loop, ``trial`` for what goes to workers.
"""
