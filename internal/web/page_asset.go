package web

import (
	"bytes"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/ui"
)

// showAsset answers a file of the built script and style. Its address holds the checksum of all of them, so browsers
// keep it for ever; under another build's checksum it is not there.
func (s *Server) showAsset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	content, err := fs.ReadFile(ui.Assets(), name)
	if err != nil || r.PathValue("sum") != ui.Sum() || strings.HasPrefix(path.Base(name), ".") {
		return caseload.Errorf(caseload.NotFound, "There is no such asset.").WithHint("Reload the page; it may be of an older version.")
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	return nil
}
