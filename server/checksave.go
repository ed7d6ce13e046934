package server

import (
	"context"
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
)

// maxDefined bounds the checks of a server: every node is asked about each of them whenever its facts change.
const maxDefined = 1000

// CheckChange asks for a check to be made or changed.
type CheckChange struct {
	Definition fettle.CheckDefinition
	Rev        int64    // of the one that was looked at; zero: whatever is there is replaced
	New        bool     // it is not there yet: nothing is replaced
	Caller     Asker    // who asks
	Admin      bool     // may write command lines, and change what is another's
	DryRun     bool     // nothing is stored
	Coming     []string // of DryRun: checks and groups that are about to be made, on which this one may depend
}

// CheckDefinitions lists the checks that are defined, as they were written, by name.
func (s *Server) CheckDefinitions(context.Context) ([]fettle.KeptCheck, error) {
	defs := s.defs.all()
	out := make([]fettle.KeptCheck, len(defs))
	for i, def := range defs {
		out[i] = def.kept
	}
	return out, nil
}

// CheckDefinition gives one of them. ErrNotFound: there is none of that name.
func (s *Server) CheckDefinition(_ context.Context, name string) (fettle.KeptCheck, error) {
	def, ok := s.definition(name)
	if !ok {
		return fettle.KeptCheck{}, s.noCheck(name)
	}
	return def.kept, nil
}

func (s *Server) noCheck(name string) error {
	if near := nearest(name, s.Board.Names()); near != "" {
		return fmt.Errorf("no check %s is defined, did you mean %s?: %w", name, near, fettle.ErrNotFound)
	}
	return fmt.Errorf("no check %s is defined: %w", name, fettle.ErrNotFound)
}

// SaveCheck makes a check, or changes one; the nodes that it is about hear of it within seconds. One that would be what it is keeps its rev. ErrInvalid: a fault of
// the definition, each by its key. ErrDenied: who asks may not. ErrConflict: it has changed since Rev, or it is provisioned elsewhere.
func (s *Server) SaveCheck(ctx context.Context, c CheckChange) (fettle.KeptCheck, error) {
	s.defs.change.Lock()
	defer s.defs.change.Unlock()
	next, old, err := s.changedCheck(c)
	if err != nil {
		return fettle.KeptCheck{}, err
	}
	def, err := s.tryCheck(ctx, next, c.Coming)
	if err != nil {
		return fettle.KeptCheck{}, err
	}
	if c.DryRun {
		return def.kept, nil
	}
	kept, err := s.storeCheck(ctx, next, old)
	if err != nil {
		return fettle.KeptCheck{}, err
	}
	if kept.Rev == old.Rev {
		return kept, nil
	}
	if def, err = s.compileCheck(ctx, kept); err != nil {
		return fettle.KeptCheck{}, err
	}
	s.Log.Info("check saved", "check", kept.Name, "user", c.Caller.Name)
	if err := s.keepCheck(ctx, def); err != nil {
		s.Log.Warn("the nodes of a check are looked for one by one", "check", kept.Name, "err", err)
	}
	return kept, nil
}

// changedCheck gives a check as c wants it, and as it is, if whoever asks may.
func (s *Server) changedCheck(c CheckChange) (next, old fettle.KeptCheck, err error) {
	def, known := s.definition(c.Definition.Name)
	if known {
		old = def.kept
	}
	next = fettle.KeptCheck{CheckDefinition: c.Definition, Updated: fettle.MillisOf(s.Now()), Editor: c.Caller.Name, Rev: old.Rev, TaskRev: old.TaskRev, Role: c.Caller.Role, Account: c.Caller.Account, Token: c.Caller.Token}
	switch {
	case old.Source != "":
		return next, old, fmt.Errorf("check %s is defined in %s, and is changed there: %w", old.Name, old.Source, fettle.ErrConflict)
	case c.New && known:
		return next, old, fmt.Errorf("there is a check %s already: %w", old.Name, fettle.ErrConflict)
	case c.Rev != 0 && !known:
		return next, old, fmt.Errorf("check %s is gone: %w", c.Definition.Name, fettle.ErrConflict)
	case c.Rev != 0 && c.Rev != old.Rev:
		return next, old, fmt.Errorf("check %s has rev %d, and the change was made to rev %d: %w", old.Name, old.Rev, c.Rev, fettle.ErrConflict)
	case known && old.Owner != c.Caller.Name && !c.Admin:
		return next, old, fmt.Errorf("check %s is %s's: %w", old.Name, old.Owner, fettle.ErrDenied)
	case c.Definition.Command != "" && !c.Admin:
		return next, old, fmt.Errorf("a check with a command line is for administrators, because every node would run it: %w", fettle.ErrDenied)
	}
	if next.Owner == "" {
		next.Owner = old.Owner
	}
	if next.Owner == "" {
		next.Owner = c.Caller.Name
	}
	if next.Owner != c.Caller.Name {
		if !c.Admin {
			return next, old, fmt.Errorf("only an administrator gives a check to another, such as %s: %w", next.Owner, fettle.ErrDenied)
		}
		next.Role, next.Account, next.Token = old.Role, old.Account, old.Token
		if next.Owner != old.Owner {
			next.Role, next.Account, next.Token = "", next.Owner, "" // those of the user, who has to be one
		}
	}
	return next, old, nil
}

