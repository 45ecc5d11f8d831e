"""The operator: watches SearchJobs and makes of each what it says.

::

    handlers    an event of the cluster: whose search is it?        kopf
       |
    queue       one search at a time is looked at, again after errors
       |
    reconcile   observe -> plan -> act -> one write of the status
       |
    plan        what to make, change, delete; decided from what was seen, and nothing else

Every event leads to the same look at the whole of a search, so nothing depends on which events
came and in what order, and an operator that starts anew goes on where any other one was.
"""
