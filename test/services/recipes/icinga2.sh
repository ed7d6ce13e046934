# Icinga 2, as a program: each test runs its own with run-icinga2.sh.
packages=(icinga2-bin icinga2-common monitoring-plugins-basic openssl)

ready() { icinga2 --version; }

settings() { give ICINGA2 "$here/run-icinga2.sh"; }
