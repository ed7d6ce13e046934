#!/bin/sh
# A dynamic inventory: ansible -i fettle.sh os_family_Debian -m ping
# Which nodes, and which groups they are in: yours to change.
exec fettle ansible-inventory --group-by os.family,environment -S 'liveness != "silent"' "$@"
