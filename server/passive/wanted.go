package passive

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/template"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server"
)

// Source is what is told of. *server.Server is one. Its methods are called from several goroutines.
type Source interface {
	Verdicts(ctx context.Context) ([]fettle.Verdict, error)
	Verdict(ctx context.Context, q server.VerdictQuery) (fettle.Verdict, error)
	States(ctx context.Context, sel server.Selection) ([]server.NodeStates, error)
	// Silenced tells whether a state of a check on a node that is not ok is to be told to nobody, and why.
	Silenced(check string, node fettle.NodeID) (fettle.SilencedBy, bool)
	Settling() bool // the server has just started: who is silent is not known yet
}

// names makes the names of hosts and services.
type names struct{ host, service *template.Template }

// named is what the templates are over.
type named struct{ Node, Short, Check string }

func newNames(t Target) (names, error) {
	host, err := template.New("host-name").Option("missingkey=error").Parse(t.HostName)
	if err != nil {
		return names{}, fmt.Errorf("host-name: %w: %w", err, fettle.ErrInvalid)
	}
	service, err := template.New("service-name").Option("missingkey=error").Parse(t.ServiceName)
	if err != nil {
		return names{}, fmt.Errorf("service-name: %w: %w", err, fettle.ErrInvalid)
	}
	n := names{host, service}
	if _, _, err := n.of("node.example.net", "check"); err != nil {
		return names{}, err
	}
	return n, nil
}

// of gives the names for a check on a node, as Nagios takes them.
func (n names) of(node fettle.NodeID, check string) (host, service string, err error) {
	short, _, _ := strings.Cut(string(node), ".")
	data := named{Node: string(node), Short: short, Check: check}
	var b strings.Builder
	if err := n.host.Execute(&b, data); err != nil {
		return "", "", fmt.Errorf("host-name: %w: %w", err, fettle.ErrInvalid)
	}
	host = b.String()
	b.Reset()
	if err := n.service.Execute(&b, data); err != nil {
		return "", "", fmt.Errorf("service-name: %w: %w", err, fettle.ErrInvalid)
	}
	return nagios.ObjectName(host), nagios.ObjectName(b.String()), nil
}

// wanted gives what the target ought to know now. Names that fall together by a template are told once: the worst of them.
func (t *target) wanted(ctx context.Context, src Source) ([]nagios.Passive, error) {
	var out []nagios.Passive
	if len(t.cfg.Verdicts) > 0 {
		verdicts, err := src.Verdicts(ctx)
		if err != nil {
			return nil, err
		}
		for _, v := range verdicts {
			if matches(t.cfg.Verdicts, v.Check) {
				out = append(out, t.ofVerdict(ctx, src, v)...)
			}
		}
	}
	if t.cfg.Nodes == "" || src.Settling() {
		return worstOf(out), nil
	}
	nodes, err := src.States(ctx, server.Selection{Where: t.cfg.Nodes})
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		more, err := t.ofNode(src, n)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return worstOf(out), nil
}

// ofVerdict gives what is told of one verdict: itself, and each value of the fact that it is asked by. One that cannot be asked so is told as it is.
func (t *target) ofVerdict(ctx context.Context, src Source, v fettle.Verdict) (out []nagios.Passive) {
	if t.cfg.By != "" && v.ByFact == "" && v.Reason == "" {
		by, err := src.Verdict(ctx, server.VerdictQuery{Check: v.Check, By: t.cfg.By})
		if err == nil {
			v = by
		} else if reason := "by: " + err.Error(); !t.refused[reason] && len(t.refused) < maxRefused {
			t.refused[reason] = true
			t.log.Warn("a verdict is told as a whole only", "check", v.Check, "err", err)
		}
	}
	host := nagios.ObjectName(t.cfg.VerdictHost)
	tell := func(service string, v fettle.Verdict) {
		text, code := nagios.FormatVerdict(v, 0)
		out = append(out, nagios.Passive{Host: host, Service: service, Code: code, Text: text})
	}
	tell(nagios.ObjectName(v.Check), v)
	for _, part := range v.By {
		part.Check = v.Check + " " + part.Value
		tell(nagios.PartName(v.Check, part.Value), part)
	}
	return out
}

// ofNode gives what is told of one node.
func (t *target) ofNode(src Source, n server.NodeStates) (out []nagios.Passive, err error) {
	silent := n.Liveness == fettle.Silent
	if t.cfg.Hosts {
		host, _, err := t.names.of(n.Node, "")
		if err != nil {
			return nil, err
		}
		p := nagios.Passive{Host: host, Text: "the agent is " + string(n.Liveness)}
		if silent {
			p.Code, p.Text = 1, "the agent is silent"
		}
		out = append(out, p)
	}
	for check, s := range n.States {
		if !matches(t.cfg.Checks, check) {
			continue
		}
		host, service, err := t.names.of(n.Node, check)
		if err != nil {
			return nil, err
		}
		p := nagios.Passive{Host: host, Service: service, Code: s.Status.Code(), Text: nagios.FormatOutput(fettle.CheckOutput{Line: s.Output, Perfdata: s.Perfdata})}
		switch {
		case silent:
			p.Code, p.Text = fettle.CodeUnknown, "the agent is silent; it last said: "+s.Output
		case s.Status == fettle.CheckStale:
			p.Text = "the last result is too old; it was: " + s.Output
		}
		if by, silenced := src.Silenced(check, n.Node); silenced && p.Code != fettle.CodeOK {
			p.Text = fmt.Sprintf("silenced by %s until %s (%s), otherwise %s: %s", by.Author, by.Until.Time().UTC().Format(time.RFC3339), by.Reason, p.Code.Status(), p.Text)
			p.Code = fettle.CodeOK
		}
		out = append(out, p)
	}
	return out, nil
}

// worstOf gives results with one for each host and service, in their order.
func worstOf(all []nagios.Passive) []nagios.Passive {
	slices.SortStableFunc(all, func(a, b nagios.Passive) int {
		return cmpAll(strings.Compare(a.Host, b.Host), strings.Compare(a.Service, b.Service), rank(b.Code)-rank(a.Code), strings.Compare(a.Text, b.Text))
	})
	return slices.CompactFunc(all, func(a, b nagios.Passive) bool { return a.Host == b.Host && a.Service == b.Service })
}

// rank orders codes from the best to the worst: as in a verdict, unknown is worse than a warning.
func rank(c fettle.CheckCode) int {
	return slices.Index([]fettle.CheckCode{fettle.CodeOK, fettle.CodeWarning, fettle.CodeUnknown, fettle.CodeCritical}, c)
}

func cmpAll(order ...int) int {
	for _, o := range order {
		if o != 0 {
			return o
		}
	}
	return 0
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && (ok || p == "*" || p == name)
	})
}
