package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/api"
	"dcdentals.com/caseload/internal/caseload"
)

func (s *Server) apiShowFileReceipt(w http.ResponseWriter, r *http.Request) error {
	receipt, err := s.fileReceipt(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, receipt)
}

func (s *Server) apiShowDropReceipt(w http.ResponseWriter, r *http.Request) error {
	receipt, err := s.dropReceipt(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, receipt)
}

// fileReceipt makes the receipt of the file the address names.
func (s *Server) fileReceipt(r *http.Request) (api.Receipt, error) {
	id, err := fileID(r)
	if err != nil {
		return api.Receipt{}, err
	}
	f, err := s.Transfer.Records.File(r.Context(), s.user(r), id)
	if err != nil {
		return api.Receipt{}, err
	}
	return s.receipt(r, []caseload.File{f}, nil)
}

// dropReceipt makes the receipt of the drop the address names.
func (s *Server) dropReceipt(r *http.Request) (api.Receipt, error) {
	id, err := dropID(r)
	if err != nil {
		return api.Receipt{}, err
	}
	files, deleted, err := s.Store.DropFiles(r.Context(), s.user(r), id)
	if err != nil {
		return api.Receipt{}, err
	}
	return s.receipt(r, files, deleted)
}

// receipt makes the receipt of files of one case and drop, of which there is at least one, and names what was deleted.
func (s *Server) receipt(r *http.Request, files, deleted []caseload.File) (api.Receipt, error) {
	user := s.user(r)
	organization, err := s.Store.Organization(r.Context(), user.Organization)
	if err != nil {
		return api.Receipt{}, err
	}
	c, err := s.Store.Case(r.Context(), user, files[0].Case)
	if err != nil {
		return api.Receipt{}, err
	}
	people, err := s.people(r)
	if err != nil {
		return api.Receipt{}, err
	}
	receipt := api.Receipt{
		Organization: api.ReceiptOrganization{ID: string(organization.ID), Name: organization.Name},
		Case:         api.ReceiptCase{ID: string(c.ID), Number: c.Number}, Drop: string(files[0].Drop),
		Complete: true, MadeAt: s.Now().UTC(), Files: make([]api.ReceiptFile, 0, len(files)),
	}
	for _, f := range files {
		receipt.Complete = receipt.Complete && (f.State == caseload.Ready || f.State == caseload.Rejected)
		receipt.Files = append(receipt.Files, api.ReceiptFile{
			ID: string(f.ID), Name: f.Name, Path: f.Path, Size: f.Size, SHA256: f.SHA256, CRC64NVME: f.CRC64NVME,
			State: string(f.State), Reason: f.Reason, SentBy: api.ReceiptPerson{ID: string(f.CreatedBy), Name: people[string(f.CreatedBy)]},
			CreatedAt: f.CreatedAt.UTC(), StoredAt: f.StoredAt.UTC(), ReadyAt: f.ReadyAt.UTC(),
		})
	}
	for _, f := range deleted {
		receipt.Deleted = append(receipt.Deleted, api.ReceiptDeleted{ID: string(f.ID), DeletedAt: f.ChangedAt.UTC()})
	}
	return receipt, nil
}
