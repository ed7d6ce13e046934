# NRPE's daemon. Debian builds it without command arguments: check_nrpe -a is refused.
packages=(nagios-nrpe-server nagios-nrpe-plugin monitoring-plugins-basic)
plugins=/usr/lib/nagios/plugins

start() {
  local user=nagios
  ((EUID == 0)) || user=$(id -un)
  free nrpe
  mkdir -p "$dir/run"
  cat >"$dir/nrpe.cfg" <<CONF
server_address=127.0.0.1
server_port=$(port nrpe)
allowed_hosts=127.0.0.1
nrpe_user=$user
nrpe_group=$(id -gn "$user")
pid_file=$dir/run/pid
log_file=$dir/run/log
command[check_dummy]=$plugins/check_dummy 0 fine
CONF
  ((EUID != 0)) || chown -R nagios: "$dir"
  daemon nrpe nrpe -c "$dir/nrpe.cfg" -f
}

ready() { timeout 10 "$plugins/check_nrpe" -H 127.0.0.1 -p "$(port nrpe)" -c check_dummy; }

settings() {
  give NRPE "127.0.0.1:$(port nrpe)"
  give NRPE_DAEMON /usr/sbin/nrpe
  give CHECK_NRPE "$plugins/check_nrpe"
}
