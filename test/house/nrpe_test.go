//go:build integration

package house

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// askedCommands are what check_nrpe asks an agent for.
const askedCommands = `dont_blame_nrpe=1
command_timeout=2
command[dummy]=/bin/echo "OK fine|time=0.1s;1;2"
command[crit]=/bin/echo "CRIT down|a=1"; echo "more of it"; exit 2
command[arg]=/bin/echo "got:$ARG1$:$ARG2$"
command[long]=/bin/echo "OK long"; /usr/bin/seq 1 3000
command[slow]=/bin/sleep 30
command[odd]=/bin/echo "bad perfdata is the plugin's own|a=1 b=x c"
`

// TestCheckNRPEAsksAnAgent has Debian's check_nrpe ask an agent as it would ask NRPE.
func TestCheckNRPEAsksAnAgent(t *testing.T) {
	client := service(t, "FETTLE_TEST_CHECK_NRPE")
	dir := t.TempDir()
	config := filepath.Join(dir, "nrpe.cfg")
	if err := os.WriteFile(config, []byte(askedCommands), 0o644); err != nil {
		t.Fatal(err)
	}
	p := dev(t, "--identity", "n1.example.net", "--nrpe-listen", "127.0.0.1:0", "--nrpe-config", config)
	checkNRPE := func(t *testing.T, at string, args ...string) answer {
		t.Helper()
		host, port, err := net.SplitHostPort(at)
		if err != nil {
			t.Fatal(err)
		}
		return command(t, nil, client, append([]string{"-H", host, "-p", port, "-t", "10"}, args...)...)
	}
	asked := p.ready["nrpe"]

	for name, version := range map[string][]string{"version 4": nil, "version 3": {"-3"}, "version 2": {"-2"}} {
		t.Run(name, func(t *testing.T) {
			tests := []struct {
				args []string
				code int
				want string
			}{
				{nil, 0, "NRPE v4.1.0, answered by Fettle "},
				{[]string{"-c", "dummy"}, 0, "OK fine|time=0.1s;1;2\n"},
				{[]string{"-c", "crit"}, 2, "CRIT down|a=1\nmore of it\n"},
				{[]string{"-c", "odd"}, 0, "bad perfdata is the plugin's own|a=1 b=x c\n"},
				{[]string{"-c", "arg", "-a", "one", "two three"}, 0, "got:one:two three\n"},
				{[]string{"-c", "arg", "-a", "x; id"}, 3, "NRPE: command \"arg!x; id\": the character ';' may not be in a request"},
				{[]string{"-c", "arg", "-a", "$(id)"}, 3, `NRPE: command "arg": "$(" may not be in an argument`},
				{[]string{"-c", "nosuch"}, 3, "NRPE: Command 'nosuch' not defined\n"},
				{[]string{"-c", "check_uptime"}, 0, "UPTIME OK - up "},
				{[]string{"-c", "check_uptime", "-a", "-w", "999999999:"}, 1, "UPTIME WARNING - up "},
			}
			for _, tt := range tests {
				got := checkNRPE(t, asked, append(version, tt.args...)...)
				if got.code != tt.code || !strings.HasPrefix(got.stdout, tt.want) {
					t.Errorf("%q: got %d, %q; want %d, %q", tt.args, got.code, got.stdout, tt.code, tt.want)
				}
			}
		})
	}
	t.Run("more than a kilobyte, where the version has room for it", func(t *testing.T) {
		got := checkNRPE(t, asked, "-c", "long")
		if got.code != 0 || !strings.HasPrefix(got.stdout, "OK long\n1\n2\n") || !strings.HasSuffix(got.stdout, "\n2999\n3000\n") {
			t.Errorf("version 4: %d, %d bytes, ends in %q", got.code, len(got.stdout), got.stdout[max(0, len(got.stdout)-20):])
		}
		got = checkNRPE(t, asked, "-2", "-c", "long")
		if got.code != 0 || len(got.stdout) != 1024 { // with the newline of check_nrpe
			t.Errorf("version 2: %d, %d bytes", got.code, len(got.stdout))
		}
	})
	t.Run("a plugin that does not end", func(t *testing.T) {
		if got := checkNRPE(t, asked, "-c", "slow"); got.code != 3 || got.stdout != "NRPE: Command timed out after 2 seconds\n" {
			t.Errorf("got %d, %q", got.code, got.stdout)
		}
	})
	t.Run("without TLS", func(t *testing.T) {
		if got := checkNRPE(t, asked, "-n", "-c", "dummy"); got.code == 0 {
			t.Errorf("a listener with TLS answers: %q", got.stdout)
		}
		plain := startNRPE(t, p, t.TempDir(), "--nrpe-insecure", "--nrpe-config", config)
		if got := checkNRPE(t, plain, "-n", "-c", "dummy"); got.code != 0 || !strings.HasPrefix(got.stdout, "OK fine") {
			t.Errorf("got %d, %q", got.code, got.stdout)
		}
	})
	t.Run("arguments where the configuration is silent", func(t *testing.T) {
		closed := filepath.Join(dir, "closed.cfg")
		if err := os.WriteFile(closed, []byte("command[arg]=/bin/echo \"got:$ARG1$\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		at := startNRPE(t, p, t.TempDir(), "--nrpe-config", closed)
		if got := checkNRPE(t, at, "-c", "arg", "-a", "x"); got.code != 3 || !strings.Contains(got.stdout, "dont_blame_nrpe") {
			t.Errorf("got %d, %q", got.code, got.stdout)
		}
		if got := checkNRPE(t, at, "-c", "check_uptime", "-a", "-w", "1"); got.code != 3 || !strings.Contains(got.stdout, "dont_blame_nrpe") {
			t.Errorf("a built-in command: %d, %q", got.code, got.stdout)
		}
		if got := checkNRPE(t, at, "-c", "arg"); got.code != 0 || got.stdout != "got:\n" {
			t.Errorf("no arguments: %d, %q", got.code, got.stdout)
		}
	})
	t.Run("an address that is not allowed", func(t *testing.T) {
		at := startNRPE(t, p, t.TempDir(), "--nrpe-allow", "192.0.2.7", "--nrpe-config", config)
		if got := checkNRPE(t, at, "-c", "dummy"); got.code == 0 || strings.Contains(got.stdout, "OK fine") {
			t.Errorf("got %d, %q", got.code, got.stdout)
		}
	})
	t.Run("certificates of those who ask", func(t *testing.T) {
		ca, cert, key := clientCertificate(t, dir)
		at := startNRPE(t, p, t.TempDir(), "--nrpe-client-ca", ca, "--nrpe-config", config)
		if got := checkNRPE(t, at, "-c", "dummy"); got.code == 0 {
			t.Errorf("it answers without one: %q", got.stdout)
		}
		if got := checkNRPE(t, at, "-C", cert, "-K", key, "-c", "dummy"); got.code != 0 || !strings.HasPrefix(got.stdout, "OK fine") {
			t.Errorf("with one: %d, %q", got.code, got.stdout)
		}
	})
	t.Run("the agent's own certificate vouches for it", func(t *testing.T) {
		state := t.TempDir()
		at := startNRPE(t, p, state, "--nrpe-config", config)
		if got := checkNRPE(t, at, "-A", filepath.Join(state, "nrpe.pem"), "-c", "dummy"); got.code != 0 || !strings.HasPrefix(got.stdout, "OK fine") {
			t.Errorf("got %d, %q", got.code, got.stdout)
		}
	})
}

// startNRPE starts an agent of server that answers check_nrpe, with its state in dir, and gives where.
func startNRPE(t *testing.T, server *process, state string, args ...string) string {
	t.Helper()
	secret := filepath.Join(filepath.Dir(server.ready["context"]), "broker.secret")
	return start(t, append([]string{
		"agent", "--server", server.ready["stomp"], "--secret-file", secret, "--state", state, "--identity", strings.ToLower(rand.Text()), "--nrpe-listen", "127.0.0.1:0",
	}, args...)...).ready["nrpe"]
}

// clientCertificate makes an authority, and a certificate of it with its key, as files in PEM.
func clientCertificate(t *testing.T, dir string) (ca, cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	client := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "nagios"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	write := func(name, kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &private.PublicKey, private)
	ca = write("client-ca.pem", "CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, client, authority, &private.PublicKey, private)
	cert = write("client.pem", "CERTIFICATE", der, err)
	der, err = x509.MarshalPKCS8PrivateKey(private)
	key = write("client.key", "PRIVATE KEY", der, err)
	return ca, cert, key
}
