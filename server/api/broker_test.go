package api

import (
	"fmt"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// fakeBroker has three connections and two destinations.
type fakeBroker struct{}

func (fakeBroker) Overview() BrokerInfo {
	return BrokerInfo{Broker: "embedded", Since: now, Connections: 3, Slow: 1, RefusedLogins: map[string]uint64{"denied": 2}}
}

func (fakeBroker) Connections() []BrokerConnection {
	return []BrokerConnection{
		{Session: "s-2", Node: "web2", QueuedBytes: 100_000, Lagging: true, Since: now},
		{Session: "s-3", Name: "joe", Since: now},
		{Session: "s-1", Node: "web1", InRate: 5, Since: now},
	}
}

func (fakeBroker) Destinations() []BrokerDestination {
	return []BrokerDestination{{Name: "/queue/a", Kind: "queue", Depth: 3}, {Name: "/topic/b", Kind: "topic"}, {Name: "/queue/c", Kind: "queue", Depth: 9}}
}

func (f fakeBroker) Destination(name string) (BrokerDestination, error) {
	for _, d := range f.Destinations() {
		if d.Name == name {
			return d, nil
		}
	}
	return BrokerDestination{}, fmt.Errorf("destination %s is not in use: %w", name, fettle.ErrNotFound)
}

func (fakeBroker) Cuts() []BrokerCut {
	return []BrokerCut{{At: now, Session: "s-0", Node: "web3", Reason: "slow consumer", QueuedBytes: 1}}
}

func (fakeBroker) Disconnect(who, why string) ([]string, error) {
	if who != "web1" {
		return nil, fmt.Errorf("%s is not connected: %w", who, fettle.ErrNotFound)
	}
	return []string{why}, nil
}

func TestBroker(t *testing.T) {
	b := newBench(t, Config{Broker: fakeBroker{}})
	order := func(path, key string) (names string) {
		t.Helper()
		for _, part := range strings.Split(b.get("/api/v1/broker/"+path), `"`+key+`":"`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			names += name + " "
		}
		return names
	}
	for _, row := range []struct{ path, key, want string }{
		{"connections", "session", "s-1 s-2 s-3 "},
		{"connections?sort=queued", "session", "s-2 s-1 s-3 "},
		{"connections?sort=in", "session", "s-1 s-2 s-3 "},
		{"connections?node=web*", "session", "s-1 s-2 "},
		{"connections?node=web1", "session", "s-1 "},
		{"connections?limit=1&cursor=1", "session", "s-2 "},
		{"destinations", "name", "/queue/a /queue/c /topic/b "},
		{"destinations?sort=depth", "name", "/queue/c /queue/a /topic/b "},
		{"destinations?kind=topic", "name", "/topic/b "},
		{"destinations?name=/queue/c", "name", "/queue/c "},
		{"slow", "session", "s-2 s-0 "},
	} {
		if got := order(row.path, row.key); got != row.want {
			t.Errorf("%s gives %q, want %q", row.path, got, row.want)
		}
	}
	if got := b.get("/api/v1/broker"); !strings.Contains(got, `"denied":2`) {
		t.Error(got)
	}
	for _, row := range []struct {
		role         auth.Role
		method, path string
		status       int
		want         string
	}{
		{auth.Viewer, "GET", "/destinations?name=/queue/x", 404, "not in use"},
		{auth.Viewer, "GET", "/connections?node=[", 422, "pattern"},
		{auth.Viewer, "GET", "/connections?cursor=-1", 422, "cursor"},
		{auth.Operator, "DELETE", "/connections/web1", 403, ""},
		{auth.Admin, "DELETE", "/connections/web1", 200, "disconnected by admin"},
		{auth.Admin, "DELETE", "/connections/web9", 404, "not connected"},
	} {
		if a := b.ask(row.role, row.method, "/api/v1/broker"+row.path, ""); a.status != row.status || !strings.Contains(a.body, row.want) {
			t.Errorf("%s %s %s: %d %s", row.role, row.method, row.path, a.status, a.body)
		}
	}
	if log := b.log.String(); !strings.Contains(log, "connection ended by an operator") || !strings.Contains(log, "user=admin") {
		t.Errorf("the log is %s", log)
	}
}

func TestForeignBroker(t *testing.T) {
	b := newBench(t, Config{})
	for _, path := range []string{"/broker", "/broker/connections", "/broker/destinations", "/broker/slow"} {
		if a := b.ask(auth.Viewer, "GET", "/api/v1"+path, ""); a.status != 404 || !strings.Contains(a.body, "whose own tools") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
