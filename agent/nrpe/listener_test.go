package nrpe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// serving runs a listener on loopback until the test ends, and gives where it is.
func serving(t *testing.T, cfg Config, answer Answer, log *slog.Logger) (*Listener, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(cfg, answer, log)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l, ln.Addr().String()
}

// echo answers with the question, and critical.
func echo(_ context.Context, question, _ string) (fettle.CheckCode, string) {
	return fettle.CodeCritical, "asked: " + question
}

// ask sends a question and reads the answer.
func ask(t *testing.T, conn net.Conn, question nagios.NRPEPacket) (nagios.NRPEPacket, error) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(question.Append(nil)); err != nil {
		return nagios.NRPEPacket{}, err
	}
	return nagios.ReadNRPEPacket(conn)
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestListenerAnswersEachVersion(t *testing.T) {
	l, address := serving(t, Config{Version: "1.2"}, echo, nil)
	for version := 2; version <= 4; version++ {
		conn := dial(t, address)
		got, err := ask(t, conn, nagios.NRPEPacket{Version: version, Text: "check_load!1"})
		want := nagios.NRPEPacket{Version: version, Answer: true, Code: fettle.CodeCritical, Text: "asked: check_load!1"}
		if err != nil || got != want {
			t.Errorf("version %d: got %+v, %v", version, got, err)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF { //nolint:errorlint // as net has it
			t.Errorf("version %d: the connection stays: %d, %v", version, n, err)
		}
	}
	got, err := ask(t, dial(t, address), nagios.NRPEPacket{Version: 4, Text: Hello})
	if err != nil || got.Code != fettle.CodeOK || !strings.HasPrefix(got.Text, "NRPE v4.1.0") || !strings.HasSuffix(got.Text, "Fettle 1.2") {
		t.Errorf("who is there: %+v, %v", got, err)
	}
	if n := l.Counts.Answered.Load(); n != 4 {
		t.Errorf("%d were answered", n)
	}
}

func TestListenerRefuses(t *testing.T) {
	var log bytes.Buffer
	elsewhere := Config{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	l, address := serving(t, elsewhere, echo, slog.New(slog.NewTextHandler(&log, nil)))
	for range 3 {
		if _, err := ask(t, dial(t, address), nagios.NRPEPacket{Version: 4, Text: "x"}); err == nil {
			t.Error("an address that is not allowed has an answer")
		}
	}
	eventually(t, "three refusals are counted", func() bool { return l.Counts.Refused.Load() == 3 })
	if n := strings.Count(log.String(), "not among those allowed"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, &log)
	}

	l, address = serving(t, Config{}, echo, nil)
	t.Run("what is no question", func(t *testing.T) {
		conn := dial(t, address)
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); len(got) > 0 {
			t.Errorf("it is answered: %q, %v", got, err)
		}
		eventually(t, "it is counted", func() bool { return l.Counts.Broken.Load() == 1 })
	})
	t.Run("an answer", func(t *testing.T) {
		if _, err := ask(t, dial(t, address), nagios.NRPEPacket{Version: 4, Answer: true, Text: "OK"}); err == nil {
			t.Error("it is answered")
		}
		eventually(t, "it is counted", func() bool { return l.Counts.Broken.Load() == 2 })
	})
	t.Run("someone who says nothing for too long", func(t *testing.T) {
		hasty, address := serving(t, Config{Patience: 50 * time.Millisecond}, echo, nil)
		if got, err := io.ReadAll(dial(t, address)); len(got) > 0 || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		eventually(t, "it is counted", func() bool { return hasty.Counts.Broken.Load() == 1 })
	})
	t.Run("a probe of the port", func(t *testing.T) {
		_ = dial(t, address).Close()
		if _, err := ask(t, dial(t, address), nagios.NRPEPacket{Version: 2, Text: "x"}); err != nil {
			t.Error(err)
		}
		if n := l.Counts.Broken.Load(); n != 2 {
			t.Errorf("it counts as broken: %d", n)
		}
	})
}

