"""What a user does, on the real cluster of ``tests.kind``: pods, volumes, S3 servers, faults.

Each test has a namespace of its own, under Pod Security ``restricted``, and waits for conditions
with deadlines. What a failed one leaves is shown: events, descriptions, logs.

Most share a release for all namespaces and run beside each other, then those in ``releases``, and
last, one by one, those that are marked ``alone``. A mark ``full`` keeps one for ``make e2e-full``.
"""
