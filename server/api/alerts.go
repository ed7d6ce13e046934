package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/alerts"
	"github.com/fettle-dev/fettle/server/auth"
)

// Alerts tells receivers what is wrong; *alerts.Alerts is one. Its methods are safe for concurrent use, and none but Test blocks.
type Alerts interface {
	List() []alerts.State
	Receivers() []alerts.ReceiverState
	Looked() (at fettle.Millis, fault string)
	// Test has a receiver be told of an alert that is none. ErrNotFound: there is no such receiver; ErrUnavailable: it did not take it.
	Test(ctx context.Context, receiver, caller string) error
}

// AlertInfo is a verdict that is not ok, and who has been told of it.
type AlertInfo struct {
	Name     string            `json:"name" doc:"Of the check or group; with the value of a fact where there is a verdict for each" example:"disk: acme"`
	Check    string            `json:"check"`
	Kind     string            `json:"kind" enum:"check,group"`
	Value    string            `json:"value,omitempty" doc:"Of a fact"`
	State    string            `json:"state" enum:"firing,resolved" doc:"resolved: it has ended, and not everybody has been told"`
	Status   string            `json:"status" enum:"warning,critical,unknown" doc:"The last one that is not ok"`
	Since    time.Time         `json:"since"`
	Ended    *time.Time        `json:"ended,omitempty"`
	Summary  string            `json:"summary"`
	Tally    fettle.CheckTally `json:"tally"`
	Nodes    map[string]string `json:"nodes" doc:"Folded names of those that are not ok, by status; cut where there are many"`
	Owner    string            `json:"owner,omitempty"`
	Runbook  string            `json:"runbook,omitempty"`
	Notes    string            `json:"notes,omitempty"`
	Labels   map[string]string `json:"labels"`
	URL      string            `json:"url,omitempty" doc:"Of the page about it"`
	Silenced int               `json:"silenced,omitempty" doc:"Nodes that silences leave out"`
	Told     []AlertTold       `json:"told" doc:"Those receivers that a route leads to"`
}

// AlertTold is what one receiver was told.
type AlertTold struct {
	Receiver string     `json:"receiver"`
	Status   string     `json:"status,omitempty" doc:"The last one that it took; left out: nothing yet"`
	At       *time.Time `json:"at,omitempty"`
	First    *time.Time `json:"first,omitempty"`
	Times    int        `json:"times"`
	Ended    bool       `json:"ended,omitempty" doc:"It was told the end"`
}

// AlertList is the alerts there are, the worst first.
type AlertList struct {
	Alerts []AlertInfo `json:"alerts"`
	Looked *time.Time  `json:"looked,omitempty" doc:"When verdicts were looked at last"`
	Fault  string      `json:"fault,omitempty" doc:"Why that fails since"`
}

// AlertReceiver is somebody who is told.
type AlertReceiver struct {
	Name    string     `json:"name"`
	Kind    string     `json:"kind" enum:"alertmanager,mail,webhook"`
	Waiting int        `json:"waiting" doc:"Alerts that it is to be told of"`
	Sent    *time.Time `json:"sent,omitempty" doc:"When it took the last message since the server's start"`
	Tries   int        `json:"tries" doc:"Messages in a row that it did not take"`
	Next    *time.Time `json:"next,omitempty" doc:"When it is tried again"`
	Fault   string     `json:"fault,omitempty" doc:"Why it did not take the last one"`
}

// AlertReceiverList is all receivers, as the configuration has them.
type AlertReceiverList struct {
	Receivers []AlertReceiver `json:"receivers"`
}

// OneReceiver is the path of one receiver.
type OneReceiver struct {
	Receiver string `path:"receiver" maxLength:"100" example:"oncall"`
}

func (a *rest) alertRoutes() {
	handle(a, route{
		id: "list-alerts", method: http.MethodGet, path: "/alerts", tag: "alerts", need: auth.Viewer, summary: "List alerts",
		text: "What is wrong, since when, and which receivers were told. The worst first.",
	}, a.listAlerts)
	handle(a, route{
		id: "list-receivers", method: http.MethodGet, path: "/alerts/receivers", tag: "alerts", need: auth.Viewer, summary: "List receivers of alerts",
		text: "As the configuration has them, with what waits for each, and why it does not take it.",
	}, a.listReceivers)
	handle(a, route{
		id: "test-receiver", method: http.MethodPost, path: "/alerts/receivers/{receiver}/test", tag: "alerts", need: auth.Operator, status: http.StatusNoContent,
		summary: "Test a receiver of alerts", text: "It is told of an alert that is none, and says so. 503: it did not take it, and why.", wait: testWait,
	}, a.testReceiver)
}

// testWait is how long a receiver may take.
const testWait = time.Minute

func when(m fettle.Millis) *time.Time {
	if m == 0 {
		return nil
	}
	return new(m.Time())
}

func (a *rest) listAlerts(context.Context, *struct{}) (*output[AlertList], error) {
	list := AlertList{Alerts: []AlertInfo{}}
	if a.cfg.Alerts == nil {
		return &output[AlertList]{list}, nil
	}
	at, fault := a.cfg.Alerts.Looked()
	list.Looked, list.Fault = when(at), fault
	for _, s := range a.cfg.Alerts.List() {
		list.Alerts = append(list.Alerts, alertInfo(s))
	}
	return &output[AlertList]{list}, nil
}

func alertInfo(s alerts.State) AlertInfo {
	i := AlertInfo{
		Name: s.Name, Check: s.Check, Kind: string(s.Kind), Value: s.Value, State: "firing", Status: string(s.Status), Since: s.Since.Time(), Ended: when(s.Ended),
		Summary: s.Summary, Tally: s.Tally, Nodes: map[string]string{}, Owner: s.Owner, Runbook: s.Runbook, Notes: s.Notes, Labels: s.Labels, URL: s.Link,
		Silenced: s.Silenced, Told: []AlertTold{},
	}
	if s.Ended != 0 {
		i.State = "resolved"
	}
	if i.Labels == nil {
		i.Labels = map[string]string{}
	}
	for status, names := range s.Nodes {
		i.Nodes[string(status)] = names
	}
	for _, t := range s.Told {
		i.Told = append(i.Told, AlertTold{t.Receiver, string(t.Status), when(t.At), when(t.First), t.Times, t.Ended})
	}
	return i
}

func (a *rest) listReceivers(context.Context, *struct{}) (*output[AlertReceiverList], error) {
	list := AlertReceiverList{Receivers: []AlertReceiver{}}
	if a.cfg.Alerts == nil {
		return &output[AlertReceiverList]{list}, nil
	}
	for _, r := range a.cfg.Alerts.Receivers() {
		list.Receivers = append(list.Receivers, AlertReceiver{r.Name, r.Kind, r.Waiting, when(r.Sent), r.Tries, when(r.Next), r.Fault})
	}
	return &output[AlertReceiverList]{list}, nil
}

func (a *rest) testReceiver(ctx context.Context, in *OneReceiver) (*struct{}, error) {
	if a.cfg.Alerts == nil {
		return nil, fmt.Errorf("receiver %q: %w", in.Receiver, fettle.ErrNotFound)
	}
	return nil, a.cfg.Alerts.Test(ctx, in.Receiver, auth.From(ctx).Name)
}
