#!/bin/sh
# udhcpc calls this with the lease in its environment.
[ "$1" = bound ] || exit 0
ip address add "$ip/${mask:-24}" dev "$interface"
for gateway in $router; do ip route add default via "$gateway"; done
for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
echo "LAB address=$ip dns=$dns"
