package web

import (
	"net/http"
	"net/url"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

// maxStoreDetail is the longest detail of a report, in bytes.
const maxStoreDetail = 200

// apiTestStore answers with a request by which the caller finds out whether it reaches the store.
func (s *Server) apiTestStore(w http.ResponseWriter, r *http.Request) error {
	origin := s.origin(r)
	probe, err := s.Transfer.Probe(r.Context(), s.user(r), origin)
	if err != nil {
		return err
	}
	u, err := url.Parse(probe.URL)
	if err != nil {
		return err
	}
	endpoint := u.Scheme + "://" + u.Host
	return answer(w, http.StatusOK, api.StoreTest{
		SameOrigin: endpoint == origin, Endpoint: endpoint,
		Request: api.SignedRequest{Part: 1, Method: probe.Method, URL: probe.URL, Headers: probe.Headers, ExpiresAt: probe.ExpiresAt.UTC()},
	})
}

// apiReportStore takes the word that the store was not reached from where the caller is: for the log, the metrics and, at
// most once an hour for each user and code, the audit log, from where administrators are told.
func (s *Server) apiReportStore(w http.ResponseWriter, r *http.Request) error {
	var in api.StoreReport
	if err := decode(r, &in); err != nil {
		return err
	}
	code := caseload.StoreCode(in.Code)
	switch {
	case !code.Known():
		return caseload.Errorf(caseload.Invalid, "This code is not known.").WithField("code")
	case !caseload.PrintableASCII(in.Detail, maxStoreDetail):
		return caseload.Errorf(caseload.Invalid, "The detail must be at most %d printable ASCII characters.", maxStoreDetail).WithField("detail")
	case in.Case != "" && !caseload.ValidID(in.Case):
		return caseload.Errorf(caseload.NotFound, "There is no such case.").WithField("case")
	}
	user := s.user(r)
	recorded, err := s.Store.RecordUnreached(r.Context(), user, code, caseload.CaseID(in.Case))
	if err != nil {
		return err
	}
	s.metrics.unreached.WithLabelValues(in.Code).Inc()
	if recorded {
		s.Log.WarnContext(r.Context(), "the store was not reached from where a user works", "request_id", exchangeOf(r).id,
			"code", in.Code, "detail", in.Detail, "user", user.ID, "case", in.Case)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
