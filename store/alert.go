package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/fettle-dev/fettle"
)

// Alert is something wrong, as its maker wrote it.
type Alert struct {
	Name  string
	Since fettle.Millis
	Body  json.RawMessage // a JSON object
}

// AlertNotice is what a receiver was told of an alert.
type AlertNotice struct {
	Receiver string
	Alert    string
	At       fettle.Millis
	Body     json.RawMessage // a JSON object
}

// AlertChanges are changes that belong together.
type AlertChanges struct {
	Alerts  []Alert       // kept in the place of those of their names
	Notices []AlertNotice // likewise
	Over    []string      // names of alerts that are forgotten, with their notices
	Untold  []AlertNotice // notices that are forgotten; At and Body are ignored
}

// SaveAlerts keeps changes of alerts, all of them or none.
func (s *Store) SaveAlerts(ctx context.Context, c AlertChanges) error {
	return s.write(ctx, "save alerts", func(ctx context.Context, t *tx) error {
		for _, a := range c.Alerts {
			if err := named("alert", a.Name, MaxName); err != nil {
				return err
			}
		}
		for _, n := range c.Notices {
			if err := named("receiver", n.Receiver, MaxName); err != nil {
				return err
			}
		}
		_, err := t.insert(ctx, "write alerts", "INSERT INTO alerts (name, since_at, body)", t.s.d.upsert("name", "since_at = new(since_at), body = new(body)"),
			len(c.Alerts), func(args []any, i int) []any {
				return append(args, c.Alerts[i].Name, int64(c.Alerts[i].Since), text(string(c.Alerts[i].Body)))
			})
		if err != nil {
			return err
		}
		_, err = t.insert(ctx, "write notices", "INSERT INTO alert_notices (receiver, alert, told_at, body)",
			t.s.d.upsert("receiver, alert", "told_at = new(told_at), body = new(body)"), len(c.Notices), func(args []any, i int) []any {
				n := c.Notices[i]
				return append(args, n.Receiver, n.Alert, int64(n.At), text(string(n.Body)))
			})
		if err != nil {
			return err
		}
		for _, n := range c.Untold {
			if _, err := t.exec(ctx, "delete notice", "DELETE FROM alert_notices WHERE receiver = ? AND alert = ?", n.Receiver, n.Alert); err != nil {
				return err
			}
		}
		return t.deleteAlerts(ctx, c.Over)
	})
}

func (t *tx) deleteAlerts(ctx context.Context, names []string) error {
	for _, table := range []string{"alert_notices WHERE alert", "alerts WHERE name"} {
		if _, err := t.execIn(ctx, "delete alerts", "DELETE FROM "+table+" IN %s", nil, names); err != nil {
			return err
		}
	}
	return nil
}

// Alerts gives all alerts that are kept, by name, and what their receivers were told.
func (s *Store) Alerts(ctx context.Context) (alerts []Alert, notices []AlertNotice, err error) {
	err = s.reader().each(ctx, "read alerts", "SELECT name, since_at, body FROM alerts ORDER BY name", nil, func(rows *sql.Rows) error {
		var a Alert
		var body string
		err := rows.Scan(&a.Name, &a.Since, &body)
		a.Body = json.RawMessage(body)
		alerts = append(alerts, a)
		return err
	})
	if err != nil {
		return nil, nil, s.fault(ctx, "list alerts", err)
	}
	err = s.reader().each(ctx, "read notices", "SELECT receiver, alert, told_at, body FROM alert_notices ORDER BY receiver, alert", nil, func(rows *sql.Rows) error {
		var n AlertNotice
		var body string
		err := rows.Scan(&n.Receiver, &n.Alert, &n.At, &body)
		n.Body = json.RawMessage(body)
		notices = append(notices, n)
		return err
	})
	return alerts, notices, s.fault(ctx, "list notices", err)
}
