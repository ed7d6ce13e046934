package wire_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

const now fettle.Millis = 1_763_700_000_123

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

// ring holds server's key 1 and web1's key 2.
func ring() wire.KeyRing {
	return wire.KeyRing{
		"s1": {Owner: wire.Server, Key: key(1).Public().(ed25519.PublicKey)},
		"n1": {Owner: "web1.acme.net", Key: key(2).Public().(ed25519.PublicKey)},
	}
}

func envelope() wire.Envelope {
	return wire.Envelope{Type: wire.TypeTask, From: wire.Server, To: "web1.acme.net", At: now, Expires: now + 60_000, Collective: "fettle"}
}

func TestSealAndOpen(t *testing.T) {
	for name, body := range map[string]fettle.Task{
		"small": {ID: "t", Action: "agent.ping"},
		"large": {ID: "t", Action: "shell.run", Inputs: map[string]any{"text": strings.Repeat("long ", 1000) + "<é>"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := wire.Seal(envelope(), body, wire.KeySigner{ID: "s1", Key: key(1)})
			if err != nil {
				t.Fatal(err)
			}
			if zip := m.Get("content-encoding") == "zstd"; zip != (name == "large") || zip && len(m.Body) > 500 {
				t.Errorf("compressed is %v, with %d bytes", zip, len(m.Body))
			}
			env, err := wire.Open(m, ring(), now)
			if err != nil {
				t.Fatal(err)
			}
			var got fettle.Task
			if err := env.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(body, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			want := envelope()
			want.V, want.ID, want.Body = wire.Version, env.ID, env.Body
			if diff := cmp.Diff(want, env); diff != "" {
				t.Errorf("envelope (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnvelopeIsTheDocumentedJSON(t *testing.T) {
	env := envelope()
	env.ID, env.Collective = "01999999-0000-7000-8000-000000000000", ""
	m, err := wire.Seal(env, wire.Ask{Facts: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"v":1,"type":"task","id":"01999999-0000-7000-8000-000000000000","from":"server","to":"web1.acme.net","at":1763700000123,"expires":1763700060123,"body":{"facts":true}}`
	if diff := cmp.Diff(want, string(m.Body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	spaced := strings.NewReplacer(",", " ,\n ", ":", " : ", "{", "{ ").Replace(want) + " "
	got, err := wire.Open(wire.Message{Body: []byte(spaced)}, nil, now)
	var ask wire.Ask
	if err != nil || got.Expires != env.Expires || got.Decode(&ask) != nil || !ask.Facts {
		t.Errorf("with blanks: %+v, %v", got, err)
	}
}

func TestFactsBody(t *testing.T) {
	d, classes := doc(t, `{"a":"<&>","b":{"c":1.0}}`), []string{"base"}
	patch := wire.Diff(d, doc(t, `{"a":1}`))
	for name, facts := range map[string]wire.Facts{
		"full":    {Session: "s", Seq: 1, Full: d.Raw, Hash: d.Hash, Classes: &classes},
		"patch":   {Session: "s", Seq: 2, Patch: &patch, Commands: &classes},
		"neither": {Session: "s", Seq: 3, Classes: &[]string{}},
	} {
		m, err := wire.Seal(wire.Envelope{Type: wire.TypeFacts, From: "web1", At: now}, facts, nil)
		if err != nil {
			t.Fatal(err)
		}
		env, err := wire.Open(m, nil, now)
		if err != nil {
			t.Fatal(err)
		}
		var got, plain wire.Facts
		if err := errors.Join(env.Decode(&got), json.Unmarshal(env.Body, &plain)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(facts, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(plain, got); diff != "" {
			t.Errorf("%s: encoding/json reads it otherwise (-json +got):\n%s", name, diff)
		}
	}
}

func TestSignatures(t *testing.T) {
	seal := func(from string, s wire.Signer) wire.Message {
		env := envelope()
		env.From = from
		m, err := wire.Seal(env, wire.Ask{}, s)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	with := func(m wire.Message, sig string) wire.Message {
		m.Header = []wire.Field{{Name: "fettle-sig", Value: sig}}
		return m
	}
	good := seal(wire.Server, wire.KeySigner{ID: "s1", Key: key(1)})
	changed := good
	changed.Body = bytes.Replace(good.Body, []byte("false"), []byte("true "), 1)
	for want, m := range map[string]wire.Message{
		"it is not signed":                             seal(wire.Server, nil),
		`key "s2" is not known`:                        seal(wire.Server, wire.KeySigner{ID: "s2", Key: key(1)}),
		`the signature by key "s1"`:                    seal(wire.Server, wire.KeySigner{ID: "s1", Key: key(2)}),
		`by key "s1" is not right`:                     changed,
		"from server, and web1.acme.net signed it":     seal(wire.Server, wire.KeySigner{ID: "n1", Key: key(2)}),
		"from web2.acme.net, and web1.acme.net signed": seal("web2.acme.net", wire.KeySigner{ID: "n1", Key: key(2)}),
		"names no key":                                 with(good, "nonsense"),
		"is no base64":                                 with(good, "s1:!"),
	} {
		if _, err := wire.Open(m, ring(), now); !errors.Is(err, fettle.ErrDenied) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a denial that says %q", err, want)
		}
	}
	if _, err := wire.Open(good, ring(), now); err != nil {
		t.Error(err)
	}
}

func TestTheSignatureIsVerifiedBeforeAnythingIsDecompressed(t *testing.T) {
	m := wire.Message{Body: []byte("no zstd at all"), Header: []wire.Field{{Name: "content-encoding", Value: "zstd"}}}
	if _, err := wire.Open(m, ring(), now); !errors.Is(err, fettle.ErrDenied) {
		t.Errorf("got %v, want a denial", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	m, err := wire.Seal(envelope(), wire.Ask{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, new string) wire.Message {
		if !bytes.Contains(m.Body, []byte(old)) {
			t.Fatalf("%s is not in %s", old, m.Body)
		}
		return wire.Message{Body: bytes.Replace(m.Body, []byte(old), []byte(new), 1)}
	}
	bomb, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	zeros := bomb.EncodeAll(make([]byte, 64<<20), nil)
	for want, m := range map[string]wire.Message{
		"version 2":                    replace(`"v":1`, `"v":2`),
		"a whole number":               replace(`"v":1`, `"v":1.5`),
		"no type":                      replace(`"task"`, `""`),
		"a string has to stand":        replace(`"task"`, `7`),
		"is no UUID":                   replace(`"id":"`, `"id":"x`),
		"from: identity":               replace(`"server"`, `"a b"`),
		"not in lower case":            replace(`"web1`, `"Web1`),
		"within 24h0m0s":               replace(`"expires":1763700060123`, `"expires":1763786400124`),
		"it has to expire":             replace(`"expires":1763700060123`, `"expires":1`),
		`"v" comes twice`:              replace(`"v":1`, `"v":1,"v":1`),
		"too many keys":                replace(`"v":1`, `"v":1,"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1`),
		"a key in double quotes":       replace(`"v"`, `v`),
		"something stands after":       {Body: append(bytes.Clone(m.Body), '}')},
		"a value does not end":         {Body: m.Body[:len(m.Body)-2]},
		"an object has to stand":       {Body: []byte("[]")},
		"not UTF-8":                    replace(`"task"`, "\"\xff\""),
		"2097152 are allowed":          {Body: make([]byte, 2<<20+1)},
		"decompress":                   {Body: zeros, Header: []wire.Field{{Name: "content-encoding", Value: "zstd"}}},
		`content-encoding "gzip"`:      {Body: m.Body, Header: []wire.Field{{Name: "content-encoding", Value: "gzip"}}},
		"',' or '}' has to stand here": replace(`,"type"`, ` "type"`),
	} {
		if _, err := wire.Open(m, nil, now); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an invalid message that says %q", err, want)
		}
	}
	if _, err := wire.Seal(wire.Envelope{Type: wire.TypeAsk, From: "Web1", At: now}, wire.Ask{}, nil); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("what Open would refuse is sealed: %v", err)
	}
	noise := make([]byte, 2<<20)
	for i := range noise {
		noise[i] = byte('a' + rand.IntN(26))
	}
	if _, err := wire.Seal(envelope(), string(noise), nil); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("too large a message is sealed: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	m, err := wire.Seal(envelope(), wire.Ask{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if env, err := wire.Open(m, nil, now+60_001); !errors.Is(err, wire.ErrExpired) || env.Type != wire.TypeTask {
		t.Errorf("after its expiry: %v, %v", env.Type, err)
	}
	for _, at := range []fettle.Millis{now + 60_000, 0} {
		if _, err := wire.Open(m, nil, at); err != nil {
			t.Errorf("at %d: %v", at, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, body := range []string{"", "[", `{"facts":1}`, `"x"`} {
		env := wire.Envelope{Type: wire.TypeAsk, Body: []byte(body)}
		if err := env.Decode(&wire.Ask{}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q as ask: %v", body, err)
		}
	}
	for _, body := range []string{"", "[", `{"seq":"1"}`, `{"patch":[]}`, `{"full":`, `{"session":1}`, `{"classes":{}}`} {
		env := wire.Envelope{Type: wire.TypeFacts, Body: []byte(body)}
		if err := env.Decode(&wire.Facts{}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q as facts: %v", body, err)
		}
	}
}

func TestNewID(t *testing.T) {
	last := ""
	for range 1000 {
		id := wire.NewID()
		if id <= last || id[14] != '7' {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}

func TestDestinations(t *testing.T) {
	var d wire.Destinations
	want := []string{"/queue/fettle.facts", "/queue/fettle.results", "/queue/fettle.output", "/queue/fettle.enrol"}
	if diff := cmp.Diff(want, d.Collected()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	eu := wire.Destinations{Collective: "eu"}
	for dest, want := range map[string]bool{"/queue/fettle.facts": true, "/queue/fettle.enrol": true, "/queue/eu.facts": false, "/topic/fettle.facts": false, "/queue/fettle.factsx": false, "/queue/fettle.node.facts": false, "": false} {
		if d.IsCollected(dest) != want {
			t.Errorf("IsCollected(%q) is %v", dest, !want)
		}
	}
	for dest, want := range map[string]fettle.NodeID{"/queue/fettle.node.web1.acme.net": "web1.acme.net", "/queue/fettle.node.": "", "/queue/fettle.node.Web1": "", "/queue/fettle.node.a/b": "", "/queue/eu.node.web1": "", "/queue/fettle.facts": ""} {
		if id, ok := d.IsNode(dest); ok != (want != "") || ok && id != want {
			t.Errorf("IsNode(%q) is %q, %v", dest, id, ok)
		}
	}
	if id, ok := eu.IsNode(eu.Node("web1")); !ok || id != "web1" || eu.All() != "/topic/eu.all" || d.Events() != "/topic/fettle.events" {
		t.Errorf("destinations of another collective: %q, %v, %q", id, ok, eu.All())
	}
}

func FuzzOpen(f *testing.F) {
	for _, body := range []any{wire.Ask{Facts: true}, fettle.Task{Action: "a.b", Inputs: map[string]any{"x": strings.Repeat("y", 2000)}}} {
		m, err := wire.Seal(envelope(), body, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Body, m.Get("content-encoding"), "s1:AAAA")
	}
	f.Add([]byte(`{"v":1,"body":{"seq":1}}`), "", "")
	signed := ring()
	f.Fuzz(func(t *testing.T, body []byte, enc, sig string) {
		m := wire.Message{Body: body, Header: []wire.Field{{Name: "content-encoding", Value: enc}, {Name: "fettle-sig", Value: sig}}}
		if _, err := wire.Open(m, signed, now); err == nil {
			t.Fatal("a forged message is taken")
		}
		env, err := wire.Open(m, nil, now)
		if err != nil {
			if !errors.Is(err, fettle.ErrInvalid) && !errors.Is(err, wire.ErrExpired) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		var facts wire.Facts
		_ = env.Decode(&facts)
		_ = env.Decode(&fettle.Task{})
		if env.Enc = ""; json.Valid(env.Body) {
			if _, err := wire.Seal(env, nil, nil); err != nil {
				t.Fatalf("what was opened cannot be sealed: %v", err)
			}
		}
	})
}

func BenchmarkOpenFacts6KB(b *testing.B) {
	d := bigDoc(b, "1")
	m, err := wire.Seal(wire.Envelope{Type: wire.TypeFacts, From: "web1", At: now}, wire.Facts{Session: "s", Seq: 1, Full: d.Raw, Hash: d.Hash}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		env, err := wire.Open(m, nil, now)
		if err != nil {
			b.Fatal(err)
		}
		var f wire.Facts
		if err := env.Decode(&f); err != nil {
			b.Fatal(err)
		}
	}
}
