"""A real Kubernetes cluster for the tests, wherever they run: ``python -m tests.kind up``.

Three ways to one, the first that is there unless ``HYN_E2E_CLUSTER`` chooses:

* ``existing``: the cluster of ``HYN_E2E_KUBECONFIG``, which pulls images from
  ``HYN_E2E_REGISTRY``.
* ``kind``: Docker and kind with their official images.
* ``offline``: a Debian machine, as root, where no image can be pulled. Docker comes from Debian;
  Kubernetes, kind's node image and the test servers are built from Go modules and Debian packages,
  once, into a cache outside the checkout. Nothing that runs in that cluster reaches a network.

``choice`` tells which, ``cluster`` has what tests need to know of it, ``running`` brings it up and
down; ``images`` builds what pods run, ``archives`` takes it to the nodes. ``docker``,
``go_programs``, ``root_filesystems``, ``node_image``, ``node_store`` and ``ceph`` are what the
offline way is made of.
"""
