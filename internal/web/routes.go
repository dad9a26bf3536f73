package web

import "net/http"

// need is what a route asks of whoever calls it.
type need int

const (
	forAnyone need = iota // nobody needs to be signed in
	forReader             // any signed-in user, or a bearer token
	forWriter             // the role member or admin
	forAdmin              // the role admin
)

// kind is how a route answers, its errors included.
type kind int

const (
	asPage      kind = iota // HTML; errors are pages, a missing session leads to /sign-in. Bearer tokens are not taken
	asJSON                  // JSON; errors are problem details
	asStored                // like asJSON, and the object store is asked, which may take its time
	asUpload                // like asJSON, with a body of bytes that is streamed
	asCompanion             // like asStored; errors in the shape that Uppy shows to people
	asStream                // server-sent events, or bytes as long as they are taken; errors are problem details
	asProbe                 // health checks: any Host, no session
	asAsset                 // files of the program itself: no session
)

// handler answers a request or returns why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one line of the table: ServeMux pattern, who may call it, how it answers, and the handler.
type route struct {
	pattern string
	needs   need
	kind    kind
	handle  handler
}

// routeTable is every address of the server, read from top to bottom. The signed requests of the embedded store
// (/{bucket}/…) are taken out before it: see s3proxy.go.
func (s *Server) routeTable() []route {
	return []route{
		{"GET /healthz", forAnyone, asProbe, s.monitor.showHealth},
		{"GET /readyz", forAnyone, asProbe, s.monitor.showReadiness},
		{"GET /assets/{sum}/{file...}", forAnyone, asAsset, s.showAsset},

		// Coming in.
		{"GET /welcome", forAnyone, asPage, s.showWelcome},
		{"POST /welcome", forAnyone, asPage, s.createFirstAdmin},
		{"GET /sign-in", forAnyone, asPage, s.showSignIn},
		{"POST /sign-in", forAnyone, asPage, s.signIn},
		{"POST /sign-out", forReader, asPage, s.signOut},

		// Cases and files.
		{"GET /{$}", forReader, asPage, s.showHome},
		{"GET /cases", forReader, asPage, s.listCases},
		{"POST /cases", forWriter, asPage, s.createCase},
		{"GET /cases/{case}", forReader, asPage, s.showCase},
		{"POST /cases/{case}", forWriter, asPage, s.changeCase},
		{"POST /cases/{case}/delete", forWriter, asPage, s.deleteCase},
		{"POST /cases/{case}/finish", forWriter, asPage, s.finishCase},
		{"POST /cases/{case}/discard", forWriter, asPage, s.discardUploads},
		{"GET /files/{file}", forReader, asPage, s.showFile},
		{"GET /files/{file}/receipt", forReader, asPage, s.showFileReceipt},
		{"GET /instances/{instance}", forReader, asPage, s.showHeader},
		{"GET /drops/{drop}/receipt", forReader, asPage, s.showDropReceipt},
		{"POST /files/{file}/delete", forWriter, asPage, s.deleteFile},
		{"GET /files/{file}/download", forReader, asPage, s.downloadFile},

		// What was deleted, and what may go for good.
		{"GET /trash", forWriter, asPage, s.showTrash},
		{"POST /files/{file}/restore", forWriter, asPage, s.restoreFile},
		{"POST /cases/{case}/restore", forWriter, asPage, s.restoreCase},
		{"POST /files/{file}/purge", forAdmin, asPage, s.purgeFile},
		{"POST /cases/{case}/purge", forAdmin, asPage, s.purgeCase},
		{"GET /cleanup", forAdmin, asPage, s.showCleanup},
		{"POST /cleanup/plans", forAdmin, asPage, s.planCleanup},
		{"POST /cleanup/plans/{plan}/approve", forAdmin, asPage, s.approveCleanup},
		{"POST /cleanup/plans/{plan}/dismiss", forAdmin, asPage, s.dismissCleanup},
		{"POST /cleanup/plans/{plan}/undo", forAdmin, asPage, s.undoCleanup},

		// People and tokens.
		{"GET /users", forAdmin, asPage, s.listUsers},
		{"POST /users", forAdmin, asPage, s.createUser},
		{"POST /users/{user}", forAdmin, asPage, s.changeUser},
		{"GET /storage", forAdmin, asPage, s.showStorage},
		{"POST /storage/limit", forAdmin, asPage, s.limitStorage},
		{"GET /account", forReader, asPage, s.showAccount},
		{"POST /account/password", forReader, asPage, s.changePassword},
		{"GET /tokens", forReader, asPage, s.listTokens},
		{"POST /tokens", forWriter, asPage, s.createToken},
		{"POST /tokens/{token}/revoke", forWriter, asPage, s.revokeToken},

		// The deployment itself.
		{"GET /doctor", forAdmin, asPage, s.showDoctor},
		{"POST /doctor", forAdmin, asPage, s.examineNow},

		// Who looks at a page hears of every change.
		{"GET /live/doctor", forAdmin, asStream, s.followDoctor},
		{"GET /live/cases", forReader, asStream, s.followCases},
		{"GET /live/cases/{case}", forReader, asStream, s.followCase},

		// The API.
		{"GET /api/v1/openapi.json", forAnyone, asJSON, s.apiShowDocument},
		{"GET /api/v1/me", forReader, asJSON, s.apiShowMe},
		{"GET /api/v1/cases", forReader, asJSON, s.apiListCases},
		{"POST /api/v1/cases", forWriter, asJSON, s.apiCreateCase},
		{"GET /api/v1/cases/{case}", forReader, asJSON, s.apiShowCase},
		{"PATCH /api/v1/cases/{case}", forWriter, asJSON, s.apiChangeCase},
		{"DELETE /api/v1/cases/{case}", forWriter, asJSON, s.apiDeleteCase},
		{"GET /api/v1/cases/{case}/files", forReader, asJSON, s.apiListFiles},
		{"POST /api/v1/cases/{case}/files", forWriter, asJSON, s.apiPlanFiles},
		{"PUT /api/v1/cases/{case}/contents", forWriter, asUpload, s.apiReceiveBatch},
		{"POST /api/v1/cases/{case}/abandon", forWriter, asStored, s.apiAbandonFiles},
		{"POST /api/v1/cases/{case}/match", forReader, asJSON, s.apiMatchFiles},
		{"GET /api/v1/cases/{case}/studies", forReader, asJSON, s.apiListStudies},
		{"GET /api/v1/cases/{case}/previews", forReader, asJSON, s.apiListPreviews},
		{"GET /api/v1/previews/{preview}/{view}/{sum}", forReader, asJSON, s.apiShowPicture},
		{"POST /api/v1/previews/{preview}/claim", forWriter, asJSON, s.apiClaimPreview},
		{"DELETE /api/v1/previews/{preview}/claim", forWriter, asJSON, s.apiReleasePreview},
		{"GET /api/v1/previews/{preview}/frame", forReader, asStored, s.apiShowFrame},
		{"GET /api/v1/previews/{preview}/frame/content", forReader, asStored, s.apiSendFrame},
		{"GET /api/v1/previews/{preview}/frame/slices", forReader, asStream, s.apiSendSlices},
		{"PUT /api/v1/previews/{preview}/{view}", forWriter, asUpload, s.apiOfferPicture},
		{"GET /api/v1/cases/{case}/events", forReader, asJSON, s.apiListEvents},
		{"GET /api/v1/cases/{case}/live", forReader, asStream, s.followCase},
		{"GET /api/v1/instances/{instance}/header", forReader, asStored, s.apiShowHeader},
		{"GET /api/v1/files/{file}", forReader, asJSON, s.apiShowFile},
		{"DELETE /api/v1/files/{file}", forWriter, asJSON, s.apiDeleteFile},
		{"GET /api/v1/files/{file}/versions", forReader, asJSON, s.apiListVersions},
		{"GET /api/v1/files/{file}/receipt", forReader, asJSON, s.apiShowFileReceipt},
		{"GET /api/v1/drops/{drop}/receipt", forReader, asJSON, s.apiShowDropReceipt},
		{"PUT /api/v1/files/{file}/content", forWriter, asUpload, s.apiReceiveFile},
		{"GET /api/v1/files/{file}/content", forReader, asStored, s.apiDownloadFile},
		{"GET /api/v1/files/{file}/link", forReader, asStored, s.apiLinkFile},
		{"GET /api/v1/files/{file}/relay", forReader, asStream, s.apiRelayFile},
		{"POST /api/v1/files/{file}/parts", forWriter, asStored, s.apiSignParts},
		{"GET /api/v1/files/{file}/parts", forReader, asStored, s.apiListParts},
		{"PUT /api/v1/files/{file}/parts/{number}", forWriter, asUpload, s.apiRelayPart},
		{"POST /api/v1/files/{file}/complete", forWriter, asStored, s.apiCompleteFile},
		{"POST /api/v1/files/{file}/abort", forWriter, asStored, s.apiAbortFile},
		{"GET /api/v1/doctor", forAdmin, asStored, s.apiExamine},
		{"GET /api/v1/store-test", forWriter, asStored, s.apiTestStore},
		{"POST /api/v1/store-reports", forWriter, asJSON, s.apiReportStore},
		{"POST /api/v1/progress", forWriter, asJSON, s.apiReportProgress},
		{"GET /api/v1/usage", forAdmin, asJSON, s.apiShowUsage},
		{"GET /api/v1/trash", forWriter, asJSON, s.apiListTrash},
		{"POST /api/v1/files/{file}/restore", forWriter, asStored, s.apiRestoreFile},
		{"POST /api/v1/cases/{case}/restore", forWriter, asStored, s.apiRestoreCase},
		{"POST /api/v1/files/{file}/purge", forAdmin, asJSON, s.apiPurgeFile},
		{"POST /api/v1/cases/{case}/purge", forAdmin, asJSON, s.apiPurgeCase},
		{"POST /api/v1/cases/{case}/finish", forWriter, asJSON, s.apiFinishCase},
		{"GET /api/v1/cleanup", forAdmin, asJSON, s.apiShowCleanup},
		{"POST /api/v1/cleanup/plans", forAdmin, asStored, s.apiPlanCleanup},
		{"GET /api/v1/cleanup/plans/{plan}", forAdmin, asJSON, s.apiShowPlan},
		{"POST /api/v1/cleanup/plans/{plan}/approve", forAdmin, asJSON, s.apiApprovePlan},
		{"POST /api/v1/cleanup/plans/{plan}/dismiss", forAdmin, asJSON, s.apiDismissPlan},
		{"POST /api/v1/cleanup/plans/{plan}/undo", forAdmin, asStored, s.apiUndoPlan},
		{"GET /api/v1/quota", forAdmin, asJSON, s.apiShowQuota},
		{"PUT /api/v1/quota", forAdmin, asJSON, s.apiSetQuota},
		{"GET /api/v1/users", forAdmin, asJSON, s.apiListUsers},
		{"POST /api/v1/users", forAdmin, asJSON, s.apiCreateUser},
		{"PATCH /api/v1/users/{user}", forAdmin, asJSON, s.apiChangeUser},
		{"GET /api/v1/tokens", forReader, asJSON, s.apiListTokens},
		{"POST /api/v1/tokens", forWriter, asJSON, s.apiCreateToken},
		{"DELETE /api/v1/tokens/{token}", forWriter, asJSON, s.apiRevokeToken},

		// What the doctor asks through the public address, with the word of a trial.
		{"PUT /api/front", forAnyone, asUpload, s.apiFrontBody},
		{"GET /api/front", forAnyone, asStream, s.apiFrontStream},

		// What the stock Uppy plugin asks for.
		{"GET /companion/cases/{case}/s3/params", forWriter, asCompanion, s.companionSignForm},
		{"POST /companion/cases/{case}/s3/complete", forWriter, asCompanion, s.companionCompleteForm},
		{"POST /companion/cases/{case}/s3/multipart", forWriter, asCompanion, s.companionBegin},
		{"GET /companion/cases/{case}/s3/multipart/{upload}", forWriter, asCompanion, s.companionListParts},
		{"GET /companion/cases/{case}/s3/multipart/{upload}/batch", forWriter, asCompanion, s.companionSignBatch},
		{"GET /companion/cases/{case}/s3/multipart/{upload}/{number}", forWriter, asCompanion, s.companionSignPart},
		{"POST /companion/cases/{case}/s3/multipart/{upload}/complete", forWriter, asCompanion, s.companionComplete},
		{"DELETE /companion/cases/{case}/s3/multipart/{upload}", forWriter, asCompanion, s.companionCancel},
	}
}

// showHome leads to the case list.
func (s *Server) showHome(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/cases", http.StatusSeeOther)
	return nil
}
