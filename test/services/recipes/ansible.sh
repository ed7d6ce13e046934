# Ansible, to read our inventory.
packages=(ansible-core)

ready() { /usr/bin/ansible --version; }

settings() { give ANSIBLE /usr/bin/ansible; }
