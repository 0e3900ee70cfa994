#!/bin/sh
# Runs one command that ends with the process that started it: that process holds the other end of standard input,
# and however it ends (Ctrl-C, SIGKILL, a crash), the pipe closes and the command is stopped.
#
# usage: supervisor.sh <log file> <signal that stops it: TERM | INT | KILL> <seconds it may take> <command> [argument…]
#
# Prints the command's process id, then exits with the command's exit status. It leads a process group of its own
# (its starter makes it so), which keeps the terminal's Ctrl-C away from it until the pipe says that its starter ended.
log=$1 signal=$2 seconds=$3
shift 3

exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
child=$!
echo "$child"
exec >/dev/null 2>&1

(
  while read -r _ <&3; do :; done
  trap '' TERM
  if [ "$signal" != KILL ]; then
    kill -s "$signal" "$child"
    tenths=$((seconds * 10))
    while [ "$tenths" -gt 0 ] && kill -0 "$child"; do
      sleep 0.1
      tenths=$((tenths - 1))
    done
  fi
  # The whole group, this shell and what the command left behind included.
  kill -s KILL 0
) &
watcher=$!

wait "$child"
status=$?
# Once the pipe is closed the watcher ignores TERM and ends the group; before that it simply goes.
kill -s TERM "$watcher"
wait "$watcher"
exit "$status"
