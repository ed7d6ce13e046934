# Alertmanager, as a program: each test runs its own.
packages=(prometheus-alertmanager)

ready() { prometheus-alertmanager --version; }

settings() { give ALERTMANAGER /usr/bin/prometheus-alertmanager; }
