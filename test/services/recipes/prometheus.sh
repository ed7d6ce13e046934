# Prometheus and promtool, as programs: each test runs its own.
packages=(prometheus)

ready() { prometheus --version && promtool --version; }

settings() {
  give PROMETHEUS /usr/bin/prometheus
  give PROMTOOL /usr/bin/promtool
}
