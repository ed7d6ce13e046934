package broker

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestConnect holds what comes before and with the login.
func TestConnect(t *testing.T) {
	r := newRig(t, nil)
	const who = "login:joe\npasscode:secret\n"
	for _, c := range []struct {
		name, send, err string
		want            map[string]string
	}{
		{name: "1.2", send: "CONNECT\naccept-version:1.2\n" + who + "\n\x00", want: map[string]string{"version": "1.2"}},
		{name: "the newest that both speak", send: "STOMP\naccept-version:1.0,1.1,1.2,9.9\n" + who + "\n\x00", want: map[string]string{"version": "1.2"}},
		{name: "1.1", send: "CONNECT\naccept-version:1.0,1.1\n" + who + "\n\x00", want: map[string]string{"version": "1.1"}},
		{name: "CR LF", send: "CONNECT\r\naccept-version:1.2\r\nlogin:joe\r\npasscode:secret\r\n\r\n\x00", want: map[string]string{"version": "1.2"}},
		{name: "heart-beats are offered", send: "CONNECT\naccept-version:1.2\nheart-beat:1000,1000\n" + who + "\n\x00", want: map[string]string{"heart-beat": "15000,15000"}},
		{name: "the first header counts", send: "CONNECT\naccept-version:1.2\n" + who + "passcode:wrong\n\n\x00", want: map[string]string{"version": "1.2"}},
		{name: "no version", send: "CONNECT\n" + who + "\n\x00", err: "the broker speaks STOMP 1.1,1.2"},
		{name: "an old version", send: "CONNECT\naccept-version:1.0\n" + who + "\n\x00", err: "the broker speaks STOMP 1.1,1.2"},
		{name: "bad heart-beats", send: "CONNECT\naccept-version:1.2\nheart-beat:a,b\n" + who + "\n\x00", err: "is not two numbers"},
		{name: "one heart-beat", send: "CONNECT\naccept-version:1.2\nheart-beat:5\n" + who + "\n\x00", err: "is not two numbers"},
		{name: "a wrong passcode", send: "CONNECT\naccept-version:1.2\nlogin:joe\npasscode:x\n\n\x00", err: "wrong passcode"},
		{name: "no passcode", send: "CONNECT\naccept-version:1.2\n\n\x00", err: "wrong passcode"},
		{name: "a bad identity", send: "CONNECT\naccept-version:1.2\nclient-id:-x\n" + who + "\n\x00", err: "is not allowed"},
		{name: "SEND first", send: "SEND\ndestination:/queue/a\n\n\x00", err: "CONNECT has to come first"},
		{name: "a body before the login", send: "SEND\ndestination:/queue/a\ncontent-length:4000000000\n\n", err: "the body has more than 0 bytes"},
		{name: "a long header before the login", send: "CONNECT\na:" + strings.Repeat("x", 5000) + "\n\n\x00", err: "the headers have more than 4096 bytes"},
		{name: "a web browser", send: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", err: `"GET / HTTP/1.1" is no command`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := r.dial()
			cl.t = t
			cl.send(c.send)
			if c.err != "" {
				cl.wantError(c.err)
				return
			}
			g := cl.want("CONNECTED")
			for name, value := range c.want {
				if g.header[name] != value {
					t.Errorf("%s is %q, want %q", name, g.header[name], value)
				}
			}
		})
	}
	if n := r.Stats().RefusedLogins; n[refusedDenied] != 2 || n[refusedInvalid] != 3 {
		t.Errorf("logins were refused: %v", n)
	}
}

