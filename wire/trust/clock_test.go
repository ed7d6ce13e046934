package trust

import (
	"errors"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// TestAServersClockThatWasFarAhead holds docs/security.md to what it says of this case.
func TestAServersClockThatWasFarAhead(t *testing.T) {
	clock := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	a, err := OpenAuthority(t.TempDir(), func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	body := []byte("a welcome")
	believed := func(seen fettle.Millis) error {
		sig := a.Sign(body)
		pinned := NewPinned(a.Root(), 0, func() (fettle.Millis, bool) { return seen, false })
		if _, err := pinned.Verify(sig, body); err != nil {
			return err
		}
		return pinned.Holds(wire.Message{Header: []wire.Field{{Name: wire.HeaderCertificate, Value: sig.Certificate}}}, fettle.MillisOf(clock))
	}
	seen := fettle.MillisOf(clock) // what nodes that joined then have in their files
	if err := believed(seen); err != nil {
		t.Errorf("while the clock is ahead: %v", err)
	}
	clock = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for what, at := range map[string]fettle.Millis{"a node that joined then": seen, "a new node": 0} {
		if err := believed(at); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("when the clock is right, %s believes the server: %v", what, err)
		}
	}
	if err := a.Rotate(true); err != nil {
		t.Fatal(err)
	}
	if err := believed(seen); !errors.Is(err, fettle.ErrDenied) {
		t.Errorf("after server-key rotate, a node that joined then believes the server: %v", err)
	}
	if err := believed(0); err != nil {
		t.Errorf("after server-key rotate, a node whose \"seen\" is 0: %v", err)
	}
}
