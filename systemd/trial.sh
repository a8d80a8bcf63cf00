#!/bin/sh
# An upgrade on trial: a new version that does not work gives its place back to the former one, by itself.
#
#   trial.sh begin OLD NEW   notes what runs now and what is to run (names of folders beside this file), and switches
#   trial.sh switch NAME     makes `current` lead to this version; whole or not at all, also when the power is cut
#   trial.sh start           before each start of the daemon (scangate.service, ExecStartPre=): counts them
#   trial.sh refuse NEW WHY  it is not even tried
#   trial.sh check           every minute (scangate-trial.timer): is it well, and for how long already?
#   trial.sh back REASON     the former version again, while one is on trial
#   trial.sh former NAME     this former version again, because a person asked for it
#
# How it works: `current` beside this file is a link to the folder of one version, and the only switch. The record
# /var/lib/scangate-upgrade/trial is on the disk before the switch is turned, so that a power cut at any moment leaves
# either the old version without a trial, or a trial. While there is a record, every start is counted: the fourth goes
# to the former version. A daemon that starts but is not well within LIMIT looks is sent back, too. WELL good looks in
# a row end the trial. Nothing here needs Python or a clock: what is on trial may be broken, and the box may not know
# the time. What came of a return stands in /var/lib/scangate-upgrade/returned, which is on the disk before the switch
# is turned back: the former version's daemon gives an alarm for it, and brings an outbox that the new version has
# migrated back to its own form.
set -u
umask 022
app=$(dirname "$(readlink -f "$0")")
state=${SCANGATE_UPGRADE_STATE:-/var/lib/scangate-upgrade}
record=$state/trial
starts_allowed=${SCANGATE_TRIAL_STARTS:-3}
well_looks=${SCANGATE_TRIAL_WELL:-3}
look_limit=${SCANGATE_TRIAL_LIMIT:-15}
# An answer that takes longer than this is none.
look_seconds=40

say() { echo "scangate: $*"; }
alarm() { echo "<2>scangate: $*"; }

# A start and a look may come at the same moment: one of them at a time reads and writes the record.
lock() { mkdir -p "$state" && exec 9>"$state/lock" && flock -w 60 9; }

load() {
    old='' new='' starts=0 looks=0 well=0
    [ -f "$record" ] || return 1
    while IFS='=' read -r key value; do
        case $key in
        old) old=$value ;;
        new) new=$value ;;
        starts) starts=$value ;;
        looks) looks=$value ;;
        well) well=$value ;;
        esac
    done <"$record"
    [ -n "$old" ] && [ -n "$new" ]
}

keep() {
    printf 'old=%s\nnew=%s\nstarts=%s\nlooks=%s\nwell=%s\n' "$old" "$new" "$starts" "$looks" "$well" >"$record.new" &&
        sync "$record.new" && mv "$record.new" "$record" && sync "$state"
}

is_there() {
    [ -x "$app/$1/bin/scangate" ] || {
        say "there is no version $1 in $app"
        return 1
    }
}

switch() {
    is_there "$1" && ln -sfn "$1" "$app/current.new" && sync "$app" && mv -T "$app/current.new" "$app/current" && sync "$app"
}

end() {
    rm -f "$record" "$state/before.json"
    sync "$state"
    [ ! -d /run/systemd/system ] || systemctl stop --no-block scangate-trial.timer
}

returned() {
    mkdir -p "$state"
    printf 'from=%s\nto=%s\nreason=%s\n' "$new" "$old" "$1" >"$state/returned.new" &&
        sync "$state/returned.new" && mv "$state/returned.new" "$state/returned" && sync "$state"
}

back() {
    is_there "$old" && returned "$1" && switch "$old" || return 1
    end
    alarm "version $new is taken back, $(basename "$old") runs again: $1"
}

case ${1:-} in
begin)
    mkdir -p "$state"
    old=$2 new=$3 starts=0 looks=0 well=0
    lock
    rm -f "$state/returned"
    keep && switch "$new"
    ;;
switch)
    switch "$2"
    ;;
start)
    [ -f "$record" ] && lock && load || exit 0
    # The power was cut between the record and the switch: the former version runs, nothing is on trial.
    if [ "$(readlink "$app/current")" != "$new" ]; then
        end
        exit 0
    fi
    starts=$((starts + 1))
    well=0
    if [ "$starts" -gt "$starts_allowed" ]; then
        back "it ended or was not ready $starts_allowed times: journalctl -u scangate shows why"
    else
        keep
    fi
    ;;
refuse)
    new=$2 old=$(readlink "$app/current")
    returned "$3"
    rm -f "$state/before.json"
    alarm "version $new is not tried, $(basename "$old") goes on: $3"
    ;;
check)
    well_now=0
    why=$(timeout "$look_seconds" env -u JOURNAL_STREAM "$app/current/bin/scangate" upgrade --check "$state/before.json" 2>&1) &&
        systemctl is-active --quiet scangate.service && well_now=1 # it may answer before it is ready
    lock && load || exit 0
    looks=$((looks + 1))
    if [ "$well_now" -eq 1 ]; then well=$((well + 1)); else well=0; fi
    if [ "$well" -ge "$well_looks" ]; then
        rm -f "$state/returned" # of a return that a power cut ended before it had begun
        end
        say "version $new is well: the trial is over"
    elif systemctl is-failed --quiet scangate.service; then
        back "it ended and is not started again: journalctl -u scangate shows why" && systemctl restart --no-block scangate.service
    elif [ "$looks" -ge "$look_limit" ]; then
        systemctl stop scangate.service
        back "not well within $looks looks: $(printf '%s' "$why" | tail -n 1)" && systemctl restart --no-block scangate.service
    else
        keep
    fi
    ;;
back)
    lock && load || {
        say "no version is on trial"
        exit 1
    }
    back "$2"
    ;;
former)
    lock
    old=$2 new=$(readlink "$app/current")
    back "a person asked for it"
    ;;
*)
    echo "usage: trial.sh begin OLD NEW | switch NAME | refuse NEW WHY | start | check | back REASON | former NAME" >&2
    exit 2
    ;;
esac