// tryCheck compiles a check as it would be, and looks for what only the server can: actions, inputs, saved filters, what it depends on, circles.
func (s *Server) tryCheck(ctx context.Context, next fettle.KeptCheck, coming []string) (definition, error) {
	def, err := s.compileCheck(ctx, next)
	if err != nil {
		return def, err
	}
	if def.fault != nil {
		return def, fmt.Errorf("filter: %w", def.fault)
	}
	if next.Action != "" {
		if err := s.tryAction("action", "inputs", next.Action, next.Inputs); err != nil {
			return def, err
		}
	}
	if next.OnChange != nil {
		if err := s.tryRemedy(*next.OnChange); err != nil {
			return def, err
		}
	}
	if _, isGroup := s.groups.get(next.Name); isGroup {
		return def, fmt.Errorf("%s is the name of a group: %w", next.Name, fettle.ErrConflict)
	}
	if err := s.defs.fits(def); err != nil {
		return def, err
	}
	if err := s.tryDependencies(next.Name, next.DependsOn, coming); err != nil {
		return def, err
	}
	return def, nil
}

func (s *Server) tryAction(key, inputsKey, name string, inputs map[string]any) error {
	action, err := s.lookUp(name)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", key, err, fettle.ErrInvalid)
	}
	return s.tryInputs(action, inputsKey, inputs)
}

func (s *Server) tryInputs(action plugins.Action, key string, inputs map[string]any) error {
	for _, in := range action.Inputs {
		if _, given := inputs[in.Name]; given && in.Secret {
			return &fettle.Fault{Key: key + "." + in.Name, Reason: "a secret cannot be kept in a definition"}
		}
	}
	if _, err := plugins.Validate(action, inputs); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// fits tells whether a check may stand beside the others: there is room for it, and it is in no circle with them.
func (d *definitions) fits(def definition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, known := d.byName[def.Name]
	if !known && len(d.byName) >= maxDefined {
		return fmt.Errorf("%d checks are defined, and no more are allowed: %w", len(d.byName), fettle.ErrConflict)
	}
	d.byName[def.Name] = def
	defer func() {
		if delete(d.byName, def.Name); known {
			d.byName[def.Name] = old
		}
	}()
	if d.reaches(def.Name, def.Name, map[string]bool{}) {
		return &fettle.Fault{Key: "filter", Reason: "it is about the state of the check itself, or of one that is about this one"}
	}
	if d.depends(def.Name, def.Name, map[string]bool{}) {
		return &fettle.Fault{Key: "depends_on", Reason: "by way of others it stands in its own shadow"}
	}
	return nil
}

// depends tells whether a check stands in the shadow of another, directly or by way of others. The caller holds mu.
func (d *definitions) depends(from, to string, seen map[string]bool) bool {
	if seen[from] {
		return false
	}
	seen[from] = true
	return slices.ContainsFunc(d.byName[from].DependsOn, func(name string) bool { return name == to || d.depends(name, to, seen) })
}

// DeleteCheck takes a check away, with its states; its history stays. ErrNotFound: there is none. ErrConflict: it is provisioned elsewhere.
func (s *Server) DeleteCheck(ctx context.Context, name string, caller Asker, admin bool) error {
	s.defs.change.Lock()
	defer s.defs.change.Unlock()
	def, known := s.definition(name)
	switch {
	case !known:
		return s.noCheck(name)
	case def.kept.Source != "":
		return fmt.Errorf("check %s is defined in %s, and is taken away there: %w", name, def.kept.Source, fettle.ErrConflict)
	case def.kept.Owner != caller.Name && !admin:
		return fmt.Errorf("check %s is %s's: %w", name, def.kept.Owner, fettle.ErrDenied)
	}
	if users := s.standingOn(name); len(users) > 0 {
		return fmt.Errorf("%s stands on check %s: %w", users[0], name, fettle.ErrConflict)
	}
	if err := s.Store.DeleteCheck(ctx, name, fettle.MillisOf(s.Now())); err != nil {
		return err
	}
	s.defs.mu.Lock()
	delete(s.defs.byName, name)
	s.defs.mu.Unlock()
	s.Board.Remove(name, fettle.MillisOf(s.Now()))
	for _, id := range s.presence.identities() {
		s.Inventory.DropCheck(id, name)
		s.defs.touch(id)
	}
	s.Log.Info("check deleted", "check", name, "user", caller.Name)
	s.changes.notify()
	return nil
}
