package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/certs"
	"github.com/fettle-dev/fettle/wire/broker"
)

// tlsSettings are what a server can be told about TLS.
type tlsSettings struct {
	TLS      string        `yaml:"tls" help:"auto: on all addresses but loopback, and there too where tls-cert is given; on: everywhere"`
	Insecure bool          `yaml:"insecure" help:"listen, or speak to a broker, without TLS on addresses other than loopback"`
	Cert     string        `yaml:"tls-cert" help:"file in PEM with the certificate of this server, then those between it and its root; empty: from a built-in authority"`
	Key      string        `yaml:"tls-key" help:"file in PEM with the private key of tls-cert; both are read again when they change"`
	CA       string        `yaml:"tls-ca" help:"file in PEM with the root of tls-cert, for agents and programs that do not know it; empty: their systems do"`
	Names    []string      `yaml:"tls-names" help:"more names and addresses by which this server is reached, for the certificate of the built-in authority"`
	ClientCA string        `yaml:"tls-client-ca" help:"file in PEM: clients of the broker have to show a certificate of this authority; empty: none"`
	Proxies  []string      `yaml:"trusted-proxies" help:"addresses and networks, such as 10.0.0.0/8, whose X-Forwarded-For and X-Forwarded-Proto are believed; of others they are not"`
	HSTS     time.Duration `yaml:"hsts" help:"how long browsers shall insist on HTTPS for this host name, all its ports included; 0: they need not"`
}

// faults are what is wrong, each by its key. foreign: the broker is not embedded.
func (c tlsSettings) faults(foreign bool) (out []error) {
	bad := func(key, format string, args ...any) {
		out = append(out, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
	}
	switch {
	case c.TLS != "auto" && c.TLS != "on":
		bad("tls", "%q is neither auto nor on", c.TLS)
	case c.Insecure && !foreign && (c.TLS == "on" || c.Cert != "" || c.ClientCA != ""):
		bad("insecure", "it says to do without TLS, and tls, tls-cert or tls-client-ca say not to")
	}
	if (c.Cert == "") != (c.Key == "") {
		bad("tls-cert", "tls-cert and tls-key belong together, and one of them is missing")
	}
	if c.CA != "" && c.Cert == "" {
		bad("tls-ca", "it is the root of tls-cert, which is not given; the built-in authority has its own")
	}
	if len(c.Names) > 0 && c.Cert != "" {
		bad("tls-names", "they are for the built-in authority, and tls-cert is given")
	}
	for _, name := range c.Names {
		if len(certs.Usable([]string{name})) == 0 {
			bad("tls-names", "%q is neither a host name nor an address", name)
		}
	}
	if _, err := c.proxies(); err != nil {
		bad("trusted-proxies", "%v", err)
	}
	if c.HSTS < 0 {
		bad("hsts", "%s is less than zero", c.HSTS)
	}
	return out
}

// proxies are the networks of Proxies.
func (c tlsSettings) proxies() ([]netip.Prefix, error) {
	list := make([]netip.Prefix, len(c.Proxies))
	for i, text := range c.Proxies {
		addr, err := netip.ParseAddr(text)
		if err == nil {
			list[i] = netip.PrefixFrom(addr, addr.BitLen())
		} else if list[i], err = netip.ParsePrefix(text); err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
		}
	}
	return list, nil
}

// secures tells whether a listener at address speaks TLS.
func (c tlsSettings) secures(address string) bool {
	if c.TLS == "on" || c.Cert != "" {
		return true
	}
	return !isLoopback(address) && !c.Insecure
}

// isLoopback tells whether only this machine reaches address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// openCertificates gives the certificates, where a listener wants them; nil: none does.
func openCertificates(ctx context.Context, cfg serverSettings, log *slog.Logger) (*certs.Keeper, error) {
	if !cfg.secures(cfg.HTTP) && (cfg.foreign() || !cfg.secures(cfg.STOMP)) {
		return nil, nil //nolint:nilnil // no certificates is an answer
	}
	names := cfg.Names
	if cfg.Cert == "" {
		fqdn, err := identityOf(ctx, defaultAgentSettings(), log)
		if err != nil {
			fqdn = "" // the machine has no proper name, and is reached by another
		}
		for _, address := range []string{cfg.HTTP, cfg.STOMP} {
			if host, _, err := net.SplitHostPort(address); err == nil {
				names = append(names, certs.NamesOf(host, string(fqdn))...)
			}
		}
	}
	return certs.Open(certs.Config{
		State: cfg.State, Names: names, CertFile: cfg.Cert, KeyFile: cfg.Key, CAFile: cfg.CA, ClientCAFile: cfg.ClientCA,
	}, time.Now, log)
}

// listen opens the doors.
func (m *middle) listen() (err error) {
	if m.http, err = net.Listen("tcp", m.cfg.HTTP); err != nil {
		return fmt.Errorf("http: %w", err)
	}
	if m.cfg.foreign() {
		return nil
	}
	if m.stomp, err = net.Listen("tcp", m.cfg.STOMP); err != nil {
		return fmt.Errorf("stomp: %w", err)
	}
	if m.cfg.secures(m.cfg.STOMP) {
		m.stomp = broker.Secure(m.stomp, m.certs.STOMPS())
	}
	return nil
}

// httpURL is where people and programs find this server.
func (m *middle) httpURL() string { return m.url("http", m.http.Addr(), m.cfg.secures(m.cfg.HTTP)) }

// url is that of a listener, by a name that its certificate is for.
func (m *middle) url(scheme string, at net.Addr, secure bool) string {
	address := dialable(at)
	if !secure {
		return scheme + "://" + address
	}
	if host, port, err := net.SplitHostPort(address); err == nil {
		address = net.JoinHostPort(m.certs.Host(host), port)
	}
	return scheme + "s://" + address
}

// ca is what clients have to trust, in PEM; empty: what their systems do.
func (m *middle) ca() string {
	if m.certs == nil {
		return ""
	}
	return string(m.certs.CA())
}

// brokerCA is what agents have to trust, in PEM and as a join token names it; empty: their systems know it, or the broker speaks no TLS of ours.
func (m *middle) brokerCA() (ca string, pin []byte) {
	if m.certs == nil || m.cfg.foreign() || !m.cfg.secures(m.cfg.STOMP) {
		return "", nil
	}
	return m.ca(), m.certs.Pin()
}

// serveHTTP serves REST and pages until web is shut down.
func (m *middle) serveHTTP(web *http.Server) error {
	if !m.cfg.secures(m.cfg.HTTP) {
		return web.Serve(m.http)
	}
	web.TLSConfig = m.certs.HTTPS()
	if age := m.cfg.HSTS; age > 0 {
		web.Handler = insist(web.Handler, age)
	}
	return web.ServeTLS(m.http, "", "")
}

// insist has browsers use HTTPS only for this host name from now on. They ignore it where they do not trust the certificate.
func insist(next http.Handler, age time.Duration) http.Handler {
	value := "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			w.Header().Set("Strict-Transport-Security", value)
		}
		next.ServeHTTP(w, r)
	})
}
