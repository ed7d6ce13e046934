package actions

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func nettestActions() []Action {
	return []Action{
		{Manifest: manifest("nettest.dns"), Do: netDNS},
		{Manifest: manifest("nettest.http"), Do: netHTTP},
		{Manifest: manifest("nettest.ping"), Do: netPing},
		{Manifest: manifest("nettest.tcp"), Do: netTCP},
	}
}

// millis gives a span in milliseconds, to the microsecond.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func tookMessage(d time.Duration) string {
	return strconv.FormatFloat(millis(d), 'f', 1, 64) + " ms"
}

// netFault gives the outcome of something that the network did not give.
func netFault(ctx context.Context, call Call, err error) Outcome {
	if ctx.Err() != nil {
		return ended(ctx, call.Action, call.Timeout)
	}
	return failed("%v", err)
}

func netTCP(ctx context.Context, call Call) Outcome {
	began := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(inputString(call, "host"), strconv.FormatInt(inputInt(call, "port"), 10)))
	took := time.Since(began)
	if err != nil {
		return netFault(ctx, call, err)
	}
	defer conn.Close()
	return Outcome{Message: tookMessage(took), Data: map[string]any{"address": conn.RemoteAddr().String(), "took": millis(took)}}
}

func netDNS(ctx context.Context, call Call) Outcome {
	resolver := &net.Resolver{PreferGo: true}
	if server := inputString(call, "server"); server != "" {
		if _, _, err := net.SplitHostPort(server); err != nil {
			server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
		}
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}
	}
	began := time.Now()
	answers, err := lookup(ctx, resolver, inputString(call, "type"), inputString(call, "name"))
	took := time.Since(began)
	if err != nil {
		return netFault(ctx, call, err)
	}
	slices.Sort(answers)
	return Outcome{Message: clip(strings.Join(answers, " "), 200), Data: map[string]any{"answers": answers, "took": millis(took)}}
}

func lookup(ctx context.Context, r *net.Resolver, kind, name string) (answers []string, err error) {
	switch kind {
	case "A", "AAAA":
		network := map[string]string{"A": "ip4", "AAAA": "ip6"}[kind]
		ips, err := r.LookupIP(ctx, network, name)
		for _, ip := range ips {
			answers = append(answers, ip.String())
		}
		return answers, err
	case "CNAME":
		answer, err := r.LookupCNAME(ctx, name)
		return []string{answer}, err
	case "MX":
		list, err := r.LookupMX(ctx, name)
		for _, mx := range list {
			answers = append(answers, fmt.Sprintf("%d %s", mx.Pref, mx.Host))
		}
		return answers, err
	case "NS":
		list, err := r.LookupNS(ctx, name)
		for _, ns := range list {
			answers = append(answers, ns.Host)
		}
		return answers, err
	case "PTR":
		return r.LookupAddr(ctx, name)
	case "SRV":
		_, list, err := r.LookupSRV(ctx, "", "", name)
		for _, srv := range list {
			answers = append(answers, fmt.Sprintf("%d %d %d %s", srv.Priority, srv.Weight, srv.Port, srv.Target))
		}
		return answers, err
	}
	return r.LookupTXT(ctx, name)
}

// Of ping, as iputils, busybox and the BSDs print it.
var (
	pingCounts = regexp.MustCompile(`(\d+) packets transmitted, (\d+)(?: packets)? received`)
	pingTimes  = regexp.MustCompile(`(?:rtt|round-trip) min/avg/max(?:/[a-z]+)? = ([0-9.]+)/([0-9.]+)/([0-9.]+)`)
)