// TestFaults holds that each wrong frame gets an ERROR that says so, with the receipt that was asked for, and ends the connection.
func TestFaults(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct{ name, send, err string }{
		{"a second CONNECT", "CONNECT\naccept-version:1.2\nreceipt:9\n\n\x00", "logged in already"},
		{"SEND without a destination", "SEND\nreceipt:9\n\nx\x00", `destination "" does not begin with /topic/ or /queue/`},
		{"SEND to nowhere", "SEND\nreceipt:9\ndestination:/exchange/x\n\nx\x00", "does not begin with"},
		{"SEND to nobody", "SEND\nreceipt:9\ndestination:/queue/\n\nx\x00", "does not begin with"},
		{"SEND to a long name", "SEND\nreceipt:9\ndestination:/queue/" + strings.Repeat("x", 600) + "\n\nx\x00", "the destination has 607 bytes"},
		{"SEND to a name of two lines", "SEND\nreceipt:9\ndestination:/queue/a\\nb\n\nx\x00", "control character"},
		{"SEND where one may not", "SEND\nreceipt:9\ndestination:/queue/private\n\nx\x00", "SEND: /queue/private: nobody may: denied"},
		{"SEND of too much", "SEND\nreceipt:9\ndestination:/queue/a\ncontent-length:4194305\n\nx", "the body has more than 4194304 bytes"},
		{"a transaction with a collected queue", "BEGIN\ntransaction:t\n\n\x00SEND\nreceipt:9\ndestination:/queue/collected\ntransaction:t\n\nx\x00", "takes no transactions"},
		{"SUBSCRIBE without an id", "SUBSCRIBE\nreceipt:9\ndestination:/queue/a\n\n\x00", "the header id is missing"},
		{"SUBSCRIBE without a destination", "SUBSCRIBE\nreceipt:9\nid:1\n\n\x00", "does not begin with"},
		{"SUBSCRIBE where one may not", "SUBSCRIBE\nreceipt:9\nid:1\ndestination:/queue/private\n\n\x00", "SUBSCRIBE: /queue/private: nobody may: denied"},
		{"SUBSCRIBE to a collected queue", "SUBSCRIBE\nreceipt:9\nid:1\ndestination:/queue/collected\n\n\x00", "is collected by the server"},
		{"SUBSCRIBE twice", "SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\x00SUBSCRIBE\nreceipt:9\nid:1\ndestination:/queue/b\n\n\x00", `with the id "1" already`},
		{"SUBSCRIBE with a strange ack", "SUBSCRIBE\nreceipt:9\nid:1\nack:no\ndestination:/queue/a\n\n\x00", `ack "no" is none of`},
		{"SUBSCRIBE with a strange credit", "SUBSCRIBE\nreceipt:9\nid:1\nprefetch-count:-1\ndestination:/queue/a\n\n\x00", `prefetch-count "-1" is no number`},
		{"SUBSCRIBE with a selector", "SUBSCRIBE\nreceipt:9\nid:1\nselector:a=b\ndestination:/queue/a\n\n\x00", "the broker has no selectors"},
		{"UNSUBSCRIBE from nothing", "UNSUBSCRIBE\nreceipt:9\nid:7\n\n\x00", `no subscription with the id "7"`},
		{"ACK of nothing", "ACK\nreceipt:9\n\n\x00", `the header id is ""`},
		{"ACK of what never was", "ACK\nreceipt:9\nid:1-1\n\n\x00", `the header id is "1-1"`},
		{"NACK of garbage", "NACK\nreceipt:9\nid:a-b\n\n\x00", `the header id is "a-b"`},
		{"ACK in no transaction", "SUBSCRIBE\nid:1\nack:client\ndestination:/queue/a\n\n\x00ACK\nreceipt:9\nid:1-1\ntransaction:x\n\n\x00", `transaction "x" is not open`},
		{"BEGIN without a name", "BEGIN\nreceipt:9\n\n\x00", "the header transaction is missing"},
		{"BEGIN twice", "BEGIN\ntransaction:t\n\n\x00BEGIN\nreceipt:9\ntransaction:t\n\n\x00", "is open already"},
		{"SEND in no transaction", "SEND\nreceipt:9\ndestination:/queue/a\ntransaction:t\n\n\x00", `transaction "t" is not open`},
		{"COMMIT of nothing", "COMMIT\nreceipt:9\ntransaction:t\n\n\x00", `transaction "t" is not open`},
		{"ABORT of nothing", "ABORT\nreceipt:9\ntransaction:t\n\n\x00", `transaction "t" is not open`},
		{"a body without an end", "SEND\nreceipt:9\ndestination:/queue/a\ncontent-length:1\n\nxy", "no NUL stands after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := r.login("")
			cl.t = t
			cl.send(c.send)
			g := cl.wantError(c.err)
			if g.header["receipt-id"] != "9" || g.header["content-type"] != "text/plain" {
				t.Errorf("got %v", g)
			}
			if command := strings.Fields(c.send[strings.LastIndex(c.send[:strings.Index(c.send, "receipt:9")], "\x00")+1:])[0]; !strings.Contains(g.body, "The frame was: "+command+"\n") {
				t.Errorf("the body does not name %s: %q", command, g.body)
			}
		})
	}
}

