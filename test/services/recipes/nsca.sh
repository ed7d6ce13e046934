# NSCA's daemon, as a program: each test runs its own, "nsca -c FILE --daemon -f", beside its own Nagios.
packages=(nsca)

ready() { [[ -x /usr/sbin/nsca ]]; }

settings() { give NSCA /usr/sbin/nsca; }