func TestListenerIsBounded(t *testing.T) {
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	slow := func(ctx context.Context, question, _ string) (fettle.CheckCode, string) {
		entered <- struct{}{}
		select {
		case <-leave:
		case <-ctx.Done():
		}
		return fettle.CodeOK, question
	}
	l, address := serving(t, Config{Connections: 2}, slow, nil)
	busy := []net.Conn{dial(t, address), dial(t, address)}
	for _, conn := range busy {
		if _, err := conn.Write(nagios.NRPEPacket{Version: 4, Text: "slow"}.Append(nil)); err != nil {
			t.Fatal(err)
		}
		<-entered
	}
	if got, err := io.ReadAll(dial(t, address)); len(got) > 0 {
		t.Errorf("a third is answered: %q, %v", got, err)
	}
	eventually(t, "the third is counted", func() bool { return l.Counts.Crowded.Load() == 1 })
	close(leave)
	for _, conn := range busy {
		if got, err := nagios.ReadNRPEPacket(conn); err != nil || got.Text != "slow" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}

func TestListenerSurvivesAPanic(t *testing.T) {
	_, address := serving(t, Config{}, func(_ context.Context, question, _ string) (fettle.CheckCode, string) {
		if question == "bad" {
			panic("bad")
		}
		return fettle.CodeOK, "good"
	}, nil)
	if got, err := ask(t, dial(t, address), nagios.NRPEPacket{Version: 4, Text: "bad"}); err == nil {
		t.Errorf("got %+v", got)
	}
	if got, err := ask(t, dial(t, address), nagios.NRPEPacket{Version: 4, Text: "good"}); err != nil || got.Text != "good" {
		t.Errorf("after it: %+v, %v", got, err)
	}
}

func TestListenerEndsWithItsAnswers(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan struct{})
	l := New(Config{}, func(ctx context.Context, _, _ string) (fettle.CheckCode, string) {
		close(entered)
		<-ctx.Done()
		return fettle.CodeUnknown, "ended"
	}, nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, ln) }()
	conn := dial(t, ln.Addr().String())
	if _, err := conn.Write(nagios.NRPEPacket{Version: 4, Text: "wait"}.Append(nil)); err != nil {
		t.Fatal(err)
	}
	<-entered
	idle := dial(t, ln.Addr().String()) // says nothing
	_ = idle
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not end")
	}
}

func TestListenerSpeaksTLS(t *testing.T) {
	own := filepath.Join(t.TempDir(), "nrpe.pem")
	cfg, err := TLS(Files{Own: own, Name: "n1.example.net"})
	if err != nil {
		t.Fatal(err)
	}
	l, address := serving(t, Config{TLS: cfg}, echo, nil)
	pem, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(own); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file with the key: %v, %v", info.Mode(), err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conn := tls.Client(dial(t, address), &tls.Config{RootCAs: roots, ServerName: "n1.example.net", MinVersion: version, MaxVersion: version})
		if got, err := ask(t, conn, nagios.NRPEPacket{Version: 2, Text: "x"}); err != nil || got.Text != "asked: x" {
			t.Errorf("%s: %+v, %v", tls.VersionName(version), got, err)
		}
	}
	if _, err := ask(t, dial(t, address), nagios.NRPEPacket{Version: 2, Text: "x"}); err == nil {
		t.Error("it answers without TLS")
	}
	eventually(t, "it is counted", func() bool { return l.Counts.Broken.Load() == 1 })
	before := pem
	if _, err := TLS(Files{Own: own, Name: "n1.example.net"}); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(own); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the certificate is made anew at each start: %v", err)
	}
}

func TestTLSRefuses(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "own.pem")
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]Files{
		"a certificate that is not there":   {Cert: filepath.Join(dir, "nowhere"), Key: filepath.Join(dir, "nowhere")},
		"a certificate that is none":        {Cert: empty, Key: empty},
		"an authority that is not there":    {Own: own, Name: "n", ClientCA: filepath.Join(dir, "nowhere")},
		"an authority without certificates": {Own: own, Name: "n", ClientCA: empty},
	} {
		if _, err := TLS(f); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseAllow(t *testing.T) {
	got, err := ParseAllow([]string{"10.1.2.3", "10.0.0.0/8", "::1", "fd00::/8"})
	if err != nil || len(got) != 4 || got[0].String() != "10.1.2.3/32" || got[2].String() != "::1/128" {
		t.Errorf("got %v, %v", got, err)
	}
	for _, word := range []string{"", "nagios.example.net", "10.0.0.1/8", "10.0.0.0/33", "fe80::1%eth0", "::ffff:10.0.0.1"} {
		if got, err := ParseAllow([]string{word}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q: got %v, %v", word, got, err)
		}
	}
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}
