package storetest

import (
	"testing"

	"github.com/fettle-dev/fettle/store"
)

func TestEachHasItsOwn(t *testing.T) {
	for range 3 {
		db := Open(t)
		if saved, err := db.SavedFilters(t.Context(), "", 10); err != nil || len(saved) != 0 {
			t.Fatalf("%v, %v", saved, err)
		}
		if _, err := db.SaveFilter(t.Context(), store.SavedFilter{Name: "web", Filter: "role=web"}); err != nil {
			t.Fatal(err)
		}
	}
}
