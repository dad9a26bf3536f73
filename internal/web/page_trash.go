package web

import (
	"net/http"

	"dcdentals.com/caseload/internal/caseload"
)

// trashPage is what was deleted and can come back.
type trashPage struct {
	Rows     []trashRow
	MayErase bool // an administrator
	More     bool
	Days     int // of the window
}

// Empty tells whether nothing was deleted lately.
func (p trashPage) Empty() bool { return len(p.Rows) == 0 }

// trashRow is one deleted case, or one deleted file.
type trashRow struct {
	ID, Action  string // Action is the address of the verbs: "/cases/ID" or "/files/ID"
	Name, Under string // Under is a file's case; "" of a case
	Size        string
	By          string
	At, Until   moment
	Going       bool // it is being erased
	Hidden      bool // its time is over; the bucket still holds its version
	Soon        bool // its window is over
	SameName    bool
	Empty       bool // a case of which no file is kept
}

// showTrash lists what the user may have back.
func (s *Server) showTrash(w http.ResponseWriter, r *http.Request) error {
	l, user, now := localeOf(r), s.user(r), s.Now()
	trash, err := s.Store.Trash(r.Context(), user, now.Add(-s.Limits.TrashWindow))
	if err != nil {
		return err
	}
	people, err := s.people(r)
	if err != nil {
		return err
	}
	page := trashPage{MayErase: user.Role.CanAdminister(), More: trash.More, Days: int(s.Limits.TrashWindow.Hours() / 24)}
	for _, c := range trash.Cases {
		page.Rows = append(page.Rows, trashRow{
			ID: string(c.ID), Action: "/cases/" + string(c.ID), Name: c.Number + " " + c.Patient, Size: l.count("trash.files", c.Files) + " · " + formatSize(c.Bytes),
			By: l.doer(people, c.By), At: l.when(c.DeletedAt, now), Until: l.when(c.Until, now), Soon: !c.Until.IsZero() && !c.Until.After(now), Empty: c.Files == 0,
		})
	}
	for _, f := range trash.Files {
		page.Rows = append(page.Rows, trashRow{
			ID: string(f.ID), Action: "/files/" + string(f.ID), Name: f.Name, Under: f.Number + " " + f.Patient, Size: formatSize(f.Size), By: l.doer(people, f.By),
			At: l.when(f.At, now), Until: l.when(f.Until, now), Going: f.Claimed, Hidden: f.Hidden, Soon: !f.Until.After(now), SameName: f.SameName,
		})
	}
	return s.render(w, r, http.StatusOK, "trash.html", page)
}

// doer names who did something: a person, or Caseload itself.
func (l locale) doer(people map[string]string, actor string) string {
	if name := people[actor]; name != "" {
		return name
	}
	return l.text("trash.bySystem")
}

// restoreFile takes a file out of the trash and leads to it.
func (s *Server) restoreFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err != nil {
		return err
	}
	if _, err := s.Transfer.RestoreFile(r.Context(), s.user(r), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/files/"+string(id), http.StatusSeeOther)
	return nil
}

// restoreCase takes a case out of the trash with what went with it, and leads to it.
func (s *Server) restoreCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if _, _, err := s.Transfer.RestoreCase(r.Context(), s.user(r), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/cases/"+string(id), http.StatusSeeOther)
	return nil
}

// purgeFile lets a deleted file go before its time, once it was confirmed a second time.
func (s *Server) purgeFile(w http.ResponseWriter, r *http.Request) error {
	id, err := fileID(r)
	if err == nil {
		err = confirmed(r)
	}
	if err != nil {
		return err
	}
	if _, err := s.Store.PurgeFile(r.Context(), s.user(r), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/trash", http.StatusSeeOther)
	return nil
}

// purgeCase is purgeFile for a deleted case.
func (s *Server) purgeCase(w http.ResponseWriter, r *http.Request) error {
	id, err := caseID(r)
	if err == nil {
		err = confirmed(r)
	}
	if err != nil {
		return err
	}
	if _, err := s.Store.PurgeCase(r.Context(), s.user(r), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/trash", http.StatusSeeOther)
	return nil
}

func confirmed(r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	if field(r, "confirm") != "yes" {
		return caseload.Errorf(caseload.Invalid, "This was not confirmed.").WithHint("Tick the box, then try again.").WithField("confirm")
	}
	return nil
}

// finishCase says that the work on a case is finished, or that it is not.
func (s *Server) finishCase(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := caseID(r)
	if err != nil {
		return err
	}
	if err := s.Store.FinishCase(r.Context(), s.user(r), id, field(r, "finished") == "yes"); err != nil {
		return err
	}
	http.Redirect(w, r, "/cases/"+string(id), http.StatusSeeOther)
	return nil
}
