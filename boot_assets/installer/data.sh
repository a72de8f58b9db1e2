# The partition for what lasts, which is made only on a disk that has nothing on it.

# make_data: where the daemon says so, which is where no disk of the machine has it yet.
# By its path, or busybox takes its own mke2fs.
make_data() {
    disk=$(wanted data-disk)
    [ -n "$disk" ] || return 0
    check_disk "$disk" "$(wanted data-disk-size)"
    tell data
    dd if="$disk" of=/dev/null bs=$MIB count=1 2>>$LOG || fail "$disk cannot be read"
    blkid -p "$disk" >>$LOG 2>&1
    [ $? -eq 2 ] || fail "$disk is not empty"
    /sbin/mke2fs -q -F -t ext4 -b 4096 -m 0 -L "$(wanted data-label)" -E "offset=$(wanted data-offset),nodiscard,lazy_itable_init=1" \
        "$disk" "$(wanted data-blocks)" >>$LOG 2>&1 </dev/null || fail "no file system can be made on $disk"
    wanted data-write >$RUN/writes
    while read -r at content; do
        echo "$content" | base64 -d | gzip -d |
            dd of="$disk" bs=$MIB seek="$at" oflag=seek_bytes conv=notrunc,fsync status=none 2>>$LOG ||
            fail "$disk cannot be written"
    done <$RUN/writes
    blockdev --rereadpt "$disk" 2>>$LOG || fail "$disk is in use"
}