func TestFaultsOf11(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct{ name, send, err string }{
		{"ACK without a subscription", "ACK\nmessage-id:" + r.prefix + "-1\n\n\x00", "the header subscription is missing"},
		{"ACK of a strange message", "ACK\nmessage-id:1\nsubscription:1\n\n\x00", `the header message-id is "1"`},
		{"an escape of 1.2", "SEND\ndestination:/queue/a\\r\n\n\x00", "is no escape of STOMP 1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := r.login("accept-version:1.1\n")
			cl.t = t
			cl.send(c.send)
			cl.wantError(c.err)
		})
	}
}

func TestMessageHeaders(t *testing.T) {
	r := newRig(t, nil)
	c := r.login("")
	c.send("SUBSCRIBE\nid:s\\c1\ndestination:/topic/a\n\n\x00")
	c.send("SEND\ndestination:/topic/a\ncontent-type:text/plain\ncontent-length:3\nreceipt:r1\nfoo:one\nfoo:two\nfettle-sender:root\nmessage-id:7\nodd\\c:\\n\\r\n\na\x00b\x00")
	g := c.want("MESSAGE")
	if !strings.HasPrefix(g.header["message-id"], r.prefix+"-") {
		t.Errorf("the id is %q", g.header["message-id"])
	}
	delete(g.header, "message-id")
	want := map[string]string{
		"subscription": `s\c1`, "destination": "/topic/a", "content-type": "text/plain", "content-length": "3",
		"foo": "one", "fettle-sender": "@joe", `odd\c`: `\n\r`,
	}
	if diff := cmp.Diff(want, g.header); diff != "" || g.body != "a\x00b" {
		t.Errorf("body %q, headers (-want +got):\n%s", g.body, diff)
	}
	if g := c.want("RECEIPT"); g.header["receipt-id"] != "r1" {
		t.Errorf("got %v", g)
	}
}

func TestMessageHeaderTo11(t *testing.T) {
	r := newRig(t, nil)
	old, c := r.login("accept-version:1.1\n"), r.login("")
	old.send("SUBSCRIBE\nid:1\nreceipt:1\ndestination:/topic/a\n\n\x00")
	old.want("RECEIPT")
	c.send("SEND\ndestination:/topic/a\nodd:a\\rb\\cc\n\n\x00")
	if g := old.want("MESSAGE"); g.header["odd"] != "a\rb\\cc" {
		t.Errorf("the header is %q: 1.1 has no escape for a carriage return", g.header["odd"])
	}
}

func TestDisconnect(t *testing.T) {
	r := newRig(t, nil)
	t.Run("with a receipt", func(t *testing.T) {
		c := r.login("")
		c.send("DISCONNECT\nreceipt:bye\n\n\x00")
		if g := c.want("RECEIPT"); g.header["receipt-id"] != "bye" {
			t.Errorf("got %v", g)
		}
		c.wantEnd()
	})
	t.Run("without", func(t *testing.T) {
		c := r.login("")
		c.send("DISCONNECT\n\n\x00")
		c.wantEnd()
	})
	t.Run("after what was sent before is committed", func(t *testing.T) {
		c := r.login("")
		c.send("SEND\nreceipt:1\ndestination:/queue/collected\n\nx\x00DISCONNECT\nreceipt:2\n\n\x00")
		until(t, "commit", func() bool { return r.desk.count() == 1 })
		r.desk.finish(1, nil)
		for _, id := range []string{"1", "2"} {
			if g := c.want("RECEIPT"); g.header["receipt-id"] != id {
				t.Errorf("got %v, want the receipt %s", g, id)
			}
		}
		c.wantEnd()
	})
	t.Run("by closing, with what was asked for still on its way", func(t *testing.T) {
		c := r.login("")
		c.send("SEND\nreceipt:1\ndestination:/topic/a\n\nx\x00")
		_ = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
		c.want("RECEIPT")
		c.wantEnd()
	})
}
