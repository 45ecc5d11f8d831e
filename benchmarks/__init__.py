"""What a trial costs: hyn-k8s beside bare Dask, Hypernets and Optuna, on one machine in one call.

The map of the package::

    __main__   python -m benchmarks: what is measured, and the table that comes of it
    report     table, JSON and plot
    rows       what must be reached, and what the measurements say of it; nothing but arithmetic
    plan       which runs the rows need
    conduct    does these runs, one at a time, on a Dask cluster of its own for each topology
    drivers    one program for each system; each has a run to itself, in a fresh process
    search     the search of those that are Hypernets: a small space, nothing to save
    work       what a trial does, and the clock that is looked at when it ends
    upstream   Hypernets without what hyn-k8s changes but to have it start
    wire       counts what a Dask process sends
    latency    an S3 server that is far away
    order      what a driver is asked for, and what it measured

A single figure of a shared machine says little. So every figure is a ratio of two runs of the same
call that took turns, and what is quoted is the median over several turns.
"""
