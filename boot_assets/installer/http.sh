# HTTP by netcat: busybox' wget takes no answer to a Range, and its -T crashes in a static busybox.

CR=$(printf '\r')
CHUNK=16777216

# ask METHOD URL [FILE [FIRST-LAST]]: the answer's content to standard output; FILE is sent, a range is asked for.
# Its Date is left in $RUN/date. Fails where the answer is no 200 or 206, or ends too early.
ask() (
    method=$1 rest=${2#http://} file=${3:-/dev/null} range=$4
    authority=${rest%%/*}
    case $authority in *:*) port=${authority##*:} ;; *) port=80 ;; esac
    rm -f $RUN/request
    mkfifo $RUN/request || exit 1
    {
        printf '%s /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n' "$method" "${rest#*/}" "$authority"
        [ -z "$range" ] || printf 'Range: bytes=%s\r\n' "$range"
        [ "$method" = GET ] || printf 'Content-Type: text/plain\r\nContent-Length: %s\r\n' "$(stat -c %s "$file")"
        printf '\r\n'
        [ "$method" = GET ] || cat "$file"
    } >$RUN/request &
    # Opened for reading and writing: a server takes the end of what is sent for the end of the connection.
    timeout 120 nc.traditional -n "${authority%:*}" "$port" <>$RUN/request >$RUN/answer 2>>$LOG
    answer "$range" <$RUN/answer
)

# answer [RANGE]: the content of an answer.
answer() {
    read -r _ code _ || { echo "no answer" >>$LOG; return 1; }
    length=
    while IFS= read -r line; do
        line=${line%"$CR"}
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
    cat >$RUN/content
    [ "$(stat -c %s $RUN/content)" = "$length" ] || { echo "the connection broke" >>$LOG; return 1; }
    cat $RUN/content
}

# chunks URL LENGTH DONE TOTAL: a file, however often the connection breaks, also to file descriptor 3. How much of all
# there is, is told.
chunks() {
    at=0 failed=0
    while [ "$at" -lt "$2" ]; do
        last=$((at + CHUNK - 1))
        [ "$last" -lt "$2" ] || last=$(($2 - 1))
        if ask GET "$1" /dev/null "$at-$last" >/dev/null && [ "$(stat -c %s $RUN/content)" -eq $((last - at + 1)) ]; then
            cat $RUN/content >&3 && cat $RUN/content || return 1
            at=$((last + 1)) failed=0
            tell write $((($3 + at) * 100 / $4)) 3>&-
        else
            failed=$((failed + 1))
            [ "$failed" -le 8 ] || return 1
            sleep $((failed * 2))
        fi
    done
}
