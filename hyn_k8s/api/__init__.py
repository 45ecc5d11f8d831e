"""The types of the Kubernetes API of hyn-k8s, and what is derived from them.

Begin with ``search_job``. Types only: nothing here talks to a cluster.
"""
