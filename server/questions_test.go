package server

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/inventory"
)

func TestColumnsAndOrder(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{"role":"web","memory":{"total":17179869184}}`)
	f.join("n2", `{"role":"db","memory":{"total":68719476736}}`)
	f.join("n3", `{"role":"web"}`)
	f.save("web", `facts.role == "web"`)
	a, err := f.Find(t.Context(), FindQuery{
		Selection: Selection{All: true}, Columns: []fettle.Filter{"facts.memory.total / 1073741824", "@web", "identity + liveness"},
		Sort: fettle.Path{"memory", "total"}, Descending: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]any{{int64(64), false, "n2alive"}, {int64(16), true, "n1alive"}, {nil, true, "n3alive"}}
	if diff := cmp.Diff(want, a.Columns); diff != "" || len(a.Nodes) != 3 {
		t.Errorf("columns: %s", diff)
	}
	if _, err := f.Find(t.Context(), FindQuery{Selection: Selection{All: true}, Columns: []fettle.Filter{"os.family"}}); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("a column that does not compile: %v", err)
	}
}

func TestFactValuesBy(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{"role":"web","env":"prod","n":4}`)
	f.join("n2", `{"role":"web","env":"test","n":1}`)
	f.join("n3", `{"role":"web","n":1}`)
	f.join("n4", `{"role":"db","env":"prod"}`)
	a, err := f.FactValuesBy(t.Context(), fettle.Path{"role"}, fettle.Path{"env"}, Selection{All: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []inventory.ValueCount{
		{Value: "web", Count: 3, By: []inventory.ValueCount{{Value: "prod", Count: 1}, {Value: "test", Count: 1}, {Value: nil, Count: 1}}},
		{Value: "db", Count: 1, By: []inventory.ValueCount{{Value: "prod", Count: 1}}},
	}
	if diff := cmp.Diff(want, a.Values); diff != "" {
		t.Error(diff)
	}
	a, err = f.FactValues(t.Context(), fettle.Path{"n"}, Selection{Where: `facts.role == "web"`})
	if err != nil || a.Missing != 0 || !cmp.Equal(a.Numbers, &inventory.Numbers{Count: 3, Min: 1, P50: 1, P95: 4, Max: 4, Sum: 6}) {
		t.Errorf("numbers: %+v, %v", a.Numbers, err)
	}
}
