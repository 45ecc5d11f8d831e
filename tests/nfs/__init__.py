"""A real NFS server and two real NFS clients: ``make test-nfs``, on Debian 12 as root.

The kernel of a test machine seldom has an NFS client, so each machine here is a user-mode Linux:
Debian's 6.1 kernel as a process, with nfs, nfsd and lockd as modules. Its root is this machine's,
read-only, under an overlay in memory, so the checkout and its virtual environment run in it
unchanged. All of them are in one process namespace and one network namespace: nothing that they do
reaches a network, and nothing of them outlives the tests, however these end.

``packages`` has what the machines are made of; ``machines`` boots, kills, freezes and commands
them; ``lab`` puts server and clients together. ``served`` and ``remote`` let a test on this machine
use a storage on one of them, and ``searches`` runs whole searches there.
"""
