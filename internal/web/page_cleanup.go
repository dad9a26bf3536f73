package web

import (
	"net/http"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Of a plan this many items are shown, and of all plans this many.
const (
	itemsShown = 200
	plansShown = 20
)

// cleanupPage is what would go, and what went before.
type cleanupPage struct {
	Policy  string
	Plan    *planView // that waits, or is being carried out
	Past    []planView
	Problem *formProblem
}

// planView is one plan.
type planView struct {
	ID, State, StateText string
	Made, Ended          moment
	By, ApprovedBy       string
	Kinds                []kindView
	Files, Size, Share   string
	TypeShare            bool // it is more than goes without a person's typing the share
	Waits                bool
	Done, Fell           int
	Undoable             bool
	UndoneBy             string
	Undone               moment
	Doubts               []string
	More                 int // items that are not shown
}

// kindView is the items of one kind.
type kindView struct {
	Kind, Title, Why string
	Count            int
	Items            []itemView
}

type itemView struct {
	Name, Number string
	Case         string // id, for a link to what is not deleted; ""
	Size         string
	Since        moment
}

// showCleanup shows the plan that waits, and the history.
func (s *Server) showCleanup(w http.ResponseWriter, r *http.Request) error {
	return s.showCleanupWith(w, r, http.StatusOK, nil)
}

func (s *Server) showCleanupWith(w http.ResponseWriter, r *http.Request, status int, problem *formProblem) error {
	l, user := localeOf(r), s.user(r)
	plans, err := s.Store.Plans(r.Context(), user, plansShown)
	if err != nil {
		return err
	}
	people, err := s.people(r)
	if err != nil {
		return err
	}
	page := cleanupPage{Policy: l.text("cleanup.policy." + string(s.Cleanup.Policy)), Problem: problem}
	for _, p := range plans {
		v := s.plan(l, p, people)
		switch {
		case p.State == caseload.PlanWaiting && s.Now().Sub(p.MadeAt) <= caseload.PlanGoodFor || p.State == caseload.PlanApproved:
			items, err := s.Store.Items(r.Context(), p.ID, 0, itemsShown)
			if err != nil {
				return err
			}
			v.addItems(l, items, s.Now())
			v.More = max(0, totalItems(p)-len(items))
			page.Plan = &v
		case totalItems(p) > 0:
			page.Past = append(page.Past, v)
		}
	}
	return s.render(w, r, status, "cleanup.html", page)
}

func totalItems(p caseload.CleanupPlan) (n int) {
	for _, state := range []caseload.ItemState{caseload.ItemWaiting, caseload.ItemClaimed, caseload.ItemDone, caseload.ItemFell} {
		n += p.Count(state)
	}
	return n
}

func (s *Server) plan(l locale, p caseload.CleanupPlan, people map[string]string) planView {
	v := planView{
		ID: string(p.ID), State: string(p.State), StateText: l.text("cleanup.state." + string(p.State)), Made: l.when(p.MadeAt, s.Now()), Ended: l.when(p.EndedAt, s.Now()),
		By: l.doer(people, p.MadeBy), Files: l.count("trash.files", int(p.Goes.Objects)), Size: formatSize(p.Goes.Bytes), Share: p.Share().String(),
		TypeShare: p.Share() > s.Cleanup.Rules.Share, Waits: p.State == caseload.PlanWaiting, Done: p.Count(caseload.ItemDone), Fell: p.Count(caseload.ItemFell),
	}
	v.Undoable = s.Cleanup.Undoable(p)
	if !p.UndoneAt.IsZero() {
		v.UndoneBy, v.Undone = l.doer(people, p.UndoneBy), l.when(p.UndoneAt, s.Now())
	}
	if p.ApprovedBy != "" {
		v.ApprovedBy = l.doer(people, p.ApprovedBy)
	}
	for _, d := range p.Doubts {
		v.Doubts = append(v.Doubts, l.text("cleanup.doubt."+string(d)))
	}
	for _, kind := range []caseload.ItemKind{caseload.ItemCase, caseload.ItemTrash, caseload.ItemUnfinished, caseload.ItemAbandoned, caseload.ItemStray} {
		count := 0
		for _, n := range p.Items[kind] {
			count += n
		}
		if count > 0 {
			v.Kinds = append(v.Kinds, kindView{Kind: string(kind), Title: l.count("cleanup.kind."+string(kind), count), Why: l.text("cleanup.why." + string(kind)), Count: count})
		}
	}
	return v
}

// addItems puts items under their kinds.
func (v *planView) addItems(l locale, items []caseload.CleanupItem, now time.Time) {
	for _, i := range items {
		for k := range v.Kinds {
			if v.Kinds[k].Kind != string(i.Kind) {
				continue
			}
			row := itemView{Name: i.Name, Number: i.Number, Since: l.when(i.Since, now)}
			if i.Kind != caseload.ItemTrash && i.Kind != caseload.ItemStray {
				row.Case = string(i.Case)
			}
			if i.Kind == caseload.ItemStray {
				row.Name = string(i.Object)
			}
			if i.Bytes > 0 {
				row.Size = formatSize(i.Bytes)
			}
			v.Kinds[k].Items = append(v.Kinds[k].Items, row)
		}
	}
}

// planCleanup looks now for what would go. Nothing is changed.
func (s *Server) planCleanup(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.Cleanup.Plan(r.Context(), s.user(r), s.Cleanup.Rules.OlderThan); err != nil {
		return s.cleanupProblem(w, r, err)
	}
	http.Redirect(w, r, "/cleanup", http.StatusSeeOther)
	return nil
}

// approveCleanup is an administrator's yes. The workers carry the plan out within half a minute.
func (s *Server) approveCleanup(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(r); err != nil {
		return err
	}
	id, err := planID(r)
	if err != nil {
		return err
	}
	var typed caseload.Share
	if text := field(r, "share"); text != "" {
		if typed, err = caseload.ParseShare(text); err != nil {
			return s.cleanupProblem(w, r, err)
		}
	}
	if _, err := s.Cleanup.Approve(r.Context(), s.user(r), id, typed); err != nil {
		return s.cleanupProblem(w, r, err)
	}
	http.Redirect(w, r, "/cleanup", http.StatusSeeOther)
	return nil
}

// dismissCleanup is an administrator's no.
func (s *Server) dismissCleanup(w http.ResponseWriter, r *http.Request) error {
	id, err := planID(r)
	if err != nil {
		return err
	}
	if err := s.Cleanup.Dismiss(r.Context(), s.user(r), id); err != nil {
		return s.cleanupProblem(w, r, err)
	}
	http.Redirect(w, r, "/cleanup", http.StatusSeeOther)
	return nil
}

// undoCleanup takes back what a plan did.
func (s *Server) undoCleanup(w http.ResponseWriter, r *http.Request) error {
	id, err := planID(r)
	if err != nil {
		return err
	}
	if _, _, err := s.Cleanup.Undo(r.Context(), s.user(r), id); err != nil {
		return s.cleanupProblem(w, r, err)
	}
	http.Redirect(w, r, "/cleanup", http.StatusSeeOther)
	return nil
}

// cleanupProblem shows on the page what an administrator can mend.
func (s *Server) cleanupProblem(w http.ResponseWriter, r *http.Request, err error) error {
	problem, ok := asFormProblem(err)
	if !ok {
		return err
	}
	return s.showCleanupWith(w, r, problem.Status, problem)
}
