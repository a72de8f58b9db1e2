#!/bin/sh
# udhcpc calls this with the lease in its environment.
case $1 in
bound | renew) ;;
*) exit 0 ;;
esac
ip address replace "$ip/${mask:-24}" dev "$interface"
for gateway in $router; do ip route replace default via "$gateway" dev "$interface"; done
echo "$ip" >/run/lease
