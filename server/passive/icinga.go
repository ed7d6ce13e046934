package passive

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// icinga is the API of an Icinga 2. It takes one result a request, so that some are sent at once.
type icinga struct {
	url, user, password string
	ttl                 int // seconds for which a result holds
	client              *http.Client
}

const (
	icingaAtOnce = 8
	maxIcinga    = 64 << 10 // bytes of an answer that are read
)

func newIcinga(cfg Target) (*icinga, error) {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		text, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w: %w", err, fettle.ErrInvalid)
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM: %w", cfg.CA, fettle.ErrInvalid)
		}
	}
	return &icinga{
		url: strings.TrimRight(cfg.URL, "/") + "/v1/actions/process-check-result", user: cfg.User, password: cfg.Password,
		ttl:    int((2*cfg.Interval + time.Minute).Seconds()), // one may be lost
		client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: settings, MaxIdleConnsPerHost: icingaAtOnce, IdleConnTimeout: time.Minute}},
	}, nil
}

// icingaResult is what the API takes. The object is named, not looked for by a filter: for a filter that finds nothing Icinga answers 500.
type icingaResult struct {
	Type        string   `json:"type"`
	Host        string   `json:"host,omitempty"`
	Service     string   `json:"service,omitempty"` // host!service
	ExitStatus  int      `json:"exit_status"`
	Output      string   `json:"plugin_output"`
	Performance []string `json:"performance_data,omitempty"`
	Source      string   `json:"check_source"`
	End         float64  `json:"execution_end"`
	TTL         int      `json:"ttl"`
}

func (c *icinga) send(ctx context.Context, batch []nagios.Passive, took func(i int, refused error)) error {
	var mu sync.Mutex // of took
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(icingaAtOnce)
	for i, p := range batch {
		g.Go(func() error {
			refused, err := c.one(ctx, p)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			took(i, refused)
			return nil
		})
	}
	return g.Wait()
}

// one sends a result. refused: Icinga has no such object, or does not take the result; err: it cannot be reached, or lets us not in.
func (c *icinga) one(ctx context.Context, p nagios.Passive) (refused, err error) {
	body, err := json.Marshal(c.result(p))
	if err != nil {
		return nil, fmt.Errorf("icinga2: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("icinga2: %w", err)
	}
	req.SetBasicAuth(c.user, c.password)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, unreachable("icinga2", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxIcinga))
	if err != nil {
		return nil, unreachable("icinga2", err)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusNotFound:
		return fmt.Errorf("icinga2 knows no %s: %s", strings.TrimSuffix(p.Host+"!"+p.Service, "!"), excerpt(answer)), nil
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return nil, fmt.Errorf("icinga2 does not let the user %s in, or not do actions/process-check-result: %s: %w", c.user, resp.Status, fettle.ErrDenied)
	case code >= 500 && !refuses(answer), code == http.StatusTooManyRequests:
		return nil, fmt.Errorf("icinga2: %s: %s: %w", resp.Status, excerpt(answer), fettle.ErrUnavailable)
	case code != http.StatusOK:
		return fmt.Errorf("icinga2: %s: %s", resp.Status, excerpt(answer)), nil
	}
	return nil, nil
}

func (c *icinga) result(p nagios.Passive) icingaResult {
	parsed := nagios.ParseOutput([]byte(p.Text), int(p.Code))
	r := icingaResult{
		Type: "Service", Service: p.Host + "!" + p.Service,
		ExitStatus: int(p.Code), Output: strings.TrimRight(parsed.Line+"\n"+parsed.Long, "\n"), Source: "fettle",
		End: float64(p.At.UnixMilli()) / 1000, TTL: c.ttl,
	}
	if p.Service == "" {
		r.Type, r.Host, r.Service = "Host", p.Host, ""
	}
	for _, perf := range parsed.Perfdata {
		r.Performance = append(r.Performance, nagios.FormatPerf(perf))
	}
	return r
}

// refuses tells whether Icinga has judged the result itself: its own answer for each object stands under a status of 500.
func refuses(answer []byte) bool {
	var a struct {
		Results []struct{ Code float64 }
	}
	return json.Unmarshal(answer, &a) == nil && len(a.Results) > 0
}

// excerpt gives the beginning of an answer, for the log.
func excerpt(answer []byte) string {
	text := strings.Join(strings.Fields(string(answer)), " ")
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}
