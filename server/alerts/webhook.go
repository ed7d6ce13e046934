package alerts

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"text/template"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Webhook is told by an HTTP POST.
type Webhook struct {
	URL        string            `yaml:"url"`
	Headers    map[string]string `yaml:"headers"`
	Template   string            `yaml:"template"`      // of the body, a Go text/template over what docs/alerts.md lists; empty: JSON of all of it
	File       string            `yaml:"template-file"` // instead
	SecretFile string            `yaml:"secret-file"`   // by which the body is signed
	Gather     time.Duration     `yaml:"gather"`        // how long the first of some alerts waits for others; zero: not at all
	HTTPClient `yaml:",inline"`
}

// Headers of a webhook.
const (
	HeaderSignature = "Fettle-Signature" // t=SECONDS,v1=HEX: HMAC-SHA256 of "SECONDS.BODY"
	HeaderDelivery  = "Fettle-Delivery"  // the same for what is sent again because it was not known whether it had arrived
)

func (c *Webhook) validate(key string, f *faults) {
	if !isHTTP(c.URL) {
		f.add(key+".url", "%q is no address such as https://chat.acme.net/hook", c.URL)
	}
	if c.Template != "" && c.File != "" {
		f.add(key+".template", "template and template-file are two ways to say it: say one")
	}
	if _, err := bodyTemplate(c.Template); err != nil {
		f.add(key+".template", "%v", err)
	}
	if c.Gather < 0 {
		f.add(key+".gather", "%s is below zero", c.Gather)
	}
	c.HTTPClient.validate(key, f)
}

func (c *Webhook) open(r *receiver) error {
	p, err := c.HTTPClient.open()
	if err != nil {
		return err
	}
	w := &webhook{cfg: *c, poster: p}
	if w.secret, err = secretOf(c.SecretFile); err != nil {
		return err
	}
	text := c.Template
	if c.File != "" {
		raw, err := os.ReadFile(c.File)
		if err != nil {
			return err
		}
		text = string(raw)
	}
	if w.body, err = bodyTemplate(text); err != nil {
		return err
	}
	r.kind, r.timeout, r.gather, r.tell = "webhook", orDefault(c.Timeout, defaultTimeout), c.Gather, w.tell
	return nil
}

// bodyTemplate parses a template, and tries it; nil: there is none.
func bodyTemplate(text string) (*template.Template, error) {
	if text == "" {
		return nil, nil
	}
	t, err := template.New("template").Funcs(templateFuncs()).Option("missingkey=error").Parse(text)
	if err == nil {
		err = t.Execute(&bytes.Buffer{}, example())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
	}
	return t, nil
}

func templateFuncs() map[string]any {
	return map[string]any{"json": func(v any) (string, error) {
		raw, err := json.Marshal(v)
		return string(raw), err
	}}
}

// webhook posts what a template makes of a message.
type webhook struct {
	cfg    Webhook
	poster *poster
	secret string
	body   *template.Template // nil: JSON
}

func (w *webhook) tell(ctx context.Context, m message) error {
	n := notificationOf(m)
	body, err := json.Marshal(n)
	if w.body != nil {
		var b bytes.Buffer
		err = w.body.Execute(&b, n)
		body = b.Bytes()
	}
	if err != nil {
		return fmt.Errorf("the body: %w", err)
	}
	header := http.Header{}
	for name, value := range w.cfg.Headers {
		header[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
	}
	header.Set(HeaderDelivery, n.ID)
	if w.secret != "" {
		header.Set(HeaderSignature, Sign(w.secret, m.At.Time(), body))
	}
	return w.poster.post(ctx, w.cfg.URL, body, header)
}

// Sign gives the value of HeaderSignature for a body that is sent at a moment.
func Sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
