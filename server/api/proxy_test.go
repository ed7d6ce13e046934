package api

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestAProxyIsBelievedAndNobodyElse(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, c := range map[string]struct {
		remote  string
		headers []string // of X-Forwarded-For
		proto   string
		want    string
		tls     bool
	}{
		"a stranger":                        {"192.0.2.9:4711", []string{"198.51.100.1"}, "https", "192.0.2.9", false},
		"the proxy":                         {"10.0.0.1:4711", []string{"198.51.100.1"}, "https", "198.51.100.1", true},
		"a proxy without TLS":               {"10.0.0.1:4711", []string{"198.51.100.1"}, "http", "198.51.100.1", false},
		"what the client wrote itself":      {"10.0.0.1:4711", []string{"127.0.0.1, 198.51.100.1"}, "https", "198.51.100.1", true},
		"two proxies, two headers":          {"10.0.0.1:4711", []string{"1.2.3.4, 198.51.100.1", "10.0.0.2"}, "https", "198.51.100.1", true},
		"proxies alone":                     {"10.0.0.1:4711", []string{"10.0.0.3, 10.0.0.2"}, "https", "10.0.0.3", true},
		"garbage":                           {"10.0.0.1:4711", []string{"198.51.100.1, <script>"}, "https", "10.0.0.1", true},
		"garbage before a proxy":            {"10.0.0.1:4711", []string{"<script>, 10.0.0.2"}, "https", "10.0.0.2", true},
		"no header":                         {"10.0.0.1:4711", nil, "", "10.0.0.1", false},
		"IPv6":                              {"[::1]:4711", []string{"2001:db8::7"}, "https", "2001:db8::7", true},
		"IPv4 in IPv6":                      {"[::ffff:10.0.0.1]:4711", []string{"::ffff:198.51.100.1"}, "https", "198.51.100.1", true},
		"a proxy that is asked by a socket": {"@", []string{"198.51.100.1"}, "https", "@", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr, r.TLS = c.remote, nil
			for _, h := range c.headers {
				r.Header.Add("X-Forwarded-For", h)
			}
			r.Header.Set("X-Forwarded-Proto", c.proto)
			Behind(proxies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got := addressOf(r); got != c.want || (r.TLS != nil) != c.tls {
					t.Errorf("address %s, TLS %v; want %s, %v", got, r.TLS != nil, c.want, c.tls)
				}
			})).ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}
