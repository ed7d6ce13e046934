package client_test

import (
	"errors"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
	"github.com/fettle-dev/fettle/server/auth"
)

func TestSavedFilters(t *testing.T) {
	_, a := newTown(t, auth.Operator)
	f, err := a.SaveFilter(t.Context(), "debian", client.FilterOrder{Short: new("os.family=Debian"), Description: new("all of Debian")})
	if err != nil || f.Owner != "ann" || f.Filter != `facts.os.family == "Debian"` || f.Description != "all of Debian" {
		t.Fatalf("saved %+v, %v", f, err)
	}
	list, err := a.FindAll(t.Context(), client.FindNodesParams{Where: new(`@debian && facts.env == "prod"`)})
	if err != nil || list.Matched != 1 || list.Undefined != 1 {
		t.Errorf("found %+v, %v", list, err)
	}
	values, err := a.FactValues(t.Context(), "os.family", &client.CountValuesParams{Short: new("@debian")})
	if err != nil || len(values.Values) != 1 {
		t.Errorf("values %+v, %v", values, err)
	}
	run, err := a.StartRun(t.Context(), client.RunOrder{Action: "agent.ping", Where: new("@debian")})
	if err != nil || run.Tally.Roster != 2 || run.Filter == nil || *run.Filter != `(facts.os.family == "Debian")` {
		t.Errorf("run %+v, %v", run, err)
	}
	_, err = a.Find(t.Context(), &client.FindNodesParams{Where: new(`true && @debain`)})
	var known *client.Error
	if !errors.Is(err, fettle.ErrInvalid) || !errors.As(err, &known) || *known.Column != 9 || *known.Suggestion != "did you mean @debian?" {
		t.Errorf("an unknown filter gave %v", err)
	}
	if _, err := a.SaveFilter(t.Context(), "debian", client.FilterOrder{Where: new("@debian")}); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), "circle") {
		t.Errorf("a circle gave %v", err)
	}
	if all, err := a.SavedFilters(t.Context()); err != nil || len(all) != 1 || all[0].Rev != 1 {
		t.Errorf("list %+v, %v", all, err)
	}
	if one, err := a.SavedFilter(t.Context(), "debian"); err != nil || one.Expanded == nil || *one.Expanded != string(one.Filter) {
		t.Errorf("one %+v, %v", one, err)
	}
	if err := a.DeleteFilter(t.Context(), "debian"); err != nil {
		t.Error(err)
	}
	if err := a.DeleteFilter(t.Context(), "debian"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}
