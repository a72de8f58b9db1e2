#!/bin/busybox sh
# The init of an image whose root is in memory: it says what it finds, leaves its mark on what lasts, and restarts.
/bin/busybox --install -s /bin
exec 2>&1
say() { echo "init: $*"; }

say "root $(grep ' / ext4' /proc/mounts)"
say "fstab $(cat /etc/fstab | tr '\n' ';')"
say "seed $(stat -c '%a %u' /var/lib/cloud/seed/nocloud/user-data) $(tail -n 1 /var/lib/cloud/seed/nocloud/user-data)"
say "run $(ls -A /run | wc -l) mounts $(wc -l </proc/mounts) clients $(pidof udhcpc | wc -w)"
for interface in /sys/class/net/e*; do say "interface up $(($(cat $interface/flags) & 1)) $(ip -4 -o address show dev ${interface##*/})"; done
say "kilobytes used $(df -k / | tail -n 1 | awk '{ print $3 }') of $(df -k / | tail -n 1 | awk '{ print $2 }'), in memory $(awk '/^Shmem:/ { print $2 }' /proc/meminfo)"
dd if=/dev/urandom of=/large bs=1M count=8 2>/dev/null && sync
before=$(awk '/^Shmem:/ { print $2 }' /proc/meminfo)
rm /large && sync && sleep 1
say "freed $(($before - $(awk '/^Shmem:/ { print $2 }' /proc/meminfo)))"
mkdir -p /over/lower /over/upper /over/work /over/merged
mount -t overlay -o lowerdir=/over/lower,upperdir=/over/upper,workdir=/over/work over /over/merged && say "overlay works"
if mount -t ext4 "$(findfs LABEL=data)" /mnt; then
    echo mark >>/mnt/marks
    say "marks $(wc -l </mnt/marks)"
    umount /mnt
fi
say end
reboot -f
