package auth

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/store"
)

// town is people over a store, with a clock that tests move, a cheap hash and an audit log.
type town struct {
	*People
	t      *testing.T
	keeper *Keeper
	store  *store.Store
	clock  *clock
	log    *audit.Log
}

// phrase is a password that fits.
const phrase = "correct horse battery"

func newTown(t *testing.T, d Directory) *town {
	t.Helper()
	k, w, c := newKeeper(t)
	log, err := audit.Open(filepath.Join(t.TempDir(), "audit.log"), w.Store, nil, c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	p := NewPeople(PeopleParts{Users: w.Store, Keeper: k, Audit: log, Directory: d})
	p.hasher = newHasher(cost{memory: 64, time: 1, threads: 1})
	return &town{p, t, k, w.Store, c, log}
}

// add makes a local user whose password is phrase.
func (w *town) add(name string, role Role, groups ...string) {
	w.t.Helper()
	if _, err := w.Add(w.t.Context(), NewUser{Name: name, Role: role, Groups: groups, Password: phrase}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) signIn(name, password string) (string, error) {
	w.t.Helper()
	secret, _, err := w.SignIn(w.t.Context(), Attempt{Name: name, Password: password, Address: "192.0.2.1:5000"})
	return secret, err
}

// in signs in, and wants it to work.
func (w *town) in(name string) string {
	w.t.Helper()
	secret, err := w.signIn(name, phrase)
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

// out wants a secret to open nothing.
func (w *town) out(secret string) {
	w.t.Helper()
	if p, err := w.keeper.Authenticate(w.t.Context(), secret); !errors.Is(err, fettle.ErrDenied) {
		w.t.Errorf("%+v is still in: %v", p, err)
	}
}

// written gives the actions of the audit log, the newest first.
func (w *town) written() (actions []string) {
	w.t.Helper()
	entries, err := w.log.Entries(w.t.Context(), audit.Query{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		actions = append(actions, e.Action)
	}
	return actions
}

func TestSignIn(t *testing.T) {
	t.Run("a name and a password begin a session, with the user's role and groups", func(t *testing.T) {
		w := newTown(t, nil)
		w.add("ann", Operator, "release", "dba", "release")
		secret := w.in(" Ann ")
		p, err := w.keeper.Authenticate(t.Context(), secret)
		if err != nil || p.Name != "ann" || p.Role != Operator || p.Account != "ann" || !p.Session || !slices.Equal(p.Groups, []string{"dba", "release"}) {
			t.Errorf("got %+v, %v", p, err)
		}
		if another := w.in("ann"); another == secret {
			t.Error("two logins gave one secret")
		}
		if u, err := w.User(t.Context(), "ann"); err != nil || u.Seen == 0 {
			t.Errorf("kept is %+v, %v", u, err)
		}
		if got := w.written(); !slices.Equal(got, []string{"login", "login"}) {
			t.Errorf("put down is %v", got)
		}
	})
	t.Run("what is wrong is not told", func(t *testing.T) {
		w := newTown(t, nil)
		w.add("ann", Admin)
		w.add("bob", Admin)
		yes := true
		if _, err := w.Alter(t.Context(), "bob", Change{Disabled: &yes}); err != nil {
			t.Fatal(err)
		}
		for _, try := range [][2]string{{"ann", phrase + "r"}, {"ann", ""}, {"nobody", phrase}, {"", ""}, {"bob", phrase}, {"ann", strings.Repeat("a", 10_000)}} {
			_, err := w.signIn(try[0], try[1])
			if !errors.Is(err, fettle.ErrDenied) || err.Error() != errWrong.Error() {
				t.Errorf("%q: %v", try[0], err)
			}
		}
		if got := w.written(); len(got) != 6 || slices.Contains(got, "login") {
			t.Errorf("put down is %v", got)
		}
	})
	t.Run("an unknown name costs the hash that a known one does", func(t *testing.T) {
		h := newHasher(cost{memory: 64, time: 1, threads: 1})
		c, salt, key, err := decodeHash(h.dummy)
		if err != nil || c != h.cost || len(salt) != saltBytes || len(key) != keyBytes {
			t.Errorf("the dummy is %v %d %d, %v", c, len(salt), len(key), err)
		}
		if right, _, err := h.verify(t.Context(), "", ""); right || err != nil {
			t.Errorf("nobody's password is %v, %v", right, err)
		}
	})
	t.Run("a broken store is not a wrong password, and costs no try", func(t *testing.T) {
		w := newTown(t, nil)
		w.add("ann", Admin)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range nameTries * 2 {
			if _, _, err := w.SignIn(ctx, Attempt{Name: "ann", Password: phrase, Address: "192.0.2.1:1"}); err == nil || errors.Is(err, fettle.ErrDenied) {
				t.Fatalf("got %v", err)
			}
		}
		w.in("ann")
	})
}

func TestSessionsEnd(t *testing.T) {
	for name, end := range map[string]func(w *town) error{
		"when the user is disabled": func(w *town) error {
			yes := true
			_, err := w.Alter(w.t.Context(), "ann", Change{Disabled: &yes})
			return err
		},
		"when the password changes": func(w *town) error { return w.SetPassword(w.t.Context(), "ann", phrase+"!") },
		"when the user is deleted":  func(w *town) error { return w.Remove(w.t.Context(), "ann") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, nil)
			w.add("ann", Operator)
			w.add("bob", Operator)
			ann, bob := w.in("ann"), w.in("bob")
			code, err := w.keeper.LoginLinkFor(t.Context(), Person{Name: "ann", Role: Operator, Account: "ann"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.keeper.Authenticate(t.Context(), ann); err != nil { // it is cached now
				t.Fatal(err)
			}
			if err := end(w); err != nil {
				t.Fatal(err)
			}
			w.out(ann)
			if _, err := w.signIn("ann", phrase); !errors.Is(err, fettle.ErrDenied) {
				t.Errorf("she comes in again: %v", err)
			}
			if secret, err := w.keeper.Redeem(t.Context(), code); err == nil {
				w.out(secret)
			}
			if _, err := w.keeper.Authenticate(t.Context(), bob); err != nil {
				t.Errorf("another's session has ended: %v", err)
			}
		})
	}
	t.Run("a login that overlaps a change of the password does not outlive it", func(t *testing.T) {
		w := newTown(t, nil)
		w.add("ann", Operator)
		u, err := w.store.User(t.Context(), "ann") // as the login saw it
		if err != nil {
			t.Fatal(err)
		}
		if err := w.SetPassword(t.Context(), "ann", phrase+"!"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.enter(t.Context(), u); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
		if list, err := w.keeper.List(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("sessions are %v, %v", list, err)
		}
	})
}

func TestUserTokens(t *testing.T) {
	w := newTown(t, nil)
	w.add("ann", Admin)
	secret, kept, err := w.keeper.Issue(t.Context(), Order{Name: "nagios", Role: Operator, Owner: "ann", Account: "ann", Scopes: []string{"read", "check=check_load", "read"}})
	if err != nil || kept.Owner != "ann" || !slices.Equal(kept.Scopes, []string{"check=check_load", "read"}) {
		t.Fatalf("kept is %+v, %v", kept, err)
	}
	viewer, no, yes := Viewer, false, true
	role := func() Role {
		t.Helper()
		p, err := w.keeper.Authenticate(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		return p.Role
	}
	if got := role(); got != Operator {
		t.Errorf("an admin's token for an operator is one for a %s", got)
	}
	if _, err := w.Alter(t.Context(), "ann", Change{Role: &viewer}); err != nil {
		t.Fatal(err)
	}
	if got := role(); got != Viewer {
		t.Errorf("the token of a viewer may what a %s may", got)
	}
	if _, err := w.Alter(t.Context(), "ann", Change{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	w.out(secret)
	if _, err := w.Alter(t.Context(), "ann", Change{Disabled: &no}); err != nil {
		t.Fatal(err)
	}
	role()
	if err := w.Remove(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	w.out(secret)
}

func TestRateLimit(t *testing.T) {
	limitOf := func(t *testing.T, err error) time.Duration {
		t.Helper()
		var limit *LimitError
		if !errors.As(err, &limit) || !errors.Is(err, fettle.ErrDenied) || limit.After <= 0 {
			t.Fatalf("got %v", err)
		}
		return limit.After
	}
	t.Run("a name that failed too often has to wait, also with the right password", func(t *testing.T) {
		w := newTown(t, nil)
		w.add("ann", Admin)
		w.add("bob", Admin)
		for range nameTries {
			if _, err := w.signIn("ann", "wrong"); err.Error() != errWrong.Error() {
				t.Fatal(err)
			}
		}
		_, err := w.signIn("ann", phrase)
		after := limitOf(t, err)
		w.in("bob")
		w.clock.add(after - time.Millisecond)
		_, err = w.signIn("ann", phrase)
		limitOf(t, err)
		w.clock.add(time.Millisecond)
		w.in("ann")
		for range nameTries { // who came in has all tries again
			if _, err := w.signIn("ann", "wrong"); err.Error() != errWrong.Error() {
				t.Fatal(err)
			}
		}
		if got := w.written(); !slices.Contains(got, "login.limited") {
			t.Errorf("put down is %v", got)
		}
	})
	t.Run("an address that failed with many names has to wait, and another has not", func(t *testing.T) {
		w := newTown(t, nil)
		w.add("ann", Admin)
		for i := range addressTries {
			if _, err := w.signIn(fmt.Sprint("user", i), "wrong"); err.Error() != errWrong.Error() {
				t.Fatal(err)
			}
		}
		_, err := w.signIn("ann", phrase)
		limitOf(t, err)
		if _, _, err := w.SignIn(t.Context(), Attempt{Name: "ann", Password: phrase, Address: "192.0.2.2:5000"}); err != nil {
			t.Error(err)
		}
	})
	t.Run("coming in gives an address no tries for other names", func(t *testing.T) {
		w := newTown(t, nil)
		w.add("ann", Admin)
		for i := range addressTries {
			if _, err := w.signIn(fmt.Sprint("user", i), "wrong"); err.Error() != errWrong.Error() {
				t.Fatal(err)
			}
			if i == addressTries/2 {
				w.in("ann")
			}
		}
		_, err := w.signIn("bob", "wrong")
		limitOf(t, err)
	})
	t.Run("tries at once do not share one", func(t *testing.T) {
		w := newTown(t, nil)
		w.add("ann", Admin)
		var mu sync.Mutex
		looked := 0
		var wg sync.WaitGroup
		for range nameTries * 4 {
			wg.Go(func() {
				_, err := w.signIn("ann", "wrong")
				mu.Lock()
				defer mu.Unlock()
				if err.Error() == errWrong.Error() {
					looked++
				}
			})
		}
		wg.Wait()
		if looked != nameTries {
			t.Errorf("%d passwords were looked at, want %d", looked, nameTries)
		}
	})
	t.Run("its memory is bounded, and full it lets nobody through unseen", func(t *testing.T) {
		c := &clock{t: time.Unix(1e9, 0)}
		l := newLimiter(2, time.Minute, c.now)
		for i := range maxTracked {
			if err := l.take(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2 {
			if err := l.take(fmt.Sprint("more", i)); err != nil {
				t.Fatal(err)
			}
		}
		limitOf(t, l.take("last"))
		if len(l.until) != maxTracked {
			t.Errorf("%d keys are tracked", len(l.until))
		}
		c.add(2 * time.Minute)
		if err := l.take("last"); err != nil || len(l.until) != 1 {
			t.Errorf("later: %v, %d are tracked", err, len(l.until))
		}
	})
	t.Run("an IPv6 network is one address", func(t *testing.T) {
		for in, want := range map[string]string{
			"192.0.2.1:5000": "192.0.2.1", "[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64", "[::ffff:192.0.2.1]:80": "192.0.2.1", "pipe": "pipe", "[fe80::1%eth0]:1": "fe80::/64",
		} {
			if got := network(in); got != want {
				t.Errorf("%s is %s, want %s", in, got, want)
			}
		}
	})
}

func TestUsers(t *testing.T) {
	w := newTown(t, nil)
	w.add("ann", Viewer)
	for why, n := range map[string]NewUser{
		"no name":            {Role: Viewer, Password: phrase},
		"a capital":          {Name: "Ann", Role: Viewer, Password: phrase},
		"a blank":            {Name: "a b", Role: Viewer, Password: phrase},
		"another alphabet":   {Name: "аnn", Role: Viewer, Password: phrase},
		"a long name":        {Name: strings.Repeat("a", 65), Role: Viewer, Password: phrase},
		"no role":            {Name: "bob", Password: phrase},
		"a short password":   {Name: "bob", Role: Viewer, Password: "123456789"},
		"a long password":    {Name: "bob", Role: Viewer, Password: strings.Repeat("a", 257)},
		"a group of nothing": {Name: "bob", Role: Viewer, Password: phrase, Groups: []string{""}},
		"a group of lines":   {Name: "bob", Role: Viewer, Password: phrase, Groups: []string{"a\nb"}},
	} {
		if _, err := w.Add(t.Context(), n); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: %v", why, err)
		}
	}
	if _, err := w.Add(t.Context(), NewUser{Name: "ann", Role: Admin, Password: phrase}); !errors.Is(err, fettle.ErrConflict) {
		t.Errorf("a second ann: %v", err)
	}
	if err := w.SetPassword(t.Context(), "bob", phrase); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("a password for nobody: %v", err)
	}
	if err := w.HasPassword(t.Context(), "ann", phrase); err != nil {
		t.Error(err)
	}
	if err := w.HasPassword(t.Context(), "ann", phrase+"r"); !errors.Is(err, fettle.ErrDenied) {
		t.Errorf("got %v", err)
	}
	if list, err := w.List(t.Context()); err != nil || len(list) != 1 || list[0].Role != Viewer || list[0].Source != SourceLocal || list[0].Changed == 0 {
		t.Errorf("users are %+v, %v", list, err)
	}
	if u, err := w.store.User(t.Context(), "ann"); err != nil || strings.Contains(u.Hash, phrase) || !strings.HasPrefix(u.Hash, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("kept is %q, %v", u.Hash, err)
	}
}

func TestRehash(t *testing.T) {
	w := newTown(t, nil)
	w.add("ann", Viewer)
	w.hasher = newHasher(cost{memory: 128, time: 2, threads: 1})
	if _, err := w.signIn("ann", phrase+"r"); err == nil {
		t.Fatal("a wrong password came in")
	}
	if u, err := w.store.User(t.Context(), "ann"); err != nil || !strings.Contains(u.Hash, "m=64,t=1,p=1") {
		t.Fatalf("after a wrong password the hash is %q, %v", u.Hash, err)
	}
	w.in("ann")
	if u, err := w.store.User(t.Context(), "ann"); err != nil || !strings.Contains(u.Hash, "m=128,t=2,p=1") {
		t.Errorf("after a login the hash is %q, %v", u.Hash, err)
	}
	w.in("ann")
}

// clerk is a directory of one person.
type clerk struct {
	id   Identity
	word string
	err  error
}

func (c clerk) Check(_ context.Context, name, password string) (Identity, error) {
	if c.err != nil {
		return Identity{}, c.err
	}
	if name != c.id.Name || password != c.word {
		return Identity{}, fmt.Errorf("no: %w", fettle.ErrDenied)
	}
	return c.id, nil
}

func TestDirectory(t *testing.T) {
	eve := Identity{Name: "eve", Role: Operator, Groups: []string{"ops"}, Source: SourceLDAP}
	t.Run("who is known there comes in, and is listed", func(t *testing.T) {
		w := newTown(t, clerk{id: eve, word: phrase})
		secret := w.in("eve")
		p, err := w.keeper.Authenticate(t.Context(), secret)
		if err != nil || p.Role != Operator || !slices.Equal(p.Groups, []string{"ops"}) {
			t.Errorf("got %+v, %v", p, err)
		}
		u, err := w.User(t.Context(), "eve")
		if err != nil || u.Source != SourceLDAP || u.Changed != 0 {
			t.Errorf("kept is %+v, %v", u, err)
		}
		if err := w.SetPassword(t.Context(), "eve", phrase); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("a password of the directory's was changed here: %v", err)
		}
		admin := Admin
		if _, err := w.Alter(t.Context(), "eve", Change{Role: &admin}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("a role of the directory's was changed here: %v", err)
		}
		yes := true
		if _, err := w.Alter(t.Context(), "eve", Change{Disabled: &yes}); err != nil {
			t.Fatal(err)
		}
		w.out(secret)
		if _, err := w.signIn("eve", phrase); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("who is disabled here comes in by the directory: %v", err)
		}
	})
	t.Run("local users stay who they are", func(t *testing.T) {
		w := newTown(t, clerk{id: Identity{Name: "ann", Role: Admin, Source: SourceLDAP}, word: "the directory's"})
		w.add("ann", Viewer)
		if _, err := w.signIn("ann", "the directory's"); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("the directory's ann is let in as ours: %v", err)
		}
		w.in("ann")
		if _, _, err := w.Enter(t.Context(), Identity{Name: "ann", Role: Admin, Source: SourceOIDC}); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("a provider's ann is let in as ours: %v", err)
		}
	})
	t.Run("an empty password is not asked of a directory, which might let it pass", func(t *testing.T) {
		w := newTown(t, clerk{id: eve, word: ""})
		if _, err := w.signIn("eve", ""); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("who has no role there has none here", func(t *testing.T) {
		w := newTown(t, clerk{id: Identity{Name: "eve", Source: SourceLDAP}, word: phrase})
		if _, err := w.signIn("eve", phrase); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("one that is away is not a wrong password, and local users come in", func(t *testing.T) {
		w := newTown(t, clerk{err: fmt.Errorf("away: %w", fettle.ErrUnavailable)})
		w.add("ann", Viewer)
		if _, err := w.signIn("eve", phrase); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		w.in("ann")
	})
}

func TestScopes(t *testing.T) {
	for _, row := range []struct {
		scopes []string
		use    Use
		may    bool
	}{
		{nil, Use{Operation: "delete-token"}, true},
		{[]string{"read"}, Use{Operation: "find-nodes", Reads: true}, true},
		{[]string{"read"}, Use{Operation: "start-run"}, false},
		{[]string{"prometheus"}, Use{Operation: "metrics", Reads: true, Figures: true}, true},
		{[]string{"prometheus"}, Use{Operation: "find-nodes", Reads: true}, false},
		{[]string{"check=check_load"}, Use{Operation: "ask-verdict", Check: "check_load"}, true},
		{[]string{"check=check_load"}, Use{Operation: "ask-verdict", Check: "check_disk"}, false},
		{[]string{"check=check_load"}, Use{Operation: "list-verdicts", Reads: true}, false},
		{[]string{"operation=start-run"}, Use{Operation: "start-run"}, true},
		{[]string{"operation=start-run"}, Use{Operation: "cancel-run"}, false},
		{[]string{"prometheus", "operation=cancel-run"}, Use{Operation: "cancel-run"}, true},
	} {
		err := Person{Name: "x", Role: Admin, Scopes: row.scopes}.Allows(row.use)
		if row.may != (err == nil) || err != nil && !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("%v for %+v: %v", row.scopes, row.use, err)
		}
	}
	for _, bad := range []string{"", "write", "check=", "check", "operation=a b", "node=web1"} {
		if _, err := ParseScopes([]string{"read", bad}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzHash(f *testing.F) {
	h := newHasher(cost{memory: 64, time: 1, threads: 1})
	good, err := h.hash(f.Context(), phrase)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", good, h.dummy, "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA", "$argon2id$v=19$m=-1,t=1,p=1$$", "$2y$10$abc", "$argon2id$v=19$m=65536,t=2,p=1$é$é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, salt, key, err := decodeHash(s)
		if err != nil {
			return
		}
		if c.memory > maxCost.memory || c.time > maxCost.time || c.threads > maxCost.threads || len(salt) == 0 || len(key) < 16 {
			t.Errorf("%q asks for %+v, %d and %d bytes", s, c, len(salt), len(key))
		}
	})
}
