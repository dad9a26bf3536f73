package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	networks, err := parseNetworks("10.0.0.0/8, ::1")
	if err != nil {
		t.Fatal(err)
	}
	for peer, believed := range map[string]bool{
		"10.1.2.3:5": true, "[::1]:5": true, "[::ffff:10.1.2.3]:5": true, "11.1.2.3:5": false, "[::2]:5": false, "@": false,
	} {
		var got string
		h := trustOnly(networks, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("X-Forwarded-For") }))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if (got != "") != believed {
			t.Errorf("from %s: X-Forwarded-For is %q", peer, got)
		}
	}
}
