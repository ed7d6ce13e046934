# /etc/profile.d/fettle-motd.sh: what this machine is, in each login shell of a person.
case $- in
*i*) fettle motd 2>/dev/null || : ;;
esac
