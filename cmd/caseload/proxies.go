package main

import (
	"net/http"
	"net/netip"
)

// trustOnly lets the X-Forwarded- headers of the given networks through and takes them off every other request, so that
// what comes after may believe what it finds.
func trustOnly(proxies []netip.Prefix, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fromAny(proxies, r.RemoteAddr) {
			for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip"} {
				r.Header.Del(name)
			}
		}
		next.ServeHTTP(w, r)
	})
}

func fromAny(proxies []netip.Prefix, peer string) bool {
	at, err := netip.ParseAddrPort(peer)
	if err != nil {
		return false
	}
	for _, p := range proxies {
		if p.Contains(at.Addr().Unmap()) {
			return true
		}
	}
	return false
}
