package wire_test

import (
	"fmt"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// BenchmarkVerify opens what a server is sent most, signatures verified, and tells how many of it one core opens in a second; unsigned is the
// same without a look at the signature.
func BenchmarkVerify(b *testing.B) {
	hash := wire.NewID() + wire.NewID()
	patch := wire.Patch{Base: hash, Result: hash, Seq: 7}
	results := wire.Results{Session: wire.NewID(), Seq: 9}
	for i := range 5 {
		patch.Set = append(patch.Set, wire.Assign{Path: fettle.Path{"memory", "system", fmt.Sprint("value", i)}, Value: []byte("123456789")})
		results.Results = append(results.Results, fettle.Result{
			Task: fettle.TaskID(wire.NewID()), Node: "web1.acme.net", Action: "nrpe.check", Check: fmt.Sprint("check", i), CheckRev: 3, At: now, TookMS: 12,
			Output: &fettle.CheckOutput{Line: "DISK OK - free space: / 40350 MB (81% inode=92%)"},
		})
	}
	signer := wire.KeySigner{ID: "0123456789abcdef0123456789abcdef", Key: key(2)}
	known := wire.KeyRing{signer.ID: ring()["n1"]}
	for _, c := range []struct {
		name string
		kind wire.Type
		body any
	}{
		{"beat", wire.TypeBeat, wire.Beat{Session: wire.NewID(), FactsHash: hash, ChecksHash: hash, Slots: 8}},
		{"patch5", wire.TypeFacts, wire.Facts{Session: wire.NewID(), Seq: 7, Patch: &patch}},
		{"results5", wire.TypeResults, results},
	} {
		m, err := wire.Seal(wire.Envelope{Type: c.kind, From: "web1.acme.net", To: wire.Server, At: now}, c.body, signer)
		if err != nil {
			b.Fatal(err)
		}
		for name, v := range map[string]wire.Verifier{"signed": known, "unsigned": nil} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(m.Body)))
				for b.Loop() {
					if _, err := wire.Open(m, v, now); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			})
		}
	}
}
