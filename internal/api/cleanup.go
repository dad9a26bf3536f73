package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// Cleanup answers GET /cleanup: the rules by which plans are made, and the latest plans without their items, the newest first.
type Cleanup struct {
	Policy        string        `json:"policy"`         // off, propose, on
	OlderThan     int64         `json:"older_than"`     // seconds without a sign of life of an upload
	FinishedAfter int64         `json:"finished_after"` // seconds a case is finished and unchanged; 0: cases stay
	TrashWindow   int64         `json:"trash_window"`   // seconds
	Share         string        `json:"share"`          // percent of everything that goes without the number being told
	Plans         []CleanupPlan `json:"plans"`
}

// CleanupPlan is what one clean-up would do, or did.
type CleanupPlan struct {
	ID         string         `json:"id"`
	State      string         `json:"state"` // waiting, approved, done, refused, dismissed
	MadeAt     time.Time      `json:"made_at"`
	MadeBy     string         `json:"made_by"`
	GoodUntil  time.Time      `json:"good_until,omitzero"` // of one that waits
	ApprovedBy string         `json:"approved_by,omitempty"`
	ApprovedAt time.Time      `json:"approved_at,omitzero"`
	EndedAt    time.Time      `json:"ended_at,omitzero"`
	UndoneBy   string         `json:"undone_by,omitempty"`
	UndoneAt   time.Time      `json:"undone_at,omitzero"`
	Objects    int64          `json:"objects"` // files that would go
	Bytes      int64          `json:"bytes"`
	Share      string         `json:"share"` // percent of everything the organization has
	Counts     []CleanupCount `json:"counts"`
	Doubts     []string       `json:"doubts"` // why it was refused
	Items      []CleanupItem  `json:"items"`  // only in the answer about one plan
	Next       int            `json:"next,omitempty"`
}

// CleanupCount is how many items of one kind are in one state.
type CleanupCount struct {
	Kind  string `json:"kind"`
	State string `json:"state"`
	Items int    `json:"items"`
}

// CleanupItem is one thing of a plan.
type CleanupItem struct {
	N      int       `json:"n"`
	Kind   string    `json:"kind"` // unfinished, abandoned, trash, case, stray
	State  string    `json:"state"`
	Why    string    `json:"why,omitempty"` // why it stayed after all
	Case   string    `json:"case,omitempty"`
	Number string    `json:"number,omitempty"`
	File   string    `json:"file,omitempty"`
	Name   string    `json:"name,omitempty"`
	Bytes  int64     `json:"bytes"`
	Since  time.Time `json:"since"`
}

// NewPlan is the request of POST /cleanup/plans. OlderThan is in seconds, a day at least; 0: the server's own.
type NewPlan struct {
	OlderThan int64 `json:"older_than,omitempty"`
}

// ApprovePlan is the request of POST /cleanup/plans/{plan}/approve. Share is the plan's own, told when it is above the rule's.
type ApprovePlan struct {
	Share string `json:"share,omitempty"`
}

// UndonePlan answers POST /cleanup/plans/{plan}/undo.
type UndonePlan struct {
	Plan  CleanupPlan `json:"plan"`
	Cases int         `json:"cases"` // out of the trash
	Files int         `json:"files"` // back in the trash
	Lost  int         `json:"lost"`  // could not come back
}

// kinds and states of items, in the order of the contract.
var (
	itemKinds  = []caseload.ItemKind{caseload.ItemUnfinished, caseload.ItemAbandoned, caseload.ItemTrash, caseload.ItemCase, caseload.ItemStray}
	itemStates = []caseload.ItemState{caseload.ItemWaiting, caseload.ItemClaimed, caseload.ItemDone, caseload.ItemFell}
)

// FromPlan tells a plan as the contract does, with no items.
func FromPlan(p caseload.CleanupPlan) CleanupPlan {
	out := CleanupPlan{
		ID: string(p.ID), State: string(p.State), MadeAt: utc(p.MadeAt), MadeBy: p.MadeBy, ApprovedBy: p.ApprovedBy, ApprovedAt: utc(p.ApprovedAt),
		EndedAt: utc(p.EndedAt), UndoneBy: p.UndoneBy, UndoneAt: utc(p.UndoneAt), Objects: p.Goes.Objects, Bytes: p.Goes.Bytes, Share: p.Share().String(),
		Counts: []CleanupCount{}, Doubts: []string{}, Items: []CleanupItem{},
	}
	if p.State == caseload.PlanWaiting {
		out.GoodUntil = utc(p.MadeAt.Add(caseload.PlanGoodFor))
	}
	for _, kind := range itemKinds {
		for _, state := range itemStates {
			if n := p.Count(state, kind); n > 0 {
				out.Counts = append(out.Counts, CleanupCount{string(kind), string(state), n})
			}
		}
	}
	for _, d := range p.Doubts {
		out.Doubts = append(out.Doubts, string(d))
	}
	return out
}

// FromItem tells an item as the contract does. Keys and upload ids of the store stay inside.
func FromItem(i caseload.CleanupItem) CleanupItem {
	return CleanupItem{
		N: i.N, Kind: string(i.Kind), State: string(i.State), Why: i.Why, Case: string(i.Case), Number: i.Number, File: string(i.File), Name: i.Name,
		Bytes: i.Bytes, Since: utc(i.Since),
	}
}

// Cleanup returns the rules and the latest plans.
func (c *Client) Cleanup(ctx context.Context) (out Cleanup, err error) {
	return out, c.do(ctx, call{method: http.MethodGet, path: "/cleanup", out: &out, repeat: true})
}

// PlanCleanup looks for what could go and writes it down; nothing else is changed.
func (c *Client) PlanCleanup(ctx context.Context, n NewPlan) (p CleanupPlan, err error) {
	return p, c.do(ctx, call{method: http.MethodPost, path: "/cleanup/plans", in: n, out: &p, slow: true})
}

// CleanupPlan returns one plan with its items after one; Next of the answer is the after of the following page, 0 at the end.
func (c *Client) CleanupPlan(ctx context.Context, id string, after int) (p CleanupPlan, err error) {
	query := url.Values{}
	if after != 0 {
		query.Set("after", strconv.Itoa(after))
	}
	return p, c.do(ctx, call{method: http.MethodGet, path: planPath(id, ""), query: query, out: &p, repeat: true})
}

// ApproveCleanup says yes to a plan: it is carried out by the next sweep. share is the plan's own, or "".
func (c *Client) ApproveCleanup(ctx context.Context, id, share string) (p CleanupPlan, err error) {
	return p, c.do(ctx, call{method: http.MethodPost, path: planPath(id, "/approve"), in: ApprovePlan{share}, out: &p})
}

// DismissCleanup says no to a plan.
func (c *Client) DismissCleanup(ctx context.Context, id string) (p CleanupPlan, err error) {
	return p, c.do(ctx, call{method: http.MethodPost, path: planPath(id, "/dismiss"), out: &p})
}

// UndoCleanup takes back what a plan did, as far as it can come back.
func (c *Client) UndoCleanup(ctx context.Context, id string) (u UndonePlan, err error) {
	return u, c.do(ctx, call{method: http.MethodPost, path: planPath(id, "/undo"), out: &u, slow: true})
}

func planPath(id, rest string) string { return "/cleanup/plans/" + url.PathEscape(id) + rest }
