package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"dcdentals.com/caseload/internal/caseload"
)

// lifecycleRule is one rule, in the form of the store's command line.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
type lifecycleRule struct {
	ID     string
	Status string
	Prefix string
	Filter struct {
		Prefix string
		Tag    *struct{ Key, Value string }
		And    *struct {
			Prefix string
			Tags   []struct{ Key, Value string }
		}
	}
	Expiration *struct {
		Days                      int
		Date                      string
		ExpiredObjectDeleteMarker bool
	}
	Transitions []struct {
		Days               int
		Date, StorageClass string
	}
	NoncurrentVersionExpiration *struct {
		NoncurrentDays          int
		NewerNoncurrentVersions int
	}
	NoncurrentVersionTransitions []struct {
		NoncurrentDays int
		StorageClass   string
	}
	AbortIncompleteMultipartUpload *struct{ DaysAfterInitiation int }
}

// meets tells whether the rule can be about a file's object: keys are random behind one letter, and carry no tags.
func (r lifecycleRule) meets() bool {
	prefix := r.Prefix + r.Filter.Prefix
	if r.Filter.And != nil {
		prefix += r.Filter.And.Prefix
		if len(r.Filter.And.Tags) > 0 {
			return false
		}
	}
	return r.Status == "Enabled" && r.Filter.Tag == nil && caseload.KeyMayBegin(prefix)
}

// lifecycle looks for the rule that aborts incomplete uploads, and for rules that would end or lock away live files.
func (t *trials) lifecycle(ctx context.Context) []Finding {
	document, f := t.setting(ctx, "bucket.abort-rule", caseload.BucketLifecycle, "its lifecycle rules")
	if f == nil {
		return nil
	}
	if f.Level != Fine {
		return []Finding{*f}
	}
	var set struct{ Rules []lifecycleRule }
	if len(document) > 0 {
		if err := json.Unmarshal(document, &set); err != nil {
			f.Level, f.Got, f.Means = Warning, "They are not in a form that is known.", "Look at them by hand: none may expire objects."
			return []Finding{*f}
		}
	}
	found := []Finding{t.abortRule(*f, set.Rules), t.expiryRule(*f, set.Rules), t.archiveRule(*f, set.Rules)}
	return append(found, t.versionsRule(*f, set.Rules)...)
}

// versionsRule looks for rules that end old versions, or lock them away, while they can still be restored. An object of
// ours is written once, so that a rule which spares the newest old versions never meets one.
func (t *trials) versionsRule(f Finding, rules []lifecycleRule) []Finding {
	f = Finding{Check: "bucket.versions-rule", Level: Warning, Tried: f.Tried}
	early := func(r lifecycleRule, days int) bool {
		return r.meets() && time.Duration(days)*24*time.Hour < t.o.Bucket.UndoWindow
	}
	for _, r := range rules {
		if e := r.NoncurrentVersionExpiration; e != nil && e.NewerNoncurrentVersions == 0 && early(r, e.NoncurrentDays) {
			f.Got = fmt.Sprintf("The rule %q deletes versions %d days after they were replaced or deleted.", r.ID, e.NoncurrentDays)
			f.Means = fmt.Sprintf("What was erased can be restored for %s (CASELOAD_UNDO_WINDOW), and the store throws it away before that.", shortly(t.o.Bucket.UndoWindow))
		}
		for _, to := range r.NoncurrentVersionTransitions {
			if f.Got == "" && archives(to.StorageClass) && early(r, to.NoncurrentDays) {
				f.Got = fmt.Sprintf("The rule %q moves versions to %s %d days after they were replaced or deleted.", r.ID, to.StorageClass, to.NoncurrentDays)
				f.Means = fmt.Sprintf("What was erased can be restored for %s (CASELOAD_UNDO_WINDOW), and would come back as a file that cannot be read.", shortly(t.o.Bucket.UndoWindow))
			}
		}
		if f.Got != "" {
			f.Fix = &Fix{Say: "Whoever may set the bucket up gives the rule more days, or CASELOAD_UNDO_WINDOW becomes shorter than the rule.", Needs: []string{settingActions[caseload.BucketLifecycle].put}}
			return []Finding{f}
		}
	}
	return nil
}

