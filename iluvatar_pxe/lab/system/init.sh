#!/bin/sh
# The stand-in's whole system: fetch what talos.config= names, say what came, resolve what it names, switch off.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
dmesg -n 1
for console in /dev/ttyAMA0 /dev/ttyS0; do
    [ -c "$console" ] && exec >"$console" 2>&1 && break
done
echo
for module in /modules/*; do insmod "$module"; done
ip link set lo up
ip link set eth0 up
echo "LAB cmdline=$(cat /proc/cmdline)"
udhcpc -f -n -q -i eth0 -t 20 -T 1 -s /lease
for word in $(cat /proc/cmdline); do
    case "$word" in talos.config=*) url=${word#talos.config=} ;; esac
done
# wget's own -T crashes in a static busybox
if timeout 30 wget -q -O /config "$url"; then
    case "$(cat /proc/cmdline)" in *lab.show*) echo "LAB config=$(base64 -w 0 /config)" ;; esac
    set -- $(sha256sum /config) $(wc -c /config)
    echo "LAB config-url=$url sha256=$1 bytes=$3"
    for name in $(sed -n 's/^# resolve //p' /config); do
        # unquoted: several addresses come in one line
        echo LAB resolved=$name to=$(nslookup -type=a "$name" | sed -n '/^Name:/,$s/^Address: //p')
    done
else
    echo "LAB failed=$url"
fi
poweroff -f
