# An address by DHCP, and a clock that is not before the daemon's.

# bring_up: the first interface with a cable that gets an address.
bring_up() {
    ip link set lo up
    [ ! -s $RUN/lease ] || return 0
    for interface in /sys/class/net/*; do
        [ -e "$interface/device" ] && [ ! -e "$interface/wireless" ] || continue
        interface=${interface##*/}
        ip link set "$interface" up
        udhcpc -n -t 10 -T 2 -p $RUN/udhcpc.pid -i "$interface" -s /lib/iluvatar/lease.sh >>$LOG 2>&1 && return 0
    done
    fail "no interface gets an address by DHCP; check the cable and the router"
}

# set_clock: a Pi 4 has no clock, and begins in 1970.
set_clock() {
    now=$(date -u -D '%a, %d %b %Y %H:%M:%S' -d "$(sed 's/ GMT$//' $RUN/date)" +%s 2>>$LOG) || return 0
    [ "$now" -le "$(date +%s)" ] || date -u -s "@$now" >/dev/null
}
