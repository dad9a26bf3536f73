package caseload

// StoreCode names why the store could not be reached from where a person works. docs/operate.md explains each.
type StoreCode string

const (
	StoreCORS        StoreCode = "STORE-CORS"        // the browser may not speak to it: the bucket's CORS rule
	StoreUnreachable StoreCode = "STORE-UNREACHABLE" // no connection: firewall, name, certificate
	StoreIntercepted StoreCode = "STORE-INTERCEPTED" // something between answers in its place
	StoreRefused     StoreCode = "STORE-REFUSED"     // the store itself says no
)

// Known tells whether the code is one of the above.
func (c StoreCode) Known() bool {
	switch c {
	case StoreCORS, StoreUnreachable, StoreIntercepted, StoreRefused:
		return true
	}
	return false
}

// Unreached is how often one code was reported lately.
type Unreached struct {
	Code  StoreCode
	Times int // at most once an hour for each user
}
