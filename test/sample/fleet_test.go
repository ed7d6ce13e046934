package sample

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle/wire"
)

func TestFleet(t *testing.T) {
	f, size, leaves := NewFleet(), 0, 0
	const nodes = 50
	for i := range nodes {
		n := f.Node(i, 0)
		doc, err := wire.Canonical(n.Facts)
		if err != nil || !bytes.Equal(doc.Raw, n.Facts) {
			t.Fatalf("node %d is not canonical: %v\n%s", i, err, n.Facts)
		}
		if d := cmp.Diff(n, NewFleet().Node(i, 0)); d != "" {
			t.Fatalf("node %d is another one each time:\n%s", i, d)
		}
		changes, err := wire.Changes(wire.Document{}, doc)
		if err != nil {
			t.Fatal(err)
		}
		size, leaves = size+len(n.Facts), leaves+len(changes)
	}
	if size /= nodes; size < 4500 || size > 5100 {
		t.Errorf("%d bytes a document", size)
	}
	if leaves /= nodes; leaves < 150 || leaves > 170 {
		t.Errorf("%d facts a node", leaves)
	}
}

func TestRevisionsDifferInWhatIsVolatile(t *testing.T) {
	f := NewFleet()
	was, is := f.Node(7, 0), f.Node(7, 1)
	if was.Identity != is.Identity || !cmp.Equal(was.Classes, is.Classes) {
		t.Errorf("%s %v became %s %v", was.Identity, was.Classes, is.Identity, is.Classes)
	}
	before, _ := wire.Canonical(was.Facts)
	after, _ := wire.Canonical(is.Facts)
	changes, err := wire.Changes(before, after)
	if err != nil || len(changes) < 20 {
		t.Fatalf("%d facts changed: %v", len(changes), err)
	}
	for _, c := range changes {
		top, _, _ := strings.Cut(c.Path.String(), ".")
		switch top {
		case "memory", "mountpoints", "load_averages", "system_uptime", "disks":
		default:
			t.Errorf("%s changed from %s to %s", c.Path, c.Old, c.New)
		}
	}
}
