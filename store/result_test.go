package store

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/fettle-dev/fettle"
)

func result(task string) fettle.Result {
	v, w := 0.5, 10.0
	return fettle.Result{
		Task: fettle.TaskID(task), Node: "a", Run: "r1", Action: "nrpe.check", Status: fettle.StatusOK, Message: "fine\nthanks", At: 105, TookMS: 12,
		Check: "c", CheckRev: 3, Count: 2,
		Output: &fettle.CheckOutput{
			Code: fettle.CodeWarning, Line: "WARNING - load", Long: "more",
			Perfdata: []fettle.Perf{{Label: "load1", Value: &v, Warn: "5", Max: &w}, {Label: "u"}},
		},
	}
}

func testResults(t *testing.T, s *Store) {
	save(t, s, newRun("r1", "a", "b", "c"))
	c := commit(t, s, Batch{Received: 111, Results: []fettle.Result{result("r1-0"), result("r1-1"), result("r1-0")}})
	wantSame(t, []bool{true, true, false}, c.New)
	again := result("r1-1")
	again.Message = "other"
	c = commit(t, s, Batch{Received: 112, Results: []fettle.Result{again, result("r1-2"), result("nobody-asked")}})
	wantSame(t, []bool{false, true, true}, c.New)

	got := must(s.Result(t.Context(), "r1-1"))(t)
	wantSame(t, StoredResult{Result: result("r1-1"), Seq: got.Seq, Received: 111}, got)
	_, err := s.Result(t.Context(), "r1-7")
	wantKind(t, err, fettle.ErrNotFound)

	page := must(s.RunResults(t.Context(), "r1", 0, 3))(t)
	rest := must(s.RunResults(t.Context(), "r1", page[2].Seq, 3))(t)
	var ids []fettle.TaskID
	for _, r := range append(page, rest...) {
		ids = append(ids, r.Task)
	}
	wantSame(t, []fettle.TaskID{"r1-0", "r1-1", "r1-2", "nobody-asked"}, ids)
}

func testResultsRace(t *testing.T, s *Store) {
	const commits, tasks = 6, 150
	var mu sync.Mutex // guards count
	count := map[fettle.TaskID]int{}
	var wg sync.WaitGroup
	for range commits {
		wg.Go(func() {
			var b Batch
			for i := range tasks {
				b.Results = append(b.Results, result(fmt.Sprintf("t%d", i)))
			}
			c, err := s.Commit(t.Context(), &b)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for i, isNew := range c.New {
				if isNew {
					count[b.Results[i].Task]++
				}
			}
		})
	}
	wg.Wait()
	for i := range tasks {
		if n := count[fettle.TaskID(fmt.Sprintf("t%d", i))]; n != 1 {
			t.Fatalf("task %d was new %d times", i, n)
		}
	}
}

func testResultData(t *testing.T, s *Store) {
	r := result("t")
	r.Data = map[string]any{"big": json.Number("12345678901234567890"), "list": []any{"a", nil, true}, "text": "1 < 2 & 3 é 🜨"}
	commit(t, s, Batch{Results: []fettle.Result{r}})
	wantSame(t, r, must(s.Result(t.Context(), "t"))(t).Result)
}

func testOutput(t *testing.T, s *Store) {
	a := OutputChunk{Task: "t", Stream: "stdout", Seq: 1, Received: 5, Body: "one"}
	b, e := a, a
	b.Seq, b.Body = 2, "two"
	e.Stream = "stderr"
	other := a
	other.Body = "not this"
	commit(t, s, Batch{Output: []OutputChunk{b, a, e}})
	commit(t, s, Batch{Output: []OutputChunk{other}})
	page := must(s.Output(t.Context(), "t", OutputChunk{}, 2))(t)
	wantSame(t, []OutputChunk{e, a}, page)
	wantSame(t, []OutputChunk{b}, must(s.Output(t.Context(), "t", page[1], 2))(t))
}
