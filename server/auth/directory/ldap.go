package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// LDAPConfig says how an LDAP server is asked. Without a URL there is none.
type LDAPConfig struct {
	URL          string        `yaml:"url"`      // ldaps://ldap.acme.net, or ldap:// with starttls
	StartTLS     bool          `yaml:"starttls"` // on ldap://
	CA           string        `yaml:"ca"`       // file of certificates to trust; empty: the system's
	Insecure     bool          `yaml:"insecure"` // allow ldap:// without TLS on addresses other than loopback
	Timeout      time.Duration `yaml:"timeout"`  // of a whole login; zero: 10 s
	UserDN       string        `yaml:"user-dn"`  // bind as the user: uid=%s,ou=people,dc=acme,dc=net; empty: the user is searched for
	BindDN       string        `yaml:"bind-dn"`  // who searches; empty: anybody may
	BindPassword string        `yaml:"bind-password" secret:"true"`
	UserBase     string        `yaml:"user-base"`   // where users are searched for
	UserFilter   string        `yaml:"user-filter"` // empty: (uid=%s)
	GroupBase    string        `yaml:"group-base"`
	GroupFilter  string        `yaml:"group-filter"` // with the user's DN in the place of %s; empty: (member=%s)
	GroupName    string        `yaml:"group-name"`   // the attribute that is a group's name; empty: cn
	Roles        []RoleOf      `yaml:"roles"`        // which role the members of a group have; the highest holds
}

// Validate reports every fault of c, each by its key below "ldap".
func (c LDAPConfig) Validate() error {
	if c.URL == "" {
		return nil
	}
	var f faults
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "ldap" && u.Scheme != "ldaps":
		f.add("ldap.url", "%q is no address such as ldaps://ldap.acme.net", c.URL)
	case u.Scheme == "ldaps" && c.StartTLS:
		f.add("ldap.starttls", "ldaps:// is TLS already")
	case u.Scheme == "ldap" && !c.StartTLS && !c.Insecure && !loopback(u.Hostname()):
		f.add("ldap.url", "passwords would be readable on their way: take ldaps://, or say starttls: true")
	}
	switch {
	case c.UserDN == "" && c.UserBase == "":
		f.add("ldap.user-base", "say where users are (user-base), or what their DN is (user-dn)")
	case c.UserDN != "" && strings.Count(c.UserDN, "%s") != 1:
		f.add("ldap.user-dn", "the name goes where %%s stands, once")
	}
	if c.GroupBase == "" {
		f.add("ldap.group-base", "groups are needed: they say who has which role")
	}
	for key, text := range map[string]string{"ldap.user-filter": c.userFilter(), "ldap.group-filter": c.groupFilter()} {
		if _, err := ldap.CompileFilter(strings.ReplaceAll(text, "%s", "x")); err != nil || strings.Count(text, "%s") < 1 {
			f.add(key, "%q is no filter such as (uid=%%s)", text)
		}
	}
	if c.Timeout < 0 {
		f.add("ldap.timeout", "%s is below zero", c.Timeout)
	}
	f.roles("ldap", c.Roles)
	return errors.Join(f...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c LDAPConfig) userFilter() string  { return or(c.UserFilter, "(uid=%s)") }
func (c LDAPConfig) groupFilter() string { return or(c.GroupFilter, "(member=%s)") }

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Bounds of what a directory is asked.
const (
	ldapTimeout = 10 * time.Second
	maxGroups   = 1000
)

// LDAP checks names and passwords by an LDAP server. It is safe for concurrent use; each login has a connection of its own.
type LDAP struct {
	cfg LDAPConfig
	tls *tls.Config
}

var _ auth.Directory = (*LDAP)(nil)

// NewLDAP makes a directory of its settings; nothing is asked yet. ErrInvalid: they cannot be.
func NewLDAP(c LDAPConfig) (*LDAP, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("ldap: %w", err)
	}
	if c.Timeout == 0 {
		c.Timeout = ldapTimeout
	}
	l := &LDAP{cfg: c, tls: &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("ldap.ca: %w: %w", err, fettle.ErrInvalid)
		}
		l.tls.RootCAs = x509.NewCertPool()
		if !l.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ldap.ca: %s has no certificates in PEM: %w", c.CA, fettle.ErrInvalid)
		}
	}
	return l, nil
}

