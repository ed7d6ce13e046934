package main

import "testing"

func TestAlertSettings(t *testing.T) {
	file := t.TempDir() + "/server.yaml"
	write(t, file, `alerts:
  receivers:
    - name: am
      alertmanager: {urls: ["http://127.0.0.1:9093"], resend: 30s, labels: {site: north}, timeout: 5s}
  routes:
    - {checks: [disk_*], labels: {team: db}, statuses: [critical], for: 5m, receivers: [am]}
`)
	cfg := defaultServerSettings()
	s := settingsOf("server", &cfg)
	s.readFile(file, true)
	if len(s.faults) > 0 {
		t.Fatal(s.faults)
	}
	am := cfg.Alerts.Receivers[0].Alertmanager
	if am == nil || am.URLs[0] != "http://127.0.0.1:9093" || am.Labels["site"] != "north" || am.Timeout.String() != "5s" || am.Resend.String() != "30s" {
		t.Errorf("%+v", am)
	}
	if r := cfg.Alerts.Routes[0]; r.Checks[0] != "disk_*" || r.Labels["team"] != "db" || r.Statuses[0] != "critical" || r.For.Minutes() != 5 {
		t.Errorf("%+v", r)
	}
	if err := cfg.Alerts.Validate(); err != nil {
		t.Error(err)
	}
}
