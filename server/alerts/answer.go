package alerts

import (
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// State is an alert, and who has been told of it.
type State struct {
	Alert
	Summary string
	Link    string
	Told    []Told // by receiver, as the configuration has them
}

// Told is what one receiver was told.
type Told struct {
	Receiver string
	Status   fettle.CheckStatus // the last one that it took; empty: nothing yet
	At       fettle.Millis
	First    fettle.Millis
	Times    int
	Ended    bool // it was told the end
}

// ReceiverState is how a receiver is.
type ReceiverState struct {
	Name    string
	Kind    string // alertmanager, mail, webhook
	Waiting int    // that it is to be told
	Sent    fettle.Millis
	Tries   int // since the last message that it took
	Next    fettle.Millis
	Fault   string // why it did not take the last message; empty: it did
}

// List gives the alerts that go on, and those whose end is not told to everybody yet: the worst first.
func (a *Alerts) List() []State {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []State
	for _, one := range a.book.sorted() {
		s := State{Alert: *one, Summary: one.Summary(), Link: one.Link(a.cfg.URL)}
		for _, r := range a.receivers {
			n := r.notices[one.Name]
			if n == nil && routeTo(a.cfg.Routes, r.name, one) == nil {
				continue
			}
			told := Told{Receiver: r.name}
			if n != nil {
				told = Told{r.name, n.Status, n.At, n.First, n.Told, n.Ended}
			}
			s.Told = append(s.Told, told)
		}
		out = append(out, s)
	}
	return out
}

// Receivers gives the receivers as the configuration has them.
func (a *Alerts) Receivers() []ReceiverState {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]ReceiverState, len(a.receivers))
	for i, r := range a.receivers {
		out[i] = ReceiverState{Name: r.name, Kind: r.kind, Waiting: r.waiting, Sent: r.lastSent, Tries: r.tries, Next: r.nextTry, Fault: r.lastErr}
	}
	return out
}

// Looked tells when verdicts were looked at last, and why that failed since; empty: it did not.
func (a *Alerts) Looked() (at fettle.Millis, fault string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.looked, a.fault
}

// Names gives the names of the receivers, sorted.
func (a *Alerts) Names() []string {
	var names []string
	for _, r := range a.receivers {
		names = append(names, r.name)
	}
	slices.Sort(names)
	return names
}
