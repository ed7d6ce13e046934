package inventory_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
)

// TestManyAtOnce changes nodes and asks about them from many sides. What it shows is that no answer is of a node half changed: a node has a and b
// equal before and after each change.
func TestManyAtOnce(t *testing.T) {
	v := inventory.NewTight()
	facts := func(i int) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"a":%d,"b":%d,"o":{"k":"x%d"}}`, i, i, i))
	}
	id := func(r *rand.Rand) fettle.NodeID { return fettle.NodeID(fmt.Sprintf("n%d", r.IntN(300))) }
	for i := range 300 {
		put(t, v, fettle.Node{Identity: fettle.NodeID(fmt.Sprintf("n%d", i)), Facts: facts(i), Classes: []string{"c"}})
	}
	differ := compile(t, `facts.a != facts.b`)
	apart := compile(t, `facts.a > 5 && !(facts.b > 5) || has(facts.a) && !has(facts.b)`)
	var changers, askers sync.WaitGroup
	stop := make(chan struct{})
	for w := range uint64(3) {
		changers.Go(func() {
			r := rand.New(rand.NewPCG(w, 1))
			for range 1500 {
				n := id(r)
				switch r.IntN(6) {
				case 0:
					v.Remove(n)
				case 1:
					v.Touch(n, fettle.Silent, 5)
				case 2:
					v.SetCheck(fettle.CheckState{Node: n, Check: "load", Status: fettle.CheckOK})
				case 3:
					one := json.RawMessage(fmt.Sprint(r.IntN(10)))
					if _, err := v.Patch(fettle.Node{Identity: n, Classes: []string{"c"}}, []inventory.Change{{fettle.Path{"a"}, one}, {fettle.Path{"b"}, one}}); err != nil {
						t.Error(err)
					}
				default:
					if err := v.Put(fettle.Node{Identity: n, Facts: facts(r.IntN(10)), Classes: []string{"c", fmt.Sprint(r.IntN(3))}}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for w := range uint64(3) {
		askers.Go(func() {
			r := rand.New(rand.NewPCG(w, 2))
			for {
				select {
				case <-stop:
					return
				default:
					askSomething(t, v, r, id(r), differ, apart)
				}
			}
		})
	}
	changers.Wait()
	close(stop)
	askers.Wait()
	if c := v.Counts(); c.Total != v.Len() {
		t.Errorf("%d nodes are counted, and there are %d", c.Total, v.Len())
	}
}

func askSomething(t *testing.T, v *inventory.Inventory, r *rand.Rand, id fettle.NodeID, differ, apart *filter.Program) {
	var err error
	switch r.IntN(8) {
	case 0:
		_, err = v.Paths(t.Context(), inventory.Query{})
	case 1:
		_, err = v.ValuesBy(t.Context(), fettle.Path{"a"}, fettle.Path{"o", "k"}, inventory.Query{})
	case 2:
		_, err = v.Explain(t.Context(), inventory.Query{Program: apart}, "")
	case 3:
		v.Get(id)
		v.Checks(id)
		v.Commands()
		v.Unknown(differ)
	case 4:
		var a inventory.Answer
		a, err = v.Query(t.Context(), inventory.Query{Limit: 20, Sort: fettle.Path{"a"}, Facts: true, Program: compile(t, fettle.Filter(fmt.Sprintf("facts.a >= %d", r.IntN(300))))})
		for _, row := range a.Rows {
			if !json.Valid(row.Node.Facts) {
				t.Errorf("the facts of %s are %s", row.Node.Identity, row.Node.Facts)
			}
		}
	default:
		for _, p := range []*filter.Program{differ, apart} {
			a, e := v.Query(t.Context(), inventory.Query{Program: p, Limit: 5, Uncounted: r.IntN(2) == 0})
			if err = e; a.Matched != 0 {
				t.Errorf("%s matches %d nodes", p.Text(), a.Matched)
			}
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestBudget(t *testing.T) {
	v := inventory.New()
	for i := range 5000 {
		put(t, v, fettle.Node{Identity: fettle.NodeID(fmt.Sprintf("n%d", i)), Facts: json.RawMessage(`{"a":1,"l":[1,2,3,4,5,6,7,8,9]}`)})
	}
	p := compile(t, `facts.l.exists(x, x == facts.a + 100)`)
	_, err := v.Query(t.Context(), inventory.Query{Program: p, Budget: time.Microsecond})
	if !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), "for about 5000 nodes") {
		t.Fatalf("a question over its budget gave %v", err)
	}
	if a := ask(t, v, inventory.Query{Program: p, Budget: time.Minute}); a.Matched != 0 || a.Undefined != 0 {
		t.Errorf("got %+v", a)
	}
	if s := v.Spenders(5); len(s) != 1 || s[0].Passes < 5000 || s[0].Runs != 2 || s[0].Refused != 1 {
		t.Errorf("spenders: %+v", s)
	}
}
