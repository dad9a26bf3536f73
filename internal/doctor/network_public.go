package doctor

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
)

// public looks at the address that browsers use. What they really see only they can tell: the page Doctor tests it.
func (n *network) public(ctx context.Context) []Finding {
	u := n.o.Public
	if u == nil {
		u = n.o.Address
	}
	if f := n.outOfReach(ctx, u); f != nil {
		return []Finding{*f}
	}
	if u.Host == n.o.Address.Host && u.Scheme == n.o.Address.Scheme || u.Scheme != "https" {
		return nil
	}
	f := n.handshake(ctx, "cors.public", u)
	if f.Level == Failure && f.Check == "cors.public" { // browsers may well be where this machine is not
		f.Level, f.Means = Warning, "From here the address for browsers cannot be reached; the page Doctor shows what your browser sees."
	}
	return []Finding{f}
}

// outOfReach finds a store whose name leads into a private network while the page's leads into the internet: who opens the
// page from outside does not reach the store. nil: it is not so, or cannot be told.
func (n *network) outOfReach(ctx context.Context, store *url.URL) *Finding {
	if n.o.Page == nil || n.o.Page.Hostname() == store.Hostname() {
		return nil
	}
	there, here := n.addressesOf(ctx, store), n.addressesOf(ctx, n.o.Page)
	if len(there) == 0 || len(here) == 0 || slices.ContainsFunc(there, fromAnywhere) || !slices.ContainsFunc(here, fromAnywhere) {
		return nil
	}
	return &Finding{
		Check: "cors.public.private", Level: Warning, Tried: "The name service was asked where the store's address for browsers leads, and where the page's does.",
		Got:   "The store's is " + there[0].String() + ", within a private network; the page's is not.",
		Means: "Browsers outside that network cannot reach the store: every large file takes the way through this server.",
		Fix:   &Fix{Say: "If all who send are in that network, nothing is to be mended. Else set AWS_S3_PUBLIC_ENDPOINT_URL to an address of the store that the internet reaches, or have the name service outside answer with one."},
	}
}

func (n *network) addressesOf(ctx context.Context, u *url.URL) []netip.Addr {
	if at, err := netip.ParseAddr(u.Hostname()); err == nil {
		return []netip.Addr{at}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupWithin)
	defer cancel()
	found, err := n.o.Lookup(ctx, u.Hostname())
	if err != nil {
		return nil
	}
	return addressesOf(found)
}

// fromAnywhere tells whether the internet knows an address.
func fromAnywhere(a netip.Addr) bool {
	a = a.Unmap()
	carrier := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598: shared by a carrier's or an overlay network's machines
	return a.IsGlobalUnicast() && !a.IsPrivate() && !carrier.Contains(a)
}
