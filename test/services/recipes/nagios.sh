# Nagios 4, as programs: each test runs its own with run-nagios.sh.
packages=(nagios4-core monitoring-plugins-basic)

start() { ((EUID != 0)) || chown nagios: "$dir"; }

ready() { nagios4 --version; }

settings() {
  give NAGIOS "$here/run-nagios.sh"
  give NAGIOS_DIR "$dir"
}
