# Makes a Debian for arm64: debootstrap.sh ROOT RELEASE ARCHIVE PACKAGES, with commas between the packages. It is run in a
# mount and a PID namespace. What qemu-user needs in the kernel is taken back, unless this host had it before.
set -eu
root=$1 release=$2 archive=$3 packages=$4
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

formats=/proc/sys/fs/binfmt_misc
mount -t binfmt_misc binfmt_misc $formats
if ! grep -qs '^magic 7f454c460201010000000000000000000200b7' $formats/*; then
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s\n' ":iluvatar-pxe-aarch64:M::$magic:$mask:/usr/bin/qemu-aarch64-static:F" >$formats/register
    trap 'echo -1 >$formats/iluvatar-pxe-aarch64' EXIT
fi

# Without py3compile, which under emulation takes long for each package; Python compiles what it imports.
mkdir -p "$root/etc/initramfs-tools/conf.d" "$root/etc/dpkg/dpkg.cfg.d"
printf '%s\n' force-unsafe-io path-exclude=/usr/bin/py3compile 'path-exclude=/usr/share/doc/*' \
    'path-exclude=/usr/share/man/*' 'path-exclude=/usr/share/info/*' 'path-exclude=/usr/share/locale/*' \
    >"$root/etc/dpkg/dpkg.cfg.d/small"
printf '%s\n' COMPRESS=zstd COMPRESSLEVEL=3 >"$root/etc/initramfs-tools/conf.d/small"
debootstrap --arch=arm64 --variant=minbase --include="$packages" "$release" "$root" "$archive"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
