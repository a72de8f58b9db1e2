# What is said: to whoever sits before the machine, and to the daemon.

# say WORDS: on each of the kernel's consoles.
say() {
    echo "<5>iluvatar: $*" >/dev/kmsg
}

# fail WORDS: ends what is being done, with its reason.
fail() {
    echo "$*" >$RUN/fault
    exit 1
}

# argument NAME: the value of a kernel argument.
argument() {
    tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p" | tail -n 1
}

# printable: what is read of hardware, as a field has it.
printable() {
    tr '\t\n' '  ' | tr -d '\000-\037\177' | tr -c ' -~' '?' | sed 's/^ *//; s/ *$//'
}

# tell STEP [PERCENT]: the daemon may be away for a while, which is no reason to stop.
tell() {
    {
        echo "step $1"
        [ -z "$2" ] || echo "percent $2"
    } >$RUN/progress
    echo "$1" >$RUN/step
    [ -n "$2" ] || { say "$1"; : >$LOG; }
    ask POST "$BASE/progress" $RUN/progress >/dev/null
    return 0
}

# tell_fault WORDS SECONDS
tell_fault() {
    words=$(tail -n 1 $LOG 2>/dev/null)
    words=$(echo "${1:-it stopped for no known reason}${words:+ ($words)}" | printable | cut -c 1-400)
    say "FAULT: $words; another try follows in $2 s"
    {
        [ ! -s $RUN/step ] || echo "step $(cat $RUN/step)"
        echo "fault $words"
    } >$RUN/progress
    ask POST "$BASE/progress" $RUN/progress >/dev/null
    rm -f $RUN/fault
    : >$LOG
}
