"""What Helm asks of the operator's image before it installs, upgrades, tests or uninstalls.

Helm applies objects and knows nothing of them: it never upgrades a CustomResourceDefinition that
it has installed, does not notice a second controller for the same objects, and takes controllers
away from under searches that run. So the chart's hooks run ``python -m hyn_k8s.release`` ::

    prepare     refuses what would not go together (rivals), applies the definitions (definitions)
    suspend     has every search free its pods, which the operator does while it is still there
    await       waits for the search of ``helm test`` (awaiting)
"""
