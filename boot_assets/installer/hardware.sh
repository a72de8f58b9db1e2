# The machine's memory and disks, as layers/ainur/installer/hardware.py reads them.

# first_of FILE...: the content of the first one that there is.
first_of() {
    for file in "$@"; do
        [ -s "$file" ] && printable <"$file" 2>/dev/null && return
    done
}

# probed DEVICE TAG: what blkid says of it.
probed() {
    blkid -p -s "$2" -o value "$1" 2>>$LOG | printable
}

report_hardware() {
    echo "iluvatar-hardware 1"
    awk '/^MemTotal:/ { printf "memory\tsize=%.0f\n", $2 * 1024 }' /proc/meminfo
    for block in /sys/block/*; do
        name=${block##*/}
        case $name in loop* | ram* | zram* | dm-* | md* | *boot[0-9] | *rpmb) continue ;; esac
        [ "$(cat "$block/size")" -gt 0 ] || continue
        report_disk "$block" "$name"
    done
}

# report_disk FOLDER NAME
report_disk() {
    place=$(readlink -f "$1/device")
    case $2 in
    nvme*) transport=nvme ;;
    mmcblk*) transport=mmc ;;
    vd*) transport=virtio ;;
    *) case $place in */usb[0-9]*) transport=usb ;; *) transport=sata ;; esac ;;
    esac
    serial=$(first_of "$1/serial" "$1/device/serial")
    # SCSI's page 80h: four bytes, then the serial number
    [ -n "$serial" ] || serial=$(tail -c +5 "$1/device/vpd_pg80" 2>/dev/null | printable)
    table=$(probed "/dev/$2" PTTYPE)
    printf 'disk\tname=%s\tsize=%s\tsector=%s\tmodel=%s\tserial=%s\twwid=%s\tpath=%s\ttransport=%s\trotational=%s\tread-only=%s\ttable=%s\ttable-id=%s\n' \
        "$2" "$(($(cat "$1/size") * 512))" "$(cat "$1/queue/logical_block_size")" \
        "$(first_of "$1/device/model" "$1/device/name")" "$serial" "$(first_of "$1/wwid" "$1/device/wwid" "$1/device/cid")" \
        "${place#/sys/devices}" "$transport" "$(cat "$1/queue/rotational")" "$(cat "$1/ro")" \
        "$table" "$(probed "/dev/$2" PTUUID)"
    [ -n "$table" ] || report_volume "$2" "$2" 0 "$1/size"
    for part in "$1/$2"*; do
        [ ! -e "$part/partition" ] || report_volume "$2" "${part##*/}" "$(cat "$part/partition")" "$part/size"
    done
}

# report_volume DISK NAME NUMBER SIZE-FILE: of a disk without partitions only what is recognised.
report_volume() {
    type=$(probed "/dev/$2" TYPE)
    blkid -p "/dev/$2" >/dev/null 2>&1
    [ $? -ne 8 ] || type="several file systems"
    [ "$3" -gt 0 ] || [ -n "$type" ] || return 0
    printf 'volume\tdisk=%s\tname=%s\tnumber=%s\tsize=%s\ttype=%s\tlabel=%s\tuuid=%s\n' \
        "$1" "$2" "$3" "$(($(cat "$4") * 512))" "$type" "$(probed "/dev/$2" LABEL)" "$(probed "/dev/$2" UUID)"
}
