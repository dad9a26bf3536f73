package main

import (
	"slices"
	"testing"
)

func TestOriginsAreTakenAsBrowsersSendThem(t *testing.T) {
	got, err := parseOrigins("https://App.example, http://127.0.0.1:8000,https://b.example:443/")
	if want := []string{"https://app.example", "http://127.0.0.1:8000", "https://b.example"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, raw := range []string{"*", "https://*.example", "app.example", "https://a.example/path", "https://u:p@a.example", "null"} {
		if got, err := parseOrigins(raw); err == nil {
			t.Errorf("%q was taken as %v", raw, got)
		}
	}
}
