package doctor_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"dcdentals.com/caseload/internal/caseload"
	"dcdentals.com/caseload/internal/doctor"
	"dcdentals.com/caseload/internal/objectstore"
	"dcdentals.com/caseload/internal/objectstore/miniotest"
	"dcdentals.com/caseload/internal/objectstore/s3test"
)

// fails is a store of which one call fails, the first time.
type fails struct {
	*objectstore.Store
	call string
}

func (s *fails) once(call string) error {
	if s.call == call {
		s.call = ""
		return errors.New("no " + call)
	}
	return nil
}

func (s *fails) Delete(ctx context.Context, key caseload.ObjectKey, version string) error {
	if err := s.once("delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key, version)
}

func (s *fails) ListParts(ctx context.Context, key caseload.ObjectKey, id string) ([]caseload.Part, error) {
	if err := s.once("list"); err != nil {
		return nil, err
	}
	return s.Store.ListParts(ctx, key, id)
}

func (s *fails) Head(ctx context.Context, key caseload.ObjectKey, version string) (caseload.Object, error) {
	if err := s.once("head"); err != nil {
		return caseload.Object{}, err
	}
	return s.Store.Head(ctx, key, version)
}

// Wherever a round trip breaks, it says where and leaves neither object nor upload behind.
func TestABrokenRoundTripLeavesNothing(t *testing.T) {
	server := s3test.Start(t)
	store := storeAt(t, server.Config())
	for call, step := range map[string]string{"": "", "head": "put", "delete": "delete", "list": "multipart"} {
		var broke []string
		well := doctor.RoundTrip(t.Context(), &fails{store, call}, "", http.DefaultClient, func(s doctor.Step) {
			if s.Err != nil {
				broke = append(broke, s.Name)
			}
		})
		if well != (call == "") || call != "" && (len(broke) == 0 || broke[0] != step) {
			t.Errorf("without %q: it went well: %v, broke at %s", call, well, strings.Join(broke, ", "))
		}
		noUploadIsLeft(t, server)
		if objects, _, err := store.List(t.Context(), caseload.Mark{}, false, 10); err != nil || len(objects) > 0 {
			t.Errorf("without %q: left behind: %v, %v", call, objects, err)
		}
	}
}

func noUploadIsLeft(t *testing.T, server *s3test.Server) {
	t.Helper()
	uploads, err := miniotest.Client(server.Config()).ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &server.Bucket})
	must(t, err)
	if len(uploads.Uploads) > 0 {
		t.Errorf("%d uploads are left", len(uploads.Uploads))
	}
}
