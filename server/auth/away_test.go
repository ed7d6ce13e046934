package auth

import (
	"errors"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// TestWhoIsKnownIsKnownWhileTheStoreIsAway: verdicts come from memory, and whoever watches a fleet has to be let in to them for as long.
func TestWhoIsKnownIsKnownWhileTheStoreIsAway(t *testing.T) {
	k, w, c := newKeeper(t)
	secret, err := k.CreateToken(t.Context(), "nagios", Viewer, 0)
	if err != nil {
		t.Fatal(err)
	}
	never, err := k.CreateToken(t.Context(), "idle", Viewer, 0)
	if err != nil {
		t.Fatal(err)
	}
	short, err := k.CreateToken(t.Context(), "short", Viewer, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want := func(what, secret string, want error) {
		t.Helper()
		if _, err := k.Authenticate(t.Context(), secret); !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	want("before", secret, nil)
	want("before", short, nil)
	w.broken = fettle.ErrUnavailable
	c.add(20 * time.Minute)
	want("known, and the store is away", secret, nil)
	want("not known to memory", never, fettle.ErrUnavailable)
	want("ended meanwhile", short, fettle.ErrDenied)
	c.add(2 * time.Hour)
	want("away for too long", secret, fettle.ErrUnavailable)
	w.broken = nil
	want("the store is back", secret, nil)
}
