# Makes of a Debian in ROOT what Ubuntu's images for Raspberry Pis have; kernel and initrd go to BOOT: like_ubuntu.sh ROOT BOOT
set -eu
root=$1 boot=$2

mkdir -p "$boot" "$root/boot/firmware" "$root/var/lib/cloud/seed/nocloud-net"
mv "$root"/boot/vmlinuz-* "$boot/vmlinuz"
mv "$root"/boot/initrd.img-* "$boot/initrd.img"
printf '%s\n' '# /etc/fstab' 'LABEL=writable / ext4 defaults,discard 0 1' \
    'LABEL=system-boot /boot/firmware vfat defaults 0 1' >"$root/etc/fstab"
printf '%s\n' 'datasource_list: [NoCloud, None]' 'datasource:' '  NoCloud:' '    fs_label: system-boot' \
    >"$root/etc/cloud/cloud.cfg.d/99-fake-cloud.cfg"
printf '%s\n' '#cloud-config' 'hostname: of-the-image' >"$root/var/lib/cloud/seed/nocloud-net/user-data"
echo 'instance-id: of-the-image' >"$root/var/lib/cloud/seed/nocloud-net/meta-data"
echo ubuntu >"$root/etc/hostname"
: >"$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_*
ln -sf /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"

# What takes long under emulation, and what nobody waits for.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
mkdir -p "$root/etc/systemd/system.conf.d"
printf '%s\n' '[Manager]' DefaultDeviceTimeoutSec=1800 DefaultTimeoutStartSec=1800 \
    >"$root/etc/systemd/system.conf.d/slow.conf"
