package api

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Behind believes what the proxies at those addresses say of a request: X-Forwarded-For, whose last address that is no proxy's becomes the
// client's, and X-Forwarded-Proto, whose https makes the request one that came by TLS (so that cookies are Secure). Of everybody else the headers
// mean nothing. Without proxies it gives next itself.
func Behind(proxies []netip.Prefix, next http.Handler) http.Handler {
	if len(proxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && within(proxies, from.Addr()) {
			r = r.Clone(r.Context())
			if client, found := forwardedFor(proxies, r.Header.Values("X-Forwarded-For")); found {
				r.RemoteAddr = net.JoinHostPort(client.String(), "0")
			}
			if strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") && r.TLS == nil {
				r.TLS = &tls.ConnectionState{} // it ended at the proxy
			}
		}
		next.ServeHTTP(w, r)
	})
}

// forwardedFor reads the list from its end: each proxy adds whom it saw, and what stands before the first stranger anybody can have written.
func forwardedFor(proxies []netip.Prefix, headers []string) (client netip.Addr, found bool) {
	list := strings.Split(strings.Join(headers, ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		addr, err := netip.ParseAddr(strings.TrimSpace(list[i]))
		if err != nil {
			return client, found
		}
		client, found = addr.Unmap(), true
		if !within(proxies, client) {
			return client, true
		}
	}
	return client, found
}

func within(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}