// Check tells who somebody is whose name and password the server knows. ErrDenied: it does not. ErrUnavailable: it does not answer as it should.
func (l *LDAP) Check(ctx context.Context, name, password string) (auth.Identity, error) {
	if name == "" || password == "" { // to LDAP a bind without a password is one of nobody, and succeeds
		return auth.Identity{}, fmt.Errorf("the password is empty: %w", fettle.ErrDenied)
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	conn, err := l.dial(ctx)
	if err != nil {
		return auth.Identity{}, away(err)
	}
	defer func() { _ = conn.Close() }() // all has been answered
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	dn, err := l.bind(conn, name, password)
	if err != nil {
		return auth.Identity{}, err
	}
	groups, err := l.groups(conn, dn)
	if err != nil {
		return auth.Identity{}, err
	}
	return auth.Identity{Name: name, Role: roleOf(groups, l.cfg.Roles), Groups: groups, Source: auth.SourceLDAP}, nil
}

func (l *LDAP) dial(ctx context.Context) (*ldap.Conn, error) {
	until, _ := ctx.Deadline() // Check has set one
	conn, err := ldap.DialURL(l.cfg.URL, ldap.DialWithDialer(&net.Dialer{Deadline: until}), ldap.DialWithTLSConfig(l.tls))
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(time.Until(until))
	if l.cfg.StartTLS {
		if err := conn.StartTLS(l.tls); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// bind proves the password, and gives the user's DN. Afterwards the connection is that of who may search for groups.
func (l *LDAP) bind(conn *ldap.Conn, name, password string) (dn string, err error) {
	if l.cfg.UserDN != "" {
		dn = strings.ReplaceAll(l.cfg.UserDN, "%s", ldap.EscapeDN(name))
		return dn, bound(conn.Bind(dn, password))
	}
	if err := l.bindSearcher(conn); err != nil {
		return "", err
	}
	filter := strings.ReplaceAll(l.cfg.userFilter(), "%s", ldap.EscapeFilter(name))
	found, err := conn.Search(ldap.NewSearchRequest(l.cfg.UserBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, 0, false, filter, []string{"1.1"}, nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) || err == nil && len(found.Entries) > 1 {
		return "", fmt.Errorf("several have the name %s: %w", name, fettle.ErrDenied)
	}
	if err != nil {
		return "", away(err)
	}
	if len(found.Entries) == 0 {
		return "", fmt.Errorf("nobody has the name %s: %w", name, fettle.ErrDenied)
	}
	dn = found.Entries[0].DN
	if err := bound(conn.Bind(dn, password)); err != nil {
		return "", err
	}
	return dn, l.bindSearcher(conn)
}

// bindSearcher makes the connection that of the account which searches, where there is one.
func (l *LDAP) bindSearcher(conn *ldap.Conn) error {
	if l.cfg.BindDN == "" {
		return nil
	}
	if err := conn.Bind(l.cfg.BindDN, l.cfg.BindPassword); err != nil {
		return away(fmt.Errorf("as %s: %w", l.cfg.BindDN, err))
	}
	return nil
}

// groups gives the names of the groups that a DN is in.
func (l *LDAP) groups(conn *ldap.Conn, dn string) ([]string, error) {
	attribute := or(l.cfg.GroupName, "cn")
	filter := strings.ReplaceAll(l.cfg.groupFilter(), "%s", ldap.EscapeFilter(dn))
	found, err := conn.Search(ldap.NewSearchRequest(l.cfg.GroupBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, maxGroups, 0, false, filter, []string{attribute}, nil))
	if err != nil {
		return nil, away(err)
	}
	var groups []string
	for _, e := range found.Entries {
		if name := e.GetAttributeValue(attribute); name != "" {
			groups = append(groups, name)
		}
	}
	return groups, nil
}

// bound turns the answer to a bind into ours.
func bound(err error) error {
	switch {
	case err == nil:
		return nil
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultUnwillingToPerform):
		return fmt.Errorf("the directory does not take this name with this password: %w", fettle.ErrDenied)
	}
	return away(err)
}

// away says that the directory cannot be asked.
func away(err error) error {
	return fmt.Errorf("the directory cannot be asked: %w: %w", err, fettle.ErrUnavailable)
}
