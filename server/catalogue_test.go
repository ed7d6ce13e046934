package server

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/catalogue"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// catalogueFleet is a server with a catalogue, which runs.
func catalogueFleet(t *testing.T) *fleet {
	t.Helper()
	f := idleFleet(t, DefaultConfig(), storetest.SQLite(t), newClock())
	keys, err := trust.OpenAuthority(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	pinned := trust.NewPinned(keys.Root(), keys.Certificate().MinEpoch, func() (fettle.Millis, bool) { return 0, false })
	f.Catalogue = catalogue.New(catalogue.Config{Store: f.Store, Signer: keys, Verifier: pinned})
	if err := f.Catalogue.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.start()
	return f
}

// pushDisk pushes a version of a plugin with an action disk.usage.
func (f *fleet) pushDisk(version string) {
	f.t.Helper()
	dir := f.t.TempDir()
	manifest := "name: disk\nversion: " + version + "\ndescription: Disks.\nexecutable: run\nactions: [{name: usage, description: How full.}]\n"
	for name, text := range map[string]string{plugins.ManifestName: manifest, "run": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			f.t.Fatal(err)
		}
	}
	raw, _, err := plugins.Pack(dir)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, _, err := f.PushPlugin(f.t.Context(), raw, "ann"); err != nil {
		f.t.Fatal(err)
	}
}

func TestChecksFollowTheCatalogue(t *testing.T) {
	f := catalogueFleet(t)
	f.pushDisk("1.0.0")
	if _, err := f.SaveCheck(t.Context(), CheckChange{Caller: Asker{Name: "ann"}, Admin: true, Definition: fettle.CheckDefinition{Name: "disks", Action: "disk.usage", Filter: "true"}}); err != nil {
		t.Fatal(err)
	}
	f.join("n1", `{}`)
	// told gives the plugin that the node was last told to use, and the rev of the check.
	told := func() (ref fettle.PluginRef, rev int64) {
		sets := of[wire.Checks](t, f.mail, "n1", wire.TypeChecks)
		if len(sets) == 0 || len(sets[len(sets)-1].Checks) != 1 || sets[len(sets)-1].Checks[0].Plugin == nil {
			return ref, 0
		}
		c := sets[len(sets)-1].Checks[0]
		return *c.Plugin, c.Rev
	}
	is := func(when, version string) {
		t.Helper()
		f.eventually(when, func() bool { ref, _ := told(); return ref.Version == version && ref.Digest != "" && ref.Size > 0 })
	}
	is("a node that lacks the plugin is told which archive to fetch", "1.0.0")
	f.pushDisk("2.0.0")
	is("a new version is used", "2.0.0")
	for _, step := range []struct{ when, what, version, want string }{
		{"an old version is pinned", PluginPin, "1.0.0", "1.0.0"},
		{"it is unpinned", PluginUnpin, "", "2.0.0"},
		{"the last is rolled back", PluginRollback, "", "1.0.0"},
	} {
		if _, err := f.ChoosePlugin(t.Context(), step.what, "disk", step.version, "ann"); err != nil {
			t.Fatal(err)
		}
		is(step.when, step.want)
	}
	if _, rev := told(); rev != 1 {
		t.Errorf("rev %d: the check is what it was", rev)
	}
	f.pushDisk("3.0.0")
	is("one more", "3.0.0")
	if err := f.RemovePlugin(t.Context(), "disk", "3.0.0", "ann"); err != nil {
		t.Fatal(err)
	}
	is("the version in use is removed", "1.0.0")
}