// netPing runs the node's ping: it may send such packets, where the agent may not.
func netPing(ctx context.Context, call Call) Outcome {
	host, n := inputString(call, "host"), inputInt(call, "count")
	if strings.HasPrefix(host, "-") {
		return invalid("nettest.ping: host %s is none", host)
	}
	path, err := lookPath("ping")
	if err != nil {
		return failed("%v", err)
	}
	wait := int(call.Timeout.Seconds())
	end, err := child{path: path, args: []string{"-n", "-c", strconv.FormatInt(n, 10), "-w", strconv.Itoa(max(1, wait-1)), host}, env: childEnv(nil)}.run(ctx)
	if err != nil {
		return failed("cannot start %s: %s", path, startFault(err))
	}
	data, read := readPing(text(end.stdout))
	switch {
	case end.killed:
		return ended(ctx, "ping", call.Timeout)
	case !read:
		return failed("ping: exit %d%s", end.exit, lastWords(text(end.stderr), text(end.stdout)))
	case data["received"] == int64(0):
		return Outcome{Status: fettle.StatusFailed, Message: host + " does not answer", Data: data}
	}
	return Outcome{Message: fmt.Sprintf("%d of %d, %.1f ms", data["received"], data["sent"], data["average"]), Data: data}
}

// readPing reads what ping printed.
func readPing(output string) (data map[string]any, ok bool) {
	m := pingCounts.FindStringSubmatch(output)
	if m == nil {
		return nil, false
	}
	sent, _ := strconv.ParseInt(m[1], 10, 64)
	received, _ := strconv.ParseInt(m[2], 10, 64)
	data = map[string]any{"sent": sent, "received": received}
	if sent > 0 {
		data["loss"] = float64((sent-received)*1000/sent) / 10
	}
	if m = pingTimes.FindStringSubmatch(output); m != nil {
		for i, name := range []string{"min", "average", "max"} {
			data[name], _ = strconv.ParseFloat(m[i+1], 64)
		}
	}
	if _, timed := data["average"]; !timed {
		data["average"] = 0.0
	}
	return data, true
}

// maxRead bounds what is read of an answer, in bytes.
const maxRead = 16 << 20

// timings takes the times of a request's parts, which happen in several goroutines, some of them when the request has ended already.
type timings struct {
	mu    sync.Mutex // guards what follows
	began map[string]time.Time
	took  map[string]any // milliseconds
}

func newTimings() *timings {
	return &timings{began: map[string]time.Time{"first": time.Now()}, took: map[string]any{}}
}

func (t *timings) begin(part string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, is := t.began[part]; !is {
		t.began[part] = time.Now()
	}
}

func (t *timings) end(part string, value any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, is := t.took[part]; is {
		return
	}
	if value == nil {
		value = millis(time.Since(t.began[part]))
	}
	t.took[part] = value
}

func (t *timings) data() map[string]any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.took)
}

func (t *timings) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(httptrace.DNSStartInfo) { t.begin("dns") },
		DNSDone:      func(httptrace.DNSDoneInfo) { t.end("dns", nil) },
		ConnectStart: func(string, string) { t.begin("connect") },
		ConnectDone: func(_, _ string, err error) {
			if err == nil {
				t.end("connect", nil)
			}
		},
		TLSHandshakeStart:    func() { t.begin("tls") },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { t.end("tls", nil) },
		GotConn:              func(info httptrace.GotConnInfo) { t.end("address", info.Conn.RemoteAddr().String()) },
		GotFirstResponseByte: func() { t.end("first", nil) },
	}
}

func netHTTP(ctx context.Context, call Call) Outcome {
	client, done := httpClient(call)
	defer done()
	t, began := newTimings(), time.Now()
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, t.trace()), http.MethodGet, inputString(call, "url"), nil)
	if err != nil {
		return invalid("nettest.http: %v", err)
	}
	req.Header.Set("User-Agent", "fettle")
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // one page is timed, not several
	res, err := client.Do(req)
	if err != nil {
		return netFault(ctx, call, err)
	}
	defer res.Body.Close()
	size, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxRead))
	if err != nil {
		return netFault(ctx, call, err)
	}
	took, data := time.Since(began), t.data()
	data["took"], data["size"], data["status"] = millis(took), size, int64(res.StatusCode)
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		data["days"] = int64(time.Until(res.TLS.PeerCertificates[0].NotAfter).Hours() / 24)
	}
	out := Outcome{Message: fmt.Sprintf("%s in %s", res.Status, tookMessage(took)), Data: data}
	if res.StatusCode >= 400 {
		out.Status = fettle.StatusFailed
	}
	return out
}
