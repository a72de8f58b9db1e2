# What the daemon says is done.

# wanted KEY: the values that the plan has for it.
wanted() {
    sed -n "s/^$1 //p" $RUN/plan
}

# provision: asks what is to be done, and does it; comes back where nothing is to be done now.
provision() {
    bring_up
    report_hardware >$RUN/hardware
    ask POST "$BASE/hardware" $RUN/hardware >/dev/null || fail "the daemon at $SERVER takes no report of hardware"
    set_clock
    ask GET "$BASE/install" >$RUN/plan || fail "the daemon at $SERVER gives no plan"
    [ "$(head -n 1 $RUN/plan)" = "iluvatar-install 1" ] && [ "$(tail -n 1 $RUN/plan)" = end ] ||
        fail "the daemon's plan is of another version, or incomplete"
    if [ -n "$(wanted wait)" ]; then
        wait_for $(wanted wait)
    elif [ -n "$(wanted restart)" ]; then
        [ "$(wanted restart)" = now ] || tell done
        restart
    elif [ -n "$(wanted data-disk)" ] && [ ! -e $RUN/settled ]; then
        : >$RUN/settled
        wait_for 10 "an empty disk is to be formatted, unless the right one is found late"
    elif [ -n "$(wanted memory)" ]; then
        build_root
    else
        install_disk
        tell done
        restart
    fi
}

# wait_for SECONDS WORDS
wait_for() {
    seconds=$1
    shift
    [ "$*" = "$(cat $RUN/waits 2>/dev/null)" ] || say "WAITING: $*"
    echo "$*" >$RUN/waits
    sleep "$seconds"
}

restart() {
    sync
    reboot -f
}

install_disk() {
    fetch_documents
    make_data
    disk=$(wanted disk) size=$(wanted disk-size)
    check_disk "$disk" "$size"
    tell erase
    erase "$size"
    write_image
    sector "$(wanted first-table)"
    tell grow
    grow "$(partition "$disk" 2)" "$(wanted root-uuid)"
    tell seed
    edit_root "$(partition "$disk" 2)" "$(wanted boot)" "$(wanted root)"
    edit_boot "$(wanted boot-offset)" "$(wanted root)"
    sync
    sector "$(wanted table)"
}

# check_disk DISK SIZE
check_disk() {
    [ "$(($(cat "/sys/block/${1#/dev/}/size") * 512))" = "$2" ] || fail "$1 is not the disk that was reported"
}

# fetch_documents: before anything is erased.
fetch_documents() {
    tell documents
    mkdir -p $RUN/documents
    for name in meta-data user-data vendor-data network-config; do
        ask GET "$BASE/$name" >"$RUN/documents/$name" || fail "the daemon gives no $name"
    done
    [ -s $RUN/documents/network-config ] || rm $RUN/documents/network-config
}

write_image() {
    tell write 0
    total=$(wanted part | awk '{ sum += $3 } END { printf "%.0f", sum }')
    done=0
    wanted part >$RUN/parts
    while read -r offset compression length sum path; do
        write_part "$done" "$total" "$offset" "$compression" "$length" "$sum" "$path" </dev/null
        done=$((done + length))
    done <$RUN/parts
}
