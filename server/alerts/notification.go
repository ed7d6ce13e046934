package alerts

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Notification is a message as templates and webhooks have it. Its JSON is promised in docs/alerts.md.
type Notification struct {
	ID       string     `json:"id"` // the same for what is sent again because it was not known whether it had arrived
	Receiver string     `json:"receiver"`
	Status   string     `json:"status"` // firing, when any of Alerts is; else resolved
	Test     bool       `json:"test,omitempty"`
	URL      string     `json:"url,omitempty"` // of our pages
	At       time.Time  `json:"at"`
	Alerts   []Notified `json:"alerts"` // at least one; the worst first
}

// Notified is an alert in a Notification.
type Notified struct {
	Name     string                        `json:"name"`
	Check    string                        `json:"check"`
	Kind     fettle.VerdictKind            `json:"kind"`
	Value    string                        `json:"value,omitempty"`
	State    string                        `json:"state"`         // firing or resolved
	Status   fettle.CheckStatus            `json:"status"`        // the last one that is not ok
	Was      fettle.CheckStatus            `json:"was,omitempty"` // told before, where it was another
	Repeat   bool                          `json:"repeat,omitempty"`
	Since    time.Time                     `json:"since"`
	Ended    time.Time                     `json:"ended,omitzero"`
	Summary  string                        `json:"summary"`
	Details  string                        `json:"details,omitempty"`
	Reason   string                        `json:"reason,omitempty"`
	Tally    fettle.CheckTally             `json:"tally"`
	Nodes    map[fettle.CheckStatus]string `json:"nodes,omitempty"`
	Output   []Line                        `json:"output,omitempty"`
	Owner    string                        `json:"owner,omitempty"`
	Runbook  string                        `json:"runbook,omitempty"`
	Notes    string                        `json:"notes,omitempty"`
	Labels   map[string]string             `json:"labels"`
	URL      string                        `json:"url,omitempty"`
	Silenced int                           `json:"silenced,omitempty"`
	Episode  string                        `json:"episode"` // unlike that of any other time at which it was not ok
}

// Firing gives the alerts that go on.
func (n Notification) Firing() []Notified { return n.in("firing") }

// Resolved gives those that have ended.
func (n Notification) Resolved() []Notified { return n.in("resolved") }

func (n Notification) in(state string) (out []Notified) {
	for _, a := range n.Alerts {
		if a.State == state {
			out = append(out, a)
		}
	}
	return out
}

func notificationOf(m message) Notification {
	n := Notification{Receiver: m.Receiver, Status: "resolved", Test: m.Test, URL: m.URL, At: m.At.Time()}
	id := sha256.New()
	id.Write([]byte(m.Receiver))
	for _, it := range m.Items {
		a := it.Alert
		one := Notified{
			Name: a.Name, Check: a.Check, Kind: a.Kind, Value: a.Value, State: "firing", Status: a.Status, Was: it.Was, Repeat: it.Repeat, Since: a.Since.Time(),
			Ended: a.Ended.Time(), Summary: a.Summary(), Details: a.details(), Reason: a.Reason, Tally: a.Tally, Nodes: a.Nodes, Output: a.Output, Owner: a.Owner,
			Runbook: a.Runbook, Notes: a.Notes, Labels: labelsOf(&a), URL: a.Link(m.URL), Silenced: a.Silenced, Episode: a.Episode,
		}
		if a.Ended != 0 {
			one.State = "resolved"
		} else {
			n.Status = "firing"
		}
		id.Write([]byte("\x00" + it.key()))
		n.Alerts = append(n.Alerts, one)
	}
	n.ID = hex.EncodeToString(id.Sum(nil)[:16])
	return n
}

// key names what is told of an alert: the same when it is told again because it was not known whether it had arrived.
func (it item) key() string {
	state := string(it.Alert.Status)
	if it.Alert.Ended != 0 {
		state = "resolved"
	}
	return it.Alert.Episode + " " + state + " " + string(rune('0'+it.Told%10)) + " " + it.Alert.Name
}

// example is what templates are tried with.
func example() Notification {
	now := fettle.Millis(1_700_000_000_000)
	a := Alert{
		Name: "load: acme", Check: "load", Kind: fettle.KindCheck, Fact: "customer", Value: "acme", Status: fettle.CheckCritical, Since: now, Changed: now, Episode: "x",
		Tally: fettle.CheckTally{Total: 2, OK: 1, Critical: 1}, Nodes: map[fettle.CheckStatus]string{fettle.CheckCritical: "db1"}, Output: []Line{{"db1", "load is 31"}},
		Owner: "ann", Runbook: "https://wiki.acme.net/load", Notes: "notes", Labels: map[string]string{"team": "db"},
	}
	b := a
	b.Ended = now
	return notificationOf(message{Receiver: "r", URL: "https://fettle.acme.net", At: now, Items: []item{{Alert: a}, {Alert: b, Told: 1}}})
}
