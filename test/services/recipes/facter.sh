# Facter 4, to compare our facts with.
packages=(facter)

ready() { /usr/bin/facter --version; }

settings() { give FACTER /usr/bin/facter; }
