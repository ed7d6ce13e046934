package trust_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire/trust"
)

func FuzzParseJoinToken(f *testing.F) {
	a, _ := authority(f, newClock())
	f.Add(trust.NewJoinToken(a.Root(), nil).String())
	f.Add(trust.NewJoinToken(a.Root(), trust.Fingerprint(nil)).String())
	f.Add("fjt1_")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := trust.ParseJoinToken(text)
		if err != nil {
			if !errors.Is(err, fettle.ErrInvalid) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		again, err := trust.ParseJoinToken(token.String())
		if err != nil || again.ID != token.ID || len(token.Secret) != 32 || len(token.Root) != 32 {
			t.Fatalf("%v: %v", again.ID, err)
		}
	})
}

func FuzzParseCertificate(f *testing.F) {
	a, _ := authority(f, newClock())
	f.Add(a.Certificate().String())
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := trust.ParseCertificate(text)
		if err != nil {
			if !errors.Is(err, fettle.ErrInvalid) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if c.String() != text || c.Epoch < c.MinEpoch || c.NotAfter < c.NotBefore {
			t.Fatalf("%+v", c)
		}
	})
}

func FuzzReadNodeFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), trust.NodeFileName)
	k, err := trust.DeriveNodeKeys([]byte("secret"), "web1")
	if err != nil {
		f.Fatal(err)
	}
	if err := (trust.NodeFile{Identity: "web1", Keys: k, Next: k}).Write(path); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"identity":"web1","enrolled":true}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := trust.ReadNodeFile(path)
		if err != nil {
			if !errors.Is(err, fettle.ErrInvalid) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if got.Keys.None() || got.Identity == "" || got.Enrolled && len(got.Root) != 32 {
			t.Fatalf("a node without keys: %+v", got)
		}
		if err := got.Write(path); err != nil {
			t.Fatal(err)
		}
	})
}
