package agent

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestWhomTheConnectionBelieves(t *testing.T) {
	own := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	for name, row := range map[string]struct {
		broker string
		tls    *tls.Config
		pinned bool
	}{
		"the server's broker has the server's certificate":                   {"embedded", nil, true},
		"the settings come first":                                            {"embedded", own, false},
		"a foreign broker is believed by the system's authorities":           {"rabbitmq", nil, false},
		"a foreign broker is believed by those of the settings where it has": {"activemq", own, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Broker, cfg.TLS, cfg.Join.CA = row.broker, row.tls, make([]byte, 32)
			got := cfg.believes("")
			if pinned := got != nil && got != row.tls; pinned != row.pinned || !pinned && got != row.tls {
				t.Errorf("pinned to the server's authority: %v, want %v", pinned, row.pinned)
			}
		})
	}
}
