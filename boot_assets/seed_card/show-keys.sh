# Shows the keys to the fleet's repository to the first who logs in and may use sudo, and then removes them.
if [ -t 0 ] && [ -t 1 ]; then
    echo "The keys of iluvatar-pxe, shown only once:"
    if sudo cat /var/lib/iluvatar-pxe-first-keys; then
        sudo rm -f /var/lib/iluvatar-pxe-first-keys /etc/profile.d/iluvatar-pxe-keys.sh
    fi
fi
