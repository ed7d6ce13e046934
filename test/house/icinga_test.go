//go:build integration

package house

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const icingaObjects = `object Host "fleet" { check_command = "dummy"; enable_active_checks = false }
object Service "house" { host_name = "fleet"; check_command = "dummy"; enable_active_checks = false }
object Host "n1.example.net" { check_command = "dummy"; enable_active_checks = false }
object Service "house" { host_name = "n1.example.net"; check_command = "dummy"; enable_active_checks = false }
`

// TestIcinga2IsTold has the server tell a real Icinga 2 by its API.
func TestIcinga2IsTold(t *testing.T) {
	icinga := service(t, "FETTLE_TEST_ICINGA2")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "objects.conf"), []byte(icingaObjects), 0o644); err != nil {
		t.Fatal(err)
	}
	at := freeAddress(t)
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	daemon(t, icinga, dir, port)
	ca := filepath.Join(dir, "ca.pem")
	eventually(t, "Icinga has a certificate", func() bool { _, err := os.Stat(filepath.Join(dir, "data", "certs", "ca.crt")); return err == nil })
	api := newIcingaAPI(t, ca, port)
	eventually(t, "Icinga answers", func() bool { return api.get("") != "" })

	config, state := houseChecks(t)
	settings := filepath.Join(t.TempDir(), "server.yaml")
	text := "checks:\n  - name: house\n    command: check_house\n    interval: 1s\n  - name: unheard\n    command: check_house\n    interval: 10s\npassive:\n" +
		fmt.Sprintf("  - {name: icinga, kind: icinga2, url: 'https://localhost:%s', user: fettle, password: secret, ca: %s, verdicts: ['*'], nodes: 'true', hosts: true, interval: 5s, text-interval: 1s}\n", port, ca) +
		fmt.Sprintf("  - {name: stranger, kind: icinga2, url: 'https://localhost:%s', user: fettle, password: wrong, ca: %s}\n", port, ca)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := dev(t, "--identity", "n1.example.net", "--nrpe-config", config, "--config", settings, "--beat-interval", "1s")

	t.Run("a fleet that is well", func(t *testing.T) {
		eventually(t, "the verdict is there", func() bool {
			return strings.HasPrefix(api.service("fleet", "house").Output, "house: OK: 1 WARNING: 0") && api.service("fleet", "house").State == 0
		})
		got := api.service("fleet", "house")
		if len(got.Performance) == 0 || got.Performance[0] != "total=1" || got.Source != "fettle" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a node", func(t *testing.T) {
		eventually(t, "its state is there", func() bool { return api.service("n1.example.net", "house").Output == "HOUSE all is well" })
		if got := api.service("n1.example.net", "house"); fmt.Sprint(got.Performance) != "[temp=21;30;40 doors=2]" {
			t.Errorf("got %+v", got)
		}
		eventually(t, "it is up", func() bool { return api.host("n1.example.net").Output == "the agent is alive" })
	})
	t.Run("a node that is critical", func(t *testing.T) {
		setState(t, state, "2", "fire")
		eventually(t, "node and verdict are critical", func() bool {
			return api.service("n1.example.net", "house").State == 2 && api.service("fleet", "house").State == 2
		})
		eventually(t, "the long output is there", func() bool {
			return strings.Contains(api.service("fleet", "house").Output, "\nCRITICAL:\n   n1.example.net: HOUSE fire")
		})
	})
	t.Run("what Icinga does not have, and whom it does not let in, is told once", func(t *testing.T) {
		eventually(t, "it is in the log", func() bool {
			return strings.Contains(p.log.String(), "icinga2 knows no fleet!unheard") && strings.Contains(p.log.String(), "does not let the user fettle in")
		})
		if n := strings.Count(p.log.String(), "knows no fleet!unheard"); n != 1 {
			t.Errorf("%d lines", n)
		}
		page := get(t, p.ready["http"]+"/metrics", "")
		for _, series := range []string{`fettle_passive_up{target="icinga"} 1`, `fettle_passive_up{target="stranger"} 0`, `fettle_passive_refused_total{target="icinga"} `} {
			if !strings.Contains(page, series) {
				t.Errorf("%s is not on the page", series)
			}
		}
	})
}

// icingaAPI asks an Icinga 2.
type icingaAPI struct {
	client *http.Client
	url    string
}

func newIcingaAPI(t *testing.T, ca, port string) *icingaAPI {
	t.Helper()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(client.CloseIdleConnections)
	return &icingaAPI{client, "https://localhost:" + port + "/v1"}
}

// get gives an answer, empty while there is none.
func (a *icingaAPI) get(path string) string {
	req, err := http.NewRequest(http.MethodGet, a.url+path, nil)
	if err != nil {
		return ""
	}
	req.SetBasicAuth("fettle", "secret")
	resp, err := a.client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

// icingaState is what Icinga says of a host or service.
type icingaState struct {
	State       float64
	Output      string
	Performance []string
	Source      string
}

func (a *icingaAPI) service(host, name string) icingaState {
	return a.state("/objects/services/" + host + "!" + name)
}

func (a *icingaAPI) host(name string) icingaState { return a.state("/objects/hosts/" + name) }

func (a *icingaAPI) state(path string) icingaState {
	var answer struct {
		Results []struct {
			Attrs struct {
				State  float64
				Result struct {
					Output      string
					Performance []string `json:"performance_data"`
					Source      string   `json:"check_source"`
				} `json:"last_check_result"`
			}
		}
	}
	if json.Unmarshal([]byte(a.get(path)), &answer) != nil || len(answer.Results) != 1 {
		return icingaState{State: -1}
	}
	r := answer.Results[0].Attrs
	return icingaState{State: r.State, Output: r.Result.Output, Performance: r.Result.Performance, Source: r.Result.Source}
}
