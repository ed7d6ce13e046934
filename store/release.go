package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// Release is one version of a plugin, or of the agent's program for a platform.
type Release struct {
	Name     string
	Version  string
	Platform string          // os/arch; empty: of a plugin
	Digest   string          // of the archive
	Size     int64           // of the archive, in bytes
	Manifest json.RawMessage // a JSON object
	Voucher  json.RawMessage // a JSON object
	PushedBy string
	Pushed   fettle.Millis
}

// PluginChoice says which version of a plugin is used.
type PluginChoice struct {
	Name    string
	Current string
	Former  string // the one before; empty: there was none
	Pinned  bool   // what is pushed does not become current
	By      string
	Changed fettle.Millis
}

// SaveRelease keeps a release in the place of the one that is there, its archive in pieces, and, where there is one, the choice that follows of it.
func (s *Store) SaveRelease(ctx context.Context, r Release, pieces [][]byte, choice *PluginChoice) error {
	return s.write(ctx, "save "+text(r.Name+" "+r.Version), func(ctx context.Context, t *tx) error {
		for what, k := range map[string]string{"name": r.Name, "version": r.Version} {
			if err := named("release "+what, k, MaxName); err != nil {
				return err
			}
		}
		if err := named("digest", r.Digest, MaxID); err != nil {
			return err
		}
		_, err := t.exec(ctx, "write release", "INSERT INTO releases (name, version, platform, digest, size, manifest, voucher, pushed_by, pushed_at) VALUES "+
			tuples(1, 9)+t.s.d.upsert("name, version, platform", "digest = new(digest), size = new(size), manifest = new(manifest), voucher = new(voucher), "+
			"pushed_by = new(pushed_by), pushed_at = new(pushed_at)"),
			r.Name, r.Version, r.Platform, r.Digest, r.Size, text(string(r.Manifest)), text(string(r.Voucher)), text(r.PushedBy), int64(r.Pushed))
		if err != nil {
			return err
		}
		for n, body := range pieces {
			_, err := t.exec(ctx, "write archive piece", "INSERT INTO archive_pieces (digest, piece, body) VALUES (?,?,?)"+t.s.d.upsert("digest, piece", "body = new(body)"), r.Digest, n, body)
			if err != nil {
				return err
			}
		}
		return writeChoice(ctx, t, choice)
	})
}

func writeChoice(ctx context.Context, t *tx, c *PluginChoice) error {
	if c == nil {
		return nil
	}
	_, err := t.exec(ctx, "write plugin choice", "INSERT INTO plugin_choices (name, current, former, pinned, changed_by, changed_at) VALUES "+tuples(1, 6)+
		t.s.d.upsert("name", "current = new(current), former = new(former), pinned = new(pinned), changed_by = new(changed_by), changed_at = new(changed_at)"),
		c.Name, c.Current, c.Former, flag(c.Pinned), text(c.By), int64(c.Changed))
	return err
}

// SavePluginChoice keeps which version of a plugin is used.
func (s *Store) SavePluginChoice(ctx context.Context, c PluginChoice) error {
	return s.write(ctx, "choose plugin "+text(c.Name), func(ctx context.Context, t *tx) error { return writeChoice(ctx, t, &c) })
}

// DeleteRelease takes one release away, its archive too where no other has the same, and keeps the choice that follows of it; with a nil choice, there is
// none any more. It is ErrNotFound if there is no such release.
func (s *Store) DeleteRelease(ctx context.Context, name, version, platform string, choice *PluginChoice) error {
	return s.write(ctx, "delete "+text(name+" "+version), func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "delete release", "DELETE FROM releases WHERE name = ? AND version = ? AND platform = ?", name, version, platform)
		if err == nil && n == 0 {
			err = fettle.ErrNotFound
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, "delete archive", "DELETE FROM archive_pieces WHERE NOT EXISTS (SELECT 1 FROM releases WHERE releases.digest = archive_pieces.digest)"); err != nil {
			return err
		}
		if choice != nil {
			return writeChoice(ctx, t, choice)
		}
		_, err = t.exec(ctx, "delete plugin choice", "DELETE FROM plugin_choices WHERE name = ? AND NOT EXISTS (SELECT 1 FROM releases WHERE releases.name = plugin_choices.name)", name)
		return err
	})
}

// Releases lists all releases, the oldest first.
func (s *Store) Releases(ctx context.Context) ([]Release, error) {
	var list []Release
	const query = "SELECT name, version, platform, digest, size, manifest, voucher, pushed_by, pushed_at FROM releases ORDER BY pushed_at, name, version, platform"
	err := s.reader().each(ctx, "read releases", query, nil, func(rows *sql.Rows) error {
		var r Release
		var manifest, voucher string
		err := rows.Scan(&r.Name, &r.Version, &r.Platform, &r.Digest, &r.Size, &manifest, &voucher, &r.PushedBy, &r.Pushed)
		r.Manifest, r.Voucher = json.RawMessage(manifest), json.RawMessage(voucher)
		list = append(list, r)
		return err
	})
	return list, s.fault(ctx, "list releases", err)
}

// PluginChoices lists which versions are used, by name.
func (s *Store) PluginChoices(ctx context.Context) ([]PluginChoice, error) {
	var list []PluginChoice
	err := s.reader().each(ctx, "read plugin choices", "SELECT name, current, former, pinned, changed_by, changed_at FROM plugin_choices ORDER BY name", nil, func(rows *sql.Rows) error {
		var c PluginChoice
		err := rows.Scan(&c.Name, &c.Current, &c.Former, &c.Pinned, &c.By, &c.Changed)
		list = append(list, c)
		return err
	})
	return list, s.fault(ctx, "list plugin choices", err)
}

// ArchivePiece gives one piece of an archive. It is ErrNotFound if there is none.
func (s *Store) ArchivePiece(ctx context.Context, digest string, piece int) ([]byte, error) {
	var body []byte
	err := s.reader().one(ctx, "read archive piece", "SELECT body FROM archive_pieces WHERE digest = ? AND piece = ?", []any{digest, piece}, &body)
	return body, s.fault(ctx, fmt.Sprintf("read piece %d of archive %.12s", piece, digest), err)
}
