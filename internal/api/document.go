package api

import _ "embed"

//go:embed openapi.json
var document []byte

// Document returns the OpenAPI 3.1 document of /api/v1, as JSON. The caller must not change it.
func Document() []byte { return document }
