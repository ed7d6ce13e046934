package store

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
)

func testAlerts(t *testing.T, s *Store) {
	ctx := t.Context()
	body := func(text string) json.RawMessage { return json.RawMessage(`{"is":"` + text + `"}`) }
	save := func(c AlertChanges) {
		t.Helper()
		if err := s.SaveAlerts(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	save(AlertChanges{
		Alerts:  []Alert{{"load", 1, body("a")}, {"disk: acmé", 2, body("b")}},
		Notices: []AlertNotice{{"mail", "load", 5, body("x")}, {"hook", "load", 5, body("y")}, {"mail", "disk: acmé", 6, body("z")}},
	})
	save(AlertChanges{Alerts: []Alert{{"load", 9, body("c")}}, Notices: []AlertNotice{{"mail", "load", 7, body("w")}}, Untold: []AlertNotice{{Receiver: "hook", Alert: "load"}}})
	alerts, notices, err := s.Alerts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, []Alert{{"disk: acmé", 2, body("b")}, {"load", 9, body("c")}}, alerts)
	wantSame(t, []AlertNotice{{"mail", "disk: acmé", 6, body("z")}, {"mail", "load", 7, body("w")}}, notices)

	save(AlertChanges{Over: []string{"load", "never was"}})
	alerts, notices, err = s.Alerts(ctx)
	if err != nil || len(alerts) != 1 || len(notices) != 1 {
		t.Errorf("%v, %v, %v", alerts, notices, err)
	}
	wantKind(t, s.SaveAlerts(ctx, AlertChanges{Alerts: []Alert{{"other", 1, body("")}, {strings.Repeat("x", 10_000), 1, body("")}}}), fettle.ErrInvalid)
	if again, _, err := s.Alerts(ctx); err != nil || len(again) != 1 {
		t.Errorf("half of it was kept: %v, %v", again, err)
	}
}
