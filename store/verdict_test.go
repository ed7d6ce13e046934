package store

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/fettle-dev/fettle"
)

func testGroups(t *testing.T, s *Store) {
	ctx := t.Context()
	for i, body := range []string{`{"by":"facts.a"}`, `{}`} {
		if rev := must(s.SaveGroup(ctx, GroupRow{Name: "shop", Body: json.RawMessage(body)}))(t); rev != int64(i+1) {
			t.Errorf("rev %d after %d writes", rev, i+1)
		}
	}
	must(s.SaveGroup(ctx, GroupRow{Name: "web", Body: json.RawMessage(`{}`)}))(t)
	wantSame(t, []GroupRow{{"shop", json.RawMessage(`{}`), 2}, {"web", json.RawMessage(`{}`), 1}}, must(s.Groups(ctx, "", 0))(t))
	wantSame(t, []GroupRow{{"web", json.RawMessage(`{}`), 1}}, must(s.Groups(ctx, "shop", 5))(t))
	if err := s.SaveVerdicts(ctx, []VerdictRow{{"shop", fettle.CheckOK, 5}, {"web", fettle.CheckCritical, 6}}); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveVerdicts(ctx, []VerdictRow{{"web", fettle.CheckOK, 7}}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteGroup(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteGroup(ctx, "shop"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	wantSame(t, []VerdictRow{{"web", fettle.CheckOK, 7}}, must(s.Verdicts(ctx))(t))
}

func testSilences(t *testing.T, s *Store) {
	ctx := t.Context()
	for _, r := range []SilenceRow{{"a", json.RawMessage(`{}`), 100}, {"b", json.RawMessage(`{}`), 200}, {"a", json.RawMessage(`{"ended":50}`), 50}} {
		if err := s.SaveSilence(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	wantSame(t, []SilenceRow{{"a", json.RawMessage(`{"ended":50}`), 50}, {"b", json.RawMessage(`{}`), 200}}, must(s.Silences(ctx, 0, "", 0))(t))
	wantSame(t, []SilenceRow{{"b", json.RawMessage(`{}`), 200}}, must(s.Silences(ctx, 50, "", 0))(t))
	if n := must(s.PruneSilences(ctx, 60))(t); n != 1 {
		t.Errorf("%d were pruned", n)
	}
	wantSame(t, []SilenceRow{{"b", json.RawMessage(`{}`), 200}}, must(s.Silences(ctx, 0, "", 0))(t))
}
