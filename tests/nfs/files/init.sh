#!/bin/sh
# The first process of a machine. Its root is the host's, read-only; an overlay in memory goes over.
# The kernel's command line says: lab=FOLDER kit=TOOLS modules=FOLDER name=NAME address=IP role=ROLE
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
mount -t proc proc /proc
for word in $(cat /proc/cmdline); do
    case $word in lab=* | kit=* | modules=* | name=* | address=* | role=*) export "$word" ;; esac
done

load() {
    for module in "$@"; do "$kit/bin/busybox" insmod "$modules/kernel/$module.ko"; done
}

if [ "$1" != inside ]; then
    load fs/overlayfs/overlay
    mount -t tmpfs -o size=80% none /mnt
    mkdir /mnt/upper /mnt/work /mnt/root
    mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/root
    mount --move /dev /mnt/root/dev
    mount -t proc proc /mnt/root/proc
    mount -t sysfs sysfs /mnt/root/sys
    exec chroot /mnt/root /bin/sh "$0" inside
fi

export PATH="$PATH:$kit/sbin:$kit/usr/sbin:$kit/bin"
export LD_LIBRARY_PATH="$(echo "$kit"/usr/lib/*-linux-gnu):$(echo "$kit"/lib/*-linux-gnu)"
hostname "$name"
mount -t tmpfs none /run
mkdir -p /dev/shm /dev/pts
mount -t tmpfs none /dev/shm
mount -t devpts none /dev/pts
ip link set lo up
ip link set vec0 up
ip address add "$address/24" dev vec0

cp -rn "$kit"/etc/* /etc/
printf '%s\n' '_rpc:x:980:65534::/run/rpcbind:/bin/false' 'statd:x:981:65534::/var/lib/nfs:/bin/false' >> /etc/passwd
mkdir -p /run/rpcbind /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery
: > /var/lib/nfs/state
chown -R 981 /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/state
chown 980 /run/rpcbind
load net/sunrpc/sunrpc fs/nfs_common/grace fs/lockd/lockd fs/nfs_common/nfs_acl
mount -t rpc_pipefs none /var/lib/nfs/rpc_pipefs
rpcbind -w
rpc.statd --no-notify

if [ "$role" = server ]; then
    load lib/oid_registry net/sunrpc/auth_gss/auth_rpcgss fs/nfsd/nfsd
    mkdir -p /export
    mount -t tmpfs none /export  # an overlay cannot be exported
    mkdir /export/one /export/other /export/small /export/squashed
    mount -t ext4 /dev/ubda /export/one
    mount -t ext4 /dev/ubdb /export/other
    mount -t tmpfs -o size=2m none /export/small
    mkdir -p /export/other/.state /export/one/.squashed
    chown 65534 /export/one/.squashed
    mount --bind /export/other/.state /var/lib/nfs/v4recovery
    mount --bind /export/one/.squashed /export/squashed
    mount -t nfsd nfsd /proc/fs/nfsd
    echo 10 > /proc/fs/nfsd/nfsv4leasetime
    echo 10 > /proc/fs/nfsd/nfsv4gracetime
    cp "$lab/exports" /etc/exports
    exportfs -ra
    rpc.nfsd -V 3 -V 4 8
    rpc.mountd
else
    load fs/netfs/netfs fs/fscache/fscache fs/nfs/nfs fs/nfs/nfsv3
    load net/dns_resolver/dns_resolver fs/nfs/nfsv4
fi
exec python3 -u "$lab/agent.py"
