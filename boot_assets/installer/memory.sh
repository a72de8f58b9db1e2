# A root in memory: the image's root file system in a file on a tmpfs, whose blocks take memory once something is in them.

MEMORY=/memory

build_root() {
    size=$(wanted memory) root_file=$MEMORY/root
    fetch_documents
    make_data
    mkdir -p $MEMORY
    mount -t tmpfs -o "size=$((size + MIB)),mode=700" memory $MEMORY 2>>$LOG || fail "memory for the root cannot be had"
    write_image
    truncate -s "$size" "$root_file" 2>>$LOG || fail "the root in memory cannot be grown"
    tell grow
    loop=$(losetup -f 2>>$LOG) && losetup "$loop" "$root_file" 2>>$LOG || fail "the image's kernel has no loop devices"
    grow "$loop" "$(wanted root-uuid)"
    tune2fs -O ^has_journal "$loop" >>$LOG 2>&1 || fail "the journal cannot be left out"
    tell seed
    # Empty tables of inodes, which the kernel would write in the background, would take memory.
    mount -t ext4 -o discard,noinit_itable "$loop" /root 2>>$LOG || fail "the root in memory cannot be mounted"
    seed
    edit_fstab '$1 ~ /^#/ || ($2 != "/" && $2 != "/boot/firmware" && $2 != "/boot")'
    fstrim /root 2>>$LOG
    chroot /root /bin/sh -c 'test -x /sbin/init' 2>>$LOG || fail "the image has no /sbin/init"
    tell start
    : >$RUN/built
}

# start_root: by process 1. Network and folders are left as a kernel has them that has just begun.
start_root() {
    kill "$(cat $RUN/udhcpc.pid)" 2>/dev/null
    for interface in /sys/class/net/*; do
        ip address flush dev "${interface##*/}"
        ip link set "${interface##*/}" down
    done
    for folder in dev proc sys; do mount -o move /$folder /root/$folder; done
    umount -l $MEMORY
    umount -l /run
    exec switch_root /root /sbin/init
}