func (t *trials) abortRule(f Finding, rules []lifecycleRule) Finding {
	f.Fix = t.setUp(caseload.BucketLifecycle, "Whoever may set the bucket up applies this rule.", "caseload bucket lifecycle apply", t.o.Bucket.Lifecycle())
	soonest := 0
	for _, r := range rules {
		if a := r.AbortIncompleteMultipartUpload; a != nil && r.meets() && (soonest == 0 || a.DaysAfterInitiation < soonest) {
			soonest = a.DaysAfterInitiation
		}
	}
	f.Got = fmt.Sprintf("Incomplete uploads are aborted after %d days.", soonest)
	switch least := t.o.Bucket.AbandonAfter; {
	case soonest == 0 && knownToLack(t.kind, caseload.BucketLifecycle):
		f.Level, f.Got, f.Means, f.Fix = Note, "No rule aborts incomplete uploads.", f.Fix.Say, nil
	case soonest == 0:
		f.Level, f.Got = Warning, "No rule aborts incomplete uploads."
		f.Means = "Parts of uploads that were never finished and that Caseload lost sight of stay for ever: no listing shows them, and every bill counts them."
	case time.Duration(soonest)*24*time.Hour <= least:
		f.Level = Failure
		f.Means = fmt.Sprintf("The store throws uploads away that people may still resume: CASELOAD_ABANDON_AFTER is %s.", least)
	default:
		f.Fix = nil
	}
	return f
}

func (t *trials) expiryRule(f Finding, rules []lifecycleRule) Finding {
	f = Finding{Check: "bucket.expiry-rule", Level: Fine, Tried: f.Tried, Got: "No rule ends a file."}
	for _, r := range rules {
		if e := r.Expiration; e != nil && (e.Days > 0 || e.Date != "") && r.meets() {
			f.Level, f.Got = Failure, fmt.Sprintf("The rule %q deletes objects %s.", r.ID, when(e.Days, e.Date))
			f.Means = "The store itself deletes patients' files, behind Caseload's back and without a trace in its audit."
			f.Fix = &Fix{
				Say:      "Whoever may set the bucket up takes the rule away, today; Caseload deletes what is to be deleted (`caseload cleanup`). This is all that the bucket needs.",
				Command:  "caseload bucket lifecycle print",
				Document: string(t.o.Bucket.Lifecycle()),
				Needs:    []string{settingActions[caseload.BucketLifecycle].put},
			}
			return f
		}
	}
	return f
}

func when(days int, date string) string {
	if date != "" {
		return "on " + date
	}
	return fmt.Sprintf("after %d days", days)
}

// archives tells whether what lies in the storage class cannot be read before somebody restores it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html
func archives(class string) bool { return class == "GLACIER" || class == "DEEP_ARCHIVE" }

// archiveRule looks for rules that move files where they cannot be read without being restored first.
func (t *trials) archiveRule(f Finding, rules []lifecycleRule) Finding {
	f = Finding{Check: "bucket.archive-rule", Level: Fine, Tried: f.Tried, Got: "No rule locks a file away."}
	for _, r := range rules {
		for _, to := range r.Transitions {
			if archives(to.StorageClass) && r.meets() {
				f.Level, f.Got = Failure, fmt.Sprintf("The rule %q moves objects to %s %s.", r.ID, to.StorageClass, when(to.Days, to.Date))
				f.Means = "Files in there cannot be read or downloaded until somebody restores them by hand, which takes hours."
				f.Fix = &Fix{Say: "Whoever may set the bucket up uses GLACIER_IR or STANDARD_IA instead, which are read at once, or takes the rule away.", Needs: []string{settingActions[caseload.BucketLifecycle].put}}
				return f
			}
		}
	}
	return f
}
