//go:build integration

package house

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// stranger is a node that a test plays, by hand: it has keys, and the passcode that it got by them.
type stranger struct {
	id       fettle.NodeID
	keys     trust.NodeKeys
	passcode string
}

// connect is the frame with which it logs in.
func (s stranger) connect() string { return connectFrame(string(s.id), s.passcode, string(s.id)) }

func connectFrame(login, passcode, clientID string) string {
	head := "CONNECT\naccept-version:1.2\nhost:h\nlogin:" + login + "\npasscode:" + passcode + "\n"
	if clientID != "" {
		head += "client-id:" + clientID + "\n"
	}
	return head + "\n\x00"
}

// says gives the frame with which it sends a message in somebody's name, signed by its own key.
func (s stranger) says(t *testing.T, as, destination string, kind wire.Type, body any) string {
	t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: as, To: wire.Server, At: fettle.MillisOf(time.Now())}, body, s.keys.Signer())
	if err != nil {
		t.Fatal(err)
	}
	head := "SEND\ndestination:" + destination + "\nreceipt:r1\n"
	for _, f := range m.Header {
		head += f.Name + ":" + strings.ReplaceAll(f.Value, ":", "\\c") + "\n"
	}
	return fmt.Sprintf("%scontent-length:%d\n\n%s\x00", head, len(m.Body), m.Body)
}

