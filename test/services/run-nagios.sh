#!/usr/bin/env bash
# run-nagios.sh DIR: check, then run a Nagios 4 in the foreground, until it is told to end (SIGTERM).
#
# DIR/conf.d/*.cfg are the caller's objects (at least one contact; "define" wants one directive a line). The rest is made here: nagios.cfg,
# DIR/var/status.dat (written every second), DIR/var/nagios.cmd (external commands), DIR/var/nagios.log. One unit of an interval is a second.
# As root, DIR and all in it are given to the user nagios, as whom it runs: programs and files that checks need must be within its reach, in
# DIR for example. Exit 1, with what Nagios says on stderr, when the configuration is wrong.
set -euo pipefail
export PATH="$PATH:/usr/sbin"
dir=$(cd "${1:?usage: run-nagios.sh DIR}" && pwd -P)
user=nagios drop=(setpriv --reuid=nagios --regid=nagios --init-groups)
((EUID == 0)) || { user=$(id -un); drop=(); }

mkdir -p "$dir"/conf.d "$dir"/var/checkresults "$dir"/tmp
rm -f "$dir"/var/nagios.{cmd,lock,qh} "$dir"/var/status.dat # a pipe that was left behind blocks whoever opens it
cat >"$dir/nagios.cfg" <<CONF
cfg_dir=$dir/conf.d
nagios_user=$user
nagios_group=$(id -gn "$user")
log_file=$dir/var/nagios.log
status_file=$dir/var/status.dat
object_cache_file=$dir/var/objects.cache
state_retention_file=$dir/var/retention.dat
command_file=$dir/var/nagios.cmd
query_socket=$dir/var/nagios.qh
lock_file=$dir/var/nagios.lock
temp_file=$dir/var/nagios.tmp
temp_path=$dir/tmp
check_result_path=$dir/var/checkresults
check_external_commands=1
interval_length=1
status_update_interval=1
check_result_reaper_frequency=1
service_inter_check_delay_method=n
max_service_check_spread=1
use_syslog=0
check_for_updates=0
illegal_macro_output_chars=\`~\$&|'"<>
CONF
if ((EUID == 0)); then
  chown -R nagios: "$dir"
  "${drop[@]}" test -w "$dir/var" || { echo "run-nagios.sh: the user nagios cannot reach $dir; make it in FETTLE_TEST_NAGIOS_DIR" >&2; exit 1; }
fi
if ! said=$("${drop[@]}" nagios4 --verify-config "$dir/nagios.cfg" 2>&1); then
  echo "$said" >&2
  exit 1
fi
exec "${drop[@]}" nagios4 "$dir/nagios.cfg"
