package alerts

import (
	"bytes"
	"context"
	"fmt"
	htmltemplate "html/template"
	"net"
	netmail "net/mail"
	"os"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/wneessen/go-mail"

	fettle "github.com/fettle-dev/fettle"
)

// Mail is told by SMTP: one message for all that is due at once.
type Mail struct {
	Server       string        `yaml:"server"` // host:port
	TLS          string        `yaml:"tls"`    // starttls, tls (from the first byte on) or none; empty: starttls, but none on loopback
	CA           string        `yaml:"ca"`     // file of certificates to trust, in PEM; empty: the system's
	User         string        `yaml:"user"`   // with password-file; empty: nobody signs in
	PasswordFile string        `yaml:"password-file"`
	Hello        string        `yaml:"hello"` // what we call ourselves; empty: the name of this machine
	From         string        `yaml:"from"`
	To           []string      `yaml:"to"`
	Gather       time.Duration `yaml:"gather"`    // how long the first of some alerts waits for others; zero: 30 s
	Hourly       int           `yaml:"hourly"`    // messages within an hour: what comes then waits, and is one message; zero: 30
	Subject      string        `yaml:"subject"`   // a template; empty: our own
	TextFile     string        `yaml:"text-file"` // a Go text/template; empty: our own
	HTMLFile     string        `yaml:"html-file"` // a Go html/template; empty: our own; "none": text alone
	Timeout      time.Duration `yaml:"timeout"`   // of a message; zero: 30 s
}

// What holds where the configuration is silent, and bounds.
const (
	defaultGather      = 30 * time.Second
	defaultHourly      = 30
	defaultMailTimeout = 30 * time.Second
)

// Values of Mail.TLS.
const (
	tlsStart = "starttls"
	tlsFirst = "tls"
	tlsNone  = "none"
)

