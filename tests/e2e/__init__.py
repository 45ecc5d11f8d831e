"""What a user does, on the real cluster of ``tests.kind``: pods, volumes, S3 servers, faults.

Each test has a namespace of its own, under Pod Security ``restricted``, and waits for conditions
with deadlines. What a failed one leaves is shown: events, descriptions, logs.
"""
