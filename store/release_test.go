package store

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
)

func testReleases(t *testing.T, s *Store) {
	ctx := t.Context()
	piece := bytes.Repeat([]byte{0, 1, 0xff, '\''}, 48<<10)
	first := Release{
		Name: "disk", Version: "1.0.0", Digest: "d1", Size: int64(len(piece) + 1), Manifest: []byte(`{"name":"disk"}`), Voucher: []byte(`{"key":"k"}`), PushedBy: "anna", Pushed: 100,
	}
	second := first
	second.Version, second.Digest, second.Pushed = "1.1.0", "d2", 200
	same := first
	same.Name, same.Version, same.Platform, same.Pushed = "agent", "1.0.0", "linux/amd64", 300
	choice := PluginChoice{Name: "disk", Current: "1.1.0", Former: "1.0.0", Pinned: true, By: "anna", Changed: 200}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.SaveRelease(ctx, first, [][]byte{piece, {7}}, &PluginChoice{Name: "disk", Current: "1.0.0", By: "anna", Changed: 100}))
	must(s.SaveRelease(ctx, second, [][]byte{{1}}, &choice))
	must(s.SaveRelease(ctx, same, [][]byte{piece, {7}}, nil))
	must(s.SaveRelease(ctx, first, [][]byte{piece, {7}}, &choice)) // again: it is in its place
	list, err := s.Releases(ctx)
	must(err)
	if diff := cmp.Diff([]Release{first, second, same}, list); diff != "" {
		t.Error(diff)
	}
	choices, err := s.PluginChoices(ctx)
	must(err)
	if diff := cmp.Diff([]PluginChoice{choice}, choices); diff != "" {
		t.Error(diff)
	}
	got, err := s.ArchivePiece(ctx, "d1", 0)
	if err != nil || !bytes.Equal(got, piece) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := s.ArchivePiece(ctx, "d1", 2); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("a piece that is none: %v", err)
	}

	must(s.DeleteRelease(ctx, "disk", "1.0.0", "", &choice))
	if _, err := s.ArchivePiece(ctx, "d1", 1); err != nil {
		t.Errorf("the archive is another's too: %v", err)
	}
	must(s.DeleteRelease(ctx, "disk", "1.1.0", "", nil))
	if _, err := s.ArchivePiece(ctx, "d2", 0); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("the archive of nobody: %v", err)
	}
	if choices, err = s.PluginChoices(ctx); err != nil || len(choices) != 0 {
		t.Errorf("%v, %v", choices, err)
	}
	if err := s.DeleteRelease(ctx, "disk", "1.1.0", "", nil); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
}
