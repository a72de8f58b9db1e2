# What is done to the disk. Until its partition table is written, which is last, no firmware starts it.

MIB=1048576

# partition DISK NUMBER: its device file.
partition() {
    case $1 in *[0-9]) echo "$1p$2" ;; *) echo "$1$2" ;; esac
}

# sector TABLE: writes a disk's first one, which it takes as a whole or not at all.
sector() {
    echo "$1" | base64 -d | dd of="$disk" bs=512 conv=notrunc,fsync status=none 2>>$LOG || fail "$disk cannot be written"
    blockdev --rereadpt "$disk" 2>>$LOG || fail "$disk is in use"
}

# erase SIZE: the end first, so that a disk that is known by its beginning stays so until all is erased.
erase() {
    for at in $(($1 - MIB)) 0; do
        dd if=/dev/zero of="$disk" bs=$MIB count=1 seek="$at" oflag=seek_bytes conv=notrunc,fsync status=none 2>>$LOG ||
            fail "$disk cannot be written"
    done
    blockdev --rereadpt "$disk" 2>>$LOG || fail "$disk is in use"
}

# unpacked COMPRESSION
unpacked() {
    case $1 in
    zst) zstd -q -d -c ;;
    xz) xz -d -c ;;
    gz) gzip -d -c ;;
    none) cat ;;
    esac
}

# put OFFSET COMPRESSION: to the disk, or to the file of a root in memory, whose zeros take none.
put() {
    if [ -n "$root_file" ]; then
        zstd -q -d -f --sparse -o "$root_file"
    else
        unpacked "$2" | dd of="$disk" bs=$MIB seek="$1" oflag=seek_bytes iflag=fullblock conv=notrunc,fsync status=none
    fi
}

# write_part DONE TOTAL OFFSET COMPRESSION LENGTH SHA256 PATH: the sum is that of the file as it comes.
write_part() {
    rm -f $RUN/summed
    mkfifo $RUN/summed
    sha256sum <$RUN/summed >$RUN/sum &
    summing=$!
    set -o pipefail
    chunks "$SERVER$7" "$5" "$1" "$2" 3>$RUN/summed | put "$3" "$4" 2>>$LOG
    written=$?
    set +o pipefail
    wait $summing
    sum=$(cut -d ' ' -f 1 $RUN/sum)
    [ $written -eq 0 ] || fail "$7 was not written as a whole"
    [ "$sum" = "$6" ] || fail "$7 has the sha256 $sum, and not $6: nothing is started of it"
}

# grow PARTITION UUID: its file system fills it, and is no other disk's.
grow() {
    e2fsck -f -p "$1" >>$LOG 2>&1
    [ $? -le 1 ] || fail "the root file system on $1 is damaged"
    tune2fs -U "$2" "$1" >>$LOG 2>&1 || fail "the root file system on $1 takes no UUID"
    resize2fs "$1" >>$LOG 2>&1 || fail "the root file system on $1 cannot be grown"
}

# edit_boot OFFSET ROOT: by mtools, since the kernel may lack what it needs to mount FAT.
edit_boot() {
    image="$disk@@$1" edited=
    for name in $(mdir -b -i "$image" ::/ ::/current 2>>$LOG); do
        case $name in
        */user-data | */meta-data | */network-config) mdel -i "$image" "$name" ;;
        */cmdline.txt)
            mtype -i "$image" "$name" >$RUN/edited && sed -i "s|root=[^ ]*|root=$2|; s|\$|$(added_arguments)|" $RUN/edited &&
                mcopy -o -i "$image" $RUN/edited "$name" && edited=yes
            ;;
        */config.txt)
            mtype -i "$image" "$name" >$RUN/edited && { echo "[all]"; wanted config-line; } >>$RUN/edited &&
                mcopy -o -i "$image" $RUN/edited "$name"
            ;;
        esac 2>>$LOG || fail "$name in the boot partition cannot be changed"
    done
    [ -n "$edited" ] || fail "the image has no cmdline.txt"
}

added_arguments() {
    wanted kernel-argument | sed 's/^/ /; s/[|&\\]/\\&/g' | tr -d '\n'
}

# edit_root PARTITION BOOT ROOT: the documents, and no other disk's partitions in fstab.
edit_root() {
    mount -t ext4 "$1" /root 2>>$LOG || fail "the root file system on $1 cannot be mounted"
    seed
    edit_fstab '$1 !~ /^#/ && $2 == "/" { $1 = root } $1 !~ /^#/ && ($2 == "/boot/firmware" || $2 == "/boot") { $1 = boot } { print }' \
        -v boot="$2" -v root="$3"
    watch_first_boot
    sync
    umount /root || fail "$1 cannot be unmounted"
}

# seed: the documents, for root only.
seed() {
    seed=/root/var/lib/cloud/seed/nocloud
    (
        umask 077
        rm -rf /root/var/lib/cloud/seed
        mkdir -p "$seed" && cp $RUN/documents/* "$seed/" && chmod 600 "$seed"/*
    ) 2>>$LOG || fail "the documents cannot be written to the root file system"
    cp /lib/iluvatar/cloud.cfg /root/etc/cloud/cloud.cfg.d/99-iluvatar.cfg 2>>$LOG ||
        fail "the image has no cloud-init"
}

# edit_fstab PROGRAM [OPTION...]: by awk.
edit_fstab() {
    [ -f /root/etc/fstab ] || return 0
    program=$1
    shift
    awk "$@" "$program" /root/etc/fstab >$RUN/fstab && cat $RUN/fstab >/root/etc/fstab || fail "fstab cannot be changed"
}

# watch_first_boot: a loss of power in the first boot leaves nothing undone.
watch_first_boot() {
    units=/root/etc/systemd/system
    mkdir -p "$units/sysinit.target.wants" "$units/cloud-init.target.wants" &&
        cp /lib/iluvatar/iluvatar-*.service "$units/" && chmod 644 "$units"/iluvatar-*.service &&
        ln -sf ../iluvatar-first-boot.service "$units/sysinit.target.wants/" &&
        ln -sf ../iluvatar-configured.service "$units/cloud-init.target.wants/"
} 2>>$LOG

clean_up() {
    umount /root 2>/dev/null
    losetup -a | cut -d : -f 1 | xargs -r -n 1 losetup -d
    umount $MEMORY 2>/dev/null
    rm -rf $RUN/request $RUN/answer $RUN/content $RUN/summed $RUN/documents $RUN/edited
}