// joinToken is the join token of this machine's administrator.
func (p *place) joinToken() trust.JoinToken {
	p.t.Helper()
	_, passcode, _ := strings.Cut(strings.TrimSpace(read(p.t, p.secret())), ":")
	token, err := trust.ParseJoinToken(passcode)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// join enrols a node that the test plays.
func (p *place) join(identity string) stranger {
	p.t.Helper()
	keys, err := trust.NewNodeKeys()
	if err != nil {
		p.t.Fatal(err)
	}
	s, token := stranger{id: fettle.NodeID(identity), keys: keys}, p.joinToken()
	conn, err := net.DialTimeout("tcp", p.stomp, patience)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	ask := wire.Enrol{
		Token: token.ID, Sign: keys.SignPublic(), Seal: keys.SealPublic(),
		Proof: trust.EnrolProof(token.Secret, s.id, keys.SignPublic(), keys.SealPublic()),
	}
	answer := wire.Destinations{}.Join(keys.ID())
	_, err = conn.Write([]byte(connectFrame(trust.JoinLogin, token.LoginPasscode(keys.ID()), trust.JoinClientID(keys.ID())) +
		"SUBSCRIBE\nid:1\nack:auto\ndestination:" + answer + "\n\n\x00" +
		s.says(p.t, identity, wire.Destinations{}.Enrol(), wire.TypeEnrol, ask)))
	if err != nil {
		p.t.Fatal(err)
	}
	verifier := trust.NewPinned(p.root(), 0, func() (fettle.Millis, bool) { return fettle.MillisOf(time.Now()), true })
	for in := frame.NewReader(bufio.NewReader(conn)); s.passcode == ""; {
		f, err := in.Read()
		switch {
		case err != nil:
			p.t.Fatalf("join %s: %v", identity, err)
		case f == nil || f.Command != frame.MESSAGE:
			if f != nil && f.Command == frame.ERROR {
				p.t.Fatalf("join %s: %s", identity, f.Body)
			}
			continue
		}
		m := wire.Message{Body: f.Body}
		for i := range f.Header.Len() {
			name, value := f.Header.GetAt(i)
			m.Header = append(m.Header, wire.Field{Name: name, Value: value})
		}
		env, err := wire.Open(m, verifier, fettle.MillisOf(time.Now()))
		if err != nil {
			p.t.Fatal(err)
		}
		var enrolled wire.Enrolled
		if err := env.Decode(&enrolled); err != nil || enrolled.Status != wire.EnrolledYes {
			p.t.Fatalf("join %s: %+v, %v", identity, enrolled, err)
		}
		if s.passcode, err = keys.OpenPasscode(enrolled.Passcode); err != nil {
			p.t.Fatal(err)
		}
	}
	return s
}

// root is the public key of the fleet, from the server's own file.
func (p *place) root() []byte {
	p.t.Helper()
	keys, err := trust.OpenAuthority(p.state, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return keys.Root()
}

// TestCrossings has clients of each kind try what only others may. The broker says so and hangs up, or, where the message itself is false, it
// becomes a dead letter.
func TestCrossings(t *testing.T) {
	p := newPlace(t)
	server := p.open()
	start(t, p.agent("victim")...)
	p.alive("victim")
	node := p.join("thief")
	token, joinKeys := p.joinToken(), node.keys.ID()
	joins := connectFrame(trust.JoinLogin, token.LoginPasscode(joinKeys), trust.JoinClientID(joinKeys))
	reads := func(destination string) string { return "SUBSCRIBE\nid:1\ndestination:" + destination + "\n\n\x00" }
	sends := func(destination string) string {
		return "SEND\ndestination:" + destination + "\nreceipt:r1\ncontent-length:2\n\n{}\x00"
	}
	for name, row := range map[string]struct{ bytes, want string }{
		"a node that reads another's queue":                 {node.connect() + reads("/queue/fettle.node.victim"), "may read its own queue"},
		"a node that reads a collecting queue":              {node.connect() + reads("/queue/fettle.results"), "read by the server itself"},
		"a node that reads another's enrolment":             {node.connect() + reads("/queue/fettle.join."+strings.Repeat("0", 32)), "may read its own queue"},
		"a node that sends a task":                          {node.connect() + sends("/queue/fettle.node.victim"), "may send to the collecting queues only"},
		"a node that speaks to all":                         {node.connect() + sends("/topic/fettle.all"), "may send to the collecting queues only"},
		"a joining connection that reads a node's queue":    {joins + reads("/queue/fettle.node.victim"), "who joins may read"},
		"a joining connection that reads another's answer":  {joins + reads("/queue/fettle.join."+strings.Repeat("0", 32)), "who joins may read"},
		"a joining connection that hears what all are told": {joins + reads("/topic/fettle.all"), "who joins may read"},
		"a joining connection that sends facts":             {joins + sends("/queue/fettle.facts"), "who joins may send to"},
		"a joining connection that sends a result":          {joins + sends("/queue/fettle.results"), "who joins may send to"},
		"a node by the passcode of another":                 {connectFrame("victim", node.passcode, "victim"), "the passcode is not right"},
		"a node by the administrator's secret":              {connectFrame("fettle", token.String(), "victim"), "a node logs in with its identity"},
		"a node by the join token itself":                   {connectFrame("victim", token.String(), "victim"), "passcode"},
		"a node that calls itself server":                   {connectFrame("server", node.passcode, "server"), "the server's own name"},
		"a machine that joins by a passcode of its own":     {connectFrame(trust.JoinLogin, token.ID+"."+strings.Repeat("A", 43), trust.JoinClientID(joinKeys)), "proof is not right"},
	} {
		t.Run(name, func(t *testing.T) {
			if said := frames(t, p.stomp, row.bytes); !strings.Contains(said, row.want) {
				t.Errorf("the broker said %q, want %q in it", said, row.want)
			}
		})
	}
	bye := "DISCONNECT\nreceipt:bye\n\n\x00"
	facts := wire.Facts{Session: wire.NewID(), Seq: 1, Full: []byte(`{"a":1}`), Hash: "x"}
	result := wire.Results{Session: wire.NewID(), Seq: 1, Results: []fettle.Result{{Task: "t", Node: "victim"}}}
	enrol := wire.Enrol{
		Token: token.ID, Sign: node.keys.SignPublic(), Seal: node.keys.SealPublic(),
		Proof: trust.EnrolProof(token.Secret, "victim", node.keys.SignPublic(), node.keys.SealPublic()),
	}
	unsigned := "SEND\ndestination:/queue/fettle.facts\nreceipt:r1\ncontent-length:2\n\n{}\x00"
	for i, row := range []struct{ name, bytes string }{
		{"a node that sends another's facts", node.says(t, "victim", "/queue/fettle.facts", wire.TypeFacts, facts)},
		{"a node that sends another's result", node.says(t, "victim", "/queue/fettle.results", wire.TypeResults, result)},
		{"a node that sends another's enrolment", node.says(t, "victim", "/queue/fettle.enrol", wire.TypeEnrol, enrol)},
		{"a node that speaks as the server", node.says(t, "server", "/queue/fettle.facts", wire.TypeBeat, wire.Beat{})},
		{"a node that signs nothing", unsigned},
	} {
		t.Run(row.name, func(t *testing.T) {
			if said := frames(t, p.stomp, node.connect()+row.bytes+bye); !strings.Contains(said, "receipt-id:r1") {
				t.Fatalf("it is not receipted, and would come again for ever: %q", said)
			}
			eventually(t, "it is a dead letter", func() bool {
				return strings.Contains(get(t, server.ready["http"]+"/metrics", ""), fmt.Sprintf("fettle_server_dead_letters_total %d\n", i+1))
			})
		})
	}
	t.Run("the victim never notices", func(t *testing.T) {
		if run := p.ran("agent.ping", nil); run.Tally.OK != 1 {
			t.Errorf("%+v", run)
		}
	})
}
