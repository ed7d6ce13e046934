package broker

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
)

// FuzzSession gives a connection any bytes, after a login or not, and another one that subscribes to everything the seeds name. Whatever
// they say, nothing panics, everything ends, and nothing is left over.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"SEND\ndestination:/queue/a\n\nhi\x00SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n\n\x00ACK\nid:1-1\n\n\x00NACK\nid:1-1\n\n\x00",
		"BEGIN\ntransaction:t\n\n\x00SEND\ntransaction:t\ndestination:/queue/a\n\nx\x00SEND\ntransaction:t\ndestination:/topic/a\n\nx\x00COMMIT\ntransaction:t\n\n\x00",
		"BEGIN\ntransaction:t\n\n\x00SEND\ntransaction:t\ndestination:/queue/a\n\nx\x00ABORT\ntransaction:t\n\n\x00",
		"SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\x00SEND\nreceipt:1\ndestination:/topic/a\ncontent-length:3\n\na\x00b\x00UNSUBSCRIBE\nid:1\n\n\x00DISCONNECT\nreceipt:2\n\n\x00",
		"SEND\ndestination:/queue/collected\nreceipt:1\n\n1\x00SEND\ndestination:/queue/collected\nreceipt:2\n\n2\x00",
		"SUBSCRIBE\nid:1\ndestination:/queue/node.a\nprefetch-count:1\n\n\x00SEND\ndestination:/queue/node.a\n\nx\x00SEND\ndestination:/queue/node.a\n\nx\x00",
		"SEND\ndestination:/queue/a\ncontent-length:300000\n\nx",
	} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, how uint8) {
		synctest.Test(t, func(t *testing.T) { fuzzSession(t, data, how) })
	})
}

func fuzzSession(t *testing.T, data []byte, how uint8) {
	cfg := testConfig()
	cfg.AfterLogin.Body = 300_000
	cfg.MaxOut, cfg.MaxInflight, cfg.MaxUncommitted, cfg.MaxQueueMessages, cfg.Credit = 1<<20, 400_000, 2, 5, 2
	b, err := New(cfg, house{}, &desk{auto: true}, &doors{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dial := func(say ...string) {
		here, there := net.Pipe()
		go b.ServeConn(ctx, there)
		go func() { _, _ = io.Copy(io.Discard, here) }()
		go func() {
			for _, s := range say {
				if _, err := io.WriteString(here, s); err != nil {
					break
				}
			}
			if how&4 == 0 {
				_ = here.Close()
			}
		}()
	}
	login := "CONNECT\nclient-id:web1\npasscode:secret\nheart-beat:20000,20000\naccept-version:1." + string('1'+rune(how&1)) + "\n\n\x00"
	if how&2 == 0 {
		dial(login, string(data))
	} else {
		cut := len(data) / 2
		dial(string(data[:cut]), string(data[cut:]))
		dial(login, "SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\x00SUBSCRIBE\nid:2\ndestination:/topic/a\n\n\x00", string(data))
	}
	synctest.Wait()
	cancel()
	for range 5 {
		pass(cfg.DrainTimeout)
		synctest.Wait()
	}
	s := b.Stats()
	if s.Panics != 0 || s.Connections != 0 || s.Sessions != 0 || s.Subscriptions != 0 || s.OutBytes != 0 || s.InflightBytes != 0 {
		t.Errorf("left over: %+v", s)
	}
	n, bytes := 0, 0
	for _, d := range b.Destinations() {
		if d.Kind == KindCollected && d.Messages == 0 && d.Bytes == 0 {
			continue // they are always there
		}
		n, bytes = n+d.Messages, bytes+d.Bytes
		if d.Messages == 0 || d.Consumers != 0 || d.Pending != 0 || d.Messages > cfg.MaxQueueMessages {
			t.Errorf("an idle or overfull destination: %+v", d)
		}
	}
	if n != s.HeldMessages || bytes != s.HeldBytes {
		t.Errorf("held %d messages of %d bytes, and the queues have %d of %d", s.HeldMessages, s.HeldBytes, n, bytes)
	}
}
