package inventory_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
)

// TestNeverAbsent changes nodes all the while, each in another way, and others come and go beside them. A node that is there is in every roster,
// count and page meanwhile, also while it is put again as a whole.
func TestNeverAbsent(t *testing.T) {
	for name, v := range map[string]*inventory.Inventory{"small shards": inventory.NewTight(), "the usual": inventory.New()} {
		t.Run(name, func(t *testing.T) { neverAbsent(t, v) })
	}
}

const stayers = 200 // more than a small shard holds

// stayer is one of the nodes that stay, in one of its forms: with every form the filters of neverAbsent are true for it.
func stayer(i, form int) fettle.Node {
	facts := fmt.Sprintf(`{"stays":true,"i":%d,"form":%d,"o":{"k%d":%d},"text":"%0*d"}`, i, form, form%3, form, 1+form%9, form)
	if form%4 == 0 {
		facts = fmt.Sprintf(`{"form":%d,"i":%d,"stays":true}`, form, i)
	}
	return fettle.Node{
		Identity: fettle.NodeID(fmt.Sprintf("s%03d", i)), Facts: json.RawMessage(facts), Liveness: []fettle.Liveness{fettle.Alive, fettle.Late}[form%2],
		Classes: []string{"stays", fmt.Sprint(form)}, Commands: []string{"check_stays", fmt.Sprint(form % 2)}, Labels: map[string]string{"form": fmt.Sprint(form % 5)},
	}
}

func neverAbsent(t *testing.T, v *inventory.Inventory) {
	all := make([]fettle.NodeID, stayers)
	for i := range all {
		n := stayer(i, 0)
		all[i] = n.Identity
		put(t, v, n)
	}
	var programs []*filter.Program
	for _, text := range []fettle.Filter{
		`facts.stays`, `facts.i < 200 && "stays" in classes`, `identity.startsWith("s")`, `liveness != "silent" && identity < "t"`,
		`has(facts.form) && (facts.form < 0 || facts.stays)`, `facts.i + 0 == facts.i && facts.stays`,
	} {
		programs = append(programs, compile(t, text))
	}
	var changers, askers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 3 {
		changers.Go(func() { changeStayers(t, v, w) })
	}
	for w := range 2 {
		askers.Go(func() {
			for i := w; ; i++ {
				select {
				case <-stop:
					return
				default:
					wantAll(t, v, programs[i%len(programs)], all)
				}
			}
		})
	}
	changers.Wait()
	close(stop)
	askers.Wait()
}

// changeStayers puts, patches and touches nodes that stay, and lets others come and go, which no filter of neverAbsent asks for. They are in every
// roster as soon as they have come, and in none when they have gone.
func changeStayers(t *testing.T, v *inventory.Inventory, w int) {
	r := rand.New(rand.NewPCG(uint64(w), 3))
	for range 2000 {
		n := stayer(r.IntN(stayers), r.IntN(12))
		guest := fettle.NodeID(fmt.Sprintf("x%d-%d", w, r.IntN(20)))
		var err error
		switch r.IntN(6) {
		case 0:
			err = v.Put(fettle.Node{Identity: guest, Facts: json.RawMessage(`{"other":1}`)})
			wantGuest(t, v, guest, true)
		case 1:
			v.Remove(guest)
			wantGuest(t, v, guest, false)
		case 2:
			v.Touch(n.Identity, n.Liveness, 7)
		case 3:
			if was, ok := v.Get(n.Identity); ok {
				_, err = v.Patch(was, []inventory.Change{{Path: fettle.Path{"form"}, Value: json.RawMessage(fmt.Sprint(r.IntN(12)))}})
			}
		default:
			err = v.Put(n)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

func wantGuest(t *testing.T, v *inventory.Inventory, id fettle.NodeID, want bool) {
	r, err := v.Roster(t.Context(), inventory.Query{})
	if _, there := slices.BinarySearch(r.Nodes, id); there != want || err != nil {
		t.Errorf("%s is in the roster: %t, want %t, %v", id, there, want, err)
	}
}

// wantAll asks in every way that there is for all nodes that stay.
func wantAll(t *testing.T, v *inventory.Inventory, p *filter.Program, all []fettle.NodeID) {
	q := inventory.Query{Program: p}
	if r, err := v.Roster(t.Context(), q); err != nil || !slices.Equal(r.Nodes, all) {
		t.Errorf("the roster of %s has %d nodes of %d, %v", p.Text(), len(r.Nodes), len(all), err)
	}
	if r, err := v.Roster(t.Context(), inventory.Query{}); err != nil || !slices.Equal(r.Nodes[:min(len(all), len(r.Nodes))], all) {
		t.Errorf("the roster of all lacks some: %d, %v", len(r.Nodes), err)
	}
	for _, q := range []inventory.Query{{Program: p, Limit: -1}, {Program: p, Limit: stayers}, {Program: p, Limit: stayers, Uncounted: true}, {Program: p, Limit: -1, Sort: fettle.Path{"i"}}} {
		a, err := v.Query(t.Context(), q)
		if err != nil || a.Matched != len(all) || len(a.Rows) != len(all) {
			t.Errorf("%s matches %d nodes, and gives %d of %d, %v", p.Text(), a.Matched, len(a.Rows), len(all), err)
			continue
		}
		for i, row := range a.Rows {
			if row.Node.Identity != all[i] {
				t.Errorf("%s gives %s in the place of %s", p.Text(), row.Node.Identity, all[i])
			}
		}
	}
	if a, err := v.Query(t.Context(), q); err != nil || a.Matched != len(all) {
		t.Errorf("%s matches %d nodes of %d, %v", p.Text(), a.Matched, len(all), err)
	}
	if ids := v.Offering("check_stays"); !slices.Equal(ids, all) {
		t.Errorf("%d nodes of %d offer the command", len(ids), len(all))
	}
	if c := v.Counts(); c.Alive+c.Late != len(all) {
		t.Errorf("%+v are counted", c)
	}
}
