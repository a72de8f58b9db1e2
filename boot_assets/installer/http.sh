# HTTP by busybox' nc: its wget takes no answer to a Range, and its -T crashes in a static busybox.

# ask METHOD URL [FILE [FIRST-LAST]]: the answer's content to standard output; FILE is sent, a range is asked for.
# Its Date is left in $RUN/date. Fails where the answer is no 200 or 206, or ends too early.
ask() (
    method=$1 rest=${2#http://} file=${3:-/dev/null} range=$4
    authority=${rest%%/*}
    case $authority in *:*) port=${authority##*:} ;; *) port=80 ;; esac
    pipe=$(mktemp -u $RUN/http.XXXXXX)
    mkfifo "$pipe" || exit 1
    {
        printf '%s /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n' "$method" "${rest#*/}" "$authority"
        [ -z "$range" ] || printf 'Range: bytes=%s\r\n' "$range"
        [ "$method" = GET ] || printf 'Content-Type: text/plain\r\nContent-Length: %s\r\n' "$(wc -c <"$file")"
        printf '\r\n'
        cat "$file"
    } >"$pipe" &
    # Opened for reading and writing: a server takes the end of what is sent for the end of the connection.
    timeout 120 nc "${authority%:*}" "$port" <>"$pipe" 2>>$LOG | answer "$range"
    status=$?
    rm -f "$pipe"
    exit $status
)

# answer [RANGE]: the content of an answer that is read from standard input.
answer() {
    read -r _ code _ || { echo "no answer" >>$LOG; return 1; }
    length=
    while IFS= read -r line; do
        line=$(echo "$line" | tr -d '\r')
        case $line in
        '') break ;;
        [Cc]ontent-[Ll]ength:*) length=${line#*: } ;;
        [Dd]ate:*) echo "${line#*: }" >$RUN/date ;;
        esac
    done
    case $code in
    200) [ -z "$1" ] || { echo "the server takes no Range" >>$LOG; return 1; } ;;
    206) ;;
    *) echo "HTTP $code: $(head -c 300 | printable)" >>$LOG; return 1 ;;
    esac
    [ -n "$length" ] || { echo "an answer without Content-Length" >>$LOG; return 1; }
    head -c "$length"
}

# chunks URL LENGTH DONE TOTAL: a file, however often the connection breaks; how much of all there is, is told.
chunks() {
    at=0 failed=0
    while [ "$at" -lt "$2" ]; do
        last=$((at + 16777215))
        [ "$last" -lt "$2" ] || last=$(($2 - 1))
        ask GET "$1" /dev/null "$at-$last" >$RUN/chunk
        if [ "$(wc -c <$RUN/chunk)" -eq $((last - at + 1)) ]; then
            cat $RUN/chunk || return 1
            at=$((last + 1)) failed=0
            tell write $((($3 + at) * 100 / $4))
        else
            failed=$((failed + 1))
            [ "$failed" -le 8 ] || return 1
            sleep $((failed * 2))
        fi
    done
}
