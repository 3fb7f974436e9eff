#!/bin/sh
# Makes the pictures of the README from a generated capture: docs/images/report.png and docs/images/top.png.
# Needs a release build of the host (cargo build --release) and Debian's packages chromium, tmux and aha.
set -eu
cd "$(dirname "$0")/.."
host=$(realpath "${CARGO_TARGET_DIR:-target}")/release/retrans-host
for program in chromium tmux aha; do
    command -v "$program" > /dev/null || {
        echo "pictures.sh: $program is missing: apt-get install $program" >&2
        exit 1
    }
done
[ -x "$host" ] || {
    echo "pictures.sh: $host is missing: cargo build --release" >&2
    exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
"$host" --quiet generate lossy.rtc --events 20k --connections 300 --seed 7 --census 1s --gaps
"$host" --quiet report lossy.rtc --plugin threshold-alert --set threshold=60 --set window=10s -o report.html 2> /dev/null
# The live view, in a terminal of its own: its cells, with colours, become a page.
terminal() {
    tmux -f /dev/null -S "$scratch/terminal" "$@"
}
# aha reverses the default colours alone: a reversed colour becomes a background.
reversed() {
    perl -pe 's{\e\[([\d;]*)m}{
        my $codes = $1;
        if ($codes =~ /^(0;?)?(.*;)?7(;|$)/) { $is_reversed = 1 } elsif ($codes =~ /^0?(;|$)/) { $is_reversed = 0 }
        if ($is_reversed && $codes =~ /38;(2;[\d;]*)/) { $is_changed = 1; "\e[27;38;2;0;0;0;48;$1m" }
        elsif ($is_changed && $codes eq "39") { $is_changed = 0; $is_reversed ? "\e[39;49;7m" : "\e[39;49m" }
        else { "\e[${codes}m" }
    }gex'
}
terminal new-session -d -x 112 -y 34 "TERM=xterm-256color COLORTERM=truecolor LANG=C.UTF-8 '$host' top lossy.rtc \
    --speed max --plugin threshold-alert --set threshold=60 --set window=10s"
tries=0
until terminal capture-pane -p | grep -q ' END$'; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || {
        echo "pictures.sh: the live view shows no end of the capture" >&2
        exit 1
    }
    sleep 0.2
done
terminal send-keys Down Down
sleep 1
terminal capture-pane -p -e | reversed | aha --black --title top --style 'font-size: 15px; line-height: 1.22' > top.html
terminal send-keys q
cd "$OLDPWD"
mkdir -p docs/images
# Without the sandbox of chromium: it does not start as root, and the pages are of this script.
picture() {
    chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$scratch/profile" \
        --force-device-scale-factor="$3" --window-size="$2" --screenshot="$PWD/docs/images/$1.png" \
        "file://$scratch/$1.html" 2> /dev/null
    ls -l "docs/images/$1.png"
}
picture report 1100,1560 0.8
picture top 1030,640 1
