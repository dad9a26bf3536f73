// Package api is the contract of Caseload's HTTP interface under /api/v1: the JSON shapes of every request and answer,
// the OpenAPI 3.1 document that describes them, and a Go client that speaks it: Client has one method for each call,
// Uploader sends whole folders as the browser does. Field names are snake_case, times are RFC 3339 in UTC, identifiers
// are opaque strings, sizes are bytes. Errors are problem details (RFC 9457) with a stable "kind". It knows the nouns of
// package caseload and nothing of databases, object stores or handlers.
package api