func (c *Mail) validate(key string, f *faults) {
	host, port, err := net.SplitHostPort(c.Server)
	if n, portErr := strconv.Atoi(port); err != nil || host == "" || portErr != nil || n < 1 || n > 65535 {
		f.add(key+".server", "%q is no address such as smtp.acme.net:587", c.Server)
	}
	switch c.policy() {
	case tlsStart, tlsFirst:
	case tlsNone:
		if c.User != "" && !isLoopback(host) {
			f.add(key+".tls", "the password would be readable on its way: take starttls or tls")
		}
	default:
		f.add(key+".tls", "%q is none of starttls, tls and none", c.TLS)
	}
	if (c.User == "") != (c.PasswordFile == "") {
		f.add(key+".password-file", "user and password-file go together")
	}
	if _, err := netmail.ParseAddress(c.From); err != nil {
		f.add(key+".from", "%q is no address: %v", c.From, err)
	}
	if len(c.To) == 0 {
		f.add(key+".to", "say to whom")
	}
	for i, to := range c.To {
		if _, err := netmail.ParseAddress(to); err != nil {
			f.add(fmt.Sprintf("%s.to[%d]", key, i), "%q is no address: %v", to, err)
		}
	}
	if c.Gather < 0 || c.Hourly < 0 || c.Timeout < 0 {
		f.add(key+".gather", "gather, hourly and timeout are not below zero")
	}
	if _, err := bodyTemplate(c.Subject); err != nil {
		f.add(key+".subject", "%v", err)
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// policy is what is done about TLS.
func (c *Mail) policy() string {
	host, _, _ := net.SplitHostPort(c.Server)
	if c.TLS == "" && isLoopback(host) {
		return tlsNone
	}
	return orDefault(c.TLS, tlsStart)
}

func (c *Mail) open(r *receiver) error {
	m := &mailer{cfg: *c, host: c.From[strings.LastIndex(c.From, "@")+1:]}
	m.host = strings.TrimRight(m.host, "> ")
	password, err := secretOf(c.PasswordFile)
	if err != nil {
		return err
	}
	if m.options, err = c.options(password); err != nil {
		return err
	}
	if err := m.templates(); err != nil {
		return err
	}
	r.kind, r.timeout, r.tell = "mail", orDefault(c.Timeout, defaultMailTimeout), m.tell
	r.gather, r.hourly = orDefault(c.Gather, defaultGather), orDefault(c.Hourly, defaultHourly)
	return nil
}

// options are those of a connection.
func (c *Mail) options(password string) ([]mail.Option, error) {
	host, port, _ := net.SplitHostPort(c.Server)
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	trust, err := trusting(c.CA)
	if err != nil {
		return nil, err
	}
	trust.ServerName = host
	hello := c.Hello
	if hello == "" {
		if hello, err = os.Hostname(); err != nil {
			hello = "localhost"
		}
	}
	options := []mail.Option{mail.WithPort(n), mail.WithTLSConfig(trust), mail.WithHELO(hello), mail.WithTimeout(orDefault(c.Timeout, defaultMailTimeout))}
	switch c.policy() {
	case tlsFirst:
		options = append(options, mail.WithSSL())
	case tlsNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.User != "" {
		kind := mail.SMTPAuthAutoDiscover
		if c.policy() == tlsNone {
			kind = mail.SMTPAuthPlainNoEnc // loopback: Validate has seen to that
		}
		options = append(options, mail.WithSMTPAuth(kind), mail.WithUsername(c.User), mail.WithPassword(password))
	}
	return options, nil
}

// mailer sends messages.
type mailer struct {
	cfg           Mail
	host          string // right of the @ in the ids of messages
	options       []mail.Option
	subject, text *template.Template
	html          *htmltemplate.Template // nil: text alone
}

func (m *mailer) tell(ctx context.Context, msg message) error {
	out, err := m.compose(msg)
	if err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(m.cfg.Server)
	client, err := mail.NewClient(host, m.options...)
	if err != nil {
		return err
	}
	return m.cfg.explain(client.DialAndSendWithContext(ctx, out))
}

// compose writes a message.
func (m *mailer) compose(msg message) (*mail.Msg, error) {
	n := notificationOf(msg)
	out := mail.NewMsg()
	if err := out.From(m.cfg.From); err != nil {
		return nil, err
	}
	if err := out.To(m.cfg.To...); err != nil {
		return nil, err
	}
	subject, text, html, err := m.write(n)
	if err != nil {
		return nil, err
	}
	out.Subject(subject)
	out.SetDateWithValue(n.At)
	m.thread(out, msg, n)
	out.SetGenHeader(mail.Header("Auto-Submitted"), "auto-generated")
	out.SetGenHeader(mail.Header("X-Fettle-Status"), n.Status)
	out.SetBodyString(mail.TypeTextPlain, text)
	if html != "" {
		out.AddAlternativeString(mail.TypeTextHTML, html)
	}
	return out, nil
}

// thread sets the id of a message, and that of the first one about the same, so that mail programs gather them. One that is about several threads
// belongs to none: it would tie them together.
func (m *mailer) thread(out *mail.Msg, msg message, n Notification) {
	out.SetMessageIDWithValue("fettle." + n.ID + "@" + m.host)
	thread := msg.Items[0].Thread
	for _, it := range msg.Items {
		if it.Thread != thread {
			return
		}
	}
	if thread == "" {
		return
	}
	first := "<fettle." + thread + "@" + m.host + ">"
	out.SetGenHeader(mail.HeaderInReplyTo, first)
	out.SetGenHeader(mail.HeaderReferences, first)
}

// write fills the templates. A subject is one line.
func (m *mailer) write(n Notification) (subject, text, html string, err error) {
	var b bytes.Buffer
	if err = m.subject.Execute(&b, n); err != nil {
		return "", "", "", fmt.Errorf("subject: %w", err)
	}
	subject = oneLine(b.String(), 200)
	b.Reset()
	if err = m.text.Execute(&b, n); err != nil {
		return "", "", "", fmt.Errorf("text: %w", err)
	}
	text = b.String()
	if m.html == nil {
		return subject, text, "", nil
	}
	b.Reset()
	if err = m.html.Execute(&b, n); err != nil {
		return "", "", "", fmt.Errorf("html: %w", err)
	}
	return subject, text, b.String(), nil
}

// templates parses what the configuration says, or our own, and tries it.
func (m *mailer) templates() (err error) {
	if m.subject, err = bodyTemplate(orDefault(m.cfg.Subject, subjectTemplate)); err != nil {
		return err
	}
	text, html := textTemplate, htmlTemplate
	if m.cfg.TextFile != "" {
		if text, err = readText(m.cfg.TextFile); err != nil {
			return err
		}
	}
	if m.text, err = bodyTemplate(text); err != nil {
		return err
	}
	switch m.cfg.HTMLFile {
	case "none":
		return nil
	case "":
	default:
		if html, err = readText(m.cfg.HTMLFile); err != nil {
			return err
		}
	}
	if m.html, err = htmltemplate.New("html").Funcs(templateFuncs()).Parse(html); err == nil {
		err = m.html.Execute(&bytes.Buffer{}, example())
	}
	if err != nil {
		return fmt.Errorf("%w: %w", err, fettle.ErrInvalid)
	}
	return nil
}

func readText(file string) (string, error) {
	raw, err := os.ReadFile(file)
	return string(raw), err
}
