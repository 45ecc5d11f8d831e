"""One module for each system: ``run(order, client, folder)`` gives what was measured; ``window``
is what those that are no Hypernets have in common.

``python -m benchmarks.drivers ORDER MEASURED FOLDER [SCHEDULER]`` carries an order out, in a
process that has done nothing before.
"""
